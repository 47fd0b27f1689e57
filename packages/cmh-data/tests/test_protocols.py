from __future__ import annotations

import cmh_data
import numpy as np
import pytest
import scipy.io

SIZES = {
    "mirflickr25k": (20015, 24),
    "nuswide-tc21": (195834, 21),
    "wikipedia": (2866, 10),
    "hanzi": (20035, 214),
    "debian-apps": (1841, 11),
}
FIXED = [
    (name, key)
    for name, protocol in cmh_data.protocols().items()
    for key in protocol.makers
    if name != "jdsh-random"
]


@pytest.mark.parametrize(("name", "key"), FIXED)
def test_committed_digests(name, key):
    rows, columns = SIZES[key]
    protocol = cmh_data.find_protocol(name)
    split = protocol.make(np.ones((rows, columns), np.uint8))
    assert split.digest == protocol.digests[key]


def test_umml_is_the_shared_split(shared_data):
    known = np.load(shared_data / "mirflickr25k_text_labels.npz")
    split = cmh_data.find_protocol("umml").make(known["labels"])
    for name in ("train", "query", "retrieval"):
        np.testing.assert_array_equal(getattr(split, name), known[name])


def test_rows_of_each_fixed_protocol():
    ones = np.ones((20015, 24), np.uint8)
    nus = np.ones((195834, 21), np.uint8)

    def ends(name, labels):
        split = cmh_data.find_protocol(name).make(labels)
        parts = (split.train, split.query, split.retrieval)
        return [(int(part[0]), int(part[-1])) for part in parts]

    assert ends("umml", ones) == [(0, 9999), (18015, 20014), (0, 18014)]
    assert ends("umml", nus) == [(0, 9999), (193734, 195833), (0, 193733)]
    assert ends("umml-jdsh", ones) == [(0, 9998), (18014, 20013), (0, 18013)]
    assert ends("umml-jdsh", nus) == [(0, 9998), (193733, 195832), (0, 193732)]
    assert ends("dadh-2020", ones) == ends("agah", ones) == [(2000, 11999), (0, 1999), (2000, 20014)]
    assert ends("dadh-2021", ones) == [(0, 9999), (18015, 20014), (0, 18014)]
    assert ends("dadh-2021", nus) == [(2100, 12099), (0, 2099), (2100, 195833)]


def test_jdsh_draws_label_by_label(shared_data):
    labels = np.load(shared_data / "mirflickr25k_text_labels.npz")["labels"]
    protocol = cmh_data.find_protocol("jdsh-random")
    split = protocol.make(labels)
    assert (len(split.query), len(split.train), len(split.retrieval)) == (2000, 5000, 18015)
    assert labels[split.query[:160], 0].all()
    assert all(labels[split.query[160 + 80 * (column - 1)], column] for column in range(1, 24))
    assert np.isin(split.train, split.retrieval).all()
    assert split.digest == protocol.digests["mirflickr25k"]
    assert protocol.make(labels, seed=1).digest != split.digest


def test_nus_tc10_sizes():
    labels = np.eye(10, dtype=np.uint8)[np.random.default_rng(0).integers(0, 10, 186577)]
    split = cmh_data.find_protocol("jdsh-random").make(labels, text_width=1000)
    assert (len(split.query), len(split.train)) == (2000, 5000)


def test_coco_takes_its_queries_from_the_file():
    labels = np.ones((87081, 91), np.uint8)
    protocol = cmh_data.find_protocol("jdsh-random")
    query, retrieval = np.arange(0, 87081, 20), np.setdiff1d(np.arange(87081), np.arange(0, 87081, 20))
    split = protocol.make(labels, query=query, retrieval=retrieval)
    assert len(split.train) == 10_000
    assert np.isin(split.train, retrieval).all()
    assert split.query.tolist() == query.tolist()
    assert protocol.make(labels, query=query, retrieval=retrieval).digest == split.digest
    with pytest.raises(cmh_data.DataError, match=r"stand only in param/indexQuery .* this file states none"):
        protocol.make(labels)


def test_splits_without_a_digest_say_so():
    open_ones = {
        (name, key)
        for name, one in cmh_data.protocols().items()
        for key in one.makers
        if not one.digests[key]
    }
    assert open_ones == {("jdsh-random", "nuswide-tc10"), ("jdsh-random", "coco")}


def test_a_protocol_gives_a_file_its_split(tmp_path):
    path = tmp_path / "raw.mat"
    rng = np.random.default_rng(0)
    labels = np.eye(10, dtype=np.uint8)[rng.integers(0, 10, 2866)]
    tables = {"images": rng.normal(size=(2866, 4)), "YAll": rng.normal(size=(2866, 3)), "LAll": labels}
    scipy.io.savemat(path, tables)
    with pytest.raises(cmh_data.DataError, match=r"has no train and query rows .* choose a protocol="):
        cmh_data.load(path)
    data = cmh_data.load(path, protocol="wikipedia")
    assert len(data.split.query) == 693
    assert "split: protocol wikipedia." in data.provenance["notes"]


def test_protocols_that_do_not_fit(tmp_path):
    path = cmh_data.save(cmh_data.sample(), tmp_path / "a.h5")
    message = r"the protocol umml fits MIR-Flickr25K, DCMH cut \(20015 rows, 24 labels\) or NUS.*1876 rows"
    with pytest.raises(cmh_data.DataError, match=message):
        cmh_data.load(path, protocol="umml")
    with pytest.raises(
        cmh_data.DataError, match="there is no protocol 'nonsense'; the protocols are umml, umml-jdsh"
    ):
        cmh_data.load(path, protocol="nonsense")
    with pytest.raises(cmh_data.DataError, match="the emoji data set has its own split only"):
        cmh_data.load("emoji", protocol="umml")
