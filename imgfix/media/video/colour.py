"""Between the planes of a video frame and RGB: the matrix and the range are always named, never left to a guess.

libswscale does the arithmetic. With the flags below, RGB and back gives limited-range planes exactly, 8 and 10 bits
alike, and full-range planes within one code (8 bits); without them chroma is repeated and luma is off by up to two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from imgfix.errors import InputError

_FLAGS = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
_UNSPECIFIED = 2
# Matrix coefficients of ITU-T H.273 -> the name of libswscale.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_WORDS = {0: "RGB", 8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE 2085", 14: "ICtCp"}
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True)
class Colour:
    """Colour tags of a clip, numbers as in ITU-T H.273."""

    matrix: int
    """1 BT.709, 5 and 6 BT.601, 9 BT.2020; 0 for RGB."""
    full: bool
    """Samples use their whole range (JPEG), not 16-235."""
    primaries: int
    transfer: int
    assumed: bool = False
    """The file does not name its matrix: it is what players take at its size."""

    @classmethod
    def of(cls, frame: Any, codec: Any, width: int, height: int) -> Colour:
        """The tags of a decoded frame; what is missing is filled in as players do: BT.709 from 720 lines on."""
        rgb = frame.format.is_rgb or frame.format.has_palette
        full = rgb or frame.format.name.startswith("yuvj") or int(frame.color_range) == _FULL
        full = full or int(codec.color_range) == _FULL
        matrix = _given(frame.colorspace, codec.colorspace)
        primaries = _given(frame.color_primaries, codec.color_primaries)
        transfer = _given(frame.color_trc, codec.color_trc)
        assumed = False
        if rgb:
            matrix = 0
        elif matrix in (0, _UNSPECIFIED):
            assumed = True
            if primaries == 9:
                matrix = 9
            elif height >= 720 or width >= 1280 or primaries == 1:
                matrix = 1
            else:
                matrix = 5 if height == 576 or primaries == 5 else 6
        return cls(matrix, full, primaries, transfer, assumed)

    def check(self, path: object) -> None:
        """Raises InputError for a matrix that cannot be converted."""
        if self.matrix and self.matrix not in _MATRICES:
            words = _WORDS.get(self.matrix, f"number {self.matrix}")
            raise InputError(
                f"{path}: its colour matrix ({words}) cannot be converted", hint="convert it to BT.709 or BT.2020 first"
            )


def _given(*values: int) -> int:
    return next((int(value) for value in values if int(value) not in (_UNSPECIFIED, 0)), _UNSPECIFIED)


class ToRgb:
    """Frames of one clip to arrays: (H, W, 3) or, with alpha, (H, W, 4); uint8, or uint16 above 8 bits."""

    def __init__(self, colour: Colour, bits: int, alpha: bool) -> None:
        self._colour = colour
        names = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
        self._name = names[bits > 8, alpha]
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> np.ndarray:
        """Convert a frame."""
        rgb = self._colour.matrix == 0
        out = self._reformatter.reformat(
            frame,
            format=self._name,
            src_colorspace=None if rgb else _MATRICES[self._colour.matrix],
            dst_colorspace=None if rgb else _MATRICES[self._colour.matrix],
            src_color_range=_FULL if self._colour.full else _LIMITED,
            dst_color_range=_FULL,
            interpolation=int(_FLAGS),
            threads=1,
        )
        array = out.to_ndarray()
        # A frame whose format is already the wanted one comes back as it is, its memory owned by the decoder.
        return array.copy() if out is frame else array


class FromRgb:
    """Arrays to frames of one pixel format."""

    def __init__(self, colour: Colour, format: str) -> None:
        self._colour = colour
        self._format = format
        self._reformatter = VideoReformatter()

    def __call__(self, array: np.ndarray) -> Any:
        """(H, W, 3 or 4) uint8 or uint16 -> a frame with its colour tags."""
        deep, alpha = array.dtype == np.uint16, array.shape[2] == 4
        name = {(False, False): "rgb24", (False, True): "rgba", (True, False): "rgb48le", (True, True): "rgba64le"}
        given = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=name[deep, alpha])
        colour = self._colour
        rgb = colour.matrix == 0
        frame = self._reformatter.reformat(
            given,
            format=self._format,
            src_colorspace=None if rgb else _MATRICES[colour.matrix],
            dst_colorspace=None if rgb else _MATRICES[colour.matrix],
            src_color_range=_FULL,
            dst_color_range=_FULL if colour.full else _LIMITED,
            interpolation=int(_FLAGS),
            threads=1,
        )
        if not rgb:
            frame.colorspace = colour.matrix
            frame.color_range = _FULL if colour.full else _LIMITED
        frame.color_primaries = colour.primaries
        frame.color_trc = colour.transfer
        return frame
