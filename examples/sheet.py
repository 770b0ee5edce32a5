"""Put pictures side by side with a word over each, all at the height of the largest.

    python examples/sheet.py sheet.jpg before=in.jpg after=out.jpg [crop=x,y,w,h]

crop: a part of the pictures to show, in percent of their sides.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP = 12
LABEL = 34


def main(target: str, *words: str) -> None:
    """Write the sheet."""
    named = dict(word.split("=", 1) for word in words)
    crop = [float(number) / 100 for number in named.pop("crop", "0,0,100,100").split(",")]
    height = int(named.pop("height", 480))
    panels = {}
    for name, path in named.items():
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        x, y, w, h = (round(part * side) for part, side in zip(crop, picture.size * 2, strict=True))
        panels[name.replace("_", " ")] = picture.crop((x, y, x + w, y + h))
    sheet([row(panels, height)]).save(target, quality=88)


def row(panels: Mapping[str, Image.Image], height: int) -> Image.Image:
    """Pictures side by side at one height, each with its name over it."""
    shown = {}
    for name, picture in panels.items():
        how = Image.Resampling.BICUBIC if picture.height < height else Image.Resampling.LANCZOS
        shown[name] = picture.resize((round(picture.width * height / picture.height), height), how)
    width = sum(panel.width for panel in shown.values()) + GAP * (len(shown) + 1)
    made = Image.new("RGB", (width, height + LABEL + GAP), "white")
    draw = ImageDraw.Draw(made)
    left = GAP
    for name, panel in shown.items():
        draw.text((left, 6), name, "black", ImageFont.load_default(20))
        made.paste(panel, (left, LABEL))
        left += panel.width + GAP
    return made


def sheet(rows: Sequence[Image.Image]) -> Image.Image:
    """Rows below each other."""
    made = Image.new("RGB", (max(each.width for each in rows), sum(each.height for each in rows)), "white")
    top = 0
    for each in rows:
        made.paste(each, (0, top))
        top += each.height
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
