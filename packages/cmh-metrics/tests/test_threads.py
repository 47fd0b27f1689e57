import os
import threading
from multiprocessing import get_context

import pytest
from cmh_metrics._threads import over_ranges


def ranges_of(n, threads):
    seen = []
    over_ranges(lambda first, last: seen.append((first, last)), n, threads)
    return sorted(seen)


def test_ranges_are_consecutive_and_complete():
    assert ranges_of(18, 2) == [(0, 2), (2, 4), (4, 6), (6, 9), (9, 11), (11, 13), (13, 15), (15, 18)]
    assert ranges_of(2, 5) == [(0, 1), (1, 2)]
    assert ranges_of(7, 1) == [(0, 7)]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_any_part_comes_out_after_all_parts_ended(failing):
    ended = []

    def work(first, _):
        if first == failing:
            raise ArithmeticError(str(first))
        ended.append(first)

    with pytest.raises(ArithmeticError, match=str(failing)):
        over_ranges(work, 3, 3)
    assert sorted(ended) == [part for part in range(3) if part != failing]


def test_callers_on_several_threads_do_not_wait_for_each_other():
    both_inside = threading.Barrier(4, timeout=30)  # two callers with two parts each
    callers = [
        threading.Thread(target=over_ranges, args=(lambda *_: both_inside.wait(), 2, 2)) for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert not both_inside.broken


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_has_threads_of_its_own():
    assert ranges_of(2, 2) == [(0, 1), (1, 2)]
    with get_context("fork").Pool(1) as pool:
        assert pool.apply_async(ranges_of, (2, 2)).get(30) == [(0, 1), (1, 2)]
