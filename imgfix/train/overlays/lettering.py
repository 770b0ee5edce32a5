"""Writing as layers: a line of text with its outline, shadow or box."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from imgfix.train.overlays.assets import font_at

Colour = tuple[int, int, int]

JOIN = 0.55
"""Gaps between letters up to this part of the font's size belong to the line."""


@dataclass(frozen=True)
class Style:
    """How a line is drawn; lengths are parts of the font's size."""

    colour: Colour = (255, 255, 255)
    alpha: float = 1.0
    outline: float = 0.0
    outline_colour: Colour = (0, 0, 0)
    shadow: float = 0.0
    """How far a dark shadow falls to the right and down."""
    glow: float = 0.0
    """Blur of the letters, as light of a display that was exposed on film."""
    box: float = 0.0
    """Alpha of a box behind the line, 0 for none."""
    box_colour: Colour = (0, 0, 0)
    margin: float = 0.3
    """Of that box around the letters."""


def write_line(text: str, path: Path | None, size: int, style: Style) -> np.ndarray:
    """(h, w, 4) float32, colours in [0, 255] and alpha in [0, 1]; empty where the font draws nothing."""
    font, line = font_at(path, size), round(style.outline * size)
    left, top, right, bottom = font.getbbox(text, stroke_width=line) if line else font.getbbox(text)
    room = round((max(style.shadow, style.glow * 2, style.margin if style.box else 0) + 0.1) * size) + 1
    width, height = int(right - left) + 2 * room, int(bottom - top) + 2 * room
    if right - left < 1 or bottom - top < 1:
        return np.zeros((0, 0, 4), np.float32)

    def drawn(stroke: int) -> np.ndarray:
        sheet = Image.new("L", (width, height))
        ImageDraw.Draw(sheet).text((room - left, room - top), text, fill=255, font=font, stroke_width=stroke)
        return np.asarray(sheet, np.float32) / 255

    letters = drawn(0)
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:], alpha = style.colour, letters
    if style.glow:
        alpha = np.maximum(cv2.GaussianBlur(letters, (0, 0), max(0.3, style.glow * size)), 0.7 * letters)
    if line:
        around = drawn(line)
        rgb = style.outline_colour + (rgb - np.array(style.outline_colour, np.float32)) * letters[..., None]
        alpha = np.maximum(alpha, around)
    if style.shadow:
        shift = max(1, round(style.shadow * size))
        dark = np.zeros_like(alpha)
        dark[shift:, shift:] = alpha[:-shift, :-shift]
        dark = 0.7 * cv2.GaussianBlur(dark, (0, 0), max(0.5, shift / 2))
        rgb, alpha = _over(rgb, alpha, np.zeros_like(rgb), dark)
    if style.box:
        behind = np.zeros_like(alpha)
        edge = max(0, room - round(style.margin * size))
        behind[edge : height - edge, edge : width - edge] = style.box
        rgb, alpha = _over(rgb, alpha, np.broadcast_to(np.array(style.box_colour, np.float32), rgb.shape), behind)
    return np.concatenate([rgb, style.alpha * alpha[..., None]], axis=-1).astype(np.float32)


def _over(
    rgb: np.ndarray, alpha: np.ndarray, behind: np.ndarray, behind_alpha: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A layer with another one behind it."""
    whole = alpha + behind_alpha * (1 - alpha)
    part = (alpha / np.maximum(whole, 1e-4))[..., None]
    return rgb * part + behind * (1 - part), whole
