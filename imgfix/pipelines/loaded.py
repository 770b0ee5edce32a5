"""Models that stay ready from one pipeline to the next, so that a second picture takes the network's time alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Ready = TypeVar("Ready")
USUAL = 4 << 30
"""Bytes of weights that are kept by default."""


@dataclass
class _Slot:
    """One model, perhaps on its way."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    bytes: int = 0


class Loaded:
    """What was made ready, by a key that says all it depends on; the least recently used goes first.

    Several threads may ask at once: each model is loaded by the first of them, and the others wait for it alone.

    Args:
        most: bytes of weights to keep; a single larger model is kept until the next one is asked for.
    """

    def __init__(self, most: int = USUAL) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], tuple[Ready, int]]) -> Ready:
        """What is kept under a key; made when it is not there.

        make: gives it and the bytes it takes. Whatever it raises is raised here, and nothing is kept.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
        with slot.lock:
            if slot.value is None:
                try:
                    slot.value, slot.bytes = make()
                except BaseException:
                    with self._lock:
                        if self._slots.get(key) is slot:
                            del self._slots[key]
                    raise
                self._trim(key)
            value: Ready = slot.value
            return value

    def _trim(self, newest: Hashable) -> None:
        with self._lock:
            total = sum(slot.bytes for slot in self._slots.values())
            for key, slot in list(self._slots.items()):
                if total <= self._most:
                    return
                if key != newest and slot.value is not None:
                    del self._slots[key]
                    total -= slot.bytes

    def __len__(self) -> int:
        return sum(slot.value is not None for slot in list(self._slots.values()))

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        with self._lock:
            return sum(slot.bytes for slot in self._slots.values())
