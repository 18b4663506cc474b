"""Trainings at once: all of them come back, and all of them stop when one fails."""

from __future__ import annotations

import threading

import pytest

from training.side_by_side import Bars, Stopped, side_by_side


def test_what_each_returns_stands_in_their_order() -> None:
    second_began = threading.Event()

    def first(bars: Bars) -> str:
        assert second_began.wait(10), "the second did not run beside the first"
        return "first"

    def second(bars: Bars) -> str:
        second_began.set()
        return "second"

    assert side_by_side([first, second], 2) == ["first", "second"]


def test_no_more_than_asked_for_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def training(bars: Bars) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait(10)
        with lock:
            running -= 1

    side_by_side([training] * 4, 2)
    assert most == 2


def test_one_that_fails_stops_the_others_and_those_that_have_not_begun() -> None:
    steps, began = 0, []

    def endless(bars: Bars) -> None:
        nonlocal steps
        move = bars.begin("endless", 1000, 0, "")
        with pytest.raises(Stopped):
            while True:
                steps += 1
                move(0, "")
        raise Stopped

    def fails(bars: Bars) -> None:
        raise ValueError("the loss is nan")

    def waits(bars: Bars) -> None:
        began.append("waits")
        endless(bars)

    with pytest.raises(ValueError, match="the loss is nan"):
        side_by_side([endless, fails, waits, waits, waits], 2)
    assert steps > 0
    assert len(began) <= 1, "more began after the failure"
