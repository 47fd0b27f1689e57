import numpy as np
import pytest
from cmh_metrics import (
    CodeValueError,
    PackedCodes,
    average_precision,
    evaluate,
    hamming_distances,
    hamming_topk,
    instance_recall_at,
    map_by_class,
    mean_average_precision,
    ndcg,
    pack_codes,
    precision_at,
    precision_recall_by_radius,
    ranking_tables,
    recall_at,
    unpack_codes,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def test_hand_worked_words():
    assert pack_codes([[-1, 1, 1], [1, -1, -1]]).words.tolist() == [[6], [1]]


@pytest.mark.parametrize("bits", [1, 7, 8, 63, 64, 65, 127, 300, 1024])
def test_bit_order_is_that_of_packbits(bits):
    codes = np.random.default_rng(bits).random((5, bits)) < 0.5
    packed = pack_codes(codes)
    assert packed.shape == (5, bits)
    assert packed.words.shape == (5, -(-bits // 64))
    np.testing.assert_array_equal(packed.as_bytes(), np.packbits(codes, axis=1, bitorder="little"))
    np.testing.assert_array_equal(PackedCodes.from_bytes(packed.as_bytes(), bits).words, packed.words)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_unpacking_undoes_packing(bits, n, seed):
    codes = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (n, bits))
    np.testing.assert_array_equal(unpack_codes(pack_codes(codes)), codes)


def test_all_kinds_of_values_give_the_same_words():
    signs = np.random.default_rng(0).choice(np.array([-1, 1]), (6, 70))
    expected = pack_codes(signs).words
    kinds = [signs > 0, (signs > 0).astype(np.uint8), (signs + 1) // 2, signs * 0.3, signs.astype(np.float16)]
    for codes in [*kinds, signs.tolist(), np.asfortranarray(signs), signs[::-1][::-1]]:
        np.testing.assert_array_equal(pack_codes(codes).words, expected)


def test_zero_is_plus_one_among_signs_and_zero_among_bits():
    assert unpack_codes(pack_codes([[0.0, -0.5, -0.0]])).tolist() == [[1, -1, 1]]
    assert unpack_codes(pack_codes([[0, 1]])).tolist() == [[-1, 1]]
    assert unpack_codes(pack_codes([[0, 1]], code_values="signed")).tolist() == [[1, 1]]


def test_booleans_and_unsigned_integers_have_no_sign():
    for codes in ([[False, True]], np.array([[0, 1]], np.uint8)):
        for values in ("auto", "binary"):
            assert unpack_codes(pack_codes(codes, code_values=values)).tolist() == [[-1, 1]]
        with pytest.raises(ValueError, match="codes must be of a type with a sign for code_values='signed'"):
            pack_codes(codes, code_values="signed")


SIGNS = np.random.default_rng(7).choice([-1, 1], (40, 24))
FORMS = {
    "int64 signs": SIGNS,
    "float signs": SIGNS.astype(np.float32),
    "real outputs": SIGNS * np.random.default_rng(8).uniform(0.1, 3, SIGNS.shape),
    "booleans": SIGNS > 0,
    "uint8 bits": (SIGNS > 0).astype(np.uint8),
    "int64 bits": (SIGNS > 0).astype(np.int64),
    "float bits": (SIGNS > 0).astype(float),
    "packed": pack_codes(SIGNS),
}


@pytest.mark.parametrize("query", FORMS)
@pytest.mark.parametrize("database", FORMS)
def test_each_side_is_read_by_what_it_holds_and_not_by_its_dtype(query, database):
    found = hamming_distances(query_codes=FORMS[query], database_codes=FORMS[database])
    np.testing.assert_array_equal(found, (SIGNS.shape[1] - SIGNS @ SIGNS.T) // 2)


@pytest.mark.parametrize("side", ["query_codes", "database_codes"])
def test_zeros_that_may_be_signs_or_bits_are_refused(side):
    other = {"query_codes": "database_codes", "database_codes": "query_codes"}[side]
    codes = {side: np.array([[0.0, 1]]), other: np.array([[-1, 0], [1, 1]])}  # sign() left zeros
    with pytest.raises(CodeValueError, match=f"{side} must mean the same by a zero as the other codes"):
        hamming_distances(**codes)
    distances = hamming_distances(**codes, code_values="signed")
    assert distances.ravel().tolist() == [1, 0]
    with pytest.raises(ValueError, match=f"{other} must contain only 0 and 1, but it contains -1"):
        hamming_distances(**codes, code_values="binary")
    assert hamming_distances(**{**codes, side: codes[side] == 1}).ravel().tolist() == [0, 1]  # bits for sure


def test_a_threshold_reads_sigmoid_outputs_signs_and_bits_alike():
    sigmoid = 1 / (1 + np.exp(-FORMS["real outputs"]))
    for codes in (sigmoid, SIGNS, SIGNS > 0, (SIGNS > 0).astype(float)):
        np.testing.assert_array_equal(pack_codes(codes, threshold=0.5).words, pack_codes(SIGNS).words)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_between_0_and_1_are_refused_without_a_threshold(dtype):
    sigmoid = (1 / (1 + np.exp(-FORMS["real outputs"]))).astype(dtype)
    with pytest.raises(CodeValueError, match=r"as sigmoid outputs are.*threshold=0\.5"):
        pack_codes(sigmoid)
    with pytest.raises(CodeValueError, match="values on both sides of zero"):
        pack_codes(sigmoid * 7)


BYTES = np.packbits(np.random.default_rng(9).random((40, 64)) < 0.5, axis=1)


@pytest.mark.parametrize(
    "packed",
    [
        BYTES,
        BYTES.view(np.int8),
        BYTES.astype(np.int64),
        BYTES.astype(float),
        BYTES.view(np.int64),
        BYTES.view(np.uint32),
        BYTES.view(np.uint32).astype(float),
        BYTES.view(np.uint16).astype(np.int64),
        BYTES.view(np.int16),
        (BYTES.astype(int) - 128).astype(np.int8),
        (BYTES.astype(int) - 128).astype(np.float32),
    ],
    ids=lambda array: f"{array.dtype}x{array.shape[1]}",
)
def test_packed_codes_are_refused_as_values_and_read_as_bytes(packed):
    with pytest.raises(CodeValueError, match=r"as codes packed into bytes or words do; read .*from_bytes"):
        pack_codes(packed)
    read = PackedCodes.from_bytes(packed, 64, bitorder="big")
    expected = hamming_distances(
        query_codes=np.unpackbits(BYTES, axis=1), database_codes=np.unpackbits(BYTES, axis=1)
    )
    np.testing.assert_array_equal(hamming_distances(query_codes=read, database_codes=read), expected)


def test_bytes_less_128_are_the_bytes_themselves():
    shifted = (BYTES.astype(int) - 128).astype(np.int8)  # sentence-transformers' "binary"
    for bitorder in ("little", "big"):
        np.testing.assert_array_equal(
            PackedCodes.from_bytes(shifted, bitorder=bitorder).words,
            PackedCodes.from_bytes(BYTES, bitorder=bitorder).words,
        )


@pytest.mark.parametrize("bits", [1, 7, 9, 41, 63, 65, 127])
@pytest.mark.parametrize("bitorder", ["little", "big"])
def test_bits_beyond_the_code_are_an_error_that_names_the_bit_order(bits, bitorder):
    codes = np.random.default_rng(bits).random((9, bits)) < 0.5
    codes[0] = True
    packed = np.packbits(codes, axis=1, bitorder=bitorder)
    np.testing.assert_array_equal(
        PackedCodes.from_bytes(packed, bits, bitorder=bitorder).words, pack_codes(codes).words
    )
    other = {"little": "big", "big": "little"}[bitorder]
    with pytest.raises(ValueError, match=f"no bit set beyond the {bits} bits .* try bitorder='{bitorder}'"):
        PackedCodes.from_bytes(packed, bits, bitorder=other)


def test_integer_words_of_short_codes():
    words = np.array([[5], [2**40 - 1]], np.int64)  # bit j of the number is bit j of the code
    assert PackedCodes.from_bytes(words, 40).words.tolist() == [[5], [2**40 - 1]]
    with pytest.raises(ValueError, match="no bit set beyond the 39 bits"):
        PackedCodes.from_bytes(words, 39)


LABELS = {"query_labels": [[1, 0], [0, 1], [1, 1]], "database_labels": [[1, 0], [0, 1], [1, 0], [0, 1]]}


@pytest.mark.parametrize(
    "measure",
    [
        lambda **a: ranking_tables(**LABELS, **a).retrieved,
        lambda **a: average_precision(**LABELS, **a),
        lambda **a: average_precision(**LABELS, **a, ties="index"),
        lambda **a: mean_average_precision(**LABELS, **a),
        lambda **a: map_by_class(**LABELS, **a),
        lambda **a: precision_at(**LABELS, **a, ks=[1, 2]),
        lambda **a: precision_at(**LABELS, **a, ks=[1, 2], ties="index"),
        lambda **a: recall_at(**LABELS, **a, ks=[1, 2]),
        lambda **a: precision_recall_by_radius(**LABELS, **a).recall,
        lambda **a: ndcg(**LABELS, **a),
        lambda **a: evaluate(**LABELS, **a)["retrieval"].mean_average_precision,
        lambda **a: instance_recall_at(**a, ks=[1, 2]),
        lambda **a: hamming_topk(**a, k=2)[1],
        hamming_distances,
    ],
)
def test_every_measure_asks_what_a_zero_means(measure):
    codes = {
        "query_codes": np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]]),
        "database_codes": np.array([[0, 0, 0], [0, 1, 1], [1, 0, 0], [1, 1, 1]]),
    }
    bits = {name: array == 1 for name, array in codes.items()}
    ones = {name: np.ones_like(array) for name, array in codes.items()}
    same_by_threshold = measure(**{name: array * 0.5 + 0.2 for name, array in codes.items()}, threshold=0.5)
    np.testing.assert_array_equal(same_by_threshold, measure(**bits))
    for values, same in (("auto", bits), ("binary", bits), ("signed", ones)):
        np.testing.assert_array_equal(measure(**codes, code_values=values), measure(**same))


class CountedRows:
    """A database on disk, and how many rows of it were read."""

    def __init__(self, array):
        self._array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, 0

    def __getitem__(self, rows):
        self.read += len(self._array[rows])
        return self._array[rows]


@pytest.mark.parametrize(
    ("queries", "database", "times"),
    [
        ([[-1, 1]], [[0.5, -1]] * 50, 2),  # one block, which shows that the values are real
        ([[True, False]], [[True, False]] * 50, 1),
        ([[0, 1]], [[0, 1]] * 50, 2),  # once to see that there are none
    ],
)
def test_a_database_is_not_read_to_find_out_what_is_known(queries, database, times):
    database = CountedRows(np.array(database))
    hamming_topk(query_codes=queries, database_codes=database, k=1)
    assert database.read == 50 * times


def test_the_kind_is_decided_for_the_whole_matrix_and_not_block_by_block():
    codes = np.zeros((300_000, 64), np.int8)  # zeros mean +1, as only the last row tells
    codes[-1, 0] = -1
    words = pack_codes(codes).words
    assert words[0, 0] == np.uint64(2**64 - 1)
    assert words[-1, 0] == np.uint64(2**64 - 2)


def test_padding_must_be_zero():
    with pytest.raises(ValueError, match=r"no bit set beyond the 3 bits .* bitorder='big'"):
        PackedCodes(np.array([[0xFF]], np.uint64), bits=3)


def test_selection_keeps_rows():
    packed = pack_codes(np.eye(4, dtype=bool))
    assert len(packed[1:3]) == 2
    assert packed[np.array([True, False, False, True])].words.tolist() == [[1], [8]]
    assert packed[2].words.tolist() == [[4]]


def test_saving_and_loading(tmp_path):
    packed = pack_codes(np.random.default_rng(0).random((5, 65)) < 0.5)
    packed.save(tmp_path / "codes")
    loaded = PackedCodes.load(tmp_path / "codes")
    assert loaded.bits == 65
    np.testing.assert_array_equal(loaded.words, packed.words)


def test_loading_something_else(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    np.save(tmp_path / "other.npy", np.ones(3))
    for name in ("other.npz", "other.npy"):
        with pytest.raises(ValueError, match="'words' and 'bits'"):
            PackedCodes.load(tmp_path / name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_codes(np.ones((0, 3))), r"codes must have at least one row, but its shape is \(0, 3\)"),
        (lambda: pack_codes(np.ones((3, 0))), "at least one column"),
        (lambda: pack_codes(np.ones(3)), "two dimensions"),
        (lambda: pack_codes([[1, 2], [3]]), "rows of equal length"),
        (lambda: pack_codes(np.ones((1, 1025))), "at most 1024 bits"),
        (lambda: pack_codes([[np.nan, 1.0]]), "codes must not contain NaN"),
        (lambda: pack_codes([["a"]]), "must hold booleans, integers or real numbers"),
        (
            lambda: pack_codes(np.array([[3]], np.uint8)),
            "codes must contain only 0 and 1 or signs, but it contains whole numbers from 3 to 3",
        ),
        (
            lambda: pack_codes([[-1.0]], code_values="binary"),
            "must contain only 0 and 1, but it contains -1.0",
        ),
        (lambda: pack_codes([[1]], code_values="real"), "code_values must be one of"),
        (lambda: pack_codes([[np.nan]], name="query_codes"), "query_codes must not contain NaN"),
        (lambda: unpack_codes([[1]]), "codes must be PackedCodes, but it is list"),
        (lambda: PackedCodes(np.zeros((2, 2), np.uint64), bits=64), r"uint64 array of 1 column\(s\)"),
        (lambda: PackedCodes(np.zeros((2, 1), np.int64), bits=64), "but it is int64"),
        (lambda: PackedCodes(np.zeros((2, 1), np.uint64), bits=0), "1 to 1024 bits, but it is 0"),
        (
            lambda: PackedCodes.from_bytes(np.zeros((2, 2), np.uint8), bits=4),
            "packed rows of 1 bytes or 1 64-bit words for 4 bits",
        ),
        (
            lambda: PackedCodes.from_bytes(np.full((2, 2), 0.5)),
            "packed whole numbers, but the dtype is float64",
        ),
        (lambda: PackedCodes.from_bytes([[1]], bitorder="middle"), "bitorder must be one of"),
        (lambda: pack_codes([[1]], threshold=np.nan), "threshold must be a finite number"),
        (
            lambda: pack_codes([[1]], threshold=0.5, code_values="signed"),
            "threshold must come without code_values",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("low", "high"), [(0, 255), (1, 2), (-5, 3)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_two_other_values_are_told_apart_by_a_threshold(low, high, dtype):
    bits = np.random.default_rng(0).random((4, 9)) < 0.5
    values = np.where(bits, high, low).astype(dtype)
    with pytest.raises(CodeValueError, match=f"but it contains only {low} and {high}; give threshold"):
        pack_codes(values)
    assert np.array_equal(pack_codes(values, threshold=(low + high) / 2).words, pack_codes(bits).words)


def test_outputs_of_a_relu_are_not_called_those_of_a_sigmoid():
    values = np.array([[0.0, 0.2, 0.5], [0.1, 0.0, 0.3]])
    with pytest.raises(CodeValueError, match=r"all are from 0 to 0\.5, so that all codes would be equal"):
        pack_codes(values)
