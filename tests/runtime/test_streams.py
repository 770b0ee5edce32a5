"""Rows read from a stream of bands, and prefetching."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from imgfix.runtime.prefetch import check, prefetch
from imgfix.runtime.rows import Rows

SHEET = np.arange(40 * 3 * 2).reshape(40, 3, 2)


def bands(drawn: list[int] | None = None) -> Iterator[np.ndarray]:
    at = 0
    for height in (7, 0, 1, 12, 20):
        if drawn is not None:
            drawn.append(at)
        yield SHEET[at : at + height]
        at += height


def test_windows_are_put_together_from_bands() -> None:
    rows = Rows(bands())
    for y0, y1 in ((0, 3), (2, 9), (6, 20), (19, 40), (0, 40)):
        assert np.array_equal(rows.read(y0, y1, 1, 3), SHEET[y0:y1, 1:3])


def test_bands_are_drawn_only_when_needed() -> None:
    drawn: list[int] = []
    rows = Rows(bands(drawn))
    rows.read(0, 5)
    assert drawn == [0]
    rows.read(5, 8)
    assert drawn == [0, 7, 7]


def test_rows_let_go_cannot_be_read_again() -> None:
    rows = Rows(bands())
    rows.read(0, 20)
    rows.forget(8)
    assert np.array_equal(rows.read(8, 20), SHEET[8:20])
    with pytest.raises(ValueError, match="row 7"):
        rows.read(7, 9)


def test_prefetching_gives_the_same_items_in_order() -> None:
    assert list(prefetch(iter(range(50)), depth=3)) == list(range(50))


def test_prefetching_runs_in_another_thread_but_not_too_far() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        assert threading.current_thread() is not threading.main_thread()
        for i in range(100):
            made.append(i)
            yield i

    source = prefetch(items(), depth=2)
    assert next(source) == 0
    time.sleep(0.3)
    assert len(made) <= 5
    source.close()


def test_an_error_arrives_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("late")

    source = prefetch(items())
    assert next(source) == 1
    with pytest.raises(KeyError, match="late"):
        next(source)


def test_work_is_interrupted_in_the_middle_of_an_item() -> None:
    layers: list[bool] = []

    def items() -> Iterator[int]:
        yield 0
        for _ in range(3000):
            time.sleep(0.01)
            layers.append(True)
            check()  # as before each layer of a network

    source = prefetch(items())
    next(source)
    time.sleep(0.05)
    source.close()
    assert len(layers) < 3000
    assert not any(thread.name == "imgfix-prefetch" for thread in threading.enumerate())


def test_stages_one_behind_the_other_are_interrupted_together() -> None:
    layers: list[bool] = []

    def items() -> Iterator[int]:
        yield 0
        for _ in range(3000):
            time.sleep(0.01)
            layers.append(True)
            check()  # as before each layer of a network

    source = prefetch(item for item in prefetch(items()))
    next(source)
    time.sleep(0.3)
    source.close()
    assert len(layers) < 3000
    assert not any(thread.name == "imgfix-prefetch" for thread in threading.enumerate())


@pytest.mark.slow
def test_a_program_that_ends_early_ends_cleanly() -> None:
    program = """
import sys, torch
from imgfix.runtime.prefetch import prefetch
def items():
    while True:
        yield torch.nn.functional.conv2d(torch.ones(1, 32, 200, 200), torch.ones(32, 32, 3, 3))
source = prefetch(items())
next(source)
sys.exit(130)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert result.returncode == 130, result.stderr


def test_a_consumer_that_stops_early_ends_the_work() -> None:
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            ended.set()

    source = prefetch(items())
    next(source)
    source.close()
    assert ended.wait(60)
