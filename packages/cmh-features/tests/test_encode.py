from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cmh_features import Identity, load_features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image


@pytest.fixture
def paths(tmp_path):
    """Twenty-one images, of which number 3 is words, 7 is missing and 9 is cut short."""
    folder = tmp_path / "images"
    folder.mkdir()
    made = []
    for number in range(21):
        path = folder / f"image {number}.png"
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        made.append(path)
    made[3].write_text("words")
    made[7].unlink()
    made[9].write_bytes(made[9].read_bytes()[:100])
    return made


def test_images_are_encoded_in_their_order(encoder):
    images = [np.full((4, 4, 3), 10 * number, np.uint8) for number in range(11)]
    encoded = encoder.encode_images(images)
    assert encoded.features.dtype == np.float32
    assert encoded.features[:, 0].tolist() == [10 * number for number in range(11)]
    assert encoded.present.all()
    assert encoded.skipped == ()
    assert encoded.identity["name"] == "mean-colour"


def test_one_array_of_all_images_is_taken_apart(encoder):
    pixels = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert encoder.encode_images(pixels).features[:, 1].tolist() == [0, 1, 2, 3, 4]


def test_unreadable_images_are_skipped_listed_and_counted(encoder, paths):
    encoded = encoder.encode_images([*paths, None])
    assert [one.row for one in encoded.skipped] == [3, 7, 9, 21]
    assert [Path(one.name).name for one in encoded.skipped][:3] == [
        "image 3.png",
        "image 7.png",
        "image 9.png",
    ]
    assert encoded.skipped[3].reason == "is missing"
    assert np.flatnonzero(~encoded.present).tolist() == [3, 7, 9, 21]
    assert not encoded.features[[3, 7, 9, 21]].any()
    assert encoded.features[encoded.present].all()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_the_number_of_threads_changes_nothing(encoder, paths, threads):
    one, other = encoder.encode_images(paths, threads=threads), encoder.encode_images(paths)
    assert np.array_equal(one.features, other.features)
    assert one.skipped == other.skipped


def test_threads_end_with_the_work(encoder, paths):
    encoder.encode_images(paths)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cmh-features")]


def test_batches_are_full_within_a_block(encoder):
    encoder.encode_images(np.zeros((21, 4, 4, 3), np.uint8))
    assert encoder.batches == [4, 4, 4, 4, 4, 1]


def test_only_a_few_items_are_held_at_a_time(encoder):
    class Watched:
        taken = 0

        def __len__(self):
            return 400

        def __getitem__(self, row):
            self.taken = max(self.taken, row)
            return np.zeros((4, 4, 3), np.uint8)

    watched, ahead = Watched(), []
    encoder.encode_images(watched, progress=lambda now: ahead.append(watched.taken - now.done))
    assert max(ahead) <= 2 * encoder.batch_size + 2


def test_texts_of_one_length_share_a_batch_and_keep_their_order(encoder):
    texts = ["a" * (1 + (7 * number) % 10) for number in range(50)]
    encoded = encoder.encode_texts(texts)
    assert encoded.features[:, 0].tolist() == [len(text) for text in texts]


def test_empty_texts_are_skipped_listed_and_counted(encoder):
    encoded = encoder.encode_texts(["a b", "", None, "  \n", 7, "c"])
    assert [(one.row, one.reason) for one in encoded.skipped] == [
        (1, "is empty"),
        (2, "is missing"),
        (3, "is empty"),
        (4, "is of type int, no text"),
    ]
    assert encoded.present.tolist() == [True, False, False, False, False, True]


def test_images_inside_a_zip_file_are_encoded(encoder, paths, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in paths:
            if path.exists():
                archive.write(path, path.name)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        inside = [zipfile.Path(archive, path.name) for path in paths]
        encoded = encoder.encode_images(inside, threads=1)
    assert [one.row for one in encoded.skipped] == [3, 7, 9]
    assert encoded.skipped[1].name.endswith("all.zip/image 7.png")
    assert np.array_equal(encoded.features, encoder.encode_images(paths).features)


def test_nothing_gives_nothing(encoder, tmp_path):
    assert encoder.encode_texts([]).shape == (0, 3)
    assert encoder.encode_images([], out=tmp_path / "x.npy").shape == (0, 3)


def test_features_that_are_no_numbers_are_skipped(encoder):
    encoder.embed_texts = lambda _: np.array([[1, np.nan, 0], [1, 2, 3]], np.float32)
    encoded = encoder.encode_texts(["a", "b"])
    assert encoded.skipped[0].reason == "gives no finite feature"
    assert encoded.present.tolist() == [False, True]


def test_progress_counts_up_and_estimates_the_time_left(encoder, paths):
    seen = []
    encoder.encode_images(paths, progress=seen.append)
    assert [now.done for now in seen] == sorted({now.done for now in seen})  # nothing is said twice
    assert (seen[-1].done, seen[-1].total, seen[-1].skipped) == (21, 21, 3)
    assert seen[-1].seconds_left == 0
    assert all(now.seconds_left >= 0 for now in seen)


def test_a_text_encoder_refuses_images(encoder):
    encoder.modalities = ("text",)
    with pytest.raises(ValueError, match="mean-colour encodes texts, not images"):
        encoder.encode_images([])


def test_one_text_is_no_list_of_texts(encoder):
    with pytest.raises(ValueError, match="texts must be a list"):
        encoder.encode_texts("a red apple")


def test_negative_threads_are_refused(encoder):
    with pytest.raises(ValueError, match="threads must be 0 or more, but it is -1"):
        encoder.encode_images([], threads=-1)


def test_a_file_holds_what_memory_would_hold(encoder, paths, tmp_path):
    out = tmp_path / "new folder" / "images.npy"
    in_file, in_memory = encoder.encode_images(paths, out=out), encoder.encode_images(paths)
    assert isinstance(in_file.features, np.memmap)
    assert np.array_equal(in_file.features, in_memory.features)
    assert in_file.skipped == in_memory.skipped
    assert in_file.identity == in_memory.identity
    again = load_features(out)
    assert np.array_equal(again.present, in_memory.present)
    assert sorted(one.name for one in out.parent.iterdir()) == ["images.json", "images.npy"]


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from conftest import MeanColour

def stop(now):
    if now.done >= {stop}:
        os.kill(os.getpid(), signal.SIGKILL)

MeanColour().encode_images({paths!r}, out={out!r}, progress=stop if {stop} else None)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("stop", [1, 12, 16, 18])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(paths, tmp_path, stop):
    whole, killed = tmp_path / "whole" / "x.npy", tmp_path / "killed" / "x.npy"
    names = [str(path) for path in paths]
    for out, when in ((whole, 0), (killed, stop), (killed, 0)):
        script = KILLED.format(tests=str(Path(__file__).parent), paths=names, out=str(out), stop=when)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == (-signal.SIGKILL if when else 0), done.stderr
        if when:
            assert not killed.exists()
    assert whole.read_bytes() == killed.read_bytes()
    assert whole.with_suffix(".json").read_bytes() == killed.with_suffix(".json").read_bytes()
    assert len(list(killed.parent.iterdir())) == 2


def test_a_resumed_run_does_not_encode_again_what_is_done(encoder, paths, tmp_path):
    class StopHereError(Exception):
        pass

    def stop(now):
        if now.done == 20:
            raise StopHereError

    with pytest.raises(StopHereError):
        encoder.encode_images(paths, out=tmp_path / "x.npy", progress=stop)
    encoder.batches.clear()
    seen = []
    encoder.encode_images(paths, out=tmp_path / "x.npy", progress=seen.append)
    assert encoder.batches == [4, 1]  # rows 16 to 20
    assert seen[-1].skipped == 3  # those of the first run count


def test_a_torn_block_is_written_again(encoder, paths, tmp_path):
    class StopHereError(Exception):
        pass

    def stop(now):
        if now.done == 20:
            raise StopHereError

    with pytest.raises(StopHereError):
        encoder.encode_images(paths, out=tmp_path / "x.npy", progress=stop)
    with (tmp_path / "x.npy.part").open("ab") as file:
        file.write(b"half a row")
    encoded = encoder.encode_images(paths, out=tmp_path / "x.npy")
    assert np.array_equal(encoded.features, encoder.encode_images(paths).features)


def test_a_complete_file_is_not_made_again(encoder, paths, tmp_path):
    first = encoder.encode_images(paths, out=tmp_path / "x.npy")
    encoder.batches.clear()
    second = encoder.encode_images(paths, out=tmp_path / "x.npy")
    assert encoder.batches == []
    assert np.array_equal(first.features, second.features)


@pytest.mark.parametrize("change", ["items", "encoder"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_file_of_something_else_is_refused(encoder, paths, tmp_path, change, complete):
    def stop(now):
        raise KeyboardInterrupt

    if complete:
        encoder.encode_images(paths, out=tmp_path / "x.npy")
    else:
        with pytest.raises(KeyboardInterrupt):
            encoder.encode_images(paths, out=tmp_path / "x.npy", progress=stop)
    before = {one.name: one.read_bytes() for one in tmp_path.glob("x*")}
    if change == "encoder":
        encoder.identity = Identity("mean-colour", "2", "", "4 x 4 pixels")
    items = paths[::-1] if change == "items" else paths
    with pytest.raises(ValueError, match=f"of another encoder or of other items \\({change} differs\\)"):
        encoder.encode_images(items, out=tmp_path / "x.npy")
    assert {one.name: one.read_bytes() for one in tmp_path.glob("x*")} == before


def test_other_file_names_are_refused(encoder, tmp_path):
    with pytest.raises(ValueError, match=r"out must end in \.npy"):
        encoder.encode_images([], out=tmp_path / "x.h5")


@pytest.mark.parametrize("content", [None, "{}", "no JSON", '{"skipped": 1, "encoder": {}}'])
def test_features_without_their_record_are_refused(tmp_path, content):
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(ValueError, match=r"x\.npy and x\.json beside it must be files that an encoder wrote"):
        load_features(tmp_path / "x.npy")


def test_the_record_says_what_made_the_features(encoder, paths, tmp_path):
    encoder.encode_images(paths, out=tmp_path / "x.npy")
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["encoder"] == encoder.identity.to_json()
    assert (record["n"], record["width"]) == (21, 3)


@given(texts=st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture keeps nothing
def test_each_text_gets_the_feature_that_it_gets_alone(encoder, texts):
    together = encoder.encode_texts(texts)
    for row, text in enumerate(texts):
        alone = encoder.encode_texts([text])
        assert alone.present[0] == together.present[row]
        assert np.array_equal(alone.features[0], together.features[row])
