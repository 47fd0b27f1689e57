"""What stands in figures: worked by hand from codes of four bits, and from scores."""

import re

import numpy as np
import pytest
from cmh_metrics import pack_codes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from test_series import make_result
from umml_cli.errors import UserError
from umml_cli.grid.experiment import Experiment, built_in_experiment
from umml_cli.report.figures import draw_figures, save_figure, share_figure
from umml_cli.report.figures.compared import comparisons
from umml_cli.report.figures.drawing import FORMATS, WIDTH
from umml_cli.report.figures.line_figure import line_style
from umml_cli.report.figures.rankings import recall_curve, top_curve
from umml_cli.results.retrieval_curves import RetrievalCurves, top_cuts
from umml_cli.results.series import Score, Series, collect
from umml_cli.runs.cells import Cell
from umml_cli.runs.query_scores import RunPrecision
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import RunStore

QUERIES = np.array([[1, 1, 1, 1], [-1, -1, -1, -1]])
DATABASE = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1], [-1, -1, -1, -1]])
QUERY_LABELS = np.array([[1, 0], [0, 1]], dtype=np.uint8)
DATABASE_LABELS = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.uint8)
ARRAYS = {
    "query_codes": QUERIES,
    "database_codes": DATABASE,
    "query_labels": QUERY_LABELS,
    "database_labels": DATABASE_LABELS,
}


def test_precision_and_recall_by_radius_by_hand():
    curves = RetrievalCurves.of(**ARRAYS)
    # distances of the first query 0, 1, 2, 4 (relevant: 0, 2, 4); of the second 4, 3, 2, 0 (relevant: 3)
    assert curves.recall == pytest.approx([(1 / 3 + 0) / 2, 1 / 6, 1 / 3, (2 / 3 + 1) / 2, 1])
    assert curves.precision == pytest.approx([1 / 2, 1 / 4, 1 / 3, (2 / 3 + 1 / 3) / 2, (3 / 4 + 1 / 4) / 2])
    assert curves.within_radius_2 == pytest.approx((2 / 3 + 0) / 2)


def test_top_n_precision_by_hand():
    curves = RetrievalCurves.of(**ARRAYS)
    assert curves.cuts.tolist() == [1, 2, 3, 4]
    assert curves.precision_at == pytest.approx([1 / 2, 1 / 4, (2 / 3 + 1 / 3) / 2, 1 / 2])


@pytest.mark.parametrize(
    ("n", "first", "last", "count"), [(1, 1, 1, 1), (7, 1, 7, 7), (100, 1, 100, 21), (50_000, 1, 1000, 21)]
)
def test_cuts_go_from_one_to_a_thousand_or_all_items(n, first, last, count):
    cuts = top_cuts(n)
    assert (cuts[0], cuts[-1], len(cuts)) == (first, last, count)
    assert (np.diff(cuts) > 0).all()


def test_curves_are_means_over_seeds_with_standard_deviation_or_interval():
    def curves(precision):
        values = np.array(precision)
        return RetrievalCurves(np.array([0.0, 0.5, 1.0]), values, np.array([1, 2]), values[1:], values[0])

    seeds = [curves([0.0, 0.4, 0.2]), curves([0.0, 0.6, 0.2])]
    drawn = recall_curve(seeds)
    assert drawn.x.tolist() == [0.5, 1.0]  # nothing is found within radius 0
    assert drawn.mean == pytest.approx([0.5, 0.2])
    assert drawn.spread == pytest.approx([0.2 / 2**0.5, 0])
    assert recall_curve(seeds, "interval").spread[0] == pytest.approx(12.706 * 0.2 / 2)
    top = top_curve(seeds)
    assert (top.x.tolist(), top.mean.tolist()) == ([1, 2], [0.5, 0.2])
    assert top_curve(seeds[:1]).spread is None


@pytest.fixture
def stored(tmp_path):
    """Paired and UI 20% of two methods at two code lengths, all with the codes above in both modalities."""
    store = RunStore(tmp_path)
    results = []
    for method in ("dadh", "jdsh"):
        for bits in (4, 8):
            for cell in (Cell.of("paired"), Cell.of("UI", 20)):
                result = make_result(cell, 0, 0.5, 0.6, bits=bits)
                spec = result.specification.model_copy(update={"method": method})
                folder = store.open(spec)
                query, database = (pack_codes(np.tile(codes, bits // 4)) for codes in (QUERIES, DATABASE))
                RunCodes(
                    query_image=query, query_text=query, retrieval_image=database, retrieval_text=database,
                    query_rows=np.arange(2), retrieval_rows=np.arange(4),
                    query_image_present=np.ones(2, bool), query_text_present=np.ones(2, bool),
                    retrieval_image_present=np.ones(4, bool), retrieval_text_present=np.ones(4, bool),
                    query_labels=QUERY_LABELS, retrieval_labels=DATABASE_LABELS,
                ).save(folder.codes)  # fmt: skip
                both = {task: np.array([0.5, 0.6]) for task in ("i2t", "t2i")}
                RunPrecision.of(both, both, QUERY_LABELS).save(folder.precision)
                results.append(result.model_copy(update={"specification": spec}))
    return collect(results, store=store)


def drawn(kind, shown):
    return dict(draw_figures(kind, shown, label_names={}))


def labels_of(figure):
    return [label.get_text() for label in figure.legends[0].get_texts()]


def line(figure, position=0):
    """Points of one line of the first panel."""
    return figure.axes[0].containers[position].lines[0].get_xydata()


def test_several_methods_are_compared_in_each_cell_and_code_length(stored):
    figures = drawn("precision-recall", stored)
    assert list(figures) == ["paired-4", "paired-8", "UI-20-4", "UI-20-8"]
    assert labels_of(figures["paired-4"]) == ["DADH", "JDSH"]
    expected = [[1 / 6, 1 / 2], [1 / 6, 1 / 4], [1 / 3, 1 / 3], [5 / 6, 1 / 2], [1, 1 / 2]]
    assert line(figures["paired-4"]) == pytest.approx(np.array(expected))
    assert line(drawn("top-n", stored)["UI-20-8"])[0] == pytest.approx([1, 0.5])


def test_cells_of_a_single_method_are_lines_of_one_figure(stored):
    (figure,) = drawn(
        "precision-recall", [one for one in stored if (one.method, one.bits) == ("dadh", 4)]
    ).values()
    assert labels_of(figure) == ["paired", "UI 20%"]


def test_many_cells_of_a_single_method_have_a_figure_for_each_scheme():
    cells = [Cell.of("paired"), Cell.of("untrained")]
    cells += [Cell.of(scheme, share) for scheme in ("UI", "UT") for share in (20, 40, 60, 80)]
    scores = {(cell, "i2t"): Score.of([0.5]) for cell in cells}
    found = {
        one.suffix: [label for label, *_ in one.lines] for one in comparisons([Series("d", "m", 8, scores)])
    }
    assert found == {
        scheme: ["paired", "untrained", *(f"{scheme} {share}%" for share in (20, 40, 60, 80))]
        for scheme in ("UI", "UT")
    }


def test_map_and_precision_within_radius_2_against_code_length(stored):
    assert line(drawn("bits", stored)["paired"]).tolist() == [[4, 0.5], [8, 0.5]]
    # at eight bits all distances double: the first query finds items 0 and 1, the second item 3
    expected = [[4, 1 / 3], [8, 1 / 4]]
    assert line(drawn("radius-2", stored)["UI-20"]) == pytest.approx(np.array(expected))


def test_precision_within_radius_2_of_one_code_length_is_drawn_against_the_share(stored):
    (figure,) = drawn("radius-2", [one for one in stored if one.bits == 4]).values()
    assert line(figure) == pytest.approx(np.array([[0, 1 / 3], [20, 1 / 3]]))
    assert figure.axes[0].get_xlabel() == "affected training pairs (%)"


def test_what_runs_cannot_show_is_refused(stored):
    one = [series for series in stored if series.bits == 4]
    with pytest.raises(UserError, match=r"needs two code lengths or more, but these runs have 4 bits alone"):
        draw_figures("bits", one, label_names={})
    paired = [Series("d", "m", 8, {(Cell.of("paired"), task): Score.of([0.5]) for task in ("i2t", "t2i")})]
    with pytest.raises(UserError, match="shares of affected pairs, but these runs have none"):
        draw_figures("curves", paired, label_names={})


def many_series(n_methods):
    cells = [Cell.of("paired"), Cell.of("UI", 20), Cell.of("untrained")]
    scores = {(cell, task): Score.of([0.5, 0.6, 0.7]) for cell in cells for task in ("i2t", "t2i")}
    return [Series("emoji", f"m{number}", 64, scores) for number in range(n_methods)]


def test_more_than_five_lines_are_all_drawn_and_distinct():
    (figure,) = drawn("curves", many_series(12)).values()
    assert labels_of(figure) == [*(f"M{number}" for number in range(12)), "untrained"]
    styles = {(str(line_style(n)["linestyle"]), line_style(n)["marker"]) for n in range(45)}
    assert len(styles) == 45


def test_the_legend_speaks_of_every_panel():
    known = {(Cell.of(*cell), "i2t"): Score.of([0.5]) for cell in (("paired", 0), ("UI", 20))}
    elsewhere = Series("other", "agah", 32, known)
    (figure,) = drawn("curves", [*many_series(1), elsewhere]).values()
    assert {"M0 64 bits", "AGAH 32 bits"} <= set(labels_of(figure))


@pytest.mark.parametrize(
    ("spread", "half", "said"),
    [
        ("sd", 0.1, "standard deviation over seeds"),
        ("interval", 4.303 * 0.1 / 3**0.5, "95% CI (Student's t) over seeds"),
    ],
)
def test_bars_are_what_the_figure_says(spread, half, said):
    (series,) = many_series(1)
    figure = share_figure(Series(series.dataset, series.method, 64, series.scores, spread=spread))
    (bars,) = figure.axes[0].containers
    lower = bars.lines[1][0].get_ydata()
    assert lower == pytest.approx([0.6 - half, 0.6 - half], abs=1e-4)
    assert said in figure.legends[0].get_title().get_text()
    assert "untrained" in labels_of(figure)


@pytest.mark.parametrize(
    "cell", [Cell(unpaired_images=20, unpaired_text=10), Cell(completed=True), Cell.of("paired")]
)
def test_cells_of_no_scheme_are_points_of_their_own(cell):
    (series,) = many_series(1)
    scores = {(cell, task): series.scores[Cell.of("paired"), task] for task in ("i2t", "t2i")}
    alone = Series(series.dataset, series.method, 64, scores)
    assert labels_of(share_figure(alone)) == [cell.title]
    with pytest.raises(UserError, match="no method here has a paired run and one with other pairs"):
        draw_figures("classes", [alone], label_names={})


def test_a_figure_fits_a_column_and_is_written_in_three_formats_without_a_date(tmp_path):
    (series,) = many_series(1)
    figure = share_figure(series)
    assert figure.get_figwidth() == WIDTH < 229.8 / 72.27  # \columnwidth of a two-column article
    for _ in range(2):
        svg = save_figure(figure, tmp_path / "data.v2-figure")
        written = {path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())}
    assert list(written) == [f"data.v2-figure{suffix}" for suffix in sorted(FORMATS)]
    assert written["data.v2-figure.pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in written["data.v2-figure.pdf"]
    assert svg.encode() == written["data.v2-figure.svg"]
    assert "matplotlib.org" not in svg.partition("<defs>")[0].partition("<metadata>")[2]


def test_no_text_of_a_figure_is_cut_off_or_lies_on_another(stored):
    (figure,) = drawn("precision-recall", [stored[0]]).values()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # lays it out
    renderer = canvas.get_renderer()
    texts = [figure._suptitle, figure.legends[0]]
    for ax in figure.axes:
        texts += [ax.title, ax.xaxis.label]
    boxes = [text.get_window_extent(renderer) for text in texts]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:number])


def grid(**values):
    return Experiment.model_validate(
        {"title": "T", "data": ["d"], "methods": {"dadh": {}}, "cells": {"paired": [0], "UI": [20]}, **values}
    )


def test_an_experiment_names_one_figure_or_several():
    assert grid(figure="top-n").figure == ("top-n",)
    assert grid(figure=["curves", "top-n"]).figure == ("curves", "top-n")
    assert built_in_experiment("figure5").figure == ("curves",)
    assert grid().figure is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"figure": "pie"}, "'curves', 'bits', 'precision-recall', 'top-n', 'radius-2' or 'classes'"),
        ({"figure": []}, "at least 1 item"),
        ({"figure": "bits", "bits": [16]}, "needs two code lengths or more"),
        ({"figure": "curves", "cells": {"paired": [0]}}, "add at least one of them"),
    ],
)
def test_a_figure_that_an_experiment_cannot_give_is_refused(values, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        grid(**values)
