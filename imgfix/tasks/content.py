"""What a picture shows, from a cheap look: pixel art, writing and screens, a drawing, or a photo.

Every rule is a measure that anybody can follow, with a limit that photos stay far away from; what no rule recognizes is
a photo. The limits were set on photos, scanned pages, rendered pages, screenshots, icons and textures of games;
`tests/bench/content.py` prints what they give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

Kind = Literal["pixels", "text", "screen", "drawing", "photo"]

_WHOLE = 1 << 20  # pixels up to which all of a picture is looked at
_WINDOW = 384  # else nine windows of this side
_GREY = 128  # what transparent pictures are laid on

# Pixel art: few colours, far apart, no edge smoothed; or every pixel a block of equal ones.
_PALETTE = 256
_LARGEST_SPRITE = 1024
_SPRITE, _TEXTURE = 64, 24  # pixels: up to here cut-outs, and anything, may have many colours
_BLOCKS = range(2, 17)
_SMOOTHED = 12  # pixels between two colours that are no accident

# Letters: ink that stands in rows of like pieces, on an even ground.
_INK = 24  # of 255: darker or lighter than its surroundings by this
_LETTER = (4, 64)  # pixels of height
_FEW_LETTERS, _LETTERS = 8, 20
_ENOUGH = 500  # in a window; more tell no more
_MOST_INK, _MUCH_INK = 0.7, 0.45  # share of the ink that stands in such rows
_EVEN = 5.0  # standard deviation of the ground, of 255
_SAME, _MOSTLY = 3.0, 0.75  # or this share of a square is that near to its median, which a ruled line leaves

# Made by a computer: neighbours are equal; edges of windows and tables run straight.
_FLAT = 0.8
_EDGES = 0.003  # of all neighbours; a clear sky has fewer
_RULED = 0.4
_SOME_INK = 0.1
_LINE = 24  # pixels


@dataclass(frozen=True)
class Content:
    """What a picture shows."""

    kind: Kind
    """`pixels`: pixel art; `text`: writing on an even ground, a scan or a screen; `screen`: windows, tables, charts;
    `drawing`: even areas of colour with free outlines; `photo`: everything else."""
    why: str
    """What it was recognized by, in a few words."""


def look(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Content:
    """Tell what a picture shows; some milliseconds up to a megapixel, hardly more above.

    Args:
        pixels: (H, W, 1|3) uint8 or uint16, sRGB or grey; 4 channels (inks) are a photo.
        alpha: (H, W) of the same type.
    """
    height, width, channels = pixels.shape
    if channels == 4:
        return Content("photo", "inks of a print")
    small = max(height, width) <= _LARGEST_SPRITE
    windows = [_flattened(pixels, alpha, *window) for window in _windows(height, width)]
    art = _pixel_art(windows[0], None if alpha is None else _eight(alpha)) if small and len(windows) == 1 else None
    if art is not None:
        return art
    writing, some = _writing(windows)
    return writing or _made(windows, some) or Content("photo", "no sign of pixel art, writing or drawing")


def _windows(height: int, width: int) -> list[tuple[slice, slice]]:
    if height * width <= _WHOLE:
        return [(slice(0, height), slice(0, width))]
    rows, columns = ([slice(at, at + _WINDOW) for at in _starts(side)] for side in (height, width))
    return [(row, column) for row in rows for column in columns]


def _starts(side: int) -> list[int]:
    last = max(0, side - _WINDOW)
    return sorted({0, last // 2, last})


def _flattened(pixels: np.ndarray, alpha: np.ndarray | None, rows: slice, columns: slice) -> np.ndarray:
    """(h, w, 3) uint8, what is transparent laid on grey."""
    part = _eight(pixels[rows, columns])
    if part.shape[2] == 1:
        part = part.repeat(3, axis=2)
    if alpha is not None:
        share = _eight(alpha[rows, columns])[..., None].astype(np.float32) / 255
        part = (part * share + _GREY * (1 - share) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(part)


def _eight(samples: np.ndarray) -> np.ndarray:
    return (samples >> 8).astype(np.uint8) if samples.dtype == np.uint16 else samples


# -- pixel art ---------------------------------------------------------------------------------------------------------


def _pixel_art(picture: np.ndarray, alpha: np.ndarray | None) -> Content | None:
    height, width = picture.shape[:2]
    if min(height, width) < 4 or _colours(picture[:: max(1, height // 16)]).shape[0] > _PALETTE:
        return None
    shares = np.zeros(0, np.uint8) if alpha is None else np.unique(alpha)
    if len(shares) > 8:
        return None  # edges that fade out
    colours = _colours(picture)
    if not 1 < len(colours) <= _PALETTE:
        return None
    block = _block(picture)
    if block > 1:
        return Content("pixels", f"blocks of {block}x{block} equal pixels, {len(colours)} colours")
    largest = max(height, width)
    coloured = bool((colours != colours[:, :1]).any())
    free = (largest <= _TEXTURE and coloured) or (largest <= _SPRITE and list(shares) == [0, 255])
    if len(colours) > max(16, height * width // (2 if free else 4)):
        return None
    if len(colours) > 16 and not free and _spacing(colours) < 3:
        return None
    if _smoothed(picture) or (largest > 128 and (len(colours) > 64 or _equal(picture) < 0.4)):
        return None
    return Content("pixels", f"{len(colours)} colours, no edge is smoothed")


def _colours(picture: np.ndarray) -> np.ndarray:
    """The colours that occur: (h, w, 3) -> (n, 3) int."""
    found = np.unique(_packed(picture))
    return np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)


def _packed(picture: np.ndarray) -> np.ndarray:
    """A number for each colour: (h, w, 3) uint8 -> (h, w) int32."""
    red, green, blue = (picture[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _block(picture: np.ndarray) -> int:
    """The side of the blocks that all changes lie between; 1 where there are none."""
    rows, columns = ((picture[1:] != picture[:-1]).any((1, 2)), (picture[:, 1:] != picture[:, :-1]).any((0, 2)))
    changes = [np.flatnonzero(change) + 1 for change in (rows, columns)]
    at = np.concatenate(changes)
    step = int(np.gcd.reduce(at)) if len(at) else 1
    return step if step in _BLOCKS and len(at) >= 4 else 1


def _smoothed(picture: np.ndarray) -> bool:
    """Whether more than a quarter of the edges between two even areas have a pixel of a colour in between."""
    between = steps = 0
    whole = picture.astype(np.int16)
    for grid in (whole, whole.transpose(1, 0, 2)):
        if grid.shape[1] < 5:
            continue
        change = np.abs(np.diff(grid, axis=1)).max(2)
        steps += int(((change[:, 1:-1] > 32) & (change[:, :-2] == 0) & (change[:, 2:] == 0)).sum())
        left, middle, right = grid[:, 1:-3], grid[:, 2:-2], grid[:, 3:-1]
        mixed = (np.minimum(left, right) <= middle) & (middle <= np.maximum(left, right))
        soft = (change[:, 1:-2] > 0) & (change[:, 2:-1] > 0) & (np.abs(right - left).max(2) > 32) & mixed.all(2)
        between += int((soft & (change[:, :-3] == 0) & (change[:, 3:] == 0)).sum())
    return between >= _SMOOTHED and between > 0.25 * (between + steps)


def _spacing(colours: np.ndarray) -> float:
    """How far the colours of a palette are from their nearest ones, in the middle of all; those of photos touch."""
    apart = np.abs(colours[:, None] - colours[None]).max(2)
    np.fill_diagonal(apart, 255)
    return float(np.median(apart.min(1)))


# -- writing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ink:
    letters: int
    """Pieces that stand in rows."""
    standing: int
    """Pixels of those."""
    all: int
    even: int
    """Squares without ink that are even."""
    squares: int

    def __add__(self, other: _Ink) -> _Ink:
        return _Ink(
            self.letters + other.letters, self.standing + other.standing, self.all + other.all, self.even + other.even,
            self.squares + other.squares,
        )  # fmt: skip

    @property
    def share(self) -> float:
        return self.standing / max(1, self.all)


def _writing(windows: list[np.ndarray]) -> tuple[Content | None, bool]:
    """Writing, if the picture is hardly anything else; and whether there is some."""
    lumas = [cv2.cvtColor(window, cv2.COLOR_RGB2GRAY) for window in windows]
    some = False
    for colour, ink_of in (("dark", _ink), ("light", lambda luma: _ink(255 - luma))):
        ink = _total(lumas, ink_of)
        some |= ink.letters >= _LETTERS and ink.share >= _SOME_INK
        enough = (ink.letters >= _LETTERS and ink.share >= _MUCH_INK) or (
            ink.letters >= _FEW_LETTERS and ink.share >= _MOST_INK
        )
        if enough and ink.even >= 0.5 * ink.squares:
            words = f"{ink.letters} {colour} letters in rows hold {100 * ink.share:.0f} % of the ink, on an even ground"
            return Content("text", words), True
    return None, some


def _total(lumas: list[np.ndarray], ink_of: Callable[[np.ndarray], _Ink]) -> _Ink:
    total = _Ink(0, 0, 0, 0, 0)
    for luma in lumas:
        total += ink_of(luma)
    return total


def _ink(luma: np.ndarray) -> _Ink:
    """What is darker than its surroundings, and how much of it stands in rows; luma: (h, w) uint8."""
    ground = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
    depth = ground - luma  # never below zero
    ink = (depth > max(_INK, 0.45 * _deep(depth))).astype(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    pieces = pieces[1:]
    like = _like_letters(pieces)
    if like.sum() > _ENOUGH:  # they come from top to bottom
        part = pieces[:, cv2.CC_STAT_TOP] <= pieces[like][_ENOUGH, cv2.CC_STAT_TOP]
        pieces, like = pieces[part], like[part]
    area = pieces[:, cv2.CC_STAT_AREA]
    row = _in_rows(pieces[like])
    even, squares = _ground(luma, ink)
    return _Ink(int(row.sum()), int(area[like][row].sum()), int(area.sum()), even, squares)


def _deep(depth: np.ndarray) -> int:
    """The value of (h, w) uint8 that one in a hundred is above."""
    counted = np.bincount(depth.ravel(), minlength=256).cumsum()
    return int(np.searchsorted(counted, 0.99 * depth.size))


def _like_letters(pieces: np.ndarray) -> np.ndarray:
    """Which pieces have the size and shape of letters: (n, 5) as OpenCV gives them -> (n,) bool."""
    _, _, width, height, area = pieces.T
    like: np.ndarray = (height >= _LETTER[0]) & (height <= _LETTER[1]) & (width <= 3 * height) & (area >= 4)
    return like & (area < 0.9 * width * height + 3)  # a box is no letter


def _in_rows(pieces: np.ndarray) -> np.ndarray:
    """Which pieces stand in a row of three or more: (n, 5) as OpenCV gives them -> (n,) bool."""
    if not len(pieces):
        return np.zeros(0, bool)
    left, top, width, height = pieces[:, :4].astype(np.float32).T
    tall, low = np.maximum(height[None], height[:, None]), np.minimum(height[None], height[:, None])
    gap = left[None] - (left + width)[:, None]
    foot = np.abs((top + height)[None] - (top + height)[:, None])
    follows = (gap > -2) & (gap < 1.2 * tall) & (low > 0.55 * tall) & (foot < 0.25 * tall)
    np.fill_diagonal(follows, False)
    middle = follows.any(1) & follows.any(0)
    found: np.ndarray = middle | follows[:, middle].any(1) | follows[middle].any(0)
    return found


def _ground(luma: np.ndarray, ink: np.ndarray) -> tuple[int, int]:
    """Of the squares of 8 by 8 away from ink: how many are even, and all."""
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    around = cv2.dilate(ink, np.ones((7, 7), np.uint8))
    squares, inked = (
        plane[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
        for plane in (luma, around)
    )
    free = squares[inked.max(1, initial=0) == 0].astype(np.float32)
    ruled = (np.abs(free - np.median(free, axis=1, keepdims=True)) <= _SAME).mean(1) >= _MOSTLY
    return int(((free.std(1) < _EVEN) | ruled).sum()), len(free)


# -- screens and drawings ----------------------------------------------------------------------------------------------


def _made(windows: list[np.ndarray], writing: bool) -> Content | None:
    flat = float(np.mean([_equal(window) for window in windows]))
    if flat < _FLAT:
        return None
    ruled, edges = map(sum, zip(*(_straight(window) for window in windows), strict=True))
    if edges < _EDGES * sum(2 * window.shape[0] * window.shape[1] for window in windows):
        return None
    share = f"{100 * flat:.0f} % of the neighbours are equal"
    if writing:
        return Content("screen", f"{share}, letters stand in rows")
    if ruled >= _RULED * edges:
        return Content("screen", f"{share}, {100 * ruled / edges:.0f} % of the edges run straight up or across")
    return Content("drawing", f"{share}, the outlines are free")


def _equal(picture: np.ndarray) -> float:
    """Share of neighbours of just the same colour."""
    packed = _packed(picture)
    pairs = [packed[:, 1:] == packed[:, :-1], packed[1:] == packed[:-1]]
    return float(np.mean([pair.mean() if pair.size else 1.0 for pair in pairs]))


def _straight(picture: np.ndarray) -> tuple[int, int]:
    """How many pixels of edges belong to straight lines, upright or level, and how many there are."""
    ruled = edges = 0
    for grid in (picture, picture.transpose(1, 0, 2)):
        edge = np.zeros((grid.shape[0], grid.shape[1] - 1), np.uint8)
        for channel in range(3):  # many times as quick as the largest along the last axis
            edge |= np.abs(np.diff(grid[..., channel].astype(np.int16), axis=1)) > 16
        if min(edge.shape) < 1:
            continue
        line = cv2.morphologyEx(edge, cv2.MORPH_OPEN, np.ones((_LINE, 1), np.uint8))
        ruled, edges = ruled + int(line.sum()), edges + int(edge.sum())
    return ruled, edges
