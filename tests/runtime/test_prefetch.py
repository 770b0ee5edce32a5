"""Prefetching: order and errors stay, and no thread outlives the program that started it."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from imgfix.runtime.engine import stoppable
from imgfix.runtime.prefetch import Worker, check, prefetch


def test_items_come_in_order() -> None:
    assert list(prefetch(iter(range(20)))) == list(range(20))


def test_an_error_reaches_the_consumer_behind_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    taken = prefetch(items())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="no more"):
        next(taken)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")
def test_a_second_ctrl_c_while_the_first_is_answered_still_waits_for_the_thread() -> None:
    """A thread that is inside torch when the interpreter goes away aborts the process."""
    left = []
    layer = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield 1
            layer.wait(60)  # one layer of a network: nothing is noticed before it ends
            yield 2
        finally:
            left.append(True)

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    worker = Worker(items(), depth=2)
    assert worker.next() == 1
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            worker.stop()
        assert not left  # the second Ctrl-C came in time
        layer.set()
        worker.stop()  # as at the exit of the program
        assert left
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_worker_that_is_cleaning_up_is_waited_for_and_told_no_second_time(
    capfd: pytest.CaptureFixture[str],
) -> None:
    left = []

    def inner() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            time.sleep(0.5)
            while len(left) < 1000:
                check()
                left.append(True)

    def outer() -> Iterator[int]:
        yield from prefetch(inner())

    worker = Worker(outer(), depth=1)
    assert worker.next() == 0
    threads = [threading.Thread(target=worker.stop) for _ in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert len(left) == 1000
    assert "ignored" not in capfd.readouterr().err


@pytest.mark.slow
def test_thousands_of_workers_end_whenever_threads_are_switched() -> None:
    """Each is stopped while it leaves by itself, the moment at which locks are easily left behind."""

    def items() -> Iterator[int]:
        yield 1
        yield 2

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    faulthandler.dump_traceback_later(1800, exit=True)  # a hang is shown, and does not hold up the whole suite
    try:
        for _ in range(5000):
            assert list(prefetch(items())) == [1, 2]
    finally:
        faulthandler.cancel_dump_traceback_later()
        sys.setswitchinterval(usual)


def test_a_network_is_left_at_its_next_layer() -> None:
    layers = [Waiting() for _ in range(200)]
    net = stoppable(nn.Sequential(*layers))

    def items() -> Iterator[torch.Tensor]:
        yield net(torch.zeros(1))

    worker = Worker(items(), depth=2)
    assert layers[0].begun.wait(60)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    assert worker._stopped.wait(60)
    for layer in layers:
        layer.may_end.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert [layer.begun.is_set() for layer in layers] == [True] + [False] * 199


class Waiting(nn.Module):
    """A layer that takes until it may end."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.begun.set()
        assert self.may_end.wait(60)
        return x
