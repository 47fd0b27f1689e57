"""Plans on data from which something is missing already."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cmh_unpair import CONDITIONS, UnpairingPlan, pdr_plan, plan_unpairing, published_2022_plan
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def plans(draw):
    n = draw(st.integers(2, 60))
    kind = draw(st.sampled_from(["block", "random", "pdr", "published", "shuffle", "discard"]))
    share = draw(st.integers(0, 50))
    if kind == "pdr":
        return pdr_plan(n, incomplete=share, seed=1)
    if kind == "published":
        return published_2022_plan(n, unpaired_images=2 * share, unpaired_text=2 * share)
    if kind == "shuffle":
        return plan_unpairing(n, shuffle=100, seed=2)
    options = {"select": "random", "seed": 0, "block": None} if kind == "random" else {"block": 7}
    discard = 30 if kind == "discard" else 0
    return plan_unpairing(
        n, unpaired_images=share, unpaired_text=share // 2, discard=discard if share < 40 else 0, **options
    )


@st.composite
def plans_and_masks(draw):
    plan = draw(plans())
    masks = [
        np.array(draw(st.lists(st.booleans(), min_size=len(plan), max_size=len(plan)))) for _ in range(2)
    ]
    return plan, *masks


def test_by_hand():
    plan = plan_unpairing(
        6, unpaired_images=34, unpaired_text=34, block=None
    )  # rows 0, 1 lose the text, 4, 5 the image
    left = plan.with_missing(image_present=[0, 1, 1, 0, 1, 1], text_present=[1, 1, 0, 1, 1, 0])
    #                     row 0: neither; 1: image; 2: image; 3: text; 4: text; 5: neither
    np.testing.assert_array_equal(left.image_present, [0, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(left.text_present, [0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(left.kept, [0, 1, 1, 1, 1, 0])
    assert left.counts.model_dump() == {
        "n_train": 6, "kept": 4, "true_pairs": 0, "without_text": 2, "without_image": 2, "without_both": 0,
        "shuffled": 0, "dropped": 2,
    }  # fmt: skip
    assert (
        "missing already: text of 2 rows, image of 2, both of 0; 2 rows with something missing are not kept"
        in (left.summary())
    )
    assert "without text               2    33.33%" in left.summary()


def test_the_text_of_a_shuffled_row_is_missing_where_the_other_row_has_none():
    plan = plan_unpairing(4, shuffle=100, seed=0)
    left = plan.with_missing(image_present=np.ones(4), text_present=[0, 1, 1, 1])
    holder = int(np.flatnonzero(plan.text_index == 0)[0])
    np.testing.assert_array_equal(left.text_present, np.arange(4) != holder)
    assert (left.counts.shuffled, left.counts.without_text) == (3, 1)
    unpaired = left.apply(np.ones((4, 2)), np.arange(1.0, 5)[:, None])
    np.testing.assert_array_equal(
        unpaired.texts[:, 0], np.where(plan.text_index == 0, 0, plan.text_index + 1)
    )


@given(case=plans_and_masks())
def test_what_is_left_is_what_both_leave(case):
    plan, image, text = case
    left = plan.with_missing(image_present=image, text_present=text)
    moved = text if plan.text_index is None else text[plan.text_index]
    expected_image, expected_text = plan.image_present & image, plan.text_present & moved
    gone = ~expected_image & ~expected_text & (~image | ~moved)
    np.testing.assert_array_equal(left.kept, plan.kept & ~gone)
    np.testing.assert_array_equal(left.image_present, expected_image & left.kept)
    np.testing.assert_array_equal(left.text_present, expected_text & left.kept)
    counts = left.counts
    assert sum(getattr(counts, name) for name in CONDITIONS) == counts.n_train == len(plan)
    assert counts.kept == left.kept.sum() == counts.n_train - counts.dropped
    assert counts.true_pairs == left.true_pair.sum()
    assert UnpairingPlan.from_json(left.to_json()) == left
    assert UnpairingPlan.from_json(left.to_json()).to_json() == left.to_json()
    again = left.with_missing(image_present=image, text_present=text)
    assert again == left
    assert left.counts_by_label(np.zeros(len(plan), int))["all"] == [len(plan)]


@given(plan=plans())
def test_where_nothing_is_missing_the_plan_is_the_same_to_the_byte(plan):
    ones = np.ones(len(plan), bool)
    same = plan.with_missing(image_present=ones, text_present=ones)
    assert same.to_json() == plan.to_json()
    assert same.digest == plan.digest
    assert "missing" not in json.loads(plan.to_json())


@given(case=plans_and_masks(), other=st.data())
def test_missing_in_two_steps_is_missing_at_once(case, other):
    plan, image, text = case
    second = np.array(other.draw(st.lists(st.booleans(), min_size=len(plan), max_size=len(plan))))
    ones = np.ones(len(plan), bool)
    steps = plan.with_missing(image_present=image, text_present=text).with_missing(
        image_present=second, text_present=ones
    )
    once = plan.with_missing(image_present=image & second, text_present=text)
    # A row that is not kept after the first step stays so; nothing else depends on the order.
    np.testing.assert_array_equal(steps.kept, once.kept)
    np.testing.assert_array_equal(steps.image_present, once.image_present)
    np.testing.assert_array_equal(steps.text_present, once.text_present)


def test_what_is_missing_is_part_of_the_digest():
    plan = plan_unpairing(10, unpaired_images=20)
    removed = plan.text_present
    left = plan.with_missing(image_present=np.ones(10), text_present=removed)
    np.testing.assert_array_equal(left.text_present, plan.text_present)
    assert left != plan  # what is missing cannot be ranked, what is removed can


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"image_present": np.ones(9)}, r"image_present must have the shape \(10,\), .* but it is \(9,\)"),
        ({"text_present": np.arange(10)}, "text_present must hold zeros and ones"),
        ({"text_present": np.full(10, "yes")}, "text_present must hold zeros and ones"),
    ],
)
def test_bad_masks_are_refused_with_the_reason(masks, message):
    masks = {"image_present": np.ones(10), "text_present": np.ones(10), **masks}
    with pytest.raises(ValueError, match=message):
        plan_unpairing(10, unpaired_images=20).with_missing(**masks)


@pytest.mark.parametrize("change", ["state", "text_index", "missing"])
def test_a_record_with_rows_out_of_range_is_refused(change):
    import base64
    import zlib

    plan = plan_unpairing(10, shuffle=50, seed=0).with_missing(
        image_present=[0] + [1] * 9, text_present=np.ones(10)
    )
    record = json.loads(plan.to_json())
    rows = np.full(10, 77, "<i8" if change == "text_index" else "u1")
    record[change] = base64.b64encode(zlib.compress(rows.tobytes())).decode()
    with pytest.raises(ValueError, match="rows are out of range"):
        UnpairingPlan.from_json(json.dumps(record))
