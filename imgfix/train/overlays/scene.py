"""What must stay: writing and drawings that belong to the scene, on signs, walls, shirts and paper."""

from __future__ import annotations

import cv2
import numpy as np

from imgfix.train.overlays import wording
from imgfix.train.overlays.assets import sticker
from imgfix.train.overlays.kinds import Sheet
from imgfix.train.overlays.lettering import Style, write_line


def print_on_scene(picture: np.ndarray, sheet: Sheet) -> None:
    """Put a sign or a print into a picture (H, W, 3) float32 in [0, 255], in place.

    It is seen from aside, in the scene's light and shade, as blurred as a camera sees it, before anything is laid over.
    """
    print_rgba = _sign(sheet) if sheet.chance(0.75) else _drawing(sheet)
    if print_rgba is None:
        return
    height, width = picture.shape[:2]
    h, w = print_rgba.shape[:2]
    across = sheet.between(0.12, 0.5) * width
    down = min(across * h / w, 0.5 * height)
    left, top = sheet.between(0, 1) * (width - across), sheet.between(0, 1) * (height - down)
    corners = _floats([[left, top], [left + across, top], [left + across, top + down], [left, top + down]])
    lean = sheet.between(0.06, 0.22)
    corners += sheet.rng.uniform(-lean, lean, (4, 2)).astype(np.float32) * _floats([across, max(down, 0.5 * across)])
    view = cv2.getPerspectiveTransform(_floats([[0, 0], [w, 0], [w, h], [0, h]]), corners)
    flat = np.concatenate([print_rgba[..., :3] * print_rgba[..., 3:], print_rgba[..., 3:]], axis=-1)
    seen = cv2.warpPerspective(flat, view, (width, height), flags=cv2.INTER_AREA)
    seen = cv2.GaussianBlur(seen, (0, 0), sheet.between(0.6, 1.8))
    alpha = seen[..., 3:] * sheet.between(0.9, 1)
    colours = seen[..., :3] / np.maximum(seen[..., 3:], 1e-3)
    # The light of the place, and the grain of the surface, fall on the print too.
    grey = picture.mean(axis=-1)
    light = cv2.GaussianBlur(grey, (0, 0), 0.05 * sheet.side)
    inside = seen[..., 3] > 0.5
    level = float(light[inside].mean()) if inside.any() else float(light.mean())
    shade = np.clip(light / max(level, 8.0), 0.4, 1.8) * np.clip(level / 150, 0.35, 1.15)
    grain = np.clip(1 + sheet.between(0.3, 1.2) * (grey - light) / np.maximum(light, 16.0), 0.5, 1.6)
    noise = sheet.rng.normal(0, sheet.between(1, 5), grey.shape).astype(np.float32)
    tint = _floats([sheet.between(0.85, 1.05), sheet.between(0.85, 1.0), sheet.between(0.75, 1.0)])
    lit = np.clip(colours * (shade * grain)[..., None] * tint + noise[..., None] + 8, 0, 255)
    picture += (lit - picture) * alpha


def _sign(sheet: Sheet) -> np.ndarray | None:
    """Lines of writing on a board, or straight on a surface."""
    size = int(sheet.rng.integers(24, 60))
    alphabet = sheet.alphabet()
    font, style = sheet.font(alphabet), Style(sheet.colour())
    lines = []
    for _ in range(int(sheet.rng.integers(1, 4))):
        text = wording.words(sheet.rng, int(sheet.rng.integers(1, 4)), alphabet)
        line = write_line(text if sheet.chance(0.8) else wording.name(sheet.rng), font, size, style)
        if line.size:
            lines.append(line)
    if not lines:
        return None
    wide = max(line.shape[1] for line in lines) + size
    rows = [np.pad(x, ((2, 2), ((wide - x.shape[1]) // 2, wide - x.shape[1] - (wide - x.shape[1]) // 2), (0, 0)))
            for x in lines]  # fmt: skip
    letters = np.concatenate(rows, axis=0)
    if sheet.chance(0.35):
        return letters
    board = np.empty_like(letters)
    board[..., :3] = sheet.colour()
    board[..., 3] = 1
    board[..., :3] += (letters[..., :3] - board[..., :3]) * letters[..., 3:]
    if sheet.chance(0.4):
        edge = max(2, size // 8)
        cv2.rectangle(board, (edge, edge), (board.shape[1] - edge, board.shape[0] - edge), (*style.colour, 1.0), edge)
    return board


def _drawing(sheet: Sheet) -> np.ndarray | None:
    """A drawing, as printed on a shirt, a cup or a poster."""
    if not sheet.assets.stickers:
        return None
    return sticker(sheet.assets.stickers[int(sheet.rng.integers(len(sheet.assets.stickers)))])


def _floats(values: object) -> np.ndarray:
    return np.array(values, np.float32)
