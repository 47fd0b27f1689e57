"""The HTML report: its structure, its sentences, and texts that are no markup."""

import base64
import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import numpy as np
import pytest
from cmh_data import PairedDataset, Split, load
from cmh_metrics import pack_codes
from PIL import Image
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment
from umml_cli.report.gallery import Items, Partner, look_up
from umml_cli.report.outputs import rewrite_outputs, write_outputs
from umml_cli.report.page import column_parts
from umml_cli.report.page_templates import inline_svg, typeset
from umml_cli.report.paper_tables.table import Entry, PaperTable, Row
from umml_cli.report.run_pages import thin
from umml_cli.report.run_report import write_run_report
from umml_cli.report.summary import result_sentence
from umml_cli.results.series import Score, Series
from umml_cli.runs.cells import Cell
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.specification import RunSpecification
from umml_cli.runs.store import BestEpoch, RunResult, RunStore
from umml_cli.terms import TASKS

HOSTILE = '</script><script>alert("1")</script><img src=x onerror=alert(2)>'
CELLS = (Cell.of("paired"), Cell.of("UI", 60), Cell.of("SD", 60), Cell.of("untrained"))
MAPS = {"paired": 0.8, "UI": 0.6, "SD": 0.4, "untrained": 0.2}


def dataset(**changes):
    rows = np.arange(8)
    values = {
        "image": np.eye(8, dtype=np.float32), "text": np.eye(8, dtype=np.uint8),
        "label": np.eye(2, dtype=np.uint8)[rows % 2], "name": "mine",
        "label_names": ("bird", f"cat {HOSTILE}"), "captions": (f"a caption {HOSTILE}", *"bcdefgh"),
        "split": Split(train=rows[:6], query=rows[6:], retrieval=rows[:6]),
    }  # fmt: skip
    return PairedDataset(**{**values, **changes})


def random_codes(data, seed=0):
    def pack(n):
        return pack_codes(np.sign(generator.normal(size=(n, 8))), code_values="signed")

    generator = np.random.default_rng(seed)
    sides = {
        f"{rows}_{side}": pack(n)
        for rows, n in (("query", 2), ("retrieval", 6))
        for side in ("image", "text")
    }
    there = {f"{name}_present": np.ones(2 if name.startswith("query") else 6, np.bool_) for name in sides}
    return RunCodes(
        **sides, **there, query_rows=data.split.query, retrieval_rows=data.split.retrieval,
        query_labels=data.label[data.split.query], retrieval_labels=data.label[data.split.retrieval],
    )  # fmt: skip


def store_run(store, data, cell, seed, bits=8):
    spec = RunSpecification.model_validate({
        "dataset": data.name, "data_digest": data.digest, "method": "dadh", "method_version": "1",
        "bits": bits, "epochs": 3, "batch_size": 8, "options": {"margin": HOSTILE},
        "cell": cell, "seed": seed,
    })  # fmt: skip
    folder = store.open(spec)
    maps = dict.fromkeys(TASKS, MAPS[cell.scheme] - 0.01 * seed)
    precision = {task: np.full(2, value) for task, value in maps.items()}
    RunPrecision.of(precision, precision, data.label[data.split.query]).save(folder.precision)
    random_codes(data, seed).save(folder.codes)
    lines = [{"epoch": epoch, "seconds": 1.0, "total": 3.0 - epoch} for epoch in range(3)]
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = RunResult(
        specification=spec, map=maps, best=BestEpoch(epoch=3, map=maps), definition="all, ties expected",
        epochs=3, seconds={"training": 1.0}, training_pairs={"rows": 6, "kept": 6, "paired": 6},
        plan_digest="0", environment={"python": "3", "threads": 1},
    )  # fmt: skip
    folder.result.write_text(result.model_dump_json())
    return result


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts of some."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in self._open:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag, **wanted):
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]

    @property
    def ids(self):
        return [found["id"] for _, found in self.elements if "id" in found]


def write(tmp_path, title="How mine bears it", **changes):
    data = dataset(**changes)
    store = RunStore(tmp_path / "runs")
    results = [store_run(store, data, cell, seed) for cell in CELLS for seed in (0, 1)]
    experiment = Experiment(
        title=title, data=("mine",), methods={"dadh": {}}, table="cells", figure="curves", seeds=2,
        cells={"paired": (0,), "UI": (60,), "SD": (60,), "untrained": (0,)},
    )  # fmt: skip
    settings = {result.specification.setting_id for result in results}
    write_outputs(
        title, results, datasets={"mine": data}, out=tmp_path, exhibited={"own": (experiment, settings)}
    )
    return (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return write(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(report):
    return Page(report)


def json_of(report):
    return json.loads(re.search(r'id="pages">(.*?)</script>', report, re.DOTALL)[1])


def test_the_first_screen_says_the_result_and_what_the_schemes_mean(report, page):
    first = report[report.index("<h1>") : report.index('class="contents"')]
    assert "With the text of 60% of the training pairs removed, DADH on mine keeps 75% image → text" in first
    assert "<dt>UI</dt><dd>unpaired images (their text removed)</dd>" in first
    assert first.count("<svg") == 1
    assert page.texts["h1"] == ["How mine bears it"]


def test_every_jump_has_its_target_and_no_name_stands_twice(page):
    targets = [found["href"].removeprefix("#") for found in page.all("a")]
    assert {"setup", "runs", "series-1", "exhibit-1"} <= set(targets)
    runs = {f"run-{path}" for path in (target[4:] for target in targets if target.startswith("run-"))}
    assert set(targets) - runs <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_no_text_becomes_markup(report, page):
    assert len(page.all("script")) == 2  # the data and our own
    assert not page.all("img")
    pages = json_of(report)
    shown = pages["items"]["mine"]
    assert any(HOSTILE[:20] in text for text, _, _ in shown.values())
    assert {classes for _, classes, _ in shown.values()} == {"bird", f"cat {HOSTILE}"}
    assert pages["runs"][0]["specification"]["options"]["margin"] == HOSTILE
    assert "on mine" in "".join(page.texts["h2"])


def test_it_needs_nothing_from_elsewhere(report):
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//|url\(["']?https?:|@import|fetch\(""", report)


def test_an_own_grid_wears_nothing_of_the_papers(report, page):
    headings = "".join(page.texts["h2"])
    assert "The paper's findings" not in headings
    assert "mAP in every condition" in headings
    assert "UMML paper's experiments" not in report
    assert "Published" not in report


def test_a_title_that_looks_like_markup_is_a_text(tmp_path):
    shown = Page(write(tmp_path, title=HOSTILE))
    assert "".join(shown.texts["h1"]) == HOSTILE
    assert len(shown.all("script")) == 2


def test_tables_name_their_cells_and_can_be_scrolled_by_keyboard(page):
    boxes = page.all("div", role="region")
    assert len(boxes) == len(page.all("table")) == 3
    assert all(box["tabindex"] == "0" and box["aria-label"] for box in boxes)
    assert all("scope" in found for found in page.all("th"))


def test_rows_and_columns_say_what_the_filters_read(page):
    schemes = {"paired", "UI", "SD", "untrained"}
    assert {found["data-scheme"] for found in page.all("th") if "data-scheme" in found} == schemes
    runs = [found for found in page.all("tr") if "data-run" in found]
    assert {found["data-seed"] for found in runs} == {"0", "1"}
    assert {found["data-bits"] for found in runs} == {"8"}
    assert {found["id"] for found in page.all("select")} == {
        "filter-scheme",
        "filter-seed",
    }  # the others have one value


def test_every_run_has_curves_and_the_queries_their_examples(report):
    pages = json_of(report)
    assert len(pages["runs"]) == 8
    for run in pages["runs"]:
        assert run["curves"] == {"total": [[1, 3.0], [2, 2.0], [3, 1.0]]}
        for found in run["retrievals"].values():
            assert sorted(row for row, _, _ in found) == [6, 7]
            assert all(len(answers) == 6 for _, answers, _ in found)


def test_without_pictures_words_and_class_names_there_are_no_examples(tmp_path):
    bare = write(tmp_path, label_names=(), captions=())
    assert {len(run["retrievals"]) for run in json_of(bare)["runs"]} == {0}
    assert "mine has no pictures, words or class names to show" in bare
    assert not re.search(r"\brow \d", Page(bare).texts["p"].__str__())


def test_a_single_run_has_its_own_report(tmp_path):
    data, store = dataset(), RunStore(tmp_path)
    result = store_run(store, data, Cell.of("UI", 60), 0)
    written, notes = write_run_report(result, store.folder(result.specification), data)
    assert not notes
    text = written.read_text()
    assert written == tmp_path / result.specification.run_id / "report.html"
    assert "<h1>DADH on mine, 8 bits, UI 60%, seed 0</h1>" in text
    assert "The mAP is 0.600 image → text and 0.600 text → image, after 3 epochs." in text
    (run,) = json_of(text)["runs"]
    assert run["curves"]
    assert run["retrievals"]


def test_the_folder_of_a_single_run_gets_its_report_again(tmp_path):
    data, store = dataset(), RunStore(tmp_path)
    folder = store.folder(store_run(store, data, Cell.of("paired"), 0).specification)
    assert rewrite_outputs(folder.path, {}) == [
        "no retrieval examples of mine: the runs do not say where it lies; give --data mine=PATH."
    ]
    assert "<h1>DADH on mine, 8 bits, paired, seed 0</h1>" in (folder.path / "report.html").read_text()
    folder.result.unlink()
    with pytest.raises(UserError, match="is not complete; train it to its end first"):
        rewrite_outputs(folder.path, {})


def test_runs_without_a_grid_stand_in_the_order_of_the_tables(tmp_path):
    data, store = dataset(), RunStore(tmp_path)
    for cell in reversed(CELLS):
        store_run(store, data, cell, 0)
    rewrite_outputs(tmp_path, {})
    with (tmp_path / "summary.csv").open() as file:
        cells = [(row["scheme"], row["task"]) for row in csv.DictReader(file)]
    assert cells == [(cell.scheme, task) for cell in CELLS for task in TASKS]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("-82.6%", "\N{MINUS SIGN}82.6%"),
        ("5.34 x", "5.34\N{MULTIPLICATION SIGN}"),
        ("+0.5% n.s.", '+0.5% <small class="ns">n.s.</small>'),
        ("-", "\N{EN DASH}"),
        ("half-width 1-2", "half-width 1-2"),
        ("<b>", "&lt;b&gt;"),
        ("is n.s. here", 'is <small class="ns">n.s.</small> here'),
    ],
)
def test_numbers_are_set_as_in_print(given, expected):
    assert typeset(given) == expected


def test_a_partner_is_placed_among_what_is_ranked():
    data = dataset()
    codes = random_codes(data)
    signs = np.ones((6, 8))
    signs[:, 0] = [1, -1, -1, -1, 1, 1]  # distances 0, 1, 1, 1, 0, 0 of a query of ones
    own = np.ones((2, 8))
    own[0, 0] = -1  # the partner of the first query is 1 bit away: after three, beside three
    fields = dict(vars(codes)) | {
        "query_image": pack_codes(np.ones((2, 8)), code_values="signed"),
        "query_text": pack_codes(own, code_values="signed"),
        "retrieval_text": pack_codes(signs, code_values="signed"),
    }
    first, second = look_up(data, RunCodes(**fields), n_shown=2)["i2t"]
    assert first.partner == Partner(distance=1, first=4, last=7)
    assert second.partner == Partner(distance=0, first=1, last=4)
    assert [(answer.row, answer.distance, answer.relevant) for answer in first.answers] == [
        (0, 0, True),
        (4, 0, True),
    ]
    apart = look_up(data, RunCodes(**fields), one_space=False)["i2t"]
    assert [one.partner for one in apart] == [None, None]


def test_without_labels_the_partner_is_one_of_the_ranked():
    data = dataset(label=np.zeros((8, 0), np.uint8), label_names=())
    for found in look_up(data, random_codes(data)).values():
        for one in found:
            assert sorted(answer.row for answer in one.answers) == [6, 7]
            assert [answer.row for answer in one.answers if answer.own] == [one.row]
            assert [answer.relevant for answer in one.answers] == [answer.own for answer in one.answers]


def test_pixels_become_small_pictures():
    pixels = np.full((8, 3, 100, 50), 128, np.uint8)
    items = Items(dataset(image=pixels, captions=(), label_names=()))
    assert items.can_be_shown
    assert items.shown[items.row(3)][2].startswith("data:image/webp;base64,")
    assert not Items(dataset(captions=(), label_names=())).can_be_shown


@pytest.fixture
def photos(tmp_path):
    """Three pictures and a file that is none, in a folder and as a zip file, for rows 0 to 3 of the data."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(3):
        Image.new("RGB", (200, 100), (80 * row, 0, 0)).save(folder / f"{row}.png")
    (folder / "3.png").write_bytes(b"no picture")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return folder


@pytest.mark.parametrize("kind", ["photos", "photos.zip"])
def test_pictures_of_an_own_folder_are_small_and_those_that_lack_are_counted(tmp_path, photos, kind):
    data, store = dataset(ids=tuple(f"{row}.png" for row in range(8))), RunStore(tmp_path / "runs")
    result = store_run(store, data, Cell.of("paired"), 0)
    root = tmp_path / kind
    written, (note,) = write_run_report(result, store.folder(result.specification), data, pictures=root)
    shown = {int(row): each[2] for row, each in json_of(written.read_text())["items"]["mine"].items()}
    assert {row for row, picture in shown.items() if picture} == {0, 1, 2}
    with Image.open(io.BytesIO(base64.b64decode(shown[2].partition(",")[2]))) as small:
        assert (small.format, small.size) == ("WEBP", (72, 36))
    assert note.startswith(f"5 of the pictures of mine that the report shows are not in {root}")


def test_a_report_written_again_is_told_where_data_and_pictures_lie(tmp_path, photos):
    data, store = dataset(ids=tuple(f"{row}.png" for row in range(8))), RunStore(tmp_path / "runs")
    parts = {"image": data.image, "text": data.text, "labels": data.label, "ids": np.array(data.ids)}
    split = {name: getattr(data.split, name) for name in ("train", "query", "retrieval")}
    np.savez(tmp_path / "mine.npz", **parts, **split)
    store_run(store, load(tmp_path / "mine.npz"), Cell.of("paired"), 0)
    where = {"data": [f"mine={tmp_path / 'mine.npz'}"], "pictures": [str(photos)]}
    rewrite_outputs(tmp_path / "runs", {}, **where)
    assert "data:image/webp" in (tmp_path / "runs/report.html").read_text()
    np.savez(tmp_path / "mine.npz", **{**parts, "image": data.image + 1}, **split)
    assert rewrite_outputs(tmp_path / "runs", {}, **where) == [
        "no retrieval examples of 1 of 1 runs on mine: its data are not those that were trained on."
    ]
    for wrong, sentence in (
        ({"data": [f"other={tmp_path / 'mine.npz'}"]}, "--data names other, but the runs are of mine"),
        ({"pictures": [f"other={photos}"]}, "--pictures names other, but the data sets are mine"),
        ({"pictures": [str(photos / "0.png")]}, "--pictures must be a folder or a zip file"),
    ):
        with pytest.raises(UserError, match=sentence):
            rewrite_outputs(tmp_path / "runs", {}, **{**where, **wrong})


def series(values, method="dadh", dataset_name="mine"):
    scores = {(cell, task): Score.of([value]) for cell, value in values.items() for task in TASKS}
    return Series(dataset_name, method, 64, scores)


@pytest.mark.parametrize(
    ("all_series", "sentence"),
    [
        (
            [series({Cell.of("paired"): 0.8, Cell.of("UIT", 60): 0.6, Cell.of("SD", 60): 0.4})],
            ("With 60% of the training pairs unpaired, half of these without text and half without image, "
             "DADH on mine keeps 75% image → text and 75% text → image of its paired mAP; with the same "
             "pairs discarded it keeps 50% and 50%."),
        ),
        (
            [series({Cell.of("paired"): 0.8, Cell.of("UT", 20): 0.6}),
             series({Cell.of("paired"): 0.8, Cell.of("UT", 20): 0.4}, "jdsh")],
            ("With the image of 20% of the training pairs removed, 2 settings keep a median of 62% of "
             "their paired mAP; the most is 75% (DADH on mine, 64 bits), the least 50% (JDSH on mine, 64 "
             "bits)."),
        ),
        (
            [series({Cell.of("paired"): 0.8})],
            "DADH on mine, 64 bits reaches an mAP of 0.800 image → text and 0.800 text → image (paired).",
        ),
    ],
)  # fmt: skip
def test_the_result_is_one_sentence(all_series, sentence):
    assert result_sentence(all_series) == sentence


def test_wide_tables_are_shown_in_parts_and_groups_stay_together():
    columns = tuple((data, f"UI {share}%") for data in ("a", "b", "c") for share in (20, 40, 60, 80))
    row = Row(("dadh",), "ours", tuple(Entry() for _ in columns))
    parts = column_parts(
        PaperTable("t", "T", ("method",), columns, (row,)), {"UI 20%": "UI"}, {"a", "b", "c"}
    )
    assert [[group for group, _ in part["groups"]] for part in parts] == [["a", "b"], ["c"]]
    assert [part["n_columns"] for part in parts] == [8, 4]
    assert [part["dataset"] for part in parts] == ["", "c"]
    assert [one["index"] for _, columns in parts[1]["groups"] for one in columns] == [8, 9, 10, 11]


def test_long_curves_are_thinned_and_keep_their_end():
    points = [[epoch, 0.0] for epoch in range(1, 302)]
    assert len(thin(points)) <= 60
    assert thin(points)[-1] == [301, 0.0]


def test_figures_of_one_page_share_no_names_and_their_colours_can_change():
    def svg(extra):
        shapes = f'<g id="a" style="fill: #0072b2"/><use href="#a"/>{extra}'
        return f'<?xml?><svg width="9pt" viewBox="0 0 9 4">{shapes}</svg>'

    first, second = (inline_svg(svg(extra), 'a "title"') for extra in ("", "<g/>"))
    names = [re.findall(r'id="([^"]+)"', text) for text in (first, second)]
    assert not set(names[0]) & set(names[1])
    assert f'href="#{names[0][0]}"' in first
    assert "fill: var(--figure-0072b2, #0072b2)" in first
    assert 'aria-label="a &#34;title&#34;"' in first
    assert "width=" not in first
