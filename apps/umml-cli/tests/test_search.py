import contextlib
import json
import shutil
import sqlite3

import h5py
import numpy as np
import pytest
from cmh_metrics import pack_codes
from cmh_search import CodeIndex
from cmh_train import encode_dataset, load_model
from typer.testing import CliRunner
from umml_cli.main import app
from umml_cli.runs.run_codes import RunCodes
from umml_cli.search import open_searcher

WORDS = ["cat", "dog", "boat", "sea", "red", "tree", "house", "car"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data file whose texts are words, and the folder of a training on it."""
    folder = tmp_path_factory.mktemp("search")
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, 200)
    text = (rng.random((200, 8)) < 0.05) | (np.arange(8) // 2 == kind[:, None])
    np.savez(
        folder / "words.npz",
        image=(np.eye(4)[kind] @ rng.normal(size=(4, 12)) + 0.3 * rng.normal(size=(200, 12))).astype(
            np.float32
        ),
        text=text.astype(np.uint8),
        labels=np.eye(4, dtype=np.uint8)[kind],
        label_names=np.array(["pets", "shore", "colours", "town"]),
        text_vocabulary=np.array(WORDS),
        train=np.arange(150),
        query=np.arange(180, 200),
    )
    options = [
        "--method",
        "jdsh",
        "--preset",
        "small",
        "--epochs",
        "8",
        "--bits",
        "32",
        "--set",
        "batch_size=30",
    ]
    done = run("train", folder / "words.npz", *options, "--out", folder / "runs")
    assert done.exit_code == 0, done.output
    return folder / "words.npz", next((folder / "runs").glob("*/model.json")).parent


@pytest.fixture(scope="module")
def model(trained):
    data, model = trained
    done = run("index", model, data, "--keep-outputs", "float16")
    assert done.exit_code == 0, done.output
    assert "180 items of 32 bits: 180 with image and text" in done.output
    return model


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def found(*arguments):
    done = run("search", *arguments, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.output)


def test_a_run_folder_is_a_model_that_encodes_as_the_run_did(trained):
    data, model = trained
    loaded = load_model(model)
    with np.load(data) as file:
        outputs = encode_dataset(loaded.method, "image", file["image"][180:])
    codes = RunCodes.load(model / "codes.npz").query_image
    bits = np.unpackbits(codes.words.view(np.uint8), axis=1, bitorder="little")[:, :32]
    assert np.array_equal(outputs >= 0, bits.astype(bool))
    assert loaded.description.label_names == ("pets", "shore", "colours", "town")


def test_words_find_what_they_name(model):
    items = found(model, "cat dog", "-k", "8")["items"]
    assert len(items) == 8
    assert sum("pets" in item["labels"] for item in items) >= 6
    assert "cat" in items[0]["payload"]["words"]
    assert [item["distance"] for item in items] == sorted(item["distance"] for item in items)


def test_an_approximate_search_says_its_recall(model, monkeypatch):
    how = ("--backend", "faiss", "--nprobe", "2")
    answer = found(model, "cat dog", "-k", "5", *how, "--label", "pets", "--rerank", "4")
    assert answer["search"].startswith("approximate search: faiss looks into 2 of 13 lists; recall@10 0.")
    assert len(answer["items"]) == 5
    assert all(item["labels"] == ["pets"] for item in answer["items"])
    assert "recall@10" in run("search", model, "cat dog", *how).output
    everything = found(model, "cat dog", "--backend", "faiss", "--nprobe", "99")
    exact = found(model, "cat dog")
    assert exact["search"] == "exact search"
    assert [one["distance"] for one in everything["items"]] == [one["distance"] for one in exact["items"]]
    monkeypatch.setattr(open_searcher, "find_spec", lambda _name: None)
    said = str(run("search", model, "cat dog", *how).exception)
    assert said.startswith("--backend faiss needs faiss, which is not installed; pip install")


def test_evaluation_through_lists_stands_beside_the_exact_one(trained, model):
    done = run("evaluate", model, "--index", model / "index", "--data", trained[0],
               "--backend", "faiss", "--nprobe", "3")  # fmt: skip
    assert done.exit_code == 0, done.exception
    assert "by codes" in done.output
    assert "faiss, 3" in done.output
    refused = run("evaluate", model, "--backend", "faiss")
    assert "--backend is for searches in an index" in str(refused.exception)


@pytest.mark.parametrize(
    "option", [("--format", "json"), ("--out", "x.json"), ("--definition", "min@5"), ("--ties", "best")]
)
def test_options_that_no_scores_of_searches_have_are_refused(trained, model, option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("evaluate", model, "--index", model / "index", "--data", trained[0], *option)
    assert str(done.exception).startswith(f"{option[0]} is not for searches in an index")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--combine", "mean"), ("--nprobe", "3")])
def test_options_of_searches_are_refused_without_an_index(model, option):
    said = str(run("evaluate", model, *option).exception)
    assert said.startswith(f"{option[0]} is for searches in an index")


def test_probes_need_lists(model):
    assert "--nprobe is for --backend faiss" in str(run("search", model, "cat", "--nprobe", "3").exception)


def test_labels_and_re_ranking(model):
    items = found(model, "cat dog", "-k", "5", "--label", "town", "--rerank", "4")["items"]
    assert all(item["labels"] == ["town"] for item in items)
    scores = [item["score"] for item in items]
    assert scores == sorted(scores, reverse=True)


def test_without_gaps_centred_distances_order_as_the_mean_does(model):
    centred, mean = (
        found(model, "cat dog", "--combine", combine)["items"] for combine in ("centred", "mean")
    )
    assert [item["id"] for item in centred] == [item["id"] for item in mean]
    assert centred[0]["distance"] < 0  # nearer than the average item
    refused = run("search", model, "cat dog", "--combine", "centred", "--backend", "faiss")
    assert "combine must be nearest or cross here, but it is 'centred'" in str(refused.exception)


def test_what_is_like_an_item_is_not_the_item(model):
    items = found(model, "--like", "3", "-k", "4")["items"]
    assert "3" not in [item["id"] for item in items]
    label = CodeIndex(model / "index").labels(3)
    assert sum(tuple(item["labels"]) == label for item in items) >= 3


def test_unknown_words_are_named(model):
    said = run("search", model, "cat zebra quagga").output
    assert "1 of 3 words are in the vocabulary; not zebra, quagga." in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["zebra"], "None of the words of 'zebra' is among the 8 that this model knows, for example cat"),
        (["  "], "The query is empty"),
        (["\t\x01"], "The query is empty"),
        ([], "Give one thing to look for"),
        (["cat", "--like", "3"], "Give one thing to look for"),
        (["--like", "nobody"], "no item with the id 'nobody'"),
        (["--image", "nothing.jpg"], "nothing.jpg is not found"),
        (["cat", "--label", "bird"], "there is no label 'bird'"),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(model, arguments, says):
    done = run("search", model, *arguments)
    assert done.exit_code != 0
    assert says in str(done.exception)


def test_a_folder_that_is_no_model_is_named(tmp_path, trained):
    assert "is not a model" in str(run("index", tmp_path, trained[0]).exception)
    assert "is no index" in str(run("search", tmp_path, "cat").exception)


def test_what_a_killed_command_left_of_an_index_is_in_nobodys_way(trained, tmp_path):
    data, model = trained
    left = tmp_path / ".index.partial"  # where an index lies until it is whole
    left.mkdir()
    (left / "codes").write_bytes(b"half")
    said = str(run("search", model, "cat", "--index", tmp_path / "index").exception)
    assert "it has no index.json; make one with" in said
    done = run("index", model, data, "--out", tmp_path / "index")
    assert done.exit_code == 0, done.exception
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_an_index_is_never_overwritten(trained, model):
    assert "exists already" in str(run("index", model, trained[0]).exception)


def test_items_with_one_side_are_found_by_words_and_kept_apart(trained, tmp_path):
    data, model = trained
    with np.load(data) as file:
        arrays = dict(file)
    image_present, text_present = np.arange(200) % 3 > 0, np.arange(200) % 3 < 2
    image_present[180:] = text_present[180:] = True
    np.savez(
        tmp_path / "gaps.npz",
        **arrays | {"image_present": image_present, "text_present": text_present},
    )
    done = run("index", model, tmp_path / "gaps.npz", "--out", tmp_path / "index", "--rows", "all")
    assert done.exit_code == 0, done.exception
    counts = CodeIndex(tmp_path / "index").counts
    assert counts == {
        "image": int((image_present & ~text_present).sum()),
        "text": int((text_present & ~image_present).sum()),
        "both": int((image_present & text_present).sum()),
    }
    items = found(model, "cat dog", "-k", "30", "--index", tmp_path / "index")["items"]
    assert sum("pets" in item["labels"] for item in items) >= 20
    assert any(
        "words" not in item["payload"] for item in items
    )  # items without a text are found by words, too


def test_the_folder_of_one_run_is_a_model(model):
    assert found(model.parent, "cat dog")["items"] == found(model, "cat dog")["items"]


def test_an_exported_model_encodes_as_its_run(trained, model, tmp_path):
    done = run("runs", "export", model, tmp_path / "bundle")
    assert done.exit_code == 0, done.exception
    assert "jdsh, 32 bits, reads texts by bag-of-words" in done.output
    words = ["cat dog", "a red boat"]
    outputs = load_model(tmp_path / "bundle").encode_texts(words)
    assert np.array_equal(outputs, load_model(model).encode_texts(words))
    assert found(tmp_path / "bundle", "cat", "--index", model / "index") == found(model, "cat")
    assert load_model(tmp_path / "bundle").description.versions["cmh-train"]


def test_codes_are_written_with_ids_and_labels(trained, tmp_path):
    data, model = trained
    done = run("encode", model, data, "--out", tmp_path / "codes.h5", "--rows", "query")
    assert done.exit_code == 0, done.exception
    codes = RunCodes.load(model / "codes.npz")
    with h5py.File(tmp_path / "codes.h5") as file:
        assert file["row"][:].tolist() == list(range(180, 200))
        assert np.array_equal(pack_codes(file["text"][:]).words, codes.query_text.words)
        assert np.array_equal(file["labels"][:], codes.query_labels)
        assert [name.decode() for name in file["label_names"][:]] == ["pets", "shore", "colours", "town"]
    file = f"{tmp_path}/codes.h5"
    scored = run(
        "evaluate",
        *("--query-codes", f"{file}:text", "--query-labels", f"{file}:labels"),
        *(
            "--database-codes",
            f"{file}:image",
            "--database-labels",
            f"{file}:labels",
        ),
    )
    assert scored.exit_code == 0, scored.exception


def test_a_drawn_split_is_indexed(trained, tmp_path):
    data, model = trained
    done = run("index", model, data, "--split-seed", "1", "--queries", "50", "--out", tmp_path / "index")
    assert done.exit_code == 0, done.exception
    assert "150 items of 32 bits" in done.output


def test_data_without_labels_and_split_are_indexed_whole(trained, tmp_path):
    data, model = trained
    with np.load(data) as file:
        np.savez(tmp_path / "bare.npz", image=file["image"], text=file["text"])
    done = run("index", model, tmp_path / "bare.npz", "--rows", "all", "--out", tmp_path / "index")
    assert done.exit_code == 0, done.exception
    assert "200 items of 32 bits" in done.output


def test_the_index_of_another_model_is_refused(trained, model, tmp_path):
    data, _ = trained
    for number, bits in enumerate((32, 16)):
        done = run("train", data, "--method", "dadh", "--preset", "small", "--epochs", "1", "--bits", bits,
                   "--set", "batch_size=30", "--out", tmp_path / str(number))  # fmt: skip
        assert done.exit_code == 0, done.exception
    other = run("search", tmp_path / "0", "cat", "--index", model / "index")
    assert "was made by another model (jdsh" in str(other.exception)
    shorter = run("search", tmp_path / "1", "cat", "--index", model / "index")
    assert "has codes of 32 bits, but the model makes 16" in str(shorter.exception)


def test_a_picture_cannot_be_looked_for_without_its_encoder(model, tmp_path):
    (tmp_path / "boat.png").write_bytes(b"any")
    done = run("search", model, "--image", tmp_path / "boat.png")
    assert "for which no encoder is recorded, so pictures cannot be encoded" in str(done.exception)


def test_a_page_of_results_needs_nothing_else(model, tmp_path):
    done = run("search", model, "cat <b>", "-k", "3", "--html", tmp_path / "found.html")
    assert done.exit_code == 0, done.exception
    page = (tmp_path / "found.html").read_text()
    assert "cat &lt;b&gt;" in page
    assert page.count('class="item"') == 3
    assert "src=" not in page
    assert "http" not in page


def test_an_index_alone_finds_what_is_like_an_item(model, tmp_path):
    shutil.copytree(model / "index", tmp_path / "alone")
    assert found(tmp_path / "alone", "--like", "3") == found(model, "--like", "3")
    said = str(run("search", tmp_path / "alone", "cat").exception)
    assert "has no model beside it" in said
    assert found(model / "index", "cat") == found(model, "cat")


def test_an_export_stands_beside_what_the_search_finds(model, tmp_path):
    done = run("export", model, "--to", "sqlite-vec", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.exception
    assert "180 items of 32 bits for sqlite-vec: README.txt, codes.db, query.py, vec0.sql" in done.output
    answer = found(model, "cat dog", "-k", "1")
    with contextlib.closing(sqlite3.connect(tmp_path / "out" / "codes.db")) as database:
        codes = dict(database.execute("SELECT id, code FROM codes WHERE side = 'image'"))
        texts = dict(database.execute("SELECT id, code FROM codes WHERE side = 'text'"))
    query, name = int(answer["code"], 16), answer["items"][0]["id"]
    distances = [(query ^ int.from_bytes(side[name], "big")).bit_count() for side in (codes, texts)]
    assert min(distances) == answer["items"][0]["distance"]
    again = run("export", model, "--to", "milvus", "--out", tmp_path / "out")
    assert "is there already; choose another folder" in str(again.exception)


def test_re_ranking_needs_outputs(trained, tmp_path):
    data, model = trained
    assert run("index", model, data, "--out", tmp_path / "index").exit_code == 0
    done = run("search", model, "cat", "--index", tmp_path / "index", "--rerank", "2")
    assert "keeps no network outputs to re-rank by; make it with umml index --keep-outputs" in str(
        done.exception
    )


def test_searches_in_an_index_are_scored(trained, model):
    data, _ = trained
    done = run("evaluate", model, "--index", model / "index", "--data", data, "--rerank", "2")
    assert done.exit_code == 0, done.exception
    assert done.output.count("by codes") == 2
    assert "nDCG@10" in done.output
    half = run("evaluate", model, "--index", model / "index")
    assert "with a model, --index and --data" in str(half.exception)
    alone = run("evaluate", model, "--rerank", "2")
    assert "--rerank is for searches in an index" in str(alone.exception)


@pytest.mark.parametrize(
    ("encoder", "says"),
    [
        ({"name": "nowhere"}, "there is no encoder 'nowhere'; installed encoders:"),
        ({"name": "onnx:gone.onnx"}, "gone.onnx"),
        (
            {"name": "bag-of-words", "fitted": {"words": ["cat"]}, "digest": "0" * 64},
            "has other weights here",
        ),
    ],
)
def test_a_model_whose_encoder_is_missing_says_so(model, tmp_path, encoder, says):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    content = json.loads((folder / "model.json").read_text())
    content["encoders"] = {"image": encoder} if "fitted" not in encoder else {"text": encoder}
    (folder / "model.json").write_text(json.dumps(content))
    (tmp_path / "cat.png").write_bytes(b"any")
    asked = ["cat"] if "fitted" in encoder else ["--image", tmp_path / "cat.png"]
    done = run("search", folder, *asked)
    assert says in str(done.exception)
    assert isinstance(done.exception, ValueError)  # one sentence, exit status 2
