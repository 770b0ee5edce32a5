"""What is in the scene and only looks like damage: wires, joints, fences, branches, text, outlines, dots.

Each function draws some of it into a picture (H, W, 3) float32 in [0, 1], in place, before the picture is blurred and
grained as by a camera. What tells it from damage is order: it is even, repeats, ends at things, and is as soft as the
rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imgfix.train.wear.brush import Stroke, anywhere, plain, strokes, wandering

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:-&"


def wires(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Power lines: several that sag alike, even and smooth, from edge to edge or from a pole."""
    height, width = picture.shape[:2]
    x = np.linspace(-0.1, 1.1, 24) * width
    level, slope, sag = rng.uniform(0, height), rng.normal(0, 0.25) * height, rng.uniform(0, 0.25) * height
    spacing, thickness = rng.uniform(4, 0.15 * height), rng.uniform(0.7, 3.5)
    count = int(rng.integers(1, 8)) if rng.random() < 0.8 else 1
    lines = []
    for number in range(count):
        t = x / width
        fan = 1 + rng.normal(0, 0.05)
        y = (
            level
            + number * spacing * fan * (1 - 0.3 * t * rng.uniform(0, 1))
            + slope * (t - 0.5)
            + sag * (2 * t - 1) ** 2
        )
        lines.append(plain(np.stack((x, y), axis=1), thickness))
    if rng.random() < 0.4:
        at, thick = rng.uniform(0, width), rng.uniform(4, 16)
        lines.append(
            plain(np.array([[at, rng.uniform(-0.2, 0.4) * height], [at + rng.normal(0, 4), height + 9.0]]), thick)
        )
        arm = rng.uniform(0.05, 0.2) * width
        lines.append(plain(np.array([[at - arm, level], [at + arm, level + rng.normal(0, 4)]]), thick / 2))
    if rng.random() < 0.25:
        lines = [_across(line) for line in lines]
    _paint(picture, strokes((height, width), lines), rng, dark=0.88)


def joints(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Tiles, bricks or planks: straight lines in one or two directions at even distances, seen at an angle."""
    height, width = picture.shape[:2]
    across, down = rng.integers(3, 12, 2)
    kind = rng.choice(["tiles", "bricks", "planks"])
    corners = np.array([[-0.3, -0.3], [1.3, -0.3], [1.3, 1.3], [-0.3, 1.3]]) * (width, height)
    place = corners + rng.normal(0, 0.18, (4, 2)) * (width, height)
    turn = cv2.getPerspectiveTransform(
        np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), place.astype(np.float32)
    )  # fmt: skip
    segments = [[(0, n / down), (1, n / down)] for n in range(down + 1)]
    if kind == "tiles":
        segments += [[(n / across, 0), (n / across, 1)] for n in range(across + 1)]
    else:
        for row in range(down):
            shift = 0.5 * (row % 2) if kind == "bricks" else rng.random()
            every = 1 if kind == "bricks" else 3
            segments += [[((n + shift) / across, row / down), ((n + shift) / across, (row + 1) / down)]
                         for n in range(0, across + 1, every)]  # fmt: skip
    points = cv2.perspectiveTransform(np.array(segments, np.float32).reshape(-1, 1, 2), turn).reshape(-1, 2, 2)
    thickness = rng.uniform(0.8, 4)
    layer = strokes((height, width), [plain(segment.astype(np.float64), thickness) for segment in points])
    area = np.ones((height, width), np.float32)
    if rng.random() < 0.6:  # a wall or a floor takes up a part of the picture
        horizon = rng.uniform(0.2, 0.7) * height
        slope = rng.normal(0, 0.2)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        area = (y > horizon + slope * x).astype(np.float32)
        if rng.random() < 0.5:
            area = 1 - area
        if rng.random() < 0.6:
            tone = picture.mean((0, 1)) * rng.uniform(0.6, 1.4)
            strength = np.float32(rng.uniform(0.5, 1)) * area[..., None]
            picture += (np.clip(tone, 0, 1).astype(np.float32) - picture) * strength
    _paint(picture, layer * area, rng, dark=0.55)


def fences(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Bars, railings or wire mesh."""
    height, width = picture.shape[:2]
    spacing, thickness = rng.uniform(7, 45), rng.uniform(0.8, 5)
    lean, side = rng.normal(0, 0.1), max(height, width)
    angles = [math.pi / 4, -math.pi / 4] if rng.random() < 0.4 else [math.pi / 2]
    lines = []
    for angle in angles:
        along = np.array([math.cos(angle + lean), math.sin(angle + lean)])
        normal = np.array([-along[1], along[0]])
        for number in range(round(2.2 * side / spacing)):
            middle = np.array([width / 2, height / 2]) + normal * (number * spacing - 1.1 * side)
            lines.append(plain(np.stack((middle - 1.5 * side * along, middle + 1.5 * side * along)), thickness))
    if len(angles) == 1:
        levels = rng.uniform(0, height, int(rng.integers(0, 4)))
        rails = [np.array([[-9.0, level], [width + 9.0, level + lean * width]]) for level in levels]
        lines += [plain(rail, 1.3 * thickness) for rail in rails]
    layer = strokes((height, width), lines)
    if rng.random() < 0.6:
        layer[: round(rng.uniform(0, 0.6) * height)] = 0
    _paint(picture, layer, rng, dark=0.6)


def branches(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Twigs that fork and taper, or blades of grass."""
    height, width = picture.shape[:2]
    lines: list[Stroke] = []

    def grow(start: np.ndarray, angle: float, length: float, thick: float, depth: int) -> None:
        path = wandering(start, angle, length, rng, step=6.0, bend=rng.normal(0, 0.02), jitter=0.08)
        parts = len(path) - 1
        lines.append(Stroke(path, np.linspace(thick, 0.6 * thick, parts), np.ones(parts)))
        if depth:
            for _ in range(int(rng.integers(2, 5))):
                place = path[int(rng.integers(len(path) // 2, len(path)))]
                grow(place, angle + rng.normal(0, 0.6), length * rng.uniform(0.4, 0.8), 0.6 * thick, depth - 1)

    if rng.random() < 0.3:
        base = np.array([rng.uniform(0, width), height * rng.uniform(0.6, 1.1)])
        for _ in range(int(rng.integers(15, 70))):
            root, angle = base + rng.normal(0, (0.25 * width, 6)), -math.pi / 2 + rng.normal(0, 0.35)
            length, bend = height * rng.uniform(0.1, 0.6), rng.normal(0, 0.03)
            path = wandering(root, angle, length, rng, step=7.0, bend=bend, jitter=0.02)
            lines.append(plain(path, rng.uniform(0.7, 2.5)))
    else:
        edge = np.array([rng.choice([0, width]), rng.uniform(0, height)], np.float64)
        aim = math.atan2(height / 2 - edge[1], width / 2 - edge[0])
        grow(edge, aim + rng.normal(0, 0.4), min(height, width) * rng.uniform(0.4, 0.9), rng.uniform(2, 8), 3)
    _paint(picture, strokes((height, width), lines), rng, dark=0.8)


def text(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Lines of letters: a sign, a page, a date in the corner."""
    height, width = picture.shape[:2]
    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    size = float(rng.uniform(9, 54))
    font = ImageFont.load_default(size)
    x, y = rng.uniform(0, 0.5 * width), rng.uniform(0, 0.8 * height)
    for _ in range(int(rng.integers(1, 6))):
        words = "".join(rng.choice(list(_LETTERS + 8 * " "), int(rng.integers(3, 28))))
        pen.text((x, y), words, fill=255, font=font)
        y += 1.3 * size
    layer = np.asarray(canvas, np.float32) / np.float32(255)
    if rng.random() < 0.6:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 8), 1.0)
        layer = np.asarray(cv2.warpAffine(layer, turn, (width, height), flags=cv2.INTER_LINEAR))
    if rng.random() < 0.4:  # a sign of one colour
        top, bottom = np.quantile(np.nonzero(layer.any(axis=1))[0], (0, 1)).astype(int) if layer.any() else (0, 0)
        picture[max(0, top - 5) : bottom + 6] = rng.uniform(0, 1, 3).astype(np.float32)
    _paint(picture, layer, rng, dark=0.5)


def outlines(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Frames, rings and rods: closed curves and bars of one width."""
    height, width = picture.shape[:2]
    lines = []
    for _ in range(int(rng.integers(1, 6))):
        middle, radii = anywhere((height, width), rng), min(height, width) * rng.uniform(0.05, 0.5, 2)
        if rng.random() < 0.5:
            angles = np.linspace(0, 2 * math.pi, 60)
            points = middle + np.stack((radii[0] * np.cos(angles), radii[1] * np.sin(angles)), axis=1)
        else:
            points = middle + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * radii
        turn = rng.normal(0, 0.3)
        spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        lines.append(plain((points - middle) @ spin + middle, rng.uniform(0.8, 4)))
    _paint(picture, strokes((height, width), lines), rng, dark=0.5)


def dots(picture: np.ndarray, rng: np.random.Generator) -> None:
    """A pattern of dots, or lights: all of one size."""
    height, width = picture.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    radius, spacing = rng.uniform(1, 5), rng.uniform(10, 32)
    scatter, spin = rng.uniform(0, 0.15) * spacing, rng.uniform(0, math.pi / 2)
    middle, reach = anywhere((height, width), rng), min(height, width) * rng.uniform(0.15, 0.6)
    count = int(reach / spacing)
    for row in range(-count, count + 1):
        for column in range(-count, count + 1):
            u, v = column * spacing + rng.normal(0, scatter), row * spacing + rng.normal(0, scatter)
            x = middle[0] + u * math.cos(spin) - v * math.sin(spin)
            y = middle[1] + u * math.sin(spin) + v * math.cos(spin)
            cv2.circle(layer, (round(8 * x), round(8 * y)), round(8 * radius), 255, -1, cv2.LINE_AA, 3)
    _paint(picture, layer.astype(np.float32) / 255, rng, dark=0.4)


KINDS: dict[str, Callable[[np.ndarray, np.random.Generator], None]] = {
    "wires": wires,
    "joints": joints,
    "fences": fences,
    "branches": branches,
    "text": text,
    "outlines": outlines,
    "dots": dots,
}
"""Kind of lookalike to the function that draws it."""


def _across(line: Stroke) -> Stroke:
    return Stroke(line.points[:, ::-1], line.widths, line.strengths)


def _paint(picture: np.ndarray, layer: np.ndarray, rng: np.random.Generator, dark: float) -> None:
    """Paint a layer with the colour of a thing: lit as the picture is, a little brighter along one side."""
    is_dark = rng.random() < dark
    tone = rng.uniform(0.02, 0.3) if is_dark else rng.uniform(0.6, 0.98)
    colour = np.clip(tone + rng.normal(0, 0.06, 3) * (rng.random() < 0.6), 0, 1).astype(np.float32)
    if rng.random() < 0.2:
        colour = rng.uniform(0, 1, 3).astype(np.float32)
    opacity = np.float32(rng.uniform(0.7, 1))
    lit = picture.shape[0] * np.float32(rng.uniform(0.5, 2))
    shade = 1 + np.float32(rng.normal(0, 0.15)) * (np.arange(picture.shape[0], dtype=np.float32) / lit)[:, None, None]
    soft = float(rng.uniform(0, 0.9))
    if soft > 0.3:
        layer = cv2.GaussianBlur(layer, (0, 0), soft)
    picture += (np.clip(colour * shade, 0, 1) - picture) * (opacity * layer)[..., None]
