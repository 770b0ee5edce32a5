"""Work that runs ahead of its consumer."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import queue
import threading
import time
import weakref
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

_Item = TypeVar("_Item")
_END = object()
_PATIENCE = 60.0  # seconds that a layer of a network may take to notice that it is no longer wanted


def ahead(items: Iterator[_Item], depth: int = 1) -> Iterator[_Item]:
    """Draw items in a thread of their own, so that the network computes while finished rows are encoded.

    Order, items and exceptions are those of `items`. At most `depth` items wait. When the consumer stops early (an
    error, Ctrl-C), the thread is interrupted at its next step, and waited for.
    """
    worker = _Worker(items, depth)
    try:
        while (item := worker.next()) is not _END:
            yield cast("_Item", item)
            del item
        if worker.failure is not None:
            raise worker.failure
    finally:
        worker.stop()


class _Stopped(BaseException):
    """Raised inside a worker that is no longer wanted."""


class _Worker:
    def __init__(self, items: Iterator[object], depth: int) -> None:
        self.waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
        self.failure: BaseException | None = None
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._left_alone = False  # interrupted once already, or cleaning up: an exception would cut the cleaning short
        # A daemon, for the interpreter waits for others before it runs the exit handlers, of which ours stops it.
        self._thread = threading.Thread(target=self._run, args=(items,), name="imgfix-ahead", daemon=True)
        self._thread.start()
        _workers.add(self)

    def _run(self, items: Iterator[object]) -> None:
        try:
            with contextlib.suppress(_Stopped):
                self._work(items)
            if isinstance(items, Generator):
                items.close()
        finally:
            self._ended.set()

    def _work(self, items: Iterator[object]) -> None:
        try:
            for item in items:
                if not self._put(item):
                    with self._lock:
                        self._left_alone = True
                    return
        except _Stopped:
            raise
        except BaseException as error:  # handed to the consumer, whatever it is
            self.failure = error
        self._put(_END)

    def _put(self, item: object) -> bool:
        while not self._stopped.is_set():
            try:
                self.waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def next(self) -> object:
        """The next item. It looks up now and then, for a thread that only waits does not notice that it is stopped."""
        while True:
            try:
                return self.waiting.get(timeout=0.1)
            except queue.Empty:
                continue

    def stop(self) -> None:
        """End the thread: a tile may take half a minute, but its layers are steps in which an exception is noticed."""
        self._stopped.set()
        if self._ended.is_set() or self._thread.ident is None:
            return
        with self._lock:
            if not self._left_alone:
                raised = ctypes.py_object(_Stopped)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), raised)
                self._left_alone = True
        # Not `join`: before Python 3.13 one that is interrupted (a second Ctrl-C) takes the thread for ended.
        patience = time.monotonic() + _PATIENCE
        while self._thread.is_alive() and not self._ended.wait(0.1) and time.monotonic() < patience:
            continue


_workers: weakref.WeakSet[_Worker] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    # A thread that is still inside torch when the interpreter goes away takes the whole process down with it.
    for worker in list(_workers):
        worker.stop()
