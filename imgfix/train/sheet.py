"""Sample sheets: what the net gets, gives and should give, side by side in one PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imgfix.media.files import write_atomic

_GAP, _HEAD, _NARROWEST = 4, 18, 96


def draw_sheet(columns: Mapping[str, Tensor], rows: int = 6) -> Image.Image:
    """Draw a sheet with one titled column for each entry and one row a sample.

    Smaller pictures (a low-resolution input) are enlarged with hard pixels, so that nothing is prettified.

    Args:
        columns: title to (N, 3 or 1, H, W) in [0, 1].
        rows: most samples shown.
    """
    names = list(columns)
    shown = {name: columns[name][:rows].detach().float().cpu() for name in names}
    height = max(t.shape[-2] for t in shown.values())
    width = max(t.shape[-1] for t in shown.values())
    enlarge = -(-_NARROWEST // width)  # tiny crops would be unreadable, and narrower than their titles
    height, width = height * enlarge, width * enlarge
    count = max(t.shape[0] for t in shown.values())
    size = (_GAP + len(names) * (width + _GAP), _HEAD + count * (height + _GAP))
    sheet = Image.new("RGB", size, (24, 24, 24))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, name in enumerate(names):
        left = _GAP + column * (width + _GAP)
        pen.text((left, 1), name, fill=(230, 230, 230), font=font)
        for row, picture in enumerate(shown[name]):
            pixels = picture.nan_to_num(0).clamp(0, 1).mul(255).round().byte().numpy().transpose(1, 2, 0)
            if pixels.shape[2] == 1:
                pixels = np.repeat(pixels, 3, axis=2)
            tile = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
            if tile.size != (width, height):
                factor = max(1, min(width // tile.width, height // tile.height))
                tile = tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, _HEAD + row * (height + _GAP)))
    return sheet


def write_sheet(path: Path, columns: Mapping[str, Tensor], rows: int = 6) -> None:
    """Write a sheet as PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    buffer = io.BytesIO()
    draw_sheet(columns, rows).save(buffer, "PNG", compress_level=4)
    write_atomic(path, buffer.getvalue())
