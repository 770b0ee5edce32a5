"""Damage, one function a kind: each draws some of it for a picture of (H, W) pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.train.wear.brush import (
    Stroke,
    anywhere,
    blob,
    clouds,
    plain,
    polygons,
    strokes,
    uneven,
    wandering,
)


@dataclass(frozen=True)
class Mark:
    """Damage that covers a part of a picture."""

    alpha: np.ndarray
    """(H, W) float32 in [0, 1]: how much of the picture it hides."""
    colour: np.ndarray
    """(3,) or (H, W, 3) float32 in [0, 1]."""
    multiplies: bool = False
    """Whether the picture shows through: its colours are multiplied with the mark's."""


def scratches(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """Thin lines, straight or bent, even or wavering, bright more often than dark; now and then a bundle of them."""
    marks = []
    side = min(shape)
    for _ in range(_count(rng, 1, 7)):
        upright = rng.random() < 0.35
        angle = math.pi / 2 + rng.normal(0, 0.06) if upright else rng.uniform(0, 2 * math.pi)
        length, width = side * rng.uniform(0.1, 1.5), _width(rng, 0.7, 4.0)
        straight = rng.random() < 0.5
        step = rng.uniform(4, 14)
        path = wandering(
            anywhere(shape, rng), angle, length, rng, step=step,
            bend=0.0 if straight else rng.normal(0, 0.02), jitter=rng.choice([0.0, 0.01, 0.03, 0.08]),
        )  # fmt: skip
        lines = [_line(path, width, rng)]
        if rng.random() < 0.12:
            lines += [_line(path + rng.normal(0, 5, 2), 0.7 * width, rng) for _ in range(_count(rng, 1, 4))]
        marks.append(Mark(strokes(shape, lines) * _opacity(rng), _ink(rng)))
    return marks


def dust(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """Specks of a few pixels, all of them bright or dark."""
    largest = rng.uniform(1.0, 7.0)
    sizes = rng.uniform(0.6, largest, _count(rng, 3, 36))
    specks = [blob(anywhere(shape, rng), radius * rng.uniform(0.3, 1) + 0.4, rng) for radius in sizes]
    return [Mark(polygons(shape, specks) * _opacity(rng), _ink(rng))]


def hairs(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """Fibres that lay on the scanner: short curls of one width."""
    lines = []
    for _ in range(_count(rng, 1, 6)):
        path = wandering(
            anywhere(shape, rng), rng.uniform(0, 2 * math.pi), rng.uniform(10, 110), rng,
            step=3.0, bend=rng.normal(0, 0.08), jitter=rng.uniform(0, 0.2),
        )  # fmt: skip
        lines.append(plain(path, rng.uniform(0.7, 2.2)))
    return [Mark(strokes(shape, lines) * _opacity(rng), _ink(rng))]


def cracks(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """Jagged lines that branch, dark with a bright edge or the bare paper; or a net of them, as dry emulsion has it."""
    lines: list[Stroke] = []

    def grow(start: np.ndarray, angle: float, length: float, width: float, depth: int) -> None:
        path = wandering(start, angle, length, rng, step=rng.uniform(3, 8), bend=0.0, jitter=0.35)
        lines.append(uneven(path, width, rng))
        for _ in range(_count(rng, 0, 3) if depth else 0):
            place = path[int(rng.integers(len(path)))]
            grow(place, angle + rng.choice([-1, 1]) * rng.uniform(0.4, 1.3), length * 0.5, width * 0.75, depth - 1)

    if rng.random() < 0.3:
        lines = _net(shape, rng)
    else:
        for _ in range(_count(rng, 1, 3)):
            grow(anywhere(shape, rng), rng.uniform(0, 2 * math.pi), min(shape) * rng.uniform(0.2, 1.1),
                 rng.uniform(0.8, 3.2), 2)  # fmt: skip
    alpha = strokes(shape, lines) * _opacity(rng)
    if rng.random() < 0.4:  # the edges stand up and catch the light
        lit = np.roll(alpha, (1, 1), (0, 1)) * np.float32(rng.uniform(0.4, 0.9))
        return [Mark(lit, _pale(rng)), Mark(alpha, _dark(rng))]
    return [Mark(alpha, _ink(rng))]


def creases(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """A fold across the print: worn through to the paper in places, with shadow on one side."""
    marks = []
    for _ in range(_count(rng, 1, 2)):
        angle, side = rng.uniform(0, 2 * math.pi), max(shape)
        start = anywhere(shape, rng) - side * rng.uniform(0, 1) * np.array([math.cos(angle), math.sin(angle)])
        path = wandering(start, angle, side * rng.uniform(0.5, 2), rng, step=9.0, bend=0.0, jitter=rng.uniform(0, 0.05))
        width = rng.uniform(1.2, 6.0)
        core = strokes(shape, [uneven(path, width, rng)])
        worn = np.clip(clouds(shape, rng.uniform(2, 9), rng) + rng.uniform(-0.3, 1.5), 0, 1)
        if rng.random() < 0.6:
            shade = cv2.GaussianBlur(np.roll(core, (round(width), round(width / 2)), (0, 1)), (0, 0), width)
            marks.append(Mark(shade * np.float32(rng.uniform(0.1, 0.4)), _dark(rng)))
        marks.append(Mark(core * worn * _opacity(rng), _pale(rng) if rng.random() < 0.8 else _dark(rng)))
    return marks


def stains(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """Dried drops with a darker rim, mould, foxing: brown and grey, the picture shows through."""
    marks = []
    cluster = rng.random() < 0.35
    for _ in range(_count(rng, 1, 3)):
        radius = rng.uniform(2, 9) if cluster else min(shape) * rng.uniform(0.04, 0.22)
        spots = _count(rng, 3, 18) if cluster else 1
        area = polygons(shape, [blob(anywhere(shape, rng), radius, rng, 0.4) for _ in range(spots)])
        soft = max(0.6, radius * rng.uniform(0.02, 0.25))
        filled = cv2.GaussianBlur(area, (0, 0), soft)
        rim = np.abs(filled - cv2.GaussianBlur(area, (0, 0), 2 * soft)) * 2
        body = filled * np.float32(rng.uniform(0.35, 1)) + rim * np.float32(rng.uniform(0, 0.8))
        if rng.random() < 0.4:
            body = body * np.clip(0.8 + 0.4 * clouds(shape, radius, rng), 0, 1)
        brown = np.array([rng.uniform(0.35, 0.8), rng.uniform(0.25, 0.6), rng.uniform(0.1, 0.45)], np.float32)
        colour = np.full(3, rng.uniform(0.2, 0.6), np.float32) if rng.random() < 0.25 else np.sort(brown)[::-1]
        marks.append(Mark(np.clip(body, 0, 1).astype(np.float32), colour, multiplies=True))
    return marks


def tears(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """A corner or a piece of an edge that is gone, with the fibres of the paper along the tear."""
    height, width = shape
    reach = np.array([width, height]) * rng.uniform(0.06, 0.45, 2)
    if rng.random() < 0.7:
        between = np.linspace((reach[0], 0), (0, reach[1]), 24)
        corner = [(-9.0, -9.0), (reach[0] + 9, -9.0)], [(-9.0, reach[1] + 9)]
    else:
        at, wide = rng.uniform(0, width), reach[0]
        between = np.stack((np.linspace(at + wide, at - wide, 24), reach[1] * np.sin(np.linspace(0, math.pi, 24))), 1)
        corner = [(at - wide, -9.0), (at + wide, -9.0)], []
    edge = between + np.cumsum(rng.normal(0, 0.012 * min(shape), between.shape), axis=0) + rng.normal(0, 1.2, (24, 2))
    points = np.concatenate([corner[0], edge, *([corner[1]] if corner[1] else [])])
    if rng.random() < 0.5:
        points[:, 0] = width - points[:, 0]
    if rng.random() < 0.5:
        points[:, 1] = height - points[:, 1]
        edge = points[2 : 2 + len(edge)]
    edge = points[2 : 2 + len(edge)]
    gone = polygons(shape, [points])
    behind = _pale(rng) if rng.random() < 0.6 else _dark(rng)
    texture = np.float32(rng.uniform(0, 0.03)) * clouds(shape, rng.uniform(1, 6), rng)[..., None]
    fibres = strokes(shape, [uneven(edge, rng.uniform(1, 6), rng)])
    return [Mark(fibres, _pale(rng)), Mark(gone, np.clip(behind + texture, 0, 1).astype(np.float32))]


def scuffs(shape: tuple[int, int], rng: np.random.Generator) -> list[Mark]:
    """A patch where the emulsion is rubbed off in many small pieces."""
    patch = polygons(shape, [blob(anywhere(shape, rng), min(shape) * rng.uniform(0.05, 0.3), rng, 0.4)])
    patch = cv2.GaussianBlur(patch, (0, 0), rng.uniform(2, 14))
    grain = clouds(shape, rng.uniform(1.5, 5), rng)
    limit = rng.uniform(0.7, 1.8)
    alpha = np.clip((grain * patch - limit * (1.2 - 0.2 * patch)) * 2.5, 0, 1).astype(np.float32)
    return [Mark(alpha * _opacity(rng), _pale(rng))]


KINDS: dict[str, Callable[[tuple[int, int], np.random.Generator], list[Mark]]] = {
    "scratches": scratches,
    "dust": dust,
    "hairs": hairs,
    "cracks": cracks,
    "creases": creases,
    "stains": stains,
    "tears": tears,
    "scuffs": scuffs,
}
"""Kind of damage to the function that draws it."""


def _net(shape: tuple[int, int], rng: np.random.Generator) -> list[Stroke]:
    """Borders of the cells of random points, in a part of the picture."""
    height, width = shape
    plane = cv2.Subdiv2D((0, 0, width + 1, height + 1))
    middle, spread = anywhere(shape, rng), min(shape) * rng.uniform(0.12, 0.4)
    places = rng.normal(middle, spread, (_count(rng, 12, 50), 2)).clip((0, 0), (width, height))
    plane.insert([(float(x), float(y)) for x, y in places])
    cells, _ = plane.getVoronoiFacetList([])
    thickness = rng.uniform(0.7, 2.0)
    inner = [cell for cell in cells if np.linalg.norm(cell - middle, axis=1).max() < 1.8 * spread]
    return [uneven(np.concatenate([cell, cell[:1]]) + rng.normal(0, 0.8, 2), thickness, rng) for cell in inner]


def _line(path: np.ndarray, width: float, rng: np.random.Generator) -> Stroke:
    chance = rng.random()
    if chance < 0.4:
        return plain(path, width)
    return uneven(path, width, rng, gaps=rng.uniform(0, 0.4) if chance > 0.8 else 0.0)


def _count(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _width(rng: np.random.Generator, low: float, high: float) -> float:
    return float(low * (high / low) ** (rng.random() ** 1.3))


def _opacity(rng: np.random.Generator) -> np.float32:
    return np.float32(rng.uniform(0.75, 1) if rng.random() < 0.7 else rng.uniform(0.35, 0.75))


def _ink(rng: np.random.Generator) -> np.ndarray:
    chance = rng.random()
    if chance < 0.62:
        return _pale(rng)
    if chance < 0.92:
        return _dark(rng)
    # A scratch in one layer of a colour film has that layer's colour.
    return rng.choice([0.15, 0.9], 3).astype(np.float32) + rng.normal(0, 0.05, 3).astype(np.float32)


def _pale(rng: np.random.Generator) -> np.ndarray:
    cream = np.array([0.0, 0.03, 0.1]) * rng.uniform(0, 1.2) * (rng.random() < 0.4)
    return (rng.uniform(0.78, 1.0) - cream).clip(0, 1).astype(np.float32)


def _dark(rng: np.random.Generator) -> np.ndarray:
    return (rng.uniform(0, 0.2) + np.array([0.06, 0.03, 0.0]) * (rng.random() < 0.3)).clip(0, 1).astype(np.float32)
