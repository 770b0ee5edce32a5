"""Finds what is to be filled in one go: groups of holes, each with the window of picture around it.

Holes are looked at in cells of a few pixels: holes that nearly touch belong together, and even a mask of a hundred
megapixels is labelled in an instant. A group is of one of three kinds:

- small holes that lie together in one window of the model's native size: no resampling at all;
- a large hole, with a window about twice its size;
- a piece of a long hole (a scratch, a cable, a new border), with a window a few times as wide as the hole is thick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.media.mask import Bounds

CELL = 4  # pixels
CONTEXT = 2.0  # side of the window over side of the hole, for a hole in one piece
THICKNESS = 3.0  # side of the window over thickness of the hole, for a long hole in pieces
LONG = 3.0  # in pieces, when one window for all would be this many times larger
NEAR = 32  # pixels of known picture that a small hole keeps around it in its window


@dataclass(frozen=True)
class Group:
    """Holes that are filled in one go."""

    window: Bounds
    """The part of the picture that is looked at, in pixels."""
    box: Bounds
    """The part that is written to, in pixels."""
    cells: np.ndarray
    """(h, w) bool over `box`, one a cell: which of its pixels belong to this group."""

    def owns(self) -> np.ndarray:
        """(h, w) bool over `box`: the pixels of this group's cells."""
        top, bottom, left, right = self.box
        grown = np.repeat(np.repeat(self.cells, CELL, axis=0), CELL, axis=1)
        return grown[: bottom - top, : right - left]


def find(region: np.ndarray, native: int) -> list[Group]:
    """Cut a region to be filled into groups, in the order in which they are best filled: small ones first.

    region: (H, W) bool. native: side of the square the model works well on, in pixels. Every true pixel belongs to one
    group and no other.
    """
    height, width = region.shape
    cells = _cells(region)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8, ltype=cv2.CV_32S)
    if count == 1:
        return []
    parts = [_Part(k, *_box(stats[k])) for k in range(1, count)]
    parts = _islands_joined(parts, labels)
    limit = native // 2 // CELL
    small = [part for part in parts if max(part.bottom - part.top, part.right - part.left) <= limit]
    large = [part for part in parts if max(part.bottom - part.top, part.right - part.left) > limit]
    groups = list(_gathered(small, labels, native, (height, width)))
    large.sort(key=lambda part: ((part.bottom - part.top) * (part.right - part.left), part.top, part.left))
    for part in large:
        groups += _large(part, labels, native, (height, width))
    return groups


@dataclass(frozen=True)
class _Part:
    """A connected part, in cells."""

    label: int
    top: int
    bottom: int
    left: int
    right: int


def _box(stats: np.ndarray) -> Bounds:
    left, top, width, height = (int(value) for value in stats[:4])
    return top, top + height, left, left + width


def _cells(region: np.ndarray) -> np.ndarray:
    """(H, W) bool -> (ceil(H / CELL), ceil(W / CELL)) uint8: whether a cell has any true pixel."""
    height, width = region.shape
    padded = np.zeros((height + -height % CELL, width + -width % CELL), bool)
    padded[:height, :width] = region
    return np.asarray(padded.reshape(len(padded) // CELL, CELL, -1, CELL).any(axis=(1, 3)), np.uint8)


def _islands_joined(parts: list[_Part], labels: np.ndarray) -> list[_Part]:
    """Give parts that lie within the box of a much larger one its label: they share its window anyway."""
    by_size = sorted(parts, key=lambda part: -(part.bottom - part.top) * (part.right - part.left))
    kept: list[_Part] = []
    renamed = np.arange(len(parts) + 1, dtype=np.int32)
    for part in by_size:
        host = next(
            (
                other
                for other in kept[:64]  # hosts are few: they are sorted by size
                if other.top <= part.top
                and part.bottom <= other.bottom
                and other.left <= part.left
                and part.right <= other.right
            ),
            None,
        )
        if host is None:
            kept.append(part)
        else:
            renamed[part.label] = host.label
    labels[:] = renamed[labels]
    return sorted(kept, key=lambda part: (part.top, part.left))


def _gathered(parts: list[_Part], labels: np.ndarray, native: int, size: tuple[int, int]) -> Iterator[Group]:
    """Small holes, as many as fit into each window with some known picture around them."""
    waiting = dict.fromkeys(parts)
    margin = NEAR // CELL
    span = native // CELL
    rows, columns = labels.shape
    while waiting:
        first = next(iter(waiting))
        window = _square((first.top, first.bottom, first.left, first.right), span, (rows, columns))
        # At the picture's own edge there is no picture to keep.
        top = window[0] + (margin if window[0] > 0 else 0)
        bottom = window[1] - (margin if window[1] < rows else 0)
        left = window[2] + (margin if window[2] > 0 else 0)
        right = window[3] - (margin if window[3] < columns else 0)
        inside = [
            part
            for part in waiting
            if part is first
            or (top <= part.top and part.bottom <= bottom and left <= part.left and part.right <= right)
        ]
        for part in inside:
            del waiting[part]
        box = (
            min(part.top for part in inside),
            max(part.bottom for part in inside),
            min(part.left for part in inside),
            max(part.right for part in inside),
        )
        wanted = np.zeros(int(labels.max()) + 1, bool)
        wanted[[part.label for part in inside]] = True
        cells = wanted[labels[box[0] : box[1], box[2] : box[3]]]
        yield Group(_in_pixels(window, size), _in_pixels(box, size), cells)


def _large(part: _Part, labels: np.ndarray, native: int, size: tuple[int, int]) -> list[Group]:
    """One hole that is larger than half the native size: whole, or in pieces when it is long."""
    box = (part.top, part.bottom, part.left, part.right)
    own = labels[part.top : part.bottom, part.left : part.right] == part.label
    span = native // CELL
    longest = max(own.shape)
    whole = max(span, round(CONTEXT * longest))
    piece = max(span, round(THICKNESS * _thickness(own, box, labels.shape)))
    if min(whole, max(labels.shape)) <= LONG * piece:
        return [Group(_in_pixels(_square(box, whole, labels.shape), size), _in_pixels(box, size), own)]
    groups = []
    step = piece // 2
    for top in range(part.top, part.bottom, step):
        for left in range(part.left, part.right, step):
            cells = own[top - part.top : top - part.top + step, left - part.left : left - part.left + step]
            if cells.any():
                core = (top, top + cells.shape[0], left, left + cells.shape[1])
                window = _square(core, piece, labels.shape)
                groups.append(Group(_in_pixels(window, size), _in_pixels(core, size), cells))
    return groups


def _thickness(own: np.ndarray, box: Bounds, shape: tuple[int, int]) -> float:
    """Twice the largest distance to what is known, in cells; the picture's edge does not count as known."""
    top, bottom, left, right = box
    sides = ((int(top > 0), int(bottom < shape[0])), (int(left > 0), int(right < shape[1])))
    padded = np.pad(own, sides).astype(np.uint8)
    if padded.all():
        return 2.0 * max(shape)
    return 2.0 * float(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max())


def _square(box: Bounds, side: int, shape: tuple[int, int]) -> Bounds:
    """The window of a side around a box, moved and cut so that it lies in the picture."""
    top, bottom = _stretch(box[0], box[1], side, shape[0])
    left, right = _stretch(box[2], box[3], side, shape[1])
    return top, bottom, left, right


def _stretch(low: int, high: int, side: int, limit: int) -> tuple[int, int]:
    side = min(limit, max(side, high - low))
    start = (low + high - side) // 2
    start = min(max(0, start), limit - side)
    return start, start + side


def _in_pixels(box: Bounds, size: tuple[int, int]) -> Bounds:
    top, bottom, left, right = (CELL * edge for edge in box)
    return top, min(bottom, size[0]), left, min(right, size[1])
