"""Colour profiles, as far as they are curves and a matrix (ICC.1:2022, profile version 4.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]  # encoded [0, 1] -> linear [0, 1], float64


def profile_channels(icc: bytes | None) -> int | None:
    """Return how many channels a profile is for (1, 3 or 4), or None when it is for something else or no profile."""
    if not icc or icc[36:40] != b"acsp":
        return None
    return {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}.get(icc[16:20])


class Profile:
    """The tags of an ICC profile. Raises `ValueError` and friends when it is damaged."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 132 or data[36:40] != b"acsp":
            raise ValueError("it is not an ICC profile")
        (count,) = struct.unpack_from(">I", data, 128)
        self.tags: dict[bytes, bytes] = {}
        for at in range(132, 132 + 12 * min(count, 200), 12):
            name, offset, size = struct.unpack_from(">4sII", data, at)
            self.tags[name] = data[offset : offset + size]
        self.pcs = data[20:24]

    @property
    def is_matrix(self) -> bool:
        """Whether three curves and a matrix describe it (tables, where present, would come first)."""
        needed = {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
        return needed <= self.tags.keys() and b"A2B0" not in self.tags and self.pcs == b"XYZ "

    def xyz(self, name: bytes) -> np.ndarray:
        return np.array(struct.unpack_from(">3i", self.tags[name], 8)) / 65536

    def curve(self, name: bytes) -> Curve:
        """Read a curve tag: a gamma, a table, or one of the five parametric kinds (ICC.1, 10.6 and 10.18)."""
        data = self.tags[name]
        if data[:4] == b"curv":
            (count,) = struct.unpack_from(">I", data, 8)
            if count == 0:
                return lambda x: x
            if count == 1:
                gamma = struct.unpack_from(">H", data, 12)[0] / 256
                return lambda x: x**gamma
            table = np.array(struct.unpack_from(f">{count}H", data, 12)) / 65535
            return lambda x: np.interp(x, np.linspace(0, 1, count), table)
        if data[:4] == b"para":
            (kind,) = struct.unpack_from(">H", data, 8)
            size = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
            return _parametric(kind, [value / 65536 for value in struct.unpack_from(f">{size}i", data, 12)])
        raise ValueError(f"its curve is of an unknown kind {data[:4]!r}")


def _parametric(kind: int, values: list[float]) -> Curve:
    g = values[0]
    a, b = (values[1], values[2]) if kind else (1.0, 0.0)
    c = d = e = f = 0.0
    if kind == 1:
        d = -b / a
    elif kind == 2:
        e = f = values[3]
        d = -b / a
    elif kind >= 3:
        c, d = values[3], values[4]
        if kind == 4:
            e, f = values[5], values[6]
    else:
        d = 0.0
    return lambda x: np.clip(np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f), 0, 1)


def inverse(curve: Curve) -> Curve:
    """Invert a rising curve by a dense table."""
    at = np.linspace(0, 1, 65536)
    values = np.maximum.accumulate(curve(at))
    return lambda x: np.interp(x, values, at)
