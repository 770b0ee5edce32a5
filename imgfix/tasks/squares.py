"""A picture of any shape as the square that a generating network looks at, and sheets of small pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imgfix.media.picture import Picture

_GAP, _LABEL = 6, 16


def squared(picture: Picture, side: int, channels: int) -> np.ndarray:
    """Fit a picture into a square: what is transparent is padded, what is not is cut to its middle.

    Returns:
        (side, side, channels) uint8; colours are multiplied by the opacity where there are four channels, else on
        white.
    """
    whole = premultiplied(picture)
    height, width = whole.shape[:2]
    if whole[..., 3].min() >= 255:
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        whole = whole[top : top + short, left : left + short]
        height = width = short
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    whole = cv2.resize(whole, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    canvas = np.zeros((side, side, 4), np.float32)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = whole
    if channels < 4:
        canvas = canvas[..., :3] + 255 - canvas[..., 3:]
    if channels == 1:
        canvas = canvas @ np.array([[0.299], [0.587], [0.114]], np.float32)
    return canvas.round().clip(0, 255).astype(np.uint8)


def premultiplied(picture: Picture) -> np.ndarray:
    """(H, W, 4) float32 in [0, 255]: colours, multiplied by the opacity, and the opacity."""
    pixels = picture.pixels if picture.pixels.dtype == np.uint8 else (picture.pixels >> 8).astype(np.uint8)
    if pixels.shape[2] == 4:  # CMYK, 0 = no ink
        pixels = (255 - pixels[..., :3].astype(np.int32)) * (255 - pixels[..., 3:].astype(np.int32)) // 255
    colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.float32)
    if picture.alpha is None:
        opacity = np.full((*pixels.shape[:2], 1), 255, np.float32)
    else:
        alpha = picture.alpha if picture.alpha.dtype == np.uint8 else picture.alpha >> 8
        opacity = alpha[..., None].astype(np.float32)
    return np.concatenate([colours * opacity / 255, opacity], 2)


def on_white(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1, 3 or 4) uint8 as RGB on white."""
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3:].astype(np.float32) / 255
        return (pixels[..., :3] * opacity + 255 * (1 - opacity)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def contact_sheet(pictures: Sequence[np.ndarray], labels: Sequence[str] = (), columns: int | None = None) -> np.ndarray:
    """Arrange pictures of one size on white, row by row, about as wide as high, each with its label below.

    Args:
        pictures: (H, W, C) uint8.
        labels: one a picture, or none at all.
        columns: pictures in a row.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = pictures[0].shape[:2]
    columns = columns or max(1, round((len(pictures) * (1.2 if labels else 1.0)) ** 0.5))
    rows = -(-len(pictures) // columns)
    below = _LABEL if labels else 0
    size = _GAP + columns * (width + _GAP), _GAP + rows * (height + below + _GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, picture in enumerate(pictures):
        left, top = _GAP + number % columns * (width + _GAP), _GAP + number // columns * (height + below + _GAP)
        sheet.paste(Image.fromarray(on_white(picture)), (left, top))
        if labels:
            text = labels[number]
            while text and pen.textlength(text, font=font) > width + _GAP - 2:
                text = text[:-1]
            pen.text((left + width / 2, top + height + 1), text, "black", font, anchor="ma")
    return np.asarray(sheet)
