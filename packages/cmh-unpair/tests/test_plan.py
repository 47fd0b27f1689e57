from __future__ import annotations

import json

import numpy as np
import pytest
from cmh_unpair import UnpairingPlan, compare_plans, pdr_plan, plan_unpairing, published_2022_plan
from hypothesis import given, settings
from hypothesis import strategies as st

PLANS = [
    plan_unpairing(1000, unpaired_images=20, unpaired_text=30, discard=5),
    plan_unpairing(1000, unpaired_images=20, select="random", seed=7, block=None),
    plan_unpairing(1000, shuffle=40, seed=1, shuffle_labels=False),
    plan_unpairing(1000, unpaired_text=33.3, select="ranked", scores=np.sin(np.arange(1000))),
    pdr_plan(1000, incomplete=25, seed=3),
    published_2022_plan(1000, unpaired_images=60, unpaired_text=60, integer_cast=True),
]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_json_round_trip(plan):
    again = UnpairingPlan.from_json(plan.to_json())
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.rule == plan.rule
    assert again.counts == plan.counts
    np.testing.assert_array_equal(again.state, plan.state, strict=True)
    if plan.text_index is not None:
        np.testing.assert_array_equal(again.text_index, plan.text_index, strict=True)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 500), images=st.integers(0, 50), text=st.integers(0, 50), seed=st.integers(0, 9))
def test_json_round_trip_of_any_plan(n, images, text, seed):
    plan = plan_unpairing(n, unpaired_images=images, unpaired_text=text, select="random", seed=seed)
    assert UnpairingPlan.from_json(plan.to_json().encode()) == plan


def test_the_record_names_what_matters():
    record = json.loads(PLANS[0].to_json())
    assert record["name"] == "UI20+UT30+SD5"
    assert record["rule"]["block"] == 100
    assert record["counts"]["true_pairs"] == 450
    assert record["digest"] == PLANS[0].digest


def test_the_digest_is_pinned():
    digest = plan_unpairing(10_000, unpaired_images=20).digest
    assert digest == "7a000e4fd452bebd5303a9d0616bce63f9a18d1b1e3071796b9e160dc685acbf"


def change(record, **changes):
    return json.dumps(json.loads(record) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "must be the JSON of an unpairing plan"),
        ("not JSON", "must be the JSON of an unpairing plan"),
        (change(PLANS[0].to_json(), digest="0" * 64), "changed after writing"),
        (change(PLANS[0].to_json(), n_train=999), "damaged"),
        (change(PLANS[0].to_json(), state="%%%"), "damaged"),
        (change(PLANS[0].to_json(), state=PLANS[1].to_json()[:40].encode().hex()), "damaged"),
        (change(PLANS[0].to_json(), state=json.loads(PLANS[1].to_json())["state"]), "changed after writing"),
        (change(PLANS[0].to_json(), extra=1), "extra"),
    ],
)
def test_a_changed_record_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        UnpairingPlan.from_json(text)


def test_a_record_does_not_inflate_beyond_its_rows():
    record = json.loads(plan_unpairing(10, unpaired_images=20).to_json())
    record["state"] = json.loads(plan_unpairing(10_000_000, unpaired_images=20).to_json())["state"]
    with pytest.raises(ValueError, match="damaged"):
        UnpairingPlan.from_json(json.dumps(record))


def test_summary_says_how_many_pairs_are_left():
    assert plan_unpairing(1000, unpaired_images=20, unpaired_text=10).summary().splitlines()[:5] == [
        "UI20+UT10: first rows of each 100 rows",
        "                        rows   percent",
        "true pairs               700    70.00%",
        "text removed             200    20.00%",
        "image removed            100    10.00%",
    ]
    assert "seed 7" in PLANS[1].summary()
    assert "labels stay" in PLANS[2].summary()
    assert "highest score first" in PLANS[3].summary()
    assert "cycle of 99" in PLANS[5].summary()


def test_masks_are_read_only_and_agree():
    plan = PLANS[0]
    with pytest.raises(ValueError, match="read-only"):
        plan.state[0] = 1
    np.testing.assert_array_equal(plan.true_pair, plan.image_present & plan.text_present)
    assert not (plan.image_present | plan.text_present)[~plan.kept].any()


def test_counts_by_label():
    plan = plan_unpairing(10, unpaired_images=50, block=10)
    counts = plan.counts_by_label(np.arange(10) % 2)
    np.testing.assert_array_equal(counts["without_text"], [3, 2])
    np.testing.assert_array_equal(counts["true_pairs"], [2, 3])
    np.testing.assert_array_equal(counts["all"], [5, 5])
    multi_hot = np.ones((10, 3))
    np.testing.assert_array_equal(plan.counts_by_label(multi_hot)["without_text"], [5, 5, 5])
    with pytest.raises(ValueError, match="labels must have 10 rows"):
        plan.counts_by_label([0, 1])


def test_overlap_of_two_plans():
    first, second = (
        plan_unpairing(100, unpaired_images=20),
        plan_unpairing(100, unpaired_images=30, unpaired_text=10),
    )
    overlap = compare_plans(first, second)
    assert overlap.text_missing == (20, 30, 20)
    assert overlap.image_missing == (0, 10, 0)
    assert overlap.true_pairs == (80, 60, 60)
    assert overlap.same_rows == 80
    assert overlap.first_in_second
    assert not overlap.second_in_first
    with pytest.raises(ValueError, match="second must be a plan of 100 rows"):
        compare_plans(first, plan_unpairing(99))


def test_a_plan_equals_another_of_the_same_rows():
    assert plan_unpairing(100, unpaired_images=20) == plan_unpairing(100, unpaired_images=20, block=None)
    assert plan_unpairing(100, unpaired_images=20) != plan_unpairing(100, unpaired_text=20)
    assert plan_unpairing(100) != "paired"
    assert repr(plan_unpairing(100, unpaired_images=20)) == "UnpairingPlan(UI20, n_train=100, true_pairs=80)"
