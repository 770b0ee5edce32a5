"""Comparison sheets: the same zoomed detail of several pictures side by side, with labels and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

PANEL = 240  # side of a zoomed detail
OVERVIEW = 300  # longest side of the whole picture
MARGIN = 10
CAPTION = 38  # room for two lines below a picture
INK, PAPER, MARK, DIM = (20, 20, 20), (250, 250, 250), (220, 40, 40), (110, 110, 110)


@dataclass(frozen=True)
class Panel:
    """One version of a picture."""

    label: str
    pixels: np.ndarray
    """(H, W, 1 or 3) in [0, 1]; all panels of a row have one size."""
    numbers: str = ""
    """For the second line below it."""


@dataclass(frozen=True)
class Row:
    """One picture in several versions, the reference first."""

    name: str
    panels: tuple[Panel, ...]


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface that comes with Pillow."""
    return ImageFont.load_default(size)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) in [0, 1] -> (H, W, 3) uint8."""
    values = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def telling_detail(panels: Sequence[Panel], side: int) -> tuple[int, int]:
    """Top and left of the square where the versions differ most from the first one."""
    reference = to_bytes(panels[0].pixels).astype(np.float32)
    error = sum(np.square(to_bytes(panel.pixels).astype(np.float32) - reference).sum(2) for panel in panels[1:])
    if isinstance(error, int):
        error = np.square(reference - cv2.blur(reference, (9, 9))).sum(2)
    # The mean over the square that begins at each pixel, from sums of the whole picture.
    sums = cv2.integral(error)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(top), int(left)


def draw(rows: Sequence[Row], title: str, *, zoom: int = 4) -> np.ndarray:
    """A sheet with one line a picture: the whole picture with the detail marked, then the detail of every version.

    Returns (H, W, 3) uint8. Details are enlarged `zoom` times without smoothing.
    """
    width = MARGIN + OVERVIEW + MARGIN + (PANEL + MARGIN) * max(len(row.panels) for row in rows)
    heights = [row_height(row) for row in rows]
    sheet = Image.new("RGB", (width, 40 + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 10), shortened(title, width - 2 * MARGIN, 15), fill=INK, font=font(15))
    top = 40
    for row, height in zip(rows, heights, strict=True):
        draw_row(sheet, pen, row, top, zoom)
        top += height
    return np.asarray(sheet)


def overview_size(row: Row) -> tuple[int, int]:
    """Width and height of the small whole picture."""
    height, width = row.panels[0].pixels.shape[:2]
    factor = min(OVERVIEW / width, PANEL / height)
    return max(1, round(width * factor)), max(1, round(height * factor))


def row_height(row: Row) -> int:
    """Rows of pixels that one line of the sheet takes."""
    return PANEL + CAPTION + MARGIN


def draw_row(sheet: Image.Image, pen: ImageDraw.ImageDraw, row: Row, top: int, zoom: int) -> None:
    """Put one picture's line at `top`."""
    height, width = row.panels[0].pixels.shape[:2]
    side = min(PANEL // zoom, height, width)
    y, x = telling_detail(row.panels, side)
    small = Image.fromarray(to_bytes(row.panels[0].pixels)).resize(overview_size(row), Image.Resampling.LANCZOS)
    sheet.paste(small, (MARGIN, top))
    scale = small.width / width
    box = [MARGIN + x * scale, top + y * scale, MARGIN + (x + side) * scale, top + (y + side) * scale]
    pen.rectangle(box, outline=MARK, width=2)
    pen.text((MARGIN, top + PANEL + 3), shortened(row.name, OVERVIEW, 14), fill=INK, font=font(14))
    pen.text((MARGIN, top + PANEL + 20), f"{width}x{height}, detail {side}x{side}", fill=DIM, font=font(12))
    left = MARGIN + OVERVIEW + MARGIN
    for panel in row.panels:
        detail = to_bytes(panel.pixels)[y : y + side, x : x + side]
        enlarged = Image.fromarray(np.ascontiguousarray(detail)).resize((PANEL, PANEL), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (left, top))
        pen.text((left, top + PANEL + 3), shortened(panel.label, PANEL, 14), fill=INK, font=font(14))
        pen.text((left, top + PANEL + 20), shortened(panel.numbers, PANEL, 12), fill=DIM, font=font(12))
        left += PANEL + MARGIN


def shortened(text: str, width: int, size: int) -> str:
    """Text that fits into a width, its middle left out where needed."""
    if font(size).getlength(text) <= width:
        return text
    keep = len(text)
    while keep > 2 and font(size).getlength(f"{text[: keep // 2]}...{text[-(keep // 2) :]}") > width:
        keep -= 1
    return f"{text[: keep // 2]}...{text[-(keep // 2) :]}"
