"""Put pictures side by side with a word over each, all at the height of the largest.

    python examples/sheet.py sheet.jpg before=in.jpg after=out.jpg [crop=x,y,w,h]

crop: a part of the pictures to show, in percent of their sides.
"""

from __future__ import annotations

import sys

from PIL import Image, ImageDraw, ImageFont, ImageOps

GAP = 12
LABEL = 34


def main(target: str, *words: str) -> None:
    """Write the sheet."""
    named = dict(word.split("=", 1) for word in words)
    crop = [float(number) / 100 for number in named.pop("crop", "0,0,100,100").split(",")]
    height = int(named.pop("height", 480))
    panels = []
    for path in named.values():
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        x, y, w, h = (round(part * side) for part, side in zip(crop, picture.size * 2, strict=True))
        picture = picture.crop((x, y, x + w, y + h))
        how = Image.Resampling.BICUBIC if picture.height < height else Image.Resampling.LANCZOS
        panels.append(picture.resize((round(picture.width * height / picture.height), height), how))
    width = sum(panel.width for panel in panels) + GAP * (len(panels) + 1)
    sheet = Image.new("RGB", (width, height + LABEL + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    left = GAP
    for name, panel in zip(named, panels, strict=True):
        draw.text((left, 6), name.replace("_", " "), "black", ImageFont.load_default(20))
        sheet.paste(panel, (left, LABEL))
        left += panel.width + GAP
    sheet.save(target, quality=88)


if __name__ == "__main__":
    main(*sys.argv[1:])
