"""Lines, blobs and clouds: what damage and its lookalikes are drawn with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

FINER = 2
"""Lines are drawn so many times larger and brought down, for widths between whole pixels."""
_BITS = 3


@dataclass(frozen=True)
class Stroke:
    """A line through points (n, 2) of x and y; each part between two has a width in pixels and a strength of 0 to 1."""

    points: np.ndarray
    widths: np.ndarray
    strengths: np.ndarray


def plain(points: np.ndarray, width: float, strength: float = 1.0) -> Stroke:
    """A line of one width and strength."""
    parts = len(points) - 1
    return Stroke(points, np.full(parts, width), np.full(parts, strength))


def uneven(points: np.ndarray, width: float, rng: np.random.Generator, gaps: float = 0.0) -> Stroke:
    """A line whose width and strength waver, with gaps in this part of it, as a scratch has them."""
    parts = len(points) - 1
    widths = width * (1 + 0.35 * wave(parts, rng)).clip(0.35, None)
    strengths = (1 - 0.45 * np.abs(wave(parts, rng))).clip(0.2, 1)
    if gaps:
        strengths = np.where(wave(parts, rng) < np.quantile(wave(parts, rng), gaps), 0, strengths)
    return Stroke(points, widths, strengths)


def strokes(shape: tuple[int, int], lines: Iterable[Stroke]) -> np.ndarray:
    """Draw lines with soft edges; (H, W) float32 in [0, 1]."""
    height, width = shape
    canvas = np.zeros((height * FINER, width * FINER), np.uint8)
    factor = FINER << _BITS
    for line in lines:
        points = np.round(line.points.clip(-4 * width, 5 * width) * factor).astype(np.int32)
        widths = np.maximum(1, np.round(line.widths * FINER)).astype(int)
        values = np.round(line.strengths * 255).astype(int)
        if (widths == widths[0]).all() and (values == values[0]).all():
            cv2.polylines(canvas, [points], False, int(values[0]), int(widths[0]), cv2.LINE_AA, _BITS)
            continue
        for start, end, wide, value in zip(points, points[1:], widths.tolist(), values.tolist(), strict=False):
            cv2.line(canvas, tuple(start.tolist()), tuple(end.tolist()), value, wide, cv2.LINE_AA, _BITS)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def polygons(shape: tuple[int, int], corners: Iterable[np.ndarray]) -> np.ndarray:
    """Filled polygons of (n, 2) corners, with soft edges; (H, W) float32 in [0, 1]."""
    layer = np.zeros(shape, np.uint8)
    for points in corners:
        cv2.fillPoly(layer, [np.round(points * (1 << _BITS)).astype(np.int32)], 255, cv2.LINE_AA, _BITS)
    return layer.astype(np.float32) / np.float32(255)


def wandering(
    start: np.ndarray, angle: float, length: float, rng: np.random.Generator, *, step: float, bend: float, jitter: float
) -> np.ndarray:
    """Points (n, 2) of a path that turns by `bend` radians a step, give or take `jitter`."""
    count = max(2, round(length / step))
    angles = angle + np.cumsum(bend + rng.normal(0, jitter, count) if jitter else np.full(count, bend))
    steps = step * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    found: np.ndarray = np.concatenate([start[None], start + np.cumsum(steps, axis=0)])
    return found


def anywhere(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A point (x, y) of a picture."""
    return rng.uniform((0, 0), (shape[1], shape[0]))


def wave(count: int, rng: np.random.Generator) -> np.ndarray:
    """So many numbers about 0, of about 1 in size, that change slowly."""
    knots = rng.normal(0, 1, max(2, count // 5 + 2))
    return np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)


def blob(centre: np.ndarray, radius: float, rng: np.random.Generator, roughness: float = 0.3) -> np.ndarray:
    """Corners (n, 2) of a closed curve whose radius is a short Fourier series."""
    angles = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    sizes = np.ones_like(angles)
    for frequency in range(1, 7):
        sizes += rng.normal(0, roughness / frequency) * np.cos(frequency * angles + rng.uniform(0, 2 * math.pi))
    sizes = radius * sizes.clip(0.25, None)
    stretch, turn = rng.uniform(0.5, 1), rng.uniform(0, math.pi)
    x, y = sizes * np.cos(angles), stretch * sizes * np.sin(angles)
    return centre + np.stack((x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)), axis=1)


def clouds(shape: tuple[int, int], cell: float, rng: np.random.Generator, octaves: int = 2) -> np.ndarray:
    """Smooth noise of mean 0 and deviation 1 whose features are about `cell` pixels large; (H, W) float32."""
    found = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(1.0, cell / 2**octave)
        rows, columns = (max(2, math.ceil(length / size) + 1) for length in shape)
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        found += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC) / np.float32(2**octave)
    found -= found.mean()
    found /= np.float32(max(float(found.std()), 1e-6))
    return found
