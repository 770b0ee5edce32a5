"""Masks for training an inpainter: strokes, boxes, shapes like objects, and borders to paint beyond."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np

MaskKind = Literal["thin", "medium", "thick", "boxes", "shapes", "borders"]
KINDS: tuple[MaskKind, ...] = ("thin", "medium", "thick", "boxes", "shapes", "borders")
MOST = 0.7
"""A mask never covers more than this part of a picture: something has to be left to go by."""


def draw_mask(kind: MaskKind, height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Draw one mask.

    Args:
        kind: `thin`, `medium`, `thick`: free strokes as a brush leaves them (wide ones after LaMa, Suvorov et al. 2022,
            arXiv 2109.07161); `boxes`: rectangles; `shapes`: round-cornered silhouettes the size of objects;
            `borders`: one to four sides, for extending a picture.
        height: of the mask.
        width: of the mask.
        random: decides everything.

    Returns:
        (height, width) float32, 1 = fill; between one pixel and `MOST` of them are filled.
    """
    draw: Callable[[np.ndarray, np.random.Generator], None] = {
        "thin": lambda mask, r: _strokes(mask, r, (0.004, 0.015), (2, 9)),
        "medium": lambda mask, r: _strokes(mask, r, (0.02, 0.06), (1, 6)),
        "thick": lambda mask, r: _strokes(mask, r, (0.07, 0.18), (1, 4)),
        "boxes": _boxes,
        "shapes": _shapes,
        "borders": _borders,
    }[kind]
    for _ in range(8):
        mask = np.zeros((height, width), np.uint8)
        draw(mask, random)
        if 0 < mask.mean() <= MOST:
            return mask.astype(np.float32)
    mask = np.zeros((height, width), np.float32)
    mask[height // 4 : height // 4 * 3 + 1, width // 4 : width // 4 * 3 + 1] = 1
    return mask


def draw_masks(weights: Sequence[float], height: int, width: int, seeds: Sequence[tuple[int, int]]) -> np.ndarray:
    """Draw a batch of masks, each of a kind chosen by weight.

    Args:
        weights: one for each of `KINDS`.
        height: of the masks.
        width: of the masks.
        seeds: one pair of numbers a mask; equal pairs give equal masks.

    Returns:
        (N, 1, height, width) float32, 1 = fill.
    """
    chances = np.asarray(weights, np.float64) / sum(weights)
    masks = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        masks.append(draw_mask(KINDS[int(random.choice(len(KINDS), p=chances))], height, width, random))
    return np.stack(masks)[:, None]


def _strokes(
    mask: np.ndarray, random: np.random.Generator, thickness: tuple[float, float], counts: tuple[int, int]
) -> None:
    """Wandering lines with round joints; thickness as a part of the longer side."""
    height, width = mask.shape
    side = max(height, width)
    for _ in range(int(random.integers(counts[0], counts[1] + 1))):
        wide = max(1, round(side * random.uniform(*thickness)))
        x, y = random.uniform(0, width), random.uniform(0, height)
        angle = random.uniform(0, 2 * math.pi)
        for _ in range(int(random.integers(2, 9))):
            angle += random.normal(0, 0.8)
            step = side * random.uniform(0.04, 0.2)
            to_x = min(max(x + step * math.cos(angle), 0), width)
            to_y = min(max(y + step * math.sin(angle), 0), height)
            cv2.line(mask, (round(x), round(y)), (round(to_x), round(to_y)), 1, wide)
            cv2.circle(mask, (round(to_x), round(to_y)), wide // 2, 1, -1)
            x, y = to_x, to_y


def _boxes(mask: np.ndarray, random: np.random.Generator) -> None:
    height, width = mask.shape
    for _ in range(int(random.integers(1, 5))):
        rows, columns = (max(1, round(side * random.uniform(0.08, 0.45))) for side in (height, width))
        top, left = int(random.integers(0, height - rows + 1)), int(random.integers(0, width - columns + 1))
        mask[top : top + rows, left : left + columns] = 1


def _shapes(mask: np.ndarray, random: np.random.Generator) -> None:
    """Closed curves whose radius is a short Fourier series: blobs, persons, leaves; sometimes with a hole in them."""
    height, width = mask.shape
    angles = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    for _ in range(int(random.integers(1, 4))):
        radius = np.ones_like(angles)
        for frequency in range(1, 6):
            amount, phase = random.normal(0, 0.35 / frequency), random.uniform(0, 2 * math.pi)
            radius += amount * np.cos(frequency * angles + phase)
        radius = radius.clip(0.15, None) * min(height, width) * random.uniform(0.08, 0.28)
        stretch, turn = random.uniform(0.45, 1), random.uniform(0, 2 * math.pi)
        x, y = radius * np.cos(angles), stretch * radius * np.sin(angles)
        centre = random.uniform(0.1, 0.9, 2) * (width, height)
        points = np.stack((x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)), axis=1)
        cv2.fillPoly(mask, [np.round(points + centre).astype(np.int32)], 1)
        if random.random() < 0.15:
            cv2.fillPoly(mask, [np.round(0.35 * points + centre).astype(np.int32)], 0)


def _borders(mask: np.ndarray, random: np.random.Generator) -> None:
    height, width = mask.shape
    sides = random.random(4) < 0.4
    sides[int(random.integers(4))] = True
    amounts = random.uniform(0.06, 0.35, 4) * sides
    mask[: round(height * amounts[0])] = 1
    mask[height - round(height * amounts[1]) :] = 1
    mask[:, : round(width * amounts[2])] = 1
    mask[:, width - round(width * amounts[3]) :] = 1
