"""Between subsampled chroma and chroma for every pixel, with its samples where the file says that they lie.

The two directions undo each other: what was enlarged and is made smaller again is what it was, but for rounding, so
that a clip may pass through RGB any number of times without its colours moving or blurring.

- Samples that lie on pixels (the columns of H.264, HEVC, MPEG-2, MPEG-4; the rows too where the file says `topleft`):
  the filters of Deslauriers and Dubuc that belong together as the analysis and the synthesis of a wavelet of 4 and 2
  vanishing moments (Sweldens, "The lifting scheme: a custom-design construction of biorthogonal wavelets", 1996).
- Samples that lie between pixels (the rows of those; JPEG in both directions): cubic convolution at a quarter
  (Keys, "Cubic convolution interpolation for digital image processing", 1981, a = -1/2), and the shortest filter that
  undoes it to 5e-4 and keeps a plain colour, from those equations by least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_ENLARGE_ON = np.array([-1, 9, 9, -1], np.float32) / 16  # between two samples; what lies on one is that sample
_REDUCE_ON = np.array([1, 0, -8, 16, 46, 16, -8, 0, 1], np.float32) / 64
_ENLARGE_BETWEEN = np.array([-9, 111, 29, -3], np.float32) / 128  # a quarter after a sample; before one it is mirrored
_half = np.array([0.05442, -0.14121, 0.02717, 0.55957])
_REDUCE_BETWEEN = (np.concatenate([_half, _half[::-1]]) / (2 * _half.sum())).astype(np.float32)
_EDGE = 2  # samples that a filter sees beyond the border


@dataclass(frozen=True)
class Siting:
    """Where the samples of subsampled chroma lie."""

    on_columns: bool
    """On every second column of pixels, not between two."""
    on_rows: bool

    @property
    def word(self) -> str:
        """As FFmpeg calls it."""
        return next(word for word, siting in SITINGS.items() if siting == self)


SITINGS = {
    "left": Siting(True, False),
    "center": Siting(False, False),
    "topleft": Siting(True, True),
    "top": Siting(False, True),
}
USUAL = SITINGS["left"]
"""What is taken where a file names none, as of MPEG-2, MPEG-4, H.264 and HEVC."""


def enlarged(plane: np.ndarray, size: tuple[int, int], siting: Siting) -> np.ndarray:
    """Chroma for every pixel.

    Args:
        plane: (h, w) of any type, h and w the size divided by 1, 2 or 4 and rounded up.
        size: (H, W).

    Returns:
        (H, W) float32, not clipped.
    """
    for axis, on in ((0, siting.on_rows), (1, siting.on_columns)):
        for length in _halves(size[axis], plane.shape[axis])[::-1]:
            plane = _enlarged(plane, length, on, axis)
    return plane.astype(np.float32, copy=False)


def reduced(plane: np.ndarray, factors: tuple[int, int], siting: Siting) -> np.ndarray:
    """Chroma of every pixel -> (H, W) divided by the factors (down, across: 1, 2 or 4), rounded up; float32."""
    for axis, on in ((0, siting.on_rows), (1, siting.on_columns)):
        for _ in range(factors[axis].bit_length() - 1):
            plane = _reduced(plane, on, axis)
    return plane.astype(np.float32, copy=False)


def _halves(length: int, least: int) -> list[int]:
    """The lengths on the way from a side of the picture to that of its chroma, without the latter."""
    found = []
    while length > least:
        found.append(length)
        length = (length + 1) // 2
    return found


def _enlarged(plane: np.ndarray, length: int, on: bool, axis: int) -> np.ndarray:
    """float32, `length` along the axis: twice what it was, or one less."""
    count = plane.shape[axis]
    out = np.empty((*plane.shape[:axis], 2 * count, *plane.shape[axis + 1 :]), np.float32)
    first, second = (out[0::2], out[1::2]) if axis == 0 else (out[:, 0::2], out[:, 1::2])
    # Beyond the border the picture is mirrored, at the pixel that is its last; where that is no sample, between two.
    before = cv2.BORDER_REFLECT_101 if on else cv2.BORDER_REFLECT
    after = cv2.BORDER_REFLECT_101 if on and length % 2 else cv2.BORDER_REFLECT
    edge = (_EDGE, 0) if axis == 0 else (0, _EDGE)
    wide = cv2.copyMakeBorder(plane, edge[0], 0, edge[1], 0, before)
    wide = cv2.copyMakeBorder(wide, 0, edge[0], 0, edge[1], after)
    inner = (slice(None),) * axis + (slice(_EDGE, _EDGE + count),)
    if on:
        first[...] = plane
        second[...] = _filtered(wide, _ENLARGE_ON, 1, axis)[inner]
    else:
        first[...] = _filtered(wide, _ENLARGE_BETWEEN[::-1], 2, axis)[inner]
        second[...] = _filtered(wide, _ENLARGE_BETWEEN, 1, axis)[inner]
    return out[:length] if axis == 0 else out[:, :length]


def _reduced(plane: np.ndarray, on: bool, axis: int) -> np.ndarray:
    """float32, half as long along the axis, rounded up."""
    if on:
        found = _filtered(plane, _REDUCE_ON, 4, axis, cv2.BORDER_REFLECT_101)
    else:
        if plane.shape[axis] % 2:
            plane = np.pad(plane, ((0, axis == 0), (0, axis == 1)), mode="edge")
        found = _filtered(plane, _REDUCE_BETWEEN, 3, axis, cv2.BORDER_REFLECT)
    return np.ascontiguousarray(found[::2] if axis == 0 else found[:, ::2])


def _filtered(
    plane: np.ndarray, kernel: np.ndarray, anchor: int, axis: int, border: int = cv2.BORDER_REFLECT
) -> np.ndarray:
    one = np.ones(1, np.float32)
    across, down = (one, kernel) if axis == 0 else (kernel, one)
    at = (0, anchor) if axis == 0 else (anchor, 0)
    return cv2.sepFilter2D(plane, cv2.CV_32F, across, down, anchor=at, borderType=border)
