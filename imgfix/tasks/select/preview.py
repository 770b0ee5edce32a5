"""A picture with the chosen part marked, and with names on what was found."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imgfix.tasks.select.choose import Thing

SHADE = (255, 0, 160)
"""A colour that hardly any photograph has."""
COLOURS = ((255, 90, 60), (60, 160, 255), (90, 200, 80), (255, 190, 40), (190, 100, 255), (60, 210, 200))


def marked(rgb: np.ndarray, mask: np.ndarray, things: Sequence[Thing]) -> np.ndarray:
    """(H, W, 3) uint8 with the mask (H, W) shaded and outlined, and the things labelled."""
    weight = (mask[..., None] * 0.5).astype(np.float32)
    shaded = rgb.astype(np.float32) * (1 - weight) + np.array(SHADE, np.float32) * weight
    shown = (shaded + 0.5).astype(np.uint8)
    lines, _ = cv2.findContours((mask >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, lines, -1, SHADE, max(1, max(rgb.shape[:2]) // 600))
    return labelled(shown, [thing for thing in things if thing.kind not in ("background",)])


def labelled(rgb: np.ndarray, things: Sequence[Thing]) -> np.ndarray:
    """(H, W, 3) uint8 with a box and `name:number` for each thing."""
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    size = max(10, round(max(rgb.shape[:2]) / 45))
    font = ImageFont.load_default(size)
    names = list(dict.fromkeys(thing.name for thing in things))
    for thing in things:
        colour = COLOURS[names.index(thing.name) % len(COLOURS)]
        left, top, right, bottom = (round(edge) for edge in thing.box)
        draw.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=max(1, size // 8))
        words = title(thing)
        wide = draw.textlength(words, font=font)
        x = max(0, min(left, rgb.shape[1] - round(wide) - 4))
        y = top - size - 4 if top >= size + 4 else top
        draw.rectangle((x, y, x + wide + 4, y + size + 4), fill=colour)
        draw.text((x + 2, y), words, fill=(0, 0, 0), font=font)
    return np.asarray(picture)


def title(thing: Thing) -> str:
    """As it can be asked for: `person:2`."""
    return f"{thing.name}:{thing.number}" if thing.kind == "object" else thing.name
