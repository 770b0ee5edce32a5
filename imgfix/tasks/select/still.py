"""What was laid over a whole clip and does not move, such as a logo or a date stamp, told from what moves behind it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from imgfix.errors import InputError, NothingFound

SIDE = 1280
"""Longest side of the frames that are looked at."""
GROUPS = 12
"""Parts of the clip, each of which has to show the same edge."""
FAINT, STRONG = 4.0, 8.0
"""Levels of 255 a pixel that an edge differs by on average: fainter ones are noise, strong ones are sure."""
LOOSE, STEADY = 0.7, 0.85
"""Share of its average strength that an edge has in three of four parts of the clip, in the others something as bright
may be behind it: what is looser moves, what is steady is sure."""
SURE = 0.4
"""Share of the edges of a part that have to be strong and steady."""
MOST = 0.25
"""Where more of all edges than this stand still, it is the camera that does."""
PARTS, AREA = 12, 0.035
"""Where more parts stand still, or more of the frame, they are of the scene."""
JOIN = 0.012
"""Share of the longer side over which edges are joined: the gaps between letters, the inside of strokes."""
HULL = 6.0
"""A part is taken with all between its outermost points where that is at most so many times as much."""
LEAST = 2e-5
"""Share of the frame below which what stands still is a speck."""


def not_told(found: np.ndarray | None) -> InputError:
    """The error for what `standing` gave, where nothing of it can be taken."""
    if found is None:
        return InputError(
            "too little moves to tell what was laid over the clip from what is in it",
            hint="a longer part of the clip tells more; `box` x,y,w,h or `mask` say where it is",
        )
    return NothingFound(
        "nothing that was laid over the clip and stands still was found",
        hint="`box` x,y,w,h or `mask` say where it is",
    )


def standing(frames: Iterator[np.ndarray], count: int) -> np.ndarray | None:
    """The part of a clip that is laid over it and stands still.

    An overlay keeps its edges while those of the scene come and go: the gradients of the frames are averaged in parts
    of the clip, and an edge of the overlay is one that every part shows alike (after Dekel et al. 2017, "On the
    effectiveness of visible watermarks", who take the median over pictures). Edges that lie near each other are joined
    and filled.

    Returns (H, W) bool, perhaps empty; None: nearly everything stands still.
    frames: (H, W, 3) uint8 or uint16. count: how many, roughly; it decides how they are grouped. Raises InputError:
    fewer than two frames.
    """
    means, shape = _grouped(frames, count)
    if len(means) < 2:
        raise InputError("one frame does not tell what stands still", hint="use `box`, `mask` or `text`")
    mean = means.mean(axis=0)
    strength = np.hypot(mean[0], mean[1])
    along = (means * mean).sum(axis=1) / np.maximum(strength**2, 1e-6)
    rank = len(means) // 4
    least = np.partition(along, rank, axis=0)[rank]
    steady = (strength > FAINT) & (least > LOOSE)
    sure = (strength > STRONG) & (least > STEADY)
    edges = np.hypot(means[:, 0], means[:, 1]).max(axis=0) > FAINT
    found, number = _joined(steady & ~_lines(steady), sure)
    unmoved = steady.sum() > MOST * max(int(edges.sum()), 1) and steady.mean() > 0.01
    if unmoved or number > PARTS or found.mean() > AREA:
        return None
    whole = cv2.resize(found.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return whole >= 0.5


def _grouped(frames: Iterator[np.ndarray], count: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The mean gradient of each part of the clip, (parts, 2, h, w) float32 in levels a pixel, and the frames' size."""
    length = max(1, -(-count // GROUPS)) if count else 8
    sums: list[np.ndarray] = []
    held = number = 0
    shape = (0, 0)
    for number, frame in enumerate(frames):
        if number % length == 0:
            if len(sums) == 4 * GROUPS:  # of an unknown number: twice as long parts from here on
                sums, length = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)], 2 * length
            shape, held = (frame.shape[0], frame.shape[1]), 0
            sums.append(np.zeros((3, *_small(shape)), np.float32))
        held += 1
        luma = _luma(frame)
        sums[-1][0] += cv2.Scharr(luma, cv2.CV_32F, 1, 0, scale=1 / 16)
        sums[-1][1] += cv2.Scharr(luma, cv2.CV_32F, 0, 1, scale=1 / 16)
        sums[-1][2] += 1
    if len(sums) > 1 and held < length / 2:  # too few to average what moves
        last = sums.pop()
        sums[-1] = sums[-1] + last
    return np.array([each[:2] / each[2] for each in sums]), shape


def _small(shape: tuple[int, int]) -> tuple[int, int]:
    shrink = max(1.0, max(shape) / SIDE)
    return max(1, round(shape[0] / shrink)), max(1, round(shape[1] / shrink))


def _luma(frame: np.ndarray) -> np.ndarray:
    height, width = _small((frame.shape[0], frame.shape[1]))
    small = frame[..., :3]
    if small.dtype != np.uint8:
        small = (small >> 8).astype(np.uint8)
    if (height, width) != frame.shape[:2]:
        small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY)


def _lines(steady: np.ndarray) -> np.ndarray:
    """Edges that run from side to side: those of black bars, which stay."""
    found = np.zeros(steady.shape, bool)
    for axis in (0, 1):
        full = steady.mean(axis=1 - axis) > 0.5
        wide = np.convolve(full, np.ones(5), mode="same") > 0
        found |= wide[:, None] if axis == 0 else wide[None, :]
    return found


def _joined(steady: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, int]:
    """Edges as areas: joined, filled, without specks and what is not sure; and how many of them."""
    reach = max(3, round(JOIN * max(steady.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (reach // 2) + 1,) * 2)
    room = cv2.copyMakeBorder(steady.astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(room, cv2.MORPH_CLOSE, kernel)[reach:-reach, reach:-reach]
    outlines, _ = cv2.findContours(np.ascontiguousarray(closed), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found, number = np.zeros(steady.shape, np.uint8), 0
    for outline in outlines:
        width, height = cv2.boundingRect(outline)[2:]
        if cv2.contourArea(outline) < LEAST * steady.size or min(width, height) < 3:
            continue
        # What is half transparent shows its outline in pieces.
        hull = cv2.convexHull(outline)
        own = cv2.drawContours(np.zeros_like(found), [outline], -1, 1, cv2.FILLED) > 0
        if (sure & own).sum() < SURE * (steady & own).sum():
            continue
        number += 1
        compact = cv2.contourArea(hull) <= HULL * cv2.contourArea(outline)
        cv2.drawContours(found, [hull if compact else outline], -1, 1, cv2.FILLED)
    return found > 0, number
