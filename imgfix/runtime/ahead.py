"""Work that runs ahead of its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar, cast

_Item = TypeVar("_Item")
_END = object()


def ahead(items: Iterator[_Item], depth: int = 1) -> Iterator[_Item]:
    """Draw items in a thread of their own, so that the network computes while finished rows are encoded.

    Order, items and exceptions are those of `items`. At most `depth` items wait. When the consumer stops early, the
    thread ends after the item it is working on.
    """
    waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as error:  # handed to the consumer, whatever it is
            failure.append(error)
        finally:
            put(_END)

    # A daemon: an interrupted program need not wait for a tile that nobody will see.
    worker = threading.Thread(target=work, name="imgfix-ahead", daemon=True)
    worker.start()
    try:
        while (item := waiting.get()) is not _END:
            yield cast("_Item", item)
            del item
        if failure:
            raise failure[0]
    finally:
        stopped.set()
