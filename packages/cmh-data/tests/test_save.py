"""Saving in a few threads: always the same bytes, and no file after an error."""

from __future__ import annotations

import cmh_data
import numpy as np
import pytest


@pytest.mark.parametrize("pixel_size", [None, 24])
def test_one_thread_or_many_write_the_same_bytes(tmp_path, monkeypatch, pixel_size):
    contents = []
    for count in (1, 8):
        monkeypatch.setattr("cmh_data._dataset.threads.os.cpu_count", lambda count=count: count)
        data = cmh_data.simulate(n=150, image_width=600, pixel_size=pixel_size, seed=3)
        contents.append(cmh_data.save(data, tmp_path / "a.h5").read_bytes())
    assert contents[0] == contents[1]
    assert cmh_data.load(tmp_path / "a.h5").compute_digest() == data.digest


def test_an_error_while_rows_pass_leaves_no_file(tmp_path):
    class Broken:
        shape, dtype = (400, 3, 60, 60), np.dtype(np.uint8)

        def __len__(self):
            return 400

        def __getitem__(self, rows):
            if rows.start > 200:
                raise cmh_data.DataError("row 200 is broken")
            return np.random.default_rng(0).integers(
                0, 256, (len(range(400)[rows]), 3, 60, 60), dtype=np.uint8
            )

    from dataclasses import replace

    data = replace(cmh_data.simulate(n=400, image_width=2), image=Broken())
    with pytest.raises(cmh_data.DataError, match="row 200 is broken"):
        cmh_data.save(data, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
