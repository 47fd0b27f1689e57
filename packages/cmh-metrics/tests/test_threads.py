import gc
import os
import threading
import time
from multiprocessing import get_context

import pytest
from cmh_metrics._backends.threads import over_ranges


def ranges_of(n, threads):
    seen = []
    over_ranges(lambda first, last: seen.append((first, last)), n, threads)
    return sorted(seen)


def test_ranges_are_consecutive_and_complete():
    assert ranges_of(18, 2) == [(0, 2), (2, 4), (4, 6), (6, 9), (9, 11), (11, 13), (13, 15), (15, 18)]
    assert ranges_of(2, 5) == [(0, 1), (1, 2)]
    assert ranges_of(7, 1) == [(0, 7)]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_in_any_part_comes_out_after_what_had_begun(failing):
    began, ended = [], []

    def work(first, _):
        began.append(first)
        if first == failing:
            raise ArithmeticError(str(first))
        ended.append(first)

    with pytest.raises(ArithmeticError, match=str(failing)):
        over_ranges(work, 3, 3)
    assert sorted([*ended, failing]) == sorted(began)


def test_after_an_interruption_nobody_takes_another_part():
    here, began = threading.current_thread(), []
    interrupted = threading.Event()

    def work(first, _):
        began.append(first)
        if threading.current_thread() is here:
            time.sleep(0.05)  # so that the other thread is at work, too
            interrupted.set()
            raise KeyboardInterrupt
        interrupted.wait(30)
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        over_ranges(work, 8, 2)
    assert len(began) <= 2  # the caller's and what the other thread was at
    assert ranges_of(2, 2) == [(0, 1), (1, 2)]  # and the threads are fit for work


def test_where_no_thread_can_be_had_the_caller_does_it_alone(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("cmh_metrics._backends.threads.ThreadPoolExecutor.submit", refuse)
    assert ranges_of(2, 2) == [(0, 1), (1, 2)]


def falls_to(limit):
    """Whether no more than so many threads are left; they take a moment to end."""
    deadline = time.monotonic() + 30
    while threading.active_count() > limit and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    return threading.active_count() <= limit


def test_threads_stay_few_and_end_with_their_caller():
    before, few = threading.active_count(), []

    def call():
        for n in range(2, 12):
            assert len(ranges_of(n, 8)) == n
        few.append(falls_to(before + 1 + 7))

    caller = threading.Thread(target=call)
    caller.start()
    caller.join(60)
    assert few == [True]
    assert falls_to(before)


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
