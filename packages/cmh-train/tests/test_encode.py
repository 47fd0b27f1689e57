import numpy as np
import pytest
import torch
from cmh_train import block_rows, encode_dataset, encode_rows


def test_codes_do_not_depend_on_the_batch_size(make, data):
    method = make()
    whole = encode_dataset(method, "image", data.image)
    assert (whole.shape, whole.dtype) == ((41, 8), np.float32)
    for size in (1, 7, 41):
        np.testing.assert_allclose(
            encode_dataset(method, "image", data.image, batch_size=size), whole, rtol=1e-5, atol=1e-6
        )
    with torch.no_grad():
        expected = method.text(torch.from_numpy(data.text).float()).numpy()
    np.testing.assert_allclose(encode_dataset(method, "text", data.text), expected, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_evaluation_is_used(make, data, training):
    method = make().train(training)
    modes = []
    method.encode = lambda _, features: modes.append(method.training) or features[:, :1].expand(-1, 8)
    encode_dataset(method, "image", data.image)
    assert modes == [False]
    assert method.training == training


def test_a_method_may_fix_the_batch_size(make, data):
    method = make()
    method.encode_batch_size = 10
    sizes = []
    method.encode = lambda _, features: sizes.append(len(features)) or torch.zeros(len(features), 8)
    encode_dataset(method, "image", data.image, batch_size=3)
    assert sizes == [10, 10, 10, 10, 1]


def test_wide_rows_come_in_small_batches(make):
    method, sizes = make(), []
    method.data_spec = None
    method.encode = lambda _, features: sizes.append(len(features)) or torch.zeros(len(features), 8)
    encode_dataset(method, "image", np.zeros((60, 3, 224, 224), np.uint8))
    encode_dataset(method, "image", np.zeros((2050, 5), np.uint8))
    encode_dataset(method, "image", np.broadcast_to(np.uint8(0), (2, 3, 2000, 2000)))
    assert sizes == [55, 5, 2048, 2, 1, 1]


def test_a_read_only_map_of_a_file_is_encoded_without_a_warning(make, data, tmp_path):
    path = tmp_path / "image.npy"
    np.save(path, data.image)
    method = make()
    codes = encode_dataset(method, "image", np.load(path, mmap_mode="r"))
    np.testing.assert_array_equal(codes, encode_dataset(method, "image", data.image))


@pytest.mark.parametrize(
    ("modality", "width", "options", "message"),
    [
        ("sound", 6, {}, "modality must be 'image' or 'text', but it is 'sound'"),
        (
            "image",
            7,
            {},
            r"image inputs must have shape \(6,\), as the method was built for, but they have \(7,\); give",
        ),
        (
            "text",
            6,
            {},
            r"text inputs must have shape \(5,\), as the method was built for, but they have \(6,\)",
        ),
        ("image", 6, {"batch_size": 0}, "batch_size must be at least 1, but it is 0"),
        ("image", 6, {"precision": "half"}, "precision must be one of"),
    ],
)
def test_bad_input(make, modality, width, options, message):
    with pytest.raises(ValueError, match=message):
        encode_dataset(make(), modality, np.ones((3, width)), **options)


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        (torch.zeros(41, 7), r"\(41, 7\)"),
        (torch.zeros(8), r"\(8,\)"),
        (torch.zeros(1, 8), r"\(1, 8\)"),
        (None, "NoneType"),
    ],
)
def test_codes_of_another_shape_than_rows_and_bits_are_refused(make, data, codes, found):
    method = make()
    method.encode = lambda *_: codes
    with pytest.raises(
        ValueError,
        match=rf"Toy.encode\('image', ...\) must return .* \(n, bits\) = \(41, 8\), but it returned {found}",
    ):
        encode_dataset(method, "image", data.image)


class Reader:
    """Rows that are read by an index array only, and how many at a time."""

    def __init__(self, array):
        self.array, self.sizes = array, []

    def __getitem__(self, rows):
        self.sizes.append(len(rows))
        return self.array[rows]


def test_rows_are_encoded_a_block_at_a_time(make, data, monkeypatch):
    monkeypatch.setattr("cmh_train._encode.block_rows", lambda _: 4)
    method, reader = make(), Reader(data.image)
    rows = np.array([7, 0, 3, 3, 40, 12])
    whole = encode_dataset(method, "image", data.image)
    np.testing.assert_allclose(encode_rows(method, "image", reader, rows), whole[rows], rtol=1e-5, atol=1e-6)
    assert reader.sizes == [4, 2]


def test_missing_items_are_encoded_as_zeros_whatever_stands_there(make, data):
    method, present = make(), np.arange(41) % 2 > 0
    image = np.where(present[:, None], data.image, np.nan)
    emptied = np.where(present[:, None], data.image, 0).astype(np.float32)
    np.testing.assert_allclose(
        encode_rows(method, "image", image, np.arange(41), present=present),
        encode_dataset(method, "image", emptied), rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_no_rows_give_no_codes(make, data):
    assert encode_rows(make(), "text", data.text, np.arange(0)).shape == (0, 8)


def test_blocks_are_whole_batches_of_a_method_that_counts_on_them(make):
    method = make()
    method.encode_batch_size = 50
    assert block_rows(method) % 50 == 0
