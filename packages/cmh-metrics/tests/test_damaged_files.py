"""Files and texts of ours that are damaged: one sentence each, and no memory for what is not there."""

import io
import json
import zipfile

import numpy as np
import pytest
from cmh_metrics import PackedCodes, RankingTables, RetrievalReport, evaluate, pack_codes


def save(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


WORDS = npy(np.zeros((2, 1), np.uint64))
HUGE = WORDS.replace(b"(2, 1), }", b"(2000000000000, 1), }").replace(b"           \n", b"\n")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"words": WORDS}, "'words' and 'bits'"),
        ({"words": WORDS[:-3], "bits": npy(np.int64(8))}, "'words' and 'bits', but"),
        ({"words": WORDS[:20], "bits": npy(np.int64(8))}, "'words' and 'bits', but"),
        ({"words": WORDS.replace(b"{", b"("), "bits": npy(np.int64(8))}, "'words' and 'bits', but"),
        ({"words": HUGE, "bits": npy(np.int64(8))}, "promises more than its"),
        ({"words": WORDS, "bits": npy(np.ones(2))}, "one integer as 'bits', but it is float64"),
        ({"words": WORDS, "bits": npy(np.int64(0))}, "1 to 1024 bits"),
    ],
)
def test_packed_codes(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        PackedCodes.load(save(tmp_path / "c.npz", **members))


def test_every_cut_of_a_file_is_refused(tmp_path):
    pack_codes([[1, -1, 1]]).save(tmp_path / "c.npz")
    whole = (tmp_path / "c.npz").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "c.npz").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"must be an \.npz file"):
            PackedCodes.load(tmp_path / "c.npz")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        RankingTables.from_npz(tmp_path / "none.npz")


@pytest.fixture
def report(make_arrays):
    return json.loads(evaluate(**make_arrays(3, 20, 8, 2)).to_json())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": "8"}, "bits must be a whole number, but it is '8'"),
        ({"bits": True}, "bits must be a whole number"),
        ({"map_best": None}, "map_best must be a number"),
        ({"map_interval": [0.5]}, "map_interval must be two numbers"),
        ({"average_precision": 3}, "average_precision must be a list"),
        ({"readings": []}, "readings must be an object"),
        ({"warnings": [1]}, "warnings must be a text"),
        ({"precision_at": {"ten": 0.5}}, "precision_at must be a cut-off, but it is 'ten'"),
        ({"precision_at": {"10": "much"}}, "precision_at must be a number"),
        ({"r_precision": float("nan")}, "NaN is no number of JSON"),
        ({"r_precision": "1"}, "r_precision must be a number"),
    ],
)
def test_a_field_of_a_report(report, change, message):
    report["tasks"]["retrieval"] |= change
    with pytest.raises(ValueError, match=f"written by to_json, but {message}"):
        RetrievalReport.from_json(json.dumps(report))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "the report must be an object"),
        ('{"tasks": []}', "tasks must be an object"),
        ('{"tasks": {}, "definition": "all"}', "definition must be an object"),
        ('{"tasks": {}, "definition": {"text": "all"}}', "provenance must be an object"),
    ],
)
def test_a_text_that_is_no_report(text, message):
    with pytest.raises(ValueError, match=message):
        RetrievalReport.from_json(text)


def test_a_report_without_the_version_is_shown_all_the_same(report):
    report["provenance"] = {}
    shown = RetrievalReport.from_json(json.dumps(report)).to_markdown()
    assert "cmh-metrics (version not recorded)." in shown
