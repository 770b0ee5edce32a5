"""Faces of any size found in a picture of any size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import nn

from imgfix.tasks.faces.face import Face
from imgfix.tasks.samples import to_floats
from imgfix.zoo.descriptor import Model

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform

LEAST = 0.8
"""Score below which a find is not spoken of: most are none."""
_SMALLEST, _LARGEST = 10, 300
"""Pixels of the faces that the detector was trained on."""
_STEP = 4
"""Times as small as the last is each further look; the sizes that two looks are for overlap."""
_WINDOW, _OVERLAP = 2048, 320
"""Side of the windows in which a large picture is looked at; whole faces are in one of them."""
_SAME = 0.5
"""Share of the smaller of two boxes that lies in the other, from which both are of one face."""


class FaceFinder:
    """A model of the task `faces`, as of `imgfix.nets.yunet`.

    Faces of 10 pixels and more are found: a large picture is looked at in windows, then smaller and smaller.
    """

    def __init__(self, model: Model, device: torch.device | str = "cpu") -> None:
        # In this memory format a CPU is twice as quick at convolutions of one channel each.
        self._net: nn.Module = model.net.float().eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = torch.device(device)
        self._multiple = model.descriptor.size_multiple

    def find(self, pixels: np.ndarray, colour: ColourTransform | None = None) -> list[Face]:
        """Faces from the largest down; pixels: (H, W, C) uint8 or uint16, colour as of `imgfix.tasks.samples`."""
        found: list[np.ndarray] = []
        height, width = pixels.shape[:2]
        factor = 1.0
        while True:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            small = pixels if factor == 1 else _shrunk(pixels, size)
            back = np.array([width / size[0], height / size[1]])
            for y, x in _windows(size[1], size[0]):
                cells = self._look(to_floats(small[y : y + _WINDOW, x : x + _WINDOW], colour))
                cells[:, :14] = ((cells[:, :14].reshape(-1, 7, 2) + np.array([x, y])) * back).reshape(-1, 14)
                found.append(cells)
            if max(size) <= _LARGEST or min(size) < _SMALLEST * _STEP:
                break
            factor /= _STEP
        return [_as_face(cell) for cell in kept(np.concatenate(found))]

    @torch.inference_mode()
    def _look(self, rgb: np.ndarray) -> np.ndarray:
        """(n, 15) float64 of what is sure enough in a picture that is small enough."""
        height, width = rgb.shape[:2]
        x = torch.from_numpy(np.ascontiguousarray(rgb, np.float32)).permute(2, 0, 1)[None].to(self._device)
        x = nn.functional.pad(x, (0, -width % self._multiple, 0, -height % self._multiple))
        cells = self._net(x.contiguous(memory_format=torch.channels_last))[0]
        made: np.ndarray = cells[cells[:, 14] >= LEAST].double().cpu().numpy()
        return made


def _shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    small: np.ndarray = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small.reshape(size[1], size[0], -1)  # of a single channel OpenCV drops the axis


def _windows(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of windows that cover a picture."""
    for y in _starts(height):
        for x in _starts(width):
            yield y, x


def _starts(length: int) -> Sequence[int]:
    if length <= _WINDOW:
        return (0,)
    count = math.ceil((length - _OVERLAP) / (_WINDOW - _OVERLAP))
    return [round(number * (length - _WINDOW) / (count - 1)) for number in range(count)]


def kept(cells: np.ndarray) -> np.ndarray:
    """Of several finds of one face the surest, of equals the largest; (n, 15) -> (m, 15), the largest boxes first.

    A box inside another one is the same face, cut off by a window or seen in part: what is shared counts by the smaller
    of the two.
    """
    areas = np.maximum(cells[:, 2:4] - cells[:, :2], 0).prod(axis=1)
    order = np.lexsort((-areas, -cells[:, 14]))
    order = order[areas[order] > 0]
    cells, areas = cells[order], areas[order]
    chosen: list[int] = []
    for number in range(len(cells)):
        others = cells[chosen]
        low, high = np.maximum(others[:, :2], cells[number, :2]), np.minimum(others[:, 2:4], cells[number, 2:4])
        shared = np.maximum(high - low, 0).prod(axis=1)
        if not (shared > _SAME * np.minimum(areas[chosen], areas[number])).any():
            chosen.append(number)
    return cells[sorted(chosen, key=lambda number: -areas[number])]


def _as_face(cell: np.ndarray) -> Face:
    left, top, right, bottom = (float(edge) for edge in cell[:4])
    return Face((left, top, right, bottom), cell[4:14].reshape(5, 2).copy(), float(cell[14]))
