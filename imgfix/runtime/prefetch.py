"""Prefetching: items are made in a thread of their own while their consumer works on those before.

A thread is never interrupted from outside, for an exception could land anywhere, with a lock held. It is asked to stop
by a flag, and looks at it wherever it waits, and in `check`, which the engine calls before each layer of a network.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import time
import weakref
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

from imgfix.runtime import interrupts

_Item = TypeVar("_Item")
_END = object()
_TICK = 0.1  # seconds after which whoever waits looks whether it is still wanted
_PATIENCE = 60.0  # seconds that a layer of a network, or a library that asks nobody, may take to end


def prefetch(items: Iterator[_Item], depth: int = 1) -> Iterator[_Item]:
    """Draw items in a thread of their own, so that the network computes while finished rows are encoded.

    Order, items and exceptions are those of `items`. At most `depth` items wait. When the consumer stops early (an
    error, Ctrl-C), the thread is asked to stop, and waited for.
    """
    worker = Worker(items, depth)
    try:
        while (item := worker.next()) is not _END:
            yield cast("_Item", item)
            del item
        if worker.failure is not None:
            raise worker.failure
    finally:
        worker.stop()


class Stopped(BaseException):
    """Raised by `check` in a thread that is no longer wanted. No error: nothing but the worker may catch it."""


def check() -> None:
    """Raise `Stopped` where the thread that calls belongs to a consumer that is gone; once, so that it can clean up.

    In the main thread: raise what a signal asked for, if that was lost.
    """
    interrupts.check()
    worker = getattr(_here, "worker", None)
    if worker is not None:
        worker.check()


class Worker:
    """The thread of one `prefetch`, and the queue that it fills."""

    def __init__(self, items: Iterator[object], depth: int) -> None:
        self.failure: BaseException | None = None
        """What `items` raised; known once the last item was taken."""
        self._waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._told = False
        # A daemon, for the interpreter waits for others before it runs the exit handlers, of which ours stops it.
        self._thread = threading.Thread(target=self._run, args=(items,), name="imgfix-prefetch", daemon=True)
        _workers.add(self)
        self._thread.start()

    def next(self) -> object:
        """The next item, or the mark behind the last."""
        while True:
            try:
                return self._waiting.get(timeout=_TICK)
            except queue.Empty:
                check()  # the consumer may be a worker itself

    def stop(self) -> None:
        """Ask the thread to end, and wait until it has, a minute at most."""
        self._stopped.set()
        # Not `join`: before Python 3.13 one that is interrupted (a second Ctrl-C) takes the thread for ended.
        patience = time.monotonic() + _PATIENCE
        while self._thread.is_alive() and not self._ended.wait(_TICK) and time.monotonic() < patience:
            continue
        if self._ended.is_set() and threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)  # it has nothing left to do but to go away

    # -- in the thread -------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """As the function."""
        if self._stopped.is_set() and not self._told:
            self._told = True
            raise Stopped

    def _run(self, items: Iterator[object]) -> None:
        _here.worker = self
        try:
            with contextlib.suppress(Stopped):
                self._work(items)
            self._told = True
            if isinstance(items, Generator):
                items.close()
        finally:
            self._ended.set()

    def _work(self, items: Iterator[object]) -> None:
        try:
            for item in items:
                self._put(item)
                del item
        except Stopped:
            raise
        except BaseException as error:  # handed to the consumer, whatever it is
            self.failure = error
        self._put(_END)

    def _put(self, item: object) -> None:
        while True:
            self.check()
            with contextlib.suppress(queue.Full):
                self._waiting.put(item, timeout=_TICK)
                return


_here = threading.local()
_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    # A thread that is still inside torch when the interpreter goes away takes the whole process down with it.
    for worker in list(_workers):
        worker.stop()
