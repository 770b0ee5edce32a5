"""What `--model auto` takes pictures for, and how the methods serve text and thin lines.

    python -m tests.bench.content --photos DIR [DIR ...] --sprites DIR --pages DIR --json content.json

Every folder is searched for pictures; `--thumbnails` also looks at each photo at 32 and 64 pixels, in colour and grey.
Then pages are drawn, words and ruled lines of one pixel, and enlarged four times. `ink` is how far the darkest sample
of a stroke or line of the result is from its colour in the page, of 255 (mean and 95th percentile); `back` the mean
difference of the result, shrunk to the page's size, from the page, on ink; `words` the share of words that a text
reader (extra `text`) finds in the result as they were written.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import imgfix
from imgfix.errors import ImgfixError
from imgfix.media import image
from imgfix.tasks.content import look

METHODS = ("nearest", "bicubic", "lanczos", "fidelity-x4", "photo-x4")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
TEXT = (
    *("Chapter", "three:", "it", "was", "the", "best", "of", "times,", "the", "worst", "of", "times,", "the", "age"),
    *("of", "wisdom,", "the", "epoch", "of", "belief,", "the", "season", "of", "light"),
)


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for group in ("photos", "sprites", "pages"):
        asked.add_argument(f"--{group}", nargs="*", type=Path, default=[])
    asked.add_argument("--thumbnails", action="store_true")
    asked.add_argument("--sheet", type=Path, help="write the drawn pages as the methods enlarge them")
    asked.add_argument("--json", type=Path)
    words = asked.parse_args()
    found: dict[str, Any] = {"kinds": {}, "methods": {}}
    for group in ("photos", "sprites", "pages"):
        for folder in getattr(words, group):
            found["kinds"][f"{group}: {folder.name}"] = kinds(folder, words.thumbnails and group == "photos")
    found["methods"] = methods(words.sheet)
    if words.json:
        words.json.write_text(json.dumps(found, indent=1) + "\n")


def kinds(folder: Path, thumbnails: bool) -> dict[str, Any]:
    """How often each kind is found in a folder, and how long a look takes."""
    counted: Counter[str] = Counter()
    small: Counter[str] = Counter()
    seconds = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in ENDINGS:
            continue
        try:
            picture = image.read(path)
        except ImgfixError:
            continue
        start = time.process_time()
        counted[look(picture.pixels, picture.alpha).kind] += 1
        seconds.append(time.process_time() - start)
        if thumbnails:
            small.update(_thumbnails(picture.pixels))
    print(f"{folder}: {dict(counted)}, {1000 * float(np.median(seconds or [0])):.0f} ms", flush=True)
    if small:
        print(f"  as thumbnails: {dict(small)}", flush=True)
    return {"found": dict(counted), "thumbnails": dict(small), "milliseconds": 1000 * float(np.median(seconds or [0]))}


def _thumbnails(pixels: np.ndarray) -> list[str]:
    eight = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    whole = Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight[..., :3])
    found = []
    for side in (32, 64):
        whole_small = whole.copy()
        whole_small.thumbnail((side, side), Image.Resampling.LANCZOS)
        for mode in ("RGB", "L"):
            array = np.asarray(whole_small.convert(mode))
            found.append(look(array if array.ndim == 3 else array[..., None]).kind)
    return found


def methods(sheet: Path | None) -> dict[str, Any]:
    """How the methods serve drawn pages."""
    pages = [drawn(*of) for of in ((0, 255, 14), (70, 245, 18), (225, 30, 16))]
    read = reader()
    table: dict[str, Any] = {}
    rows = []
    for method in METHODS:
        made = [imgfix.upscale(page, model=method, device="cpu", precision="fp32", scale=4) for page, _ in pages]
        ink = np.concatenate([ink_error(page, result) for (page, _), result in zip(pages, made, strict=True)])
        back = np.mean([back_error(page, result) for (page, _), result in zip(pages, made, strict=True)])
        hits = [share(read(result), written) for (_, written), result in zip(pages, made, strict=True)] if read else []
        table[method] = {
            "ink": round(float(ink.mean()), 2), "ink_95": round(float(np.percentile(ink, 95)), 2),
            "back": round(float(back), 2), "words": round(float(np.mean(hits)), 4) if hits else None,
        }  # fmt: skip
        print(f"{method:12s} {table[method]}", flush=True)
        rows.append(np.concatenate([result[:240, :700] for result in made], axis=1))
    if sheet is not None:
        Image.fromarray(np.concatenate(rows)).save(sheet)
    return table


def drawn(ink: int, ground: int, height: int) -> tuple[np.ndarray, list[str]]:
    """A page with a ruled grid, and the words on it."""
    picture = Image.new("RGB", (420, 200), (ground,) * 3)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(height)
    grey = (120 if ground > 128 else 140,) * 3
    draw.rectangle((6, 4, 413, 195), outline=grey)
    words, written, y = iter(TEXT), [], 8
    while y < 200 - height - 10:
        line: list[str] = []
        for word in words:
            if draw.textlength(" ".join([*line, word]), font) > 390:
                written.append(word)  # begins the next line
                break
            line.append(word)
        draw.text((12, y), " ".join(line), (ink,) * 3, font)
        written = [*written[: len(written) - 1], *line]
        y += height + 6
        draw.line((6, y - 3, 413, y - 3), grey)
    return np.asarray(picture), written


def ink_error(page: np.ndarray, made: np.ndarray) -> np.ndarray:
    """For strokes and lines: how far the sample nearest to their colour is from it."""
    ground = int(np.median(page))
    grey, large = page[..., 1].astype(int), made[..., 1].astype(int)
    depth = np.abs(grey - ground)
    around = np.stack([np.roll(depth, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    stroke = (depth == around.max(0)) & (depth > 60)
    blocks = large.reshape(grey.shape[0], 4, grey.shape[1], 4).transpose(0, 2, 1, 3).reshape(*grey.shape, 16)
    deepest = np.where(grey < ground, blocks.min(2), blocks.max(2))
    return np.abs(deepest - grey)[stroke]


def back_error(page: np.ndarray, made: np.ndarray) -> float:
    """Mean difference on ink after the result is shrunk again."""
    height, width = page.shape[:2]
    shrunk = made.reshape(height, 4, width, 4, 3).mean((1, 3))
    inked = np.abs(page[..., 1].astype(int) - int(np.median(page))) > 60
    return float(np.abs(shrunk - page)[inked].mean())


def reader() -> Any:
    """What reads the words of a picture; None without the extra."""
    try:
        import logging

        from rapidocr import RapidOCR
    except ImportError:
        return None
    logging.disable(logging.CRITICAL)
    found = RapidOCR()
    return lambda picture: " ".join(found(picture).txts or ()).split()


def share(read: list[str], written: list[str]) -> float:
    """Share of the words written that were read."""
    left = Counter(read)
    hits = 0
    for word in written:
        if left[word]:
            left[word] -= 1
            hits += 1
    return hits / max(1, len(written))


if __name__ == "__main__":
    main()
