"""`umml evaluate` on files of every kind, and on two runs."""

import json
import struct
import sys

import cmh_metrics
import h5py
import numpy as np
import pytest
from umml_cli.main import main
from umml_cli.runs.run_codes import RunCodes
from umml_cli.runs.store import RunFolder

NAMES = {"query_codes": "qB", "database_codes": "rB", "query_labels": "qL", "database_labels": "rL"}


@pytest.fixture
def umml(tmp_path, monkeypatch, capfd):
    """Run the command in an empty folder; returns what it printed, or its error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["umml", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        printed, errors = capfd.readouterr()
        return errors if end.value.code else printed

    return run


@pytest.fixture
def arrays():
    """As many bits as labels, and as many queries as bits: shapes alone do not say what the rows are."""
    rng = np.random.default_rng(0)
    return {
        "query_codes": rng.choice([-1.0, 1.0], (5, 5)),
        "database_codes": rng.choice([-1.0, 1.0], (9, 5)),
        "query_labels": (rng.random((5, 5)) < 0.4).astype(float),
        "database_labels": (rng.random((9, 5)) < 0.4).astype(float),
    }


def save_npz(path, arrays):
    np.savez(path, **arrays)


def save_mat5(path, arrays):
    """Uncompressed matrices of doubles, as MATLAB's `save -v6` writes them."""

    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    with path.open("wb") as file:
        file.write(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM"))
        for name, array in arrays.items():
            parts = [
                element(6, struct.pack("<II", 6, 0)),  # a matrix of doubles
                element(5, struct.pack("<ii", *array.shape)),
                element(1, name.encode()),
                element(9, array.tobytes(order="F")),
            ]
            file.write(element(14, b"".join(parts)))


def save_mat73(path, arrays):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
            file[name].attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H2s", 0x0200, b"IM"))


@pytest.mark.parametrize(("save", "name"), [(save_npz, "c.npz"), (save_mat5, "c.mat"), (save_mat73, "c.mat")])
def test_codes_and_labels_from_one_file(umml, tmp_path, arrays, save, name):
    save(tmp_path / name, {NAMES[argument]: array for argument, array in arrays.items()})
    options = [part for a in arrays for part in (f"--{a.replace('_', '-')}", f"{name}:{NAMES[a]}")]
    printed = umml("evaluate", *options, "--instance-recall", "--format", "json")
    assert printed == cmh_metrics.evaluate(**arrays, targets="rows").to_json()
    assert "instance recall at 10" in umml("evaluate", *options, "--instance-recall")


@pytest.fixture
def npy(tmp_path, arrays):
    """Options that name a file for each of the four arrays."""
    for argument, array in arrays.items():
        np.save(tmp_path / f"{argument}.npy", array)
    return {f"--{argument.replace('_', '-')}": f"{argument}.npy" for argument in arrays}


def flat(options):
    return [part for option in options.items() for part in option]


def test_packed_codes(umml, tmp_path, arrays, npy):
    packed = cmh_metrics.pack_codes(arrays["database_codes"])
    packed.save(tmp_path / "packed.npz")
    printed = umml("evaluate", *flat({**npy, "--database-codes": "packed.npz"}), "--format", "json")
    assert printed == cmh_metrics.evaluate(**{**arrays, "database_codes": packed}).to_json()
    named = {**npy, "--database-codes": "packed.npz:words"}  # an array like any other
    assert "Error: database_codes must contain only 0 and 1 or signs, but it contains whole numbers" in umml(
        "evaluate", *flat(named)
    )
    assert "give --packed BITS for codes packed into bytes or words" in umml("evaluate", *flat(named))


def test_what_a_zero_means(umml, tmp_path, arrays, npy):
    bits = {**arrays, "database_codes": arrays["database_codes"] > 0}
    np.save(tmp_path / "database_codes.npy", bits["database_codes"].astype(int))
    for values, same in (
        ("binary", "must contain only 0 and 1"),
        ("real", "'real' is not one of 'auto', 'signed', 'binary'"),
    ):
        assert same in umml("evaluate", *flat(npy), "--code-values", values)
    both = umml("evaluate", *flat(npy), "--format", "json")  # signs on one side, bits on the other
    np.save(tmp_path / "query_codes.npy", (arrays["query_codes"] > 0).astype(int))
    printed = umml("evaluate", *flat(npy), "--code-values", "binary", "--format", "json")
    as_bits = {name: (array > 0).astype(int) for name, array in arrays.items()}
    assert printed == cmh_metrics.evaluate(**as_bits).to_json()
    maps = [json.loads(text)["tasks"]["retrieval"]["mean_average_precision"] for text in (printed, both)]
    assert maps == [cmh_metrics.mean_average_precision(**arrays)] * 2


def test_sigmoid_outputs_need_a_threshold(umml, tmp_path, arrays, npy):
    for name in ("query_codes", "database_codes"):
        np.save(tmp_path / f"{name}.npy", 1 / (1 + np.exp(-arrays[name])))
    said = umml("evaluate", *flat(npy))
    assert "as sigmoid outputs are, so that all codes would be equal; give --threshold 0.5" in said
    report = json.loads(umml("evaluate", *flat(npy), "--threshold", "0.5", "--format", "json"))
    task = report["tasks"]["retrieval"]
    assert task["mean_average_precision"] == cmh_metrics.mean_average_precision(**arrays)
    assert task["readings"]["query_codes"] == "1 from 0.5 on, otherwise 0"
    assert "give one of them" in umml("evaluate", *flat(npy), "--threshold", "0.5", "--packed", "5")


def test_packed_bytes_need_their_number_of_bits(umml, tmp_path, arrays, npy):
    for name in ("query_codes", "database_codes"):
        np.save(tmp_path / f"{name}.npy", np.packbits(arrays[name] > 0, axis=1))
    assert "give --packed BITS" in umml("evaluate", *flat(npy))
    said = umml("evaluate", *flat(npy), "--packed", "5")
    assert "no bit set beyond the 5 bits" in said
    options = ("--packed", "5", "--bitorder", "big", "--format", "json")
    task = json.loads(umml("evaluate", *flat(npy), *options))["tasks"]["retrieval"]
    assert task["mean_average_precision"] == cmh_metrics.mean_average_precision(**arrays)
    assert task["readings"]["database_codes"] == "packed bits"


def test_a_data_set_that_is_searched_for_itself(umml, arrays, npy):
    own = {name: npy[name.replace("query", "database")] for name in npy}
    printed = umml("evaluate", *flat(own), "--exclude-self", "--format", "json")
    codes, labels = arrays["database_codes"], arrays["database_labels"]
    expected = cmh_metrics.evaluate(
        query_codes=codes,
        database_codes=codes,
        query_labels=labels,
        database_labels=labels,
        exclude_self=True,
    )
    assert printed == expected.to_json()


def test_codes_that_are_all_equal_are_named(umml, tmp_path, arrays, npy):
    np.save(tmp_path / "database_codes.npy", np.ones_like(arrays["database_codes"]))
    assert "database codes: all codes are equal, 5 of 5 bits never change" in umml("evaluate", *flat(npy))


def test_arrays_that_lie_sideways_are_turned_and_named(umml, tmp_path, arrays, npy):
    np.save(tmp_path / "database_codes.npy", arrays["database_codes"].T)
    printed = json.loads(umml("evaluate", *flat(npy), "--format", "json"))
    assert printed["provenance"]["turned"] == "database codes"
    expected = cmh_metrics.mean_average_precision(**arrays)
    assert printed["tasks"]["retrieval"]["mean_average_precision"] == expected


@pytest.mark.parametrize("numbers", ["class numbers", "class names"])
def test_labels_as_one_class_an_item(umml, tmp_path, arrays, npy, numbers):
    classes = {name: np.arange(len(arrays[name])) % 3 for name in ("query_labels", "database_labels")}
    for name, y in classes.items():
        np.save(tmp_path / f"{name}.npy", y if numbers == "class numbers" else np.array(list("abc"))[y])
    task = json.loads(umml("evaluate", *flat(npy), "--format", "json"))["tasks"]["retrieval"]
    expected = cmh_metrics.mean_average_precision(**arrays | {n: np.eye(3)[y] for n, y in classes.items()})
    assert task["mean_average_precision"] == expected
    assert task["readings"]["labels"].startswith(f"{numbers} (3: ")


@pytest.fixture
def runs(tmp_path):
    """Two run folders with codes of the same rows."""
    rng = np.random.default_rng(1)
    labels = {"query_labels": rng.integers(2, size=(6, 3)), "retrieval_labels": rng.integers(2, size=(20, 3))}
    labels = {name: array.astype(np.uint8) for name, array in labels.items()}
    for run in ("one", "other"):
        codes = {
            f"{side}_{modality}": cmh_metrics.pack_codes(rng.random((n, 8)) < 0.5)
            for side, n in (("query", 6), ("retrieval", 20))
            for modality in ("image", "text")
        }
        rows = {"query_rows": np.arange(6), "retrieval_rows": np.arange(6, 26)}
        rows |= {
            f"{side}_{modality}_present": np.ones(n, bool)
            for side, n in (("query", 6), ("retrieval", 20))
            for modality in ("image", "text")
        }
        path = RunFolder(tmp_path / run).codes
        path.parent.mkdir(parents=True, exist_ok=True)
        RunCodes(**codes, **rows, **labels).save(path)
    return "one", "--versus", "other"


def test_two_runs_as_json(umml, tmp_path, runs):
    printed = umml("evaluate", *runs, "--format", "json", "--out", "report.json")
    tests = json.loads(printed)["tests"]
    assert set(tests) == {"image-to-text", "text-to-image"}
    assert 0 < tests["image-to-text"]["p_value"] <= 1
    assert (tmp_path / "report.json").read_text() == printed


@pytest.mark.parametrize(
    ("array", "kind"),
    [("query_labels", "query"), ("query_rows", "query"), ("retrieval_labels", "retrieval"),
     ("retrieval_text_present", "retrieval")],
)  # fmt: skip
def test_runs_on_other_items_are_not_compared(umml, tmp_path, runs, array, kind):
    path = RunFolder(tmp_path / "other").codes
    codes = RunCodes.load(path)
    values = getattr(codes, array)
    values[:] = values[::-1] if array == "query_rows" else 1 - values
    codes.save(path)
    assert umml("evaluate", *runs) == (
        f"Error: The {kind} rows of one and other are not the same, or have other labels or gaps; --versus "
        "tests the difference of runs on the same items.\n"
    )


def test_two_runs_in_other_formats(umml, runs):
    markdown = umml("evaluate", *runs, "--format", "markdown")
    assert "| ties best | difference | p |" in markdown
    assert all(line.startswith(("| ", "mAP: ")) or not line for line in markdown.splitlines())
    latex = umml("evaluate", *runs, "--format", "latex")
    assert r"ties best & difference & p \\" in latex
    assert latex.endswith("\\end{tabular}\n")
    assert "first minus second" in umml("evaluate", *runs)


@pytest.mark.parametrize("option", [("--instance-recall",), ("--code-values", "binary")])
def test_what_files_may_need_is_not_for_runs(umml, runs, option):
    said = umml("evaluate", runs[0], *option)
    assert said.startswith(f"Error: {option[0]} is for codes from files")


def test_the_order_of_bits_is_for_packed_codes(umml, npy):
    said = umml("evaluate", *flat(npy), "--bitorder", "big")
    assert said == "Error: --bitorder is the order in packed codes; give --packed too.\n"


def test_curves_of_two_runs_and_of_codes_from_files(umml, tmp_path, npy, runs):
    names = sorted(
        f"{kind}.{suffix}" for kind in ("precision-recall", "top-n") for suffix in ("pdf", "png", "svg")
    )
    umml("evaluate", *runs, "--figures", "both")
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == names
    umml("evaluate", *flat(npy), "--figures", "given")
    assert sorted(path.name for path in (tmp_path / "given").iterdir()) == names


def test_several_runs_are_told_how_they_are_compared(umml):
    assert umml("evaluate", "one", "two") == (
        "Error: One run is scored at a time, but 2 are given; compare two with --versus, or see the mAP of "
        "all with `umml runs list`.\n"
    )


def test_curves_are_not_drawn_of_searches_or_of_bad_codes(umml, tmp_path, npy):
    said = umml("evaluate", "one", "--index", "i", "--data", "emoji", "--figures", "given")
    assert "--figures is not for searches in an index" in said
    np.save(tmp_path / "query_codes.npy", np.full((5, 5), 7))
    assert "query_codes must contain only" in umml("evaluate", *flat(npy), "--figures", "given")
    assert not (tmp_path / "given").exists()


def test_only_an_earlier_report_is_replaced(umml, tmp_path, npy):
    codes = (tmp_path / "query_codes.npy").read_bytes()
    for name in ("query_codes.npy", "notes.json"):
        (tmp_path / "notes.json").write_text('{"tasks": 3}')
        said = umml("evaluate", *flat(npy), "--out", str(tmp_path / name))
        assert f"{name} is not a report of umml evaluate; give --out another name" in " ".join(said.split())
    assert (tmp_path / "query_codes.npy").read_bytes() == codes
    assert (tmp_path / "notes.json").read_text() == '{"tasks": 3}'
    for _ in range(2):
        umml("evaluate", *flat(npy), "--out", str(tmp_path / "report.json"))
    cmh_metrics.RetrievalReport.from_json((tmp_path / "report.json").read_text())
