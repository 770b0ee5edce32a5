"""A set of very many names in little memory."""

from __future__ import annotations

import hashlib

import numpy as np

_FIRST = 1 << 12
"""Places of an empty set."""


class Seen:
    """Names that came by, each kept as 64 bits of its BLAKE2b: 16 to 32 bytes a name, whatever its length.

    Two different names are taken for one with a probability of n^2 / 2^65, for a million names 3e-8.
    """

    def __init__(self) -> None:
        self._table = np.zeros(_FIRST, np.uint64)  # open addressing, at most half full; 0 is an empty place
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: str) -> bool:
        value = _hash(name)
        return int(self._table[self._place(value)]) == value

    def add(self, name: str) -> bool:
        """Take a name in; False: it is here already."""
        value = _hash(name)
        place = self._place(value)
        if int(self._table[place]) == value:
            return False
        self._table[place] = value
        self._count += 1
        if 2 * self._count > len(self._table):
            self._grow()
        return True

    def _place(self, value: int) -> int:
        """Where a value is, or would be."""
        table = self._table
        mask = len(table) - 1
        place = value & mask
        while int(table[place]) not in (0, value):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._table
        self._table = np.zeros(2 * len(old), np.uint64)
        for value in old[old != 0]:
            self._table[self._place(int(value))] = value


def _hash(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
