"""What a format cannot hold: colours, depth and transparency are brought to what it can, and that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from imgfix.media import colour
from imgfix.media.formats import Format
from imgfix.media.icc import profile_channels
from imgfix.media.picture import Metadata

_STORED = {
    "1": "the picture had 1 bit a pixel and is written as grey of 8 bits",
    "P": "the picture had a palette and is written in full colour",
    "L;2": "the picture had 2 bits a pixel and is written with 8",
    "L;4": "the picture had 4 bits a pixel and is written with 8",
}
"""What is said of layouts that no network keeps, where the format stays."""


class Fitting:
    """What must happen to the rows so that the format can hold them, and the metadata that fits the outcome."""

    def __init__(self, form: Format, metadata: Metadata, channels: int, alpha: bool, dtype: np.dtype) -> None:
        self.notes: list[str] = []
        self.channels, self.alpha, self.bits = channels, alpha, 8 * dtype.itemsize
        self.metadata = metadata
        self._steps: list[Callable[[np.ndarray], np.ndarray]] = []
        if profile_channels(metadata.icc) != channels:
            self._drop_profile()
        if alpha and not form.alpha:
            self.alpha = False
            self._steps.append(_flattened_onto_paper if channels == 4 else _flattened_onto_white)
            self.notes.append(f"{form.name} has no transparency: the picture was put on white")
        if channels == 4 and not form.cmyk:
            self._to_srgb(form, "CMYK")
        elif channels == 1 and not form.grey:
            if self.metadata.icc is not None:
                self._to_srgb(form, None)
            else:
                self._steps.append(lambda rows: np.concatenate([rows[..., :1]] * 3 + [rows[..., 1:]], axis=2))
                self.channels = 3
        elif not form.icc and self.metadata.icc is not None:
            if not colour.transform(self.metadata, channels).is_identity:
                self._to_srgb(form, None)
            self._drop_profile()
        if self.bits == 16 and form.bits < 16:
            self._steps.append(_to_8_bits)
            self.bits = 8
            self.notes.append(f"{form.name} is written with 8 bits a channel, not 16")
        stored = _STORED.get(metadata.mode)
        if stored is not None and form.name == metadata.format and (form.name, metadata.mode) != ("GIF", "P"):
            self.notes.append(stored)
        if not form.chunks and self.metadata.chunks:
            self.metadata = replace(self.metadata, chunks=())

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        for step in self._steps:
            rows = step(rows)
        return rows

    def _to_srgb(self, form: Format, what: str | None) -> None:
        change, channels = colour.transform(self.metadata, self.channels), self.channels

        def convert(rows: np.ndarray) -> np.ndarray:
            rgb = colour.quantised(change.to_srgb(rows[..., :channels]), rows.dtype)
            return np.concatenate([rgb, rows[..., channels:]], axis=2)

        self._steps.append(convert)
        self.channels = 3
        self._drop_profile()
        if what:
            self.notes.append(f"{form.name} has no {what}: the colours were converted to sRGB")

    def _drop_profile(self) -> None:
        self.metadata = replace(self.metadata, icc=None)


def _to_8_bits(rows: np.ndarray) -> np.ndarray:
    return ((rows.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flattened_onto_white(rows: np.ndarray) -> np.ndarray:
    return _flattened(rows, np.iinfo(rows.dtype).max)


def _flattened_onto_paper(rows: np.ndarray) -> np.ndarray:
    return _flattened(rows, 0)


def _flattened(rows: np.ndarray, ground: int) -> np.ndarray:
    most = np.iinfo(rows.dtype).max
    alpha = rows[..., -1:].astype(np.float32) / np.float32(most)
    return (rows[..., :-1] * alpha + ground * (1 - alpha) + np.float32(0.5)).astype(rows.dtype)
