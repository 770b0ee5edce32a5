"""Small text, windows and sprites drawn by code in many fonts, sizes and themes: what `auto` makes of their colours.

    python -m tests.bench.letters [--fonts FOLDER] [--scale 4] [--look-only] [--sheet FILE]

`--fonts` adds the TrueType files of a folder to Pillow's own font. A page holds words and ruled lines; a window a title
bar, a menu, a table and buttons; sprites are 16 pixels wide and high. Each is enlarged by `--model auto`. `ink` is how
far the sample of the result that is nearest to the colour of a stroke or a line is from it, of 255: the mean and the
95th percentile.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import imgfix
from imgfix.tasks.content import look

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
WORDS = (
    *("Chapter", "three:", "it", "was", "the", "best", "of", "times,", "the", "worst", "of", "times,", "the", "age"),
    *("of", "wisdom,", "the", "epoch", "of", "belief,", "1,240.50", "km/h", "Options", "Cancel", "(0.75)", "light"),
)
SIZES = (9, 11, 13, 16, 20)


class Theme(NamedTuple):
    """Colours of a page."""

    name: str
    ground: Colour
    ink: Colour
    line: Colour
    accent: Colour


THEMES = (
    Theme("light", (255, 255, 255), (0, 0, 0), (120, 120, 120), (0, 90, 200)),
    Theme("dark", (30, 30, 34), (220, 220, 220), (90, 90, 96), (80, 160, 250)),
    Theme("cream", (253, 246, 227), (88, 110, 117), (200, 190, 160), (203, 75, 22)),
    Theme("blue", (0, 43, 54), (147, 161, 161), (40, 80, 92), (181, 137, 0)),
    Theme("grey", (212, 208, 200), (40, 40, 40), (128, 128, 128), (0, 0, 128)),
)


class Drawn(NamedTuple):
    """A picture that was drawn."""

    name: str
    pixels: np.ndarray
    """(H, W, 3) uint8."""
    strokes: np.ndarray
    """(H, W) bool: where ink or a line has its full colour."""


def fonts(folder: Path | None, size: int) -> Iterator[tuple[str, Font]]:
    yield "default", ImageFont.load_default(size)
    for path in sorted(folder.glob("*.ttf")) if folder is not None else []:
        yield path.stem, ImageFont.truetype(path, size)


def page(theme: Theme, font: Font, size: int, name: str) -> Drawn:
    """Words in rows under ruled lines."""
    picture = Image.new("RGB", (300, 160), theme.ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((4, 4, 295, 155), outline=theme.line)
    y, words = 8, iter(WORDS * 6)
    while y < 152 - size:
        x = 10.0
        for word in words:
            if x + draw.textlength(word, font) > 290:
                break
            draw.text((round(x), y), word, theme.ink, font)
            x += draw.textlength(word + " ", font)
        y += size + 6
        draw.line((4, y - 3, 295, y - 3), theme.line)
    return _drawn(name, picture, theme)


def window(theme: Theme, font: Font, size: int, name: str) -> Drawn:
    """A title bar, a menu, a table and two buttons."""
    picture = Image.new("RGB", (300, 180), theme.ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 299, size + 8), fill=theme.accent)
    draw.text((8, 3), "Settings - photo.png", theme.ground, font)
    draw.text((8, size + 12), "File   Edit   View   Help", theme.ink, font)
    top = 2 * size + 20
    draw.line((0, top, 299, top), theme.line)
    for row in range(3):
        y = top + 6 + row * (size + 6)
        draw.rectangle((8, y, 290, y + size + 4), outline=theme.line)
        draw.line((120, y, 120, y + size + 4), theme.line)
        draw.text((12, y + 1), WORDS[3 * row], theme.ink, font)
        draw.text((126, y + 1), WORDS[20 + row], theme.ink, font)
    for left, label in ((120, "OK"), (210, "Cancel")):
        draw.rectangle((left, 178 - size - 10, left + 74, 176), outline=theme.line)
        draw.text((left + 16, 178 - size - 8), label, theme.ink, font)
    return _drawn(name, picture, theme)


def sprite(seed: int) -> Drawn:
    """A figure of 16 pixels, mirrored, in few colours on an even ground."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (int(random.integers(3, 8)), 3)).astype(np.uint8)
    half = random.integers(0, len(colours), (12, 6))
    figure = np.zeros((16, 16), int)
    figure[2:14, 2:8], figure[2:14, 8:14] = half, half[:, ::-1]
    return Drawn("sprite", colours[figure], np.ones((16, 16), bool))


def _drawn(name: str, picture: Image.Image, theme: Theme) -> Drawn:
    pixels = np.asarray(picture)
    full = [(pixels == np.array(colour, np.uint8)).all(axis=2) for colour in (theme.ink, theme.line)]
    return Drawn(name, pixels, full[0] | full[1])


def ink_error(drawn: Drawn, made: np.ndarray) -> np.ndarray:
    """For each stroke's pixel the least distance of its samples in the result from its colour, the worst channel's."""
    height, width = drawn.pixels.shape[:2]
    scale = made.shape[0] // height
    blocks = made.reshape(height, scale, width, scale, 3).swapaxes(1, 2).reshape(height, width, -1, 3).astype(int)
    apart: np.ndarray = np.abs(blocks - drawn.pixels[:, :, None].astype(int)).max(axis=3).min(axis=2)
    return apart[drawn.strokes]


def everything(folder: Path | None, themes: tuple[Theme, ...] = THEMES, sizes: tuple[int, ...] = SIZES) -> list[Drawn]:
    found = []
    for theme in themes:
        for size in sizes:
            for font_name, font in fonts(folder, size):
                found.append(page(theme, font, size, f"page {theme.name} {size} {font_name}"))
                found.append(window(theme, font, size, f"window {theme.name} {size} {font_name}"))
    return found + [sprite(seed) for seed in range(12)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--every", type=int, default=1, help="take one in so many")
    parser.add_argument("--look-only", action="store_true", help="say what each is taken for, enlarge nothing")
    parser.add_argument("--sheet", type=Path, help="the worst four, beside their pixels repeated")
    options = parser.parse_args()
    taken: Counter[tuple[str, str]] = Counter()
    rows: list[tuple[float, float, Drawn, np.ndarray]] = []
    for drawn in everything(options.fonts)[:: options.every]:
        kind = look(drawn.pixels).kind
        taken[drawn.name.split()[0], kind] += 1
        if kind == "photo" or options.look_only:
            print(f"{drawn.name}: {kind}", flush=True)
        if options.look_only:
            continue
        made = imgfix.upscale(drawn.pixels, scale=options.scale)
        errors = ink_error(drawn, made)
        rows.append((float(errors.mean()), float(np.percentile(errors, 95)), drawn, made))
        print(f"{drawn.name}: {kind}, ink {rows[-1][0]:.1f}, 95 % {rows[-1][1]:.0f}", flush=True)
    print("taken for:", {" as ".join(key): count for key, count in sorted(taken.items())})
    for part in ("page", "window", "sprite") if rows else ():
        some = [row for row in rows if row[2].name.startswith(part)]
        if some:
            good = sum(row[1] <= 10 for row in some)
            print(f"{part}: ink {np.mean([row[0] for row in some]):.1f}, within 10 for 95 %: {good} of {len(some)}")
    if options.sheet is not None and rows:
        worst = sorted(rows, key=lambda row: -row[1])[:4]
        pairs = []
        for _, _, drawn, made in worst:
            plain = drawn.pixels.repeat(options.scale, 0).repeat(options.scale, 1)
            pair = np.concatenate([plain, made], axis=1)[:480, :2400]
            pairs.append(np.pad(pair, ((0, 480 - pair.shape[0]), (0, 2400 - pair.shape[1]), (0, 0))))
        Image.fromarray(np.concatenate(pairs)).save(options.sheet)


if __name__ == "__main__":
    main()
