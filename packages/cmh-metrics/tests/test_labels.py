import numpy as np
import pytest
from cmh_metrics import evaluate, map_by_class, ranking_tables

CLASSES = {"query": np.array([2, 0, 1, 2]), "database": np.array([0, 1, 2, 0, 0, 1])}
NAMES = np.array(["art", "biology", "music"])


@pytest.fixture
def codes(make_arrays):
    arrays = make_arrays(4, 6, 8, 1)
    return {name: arrays[name] for name in ("query_codes", "database_codes")}


def labels(write):
    return {f"{side}_labels": write(classes) for side, classes in CLASSES.items()}


EYE = np.eye(3, dtype=np.uint8)


@pytest.mark.parametrize(
    ("write", "reading"),
    [
        (lambda y: EYE[y], "0 and 1"),
        (lambda y: EYE[y] > 0, "0 and 1"),
        (lambda y: EYE[y] * 2.0 - 1, "-1 and +1"),
        (lambda y: EYE[y].astype(np.int8) * 2 - 1, "-1 and +1"),
        (lambda y: y, "class numbers (3: 0, 1, 2)"),
        (lambda y: y + 1.0, "class numbers (3: 1, 2, 3)"),
        (lambda y: y.tolist(), "class numbers (3: 0, 1, 2)"),
        (lambda y: NAMES[y], "class names (3: art, biology, music)"),
        (lambda y: np.char.encode(NAMES[y]), "class names (3: art, biology, music)"),
        (lambda y: NAMES[y].astype(object), "class names (3: art, biology, music)"),
        (lambda y: NAMES[y].tolist(), "class names (3: art, biology, music)"),
    ],
)
def test_every_way_to_write_labels(codes, write, reading):
    expected = ranking_tables(**codes, **labels(lambda y: EYE[y]))
    for backend in ("numba", "numpy"):
        tables = ranking_tables(**codes, **labels(write), backend=backend)
        np.testing.assert_array_equal(tables.relevant, expected.relevant)
    np.testing.assert_array_equal(
        map_by_class(**codes, **labels(write), relevance="class"),
        map_by_class(**codes, **labels(lambda y: EYE[y]), relevance="class"),
    )
    assert evaluate(**codes, **labels(write))["retrieval"].readings["labels"] == reading


@pytest.mark.parametrize("pair", [(0, 1), (False, True), (-1, 1)])
def test_a_vector_of_two_values_is_two_classes(codes, pair):
    two = np.array(pair)
    tables = ranking_tables(**codes, **labels(lambda y: two[(y > 0).astype(int)]))
    expected = ranking_tables(**codes, **labels(lambda y: np.eye(2)[(y > 0).astype(int)]))
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


def test_more_classes_than_a_word_has_bits(make_arrays):
    rng = np.random.default_rng(0)
    arrays = make_arrays(30, 300, 16, 1)
    numbers = {"query_labels": rng.integers(0, 200, 30), "database_labels": rng.integers(0, 200, 300)}
    tables = ranking_tables(**{**arrays, **numbers})
    expected = ranking_tables(**{**arrays, **{name: np.eye(200)[y] for name, y in numbers.items()}})
    np.testing.assert_array_equal(tables.relevant, expected.relevant)


@pytest.mark.parametrize(
    ("query", "database", "message"),
    [
        (CLASSES["query"], EYE[CLASSES["database"]], "query_labels must be a table of labels"),
        (EYE[CLASSES["query"]], CLASSES["database"], "database_labels must be a table of labels"),
        (CLASSES["query"], NAMES[CLASSES["database"]], "both be class numbers or both class names"),
        (CLASSES["query"] + 0.5, CLASSES["database"], "one class number or class name an item"),
        ((CLASSES["query"] + 1) * np.inf, CLASSES["database"], "one class number or class name an item"),
        (EYE[CLASSES["query"]] * 2 - 1.0, EYE[CLASSES["database"]] * 2.0 - 1, None),
        (EYE[CLASSES["query"]] * 2.0 - 1, EYE[CLASSES["database"]], "database_labels has"),
        (
            EYE[CLASSES["query"]],
            EYE[CLASSES["database"]] * 2.0 - 1,
            "database_labels must contain only 0 and 1",
        ),
        (CLASSES["query"][:3], CLASSES["database"], "one row per row of query_codes"),
        (np.array([]), CLASSES["database"], "at least one row"),
    ],
)
def test_labels_that_do_not_fit(codes, query, database, message):
    if message is None:
        ranking_tables(**codes, query_labels=query.astype(float), database_labels=database)
        return
    with pytest.raises(ValueError, match=message):
        ranking_tables(**codes, query_labels=query, database_labels=database)


@pytest.mark.parametrize("text", ["['a', 'b']", "a|b", "a; b", "(a, b)"])
def test_several_names_in_one_text_are_refused(codes, text):
    names = labels(lambda y: np.array(["a", "b", text])[y])
    with pytest.raises(ValueError, match="looks like several; give a table"):
        evaluate(**codes, **names)


def test_minus_one_beside_other_class_numbers_is_refused(codes):
    numbers = {"query_labels": np.array([-1, 1, 1, -1]), "database_labels": np.array([0, 1, 1, 0, 1, 0])}
    with pytest.raises(ValueError, match=r"class numbers from 0 on, or only -1 and \+1 of two classes"):
        evaluate(**codes, **numbers)
