import pytest
from cmh_metrics import Definition
from hypothesis import given
from hypothesis import strategies as st

DEFINITIONS = st.builds(
    Definition,
    k=st.none() | st.integers(1, 10**9),
    normalise=st.sampled_from(["min", "retrieved", "relevant", "first-relevant"]),
    ties=st.sampled_from(["expected", "best", "worst", "index"]),
    no_relevant=st.sampled_from(["zero", "skip", "skip-no-hit", "nan"]),
)


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (Definition(), "all, ties expected"),
        (Definition(k=50, normalise="retrieved"), "retrieved@50, ties expected"),
        (Definition(k=5, ties="index", no_relevant="skip"), "min@5, ties index, no relevant skip"),
    ],
)
def test_printed(definition, text):
    assert str(definition) == text


@given(DEFINITIONS)
def test_parsing_undoes_printing(definition):
    assert Definition.parse(str(definition)) == definition
    assert str(Definition.parse(str(definition))) == str(definition)


def test_in_words():
    words = Definition(50, "retrieved", "index", "skip").description
    assert words == (
        "mAP @50 divided by the relevant items among the first k; equal distances in database order; queries "
        "without a relevant item left out"
    )
    assert Definition().description.startswith("mAP over the whole ranking; tie-aware")


@given(DEFINITIONS)
def test_definitions_that_differ_are_told_apart(definition):
    other = Definition(k=definition.k, no_relevant="nan", ties="worst")
    assert (definition.description == other.description) == (definition == other)


def test_what_the_text_leaves_out_has_its_default():
    assert Definition.parse("all") == Definition()
    assert Definition.parse("first-relevant@5") == Definition(5, "first-relevant")
    assert Definition.parse(" all, no relevant skip ") == Definition(no_relevant="skip")


def test_without_a_cut_off_all_normalisations_are_one():
    assert Definition(normalise="relevant") == Definition()


OTHER = """
map
retrieved
retrieved@-1
min@0
best@5
min@5 ties index
min@5,
all, k 5
all, ties luck
all, no relevant maybe
min@5, ties index, ties best
"""


@pytest.mark.parametrize("text", OTHER.strip("\n").split("\n"))
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match=f"a definition of mAP must be all or .* but it is '{text}'"):
        Definition.parse(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 5, "normalise": "best"}, "normalise must be one of 'min', 'retrieved'"),
        ({"k": 0}, "k must be an integer of at least 1, but it is 0"),
        ({"ties": "luck"}, "ties must be one of"),
        ({"no_relevant": "maybe"}, "no_relevant must be one of"),
    ],
)
def test_unknown_values_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Definition(**options)
