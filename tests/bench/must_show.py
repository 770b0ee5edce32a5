"""Today's numbers for what people really have, as one table: every row is measured on pictures that are made here.

    python -m tests.bench.must_show PHOTOS [--count 6] [--only NAME] [--json FILE] [--video video_quality.json]

PHOTOS is a folder of clean photos that no model has seen. Each row takes `imgfix` as it comes, with the models on this
machine, and says what went in, what came out, and what is aimed at:

    noise      developed camera noise, deviation in luma 3, 5 and 7 (`restore_photos`); PSNR
    jpeg       JPEGs of quality 10, 20, 40, 75 and 84; PSNR before and after
    clean      clean PNG and JPEG files that `restore` and `restore --old` change
    scratches  drawn scratches and specks (`restore_scratches`); PSNR as found and with the true mask, precision, recall
    wear       all kinds of drawn damage of prints (`imgfix.train.wear`), and photos with wires, joints, text alone
    fading     drawn fading and casts (`imgfix.train.wear.ageing`); PSNR
    light      photos darkened as by a camera: gain, gamma, noise; mean of 255, PSNR, saturation; needs a model
    text       a drawn page of words and lines, enlarged four times by `auto` (`content`); error of ink, of 255
    fills      a hole in a grainy photo: spread of the fill's grain over that of what was there
    fidelity   MATLAB's bicubic x4; PSNR in RGB

Clips take hours on a CPU: `video_quality.py --crf 18 --crf 30 --lpips --json` measures them, and `--video` shows it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

import imgfix
from imgfix.errors import ModelError
from imgfix.runtime.resize import downscale
from imgfix.tasks import fading, scratches
from imgfix.train.jobs.damage import scores
from imgfix.train.spoil import developed
from imgfix.train.wear.ageing import faded
from imgfix.train.wear.compose import Plan, wear

sys.path.insert(0, str(Path(__file__).parent))
import content
import inpaint_grain
import restore_photos
import restore_scratches

Numbers = dict[str, float | str]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--only", action="append", choices=list(ROWS))
    parser.add_argument("--video", type=Path, help="what video_quality.py wrote by --json")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photos = squares(options.photos, options.count, options.side)
    table: dict[str, Any] = {"photos": len(photos), "side": options.side, "rows": {}}
    print(f"{len(photos)} photos of {options.side} x {options.side}\n\n| row | measured | aim |\n|---|---|---|")
    for name in options.only or ROWS:
        measure, aim = ROWS[name]
        start = time.monotonic()
        try:
            numbers = measure(photos)
        except ModelError as error:
            numbers = {"not measured": error.message}
        print(f"| {name} | {in_words(numbers)} | {aim} |", flush=True)
        table["rows"][name] = {"aim": aim, "seconds": round(time.monotonic() - start, 1), **numbers}
    if options.video is not None:
        table["rows"]["clips"] = json.loads(options.video.read_text(encoding="utf-8"))
        print(f"| clips | {options.video} | LPIPS of photo-x4 at 1.3 of the warping error of video-x4.light |")
    if options.json is not None:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def in_words(numbers: Numbers) -> str:
    return ", ".join(f"{key} {value:.3g}" if isinstance(value, float) and abs(value) < 1 else
                     f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                     for key, value in numbers.items())  # fmt: skip


def squares(folder: Path, count: int, side: int) -> list[np.ndarray]:
    """The middles of photos, (side, side, 3) uint8; large photos are first brought to three times that."""
    found = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")):
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((3 * side, 3 * side), Image.Resampling.LANCZOS)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        if min(left, top) >= 0:
            found.append(np.asarray(picture.crop((left, top, left + side, top + side))))
    every = max(1, len(found) // count)
    return found[::every][:count]


def noise(photos: list[np.ndarray]) -> Numbers:
    rows = []
    for number, photo in enumerate(photos):
        clean = restore_photos.tensor(Image.fromarray(photo))
        damaged = developed(clean, (3.0, 5.0, 7.0)[number % 3], number)
        data = restore_photos.encoded(damaged, "JPEG", quality=95)
        rows.append(before_and_after(data, photo))
    return {"input": mean(rows, 0), "auto": mean(rows, 1)}


def jpeg(photos: list[np.ndarray]) -> Numbers:
    found: Numbers = {}
    for quality in (10, 20, 40, 75, 84):
        tensors = [restore_photos.tensor(Image.fromarray(photo)) for photo in photos]
        data = [restore_photos.encoded(one, "JPEG", quality=quality) for one in tensors]
        rows = [before_and_after(each, photo) for each, photo in zip(data, photos, strict=True)]
        found[f"q{quality}"] = f"{mean(rows, 0):.2f} -> {mean(rows, 1):.2f}"
    return found


def clean(photos: list[np.ndarray]) -> Numbers:
    changed = {"png": 0, "jpeg": 0, "png, old": 0}
    for photo in photos:
        whole = restore_photos.tensor(Image.fromarray(photo))
        for name, form, more in (("png", "PNG", {}), ("jpeg", "JPEG", {}), ("png, old", "PNG", {"old": True})):
            data = restore_photos.encoded(whole, form, **({"quality": 95} if form == "JPEG" else {}))
            before, after = decoded(data), restored(data, **more)
            changed[name] += not np.array_equal(before, after)
    return {f"changed {name}": f"{count} of {len(photos)}" for name, count in changed.items()}


def scratched(photos: list[np.ndarray]) -> Numbers:
    generator, rows = np.random.default_rng(0), []
    for photo in photos:
        damaged, true = restore_scratches.painted(photo.astype(np.float32) / 255, generator)
        pixels = (damaged * 255 + 0.5).astype(np.uint8)
        found = scratches.find(damaged) > 0
        near = cv2.dilate(true.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        wide = cv2.dilate(true.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
        filled = imgfix.restore(pixels, scratches=True)
        told = imgfix.restore(pixels, scratch_mask=wide)
        counts = (found & near).sum(), found.sum(), found[true].sum(), true.sum()
        rows.append((psnr(pixels, photo), psnr(filled, photo), psnr(told, photo), *map(float, counts)))
    total = np.sum(rows, axis=0)
    return {
        "input": mean(rows, 0), "found and filled": mean(rows, 1), "true mask": mean(rows, 2),
        "precision": float(total[3] / max(total[4], 1)), "recall": float(total[5] / total[6]),
    }  # fmt: skip


def worn(photos: list[np.ndarray]) -> Numbers:
    pictures = [wear(photo, Plan(clean=0, lookalikes=0.3), np.random.default_rng(n)) for n, photo in enumerate(photos)]
    alike = [wear(photo, Plan(clean=1, lookalikes=1), np.random.default_rng(n)) for n, photo in enumerate(photos)]
    masks = [scratches.find(one.picture.astype(np.float32) / 255) > 0 for one in (*pictures, *alike)]
    return dict(scores([*pictures, *alike], masks))


def fades(photos: list[np.ndarray]) -> Numbers:
    rows, seen = [], 0
    for number, photo in enumerate(photos):
        whole = photo.astype(np.float32) / 255
        damaged = np.clip(faded(whole, np.random.default_rng(number)), 0, 1)
        pixels = (damaged * 255 + 0.5).astype(np.uint8)
        seen += fading.find(damaged.astype(np.float32)) is not None
        rows.append((psnr(pixels, photo), psnr(imgfix.restore(pixels, fading=True), photo)))
    return {"input": mean(rows, 0), "undone": mean(rows, 1), "found": f"{seen} of {len(photos)}"}


def dark(photo: np.ndarray, seed: int) -> np.ndarray:
    """A photo taken with a twelfth to a fifth of the light it needs: linear gain, shot and read noise, a tone curve."""
    random = np.random.default_rng(seed)
    light = (photo.astype(np.float32) / 255) ** 2.2 / random.uniform(5, 12)
    light += random.standard_normal(light.shape) * np.sqrt(2e-4 * light + 4e-6)
    return (np.clip(light, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


def lit(photos: list[np.ndarray]) -> Numbers:
    rows = []
    for number, photo in enumerate(photos):
        made = imgfix.restore(dark(photo, number), low_light=True, denoise="auto")
        rows.append((float((photo @ LUMA).mean()), float((made @ LUMA).mean()), psnr(made, photo),
                     saturation(photo), saturation(made)))  # fmt: skip
    return {
        "true mean": mean(rows, 0), "mean": mean(rows, 1), "PSNR": mean(rows, 2), "true saturation": mean(rows, 3),
        "saturation": mean(rows, 4), "mean off by": mean([(abs(row[1] / row[0] - 1),) for row in rows], 0),
    }  # fmt: skip


def text(photos: list[np.ndarray]) -> Numbers:
    found: Numbers = {}
    for name, ink, ground in (("black on white", 0, 255), ("white on dark", 255, 24)):
        page, _ = content.drawn(ink, ground, 14)
        errors = content.ink_error(page, imgfix.upscale(page, scale=4))
        found[f"{name}, mean"] = float(errors.mean())
        found[f"{name}, 95 %"] = float(np.percentile(errors, 95))
    return found


def fills(photos: list[np.ndarray]) -> Numbers:
    ratios = []
    for number, photo in enumerate(photos):
        grainy = photo + 6 * np.random.default_rng(number).standard_normal(photo.shape[:2])[..., None]
        pixels = np.clip(grainy + 0.5, 0, 255).astype(np.uint8)
        top, left = at = inpaint_grain.flattest(pixels)
        box = (left, top, inpaint_grain.HOLE, inpaint_grain.HOLE)
        filled = imgfix.inpaint(pixels, boxes=[box])
        ratios.append(inpaint_grain.spread(filled, at) / max(inpaint_grain.spread(pixels, at), 1e-6))
    near = sum(abs(ratio - 1) <= 0.15 for ratio in ratios)
    return {"spread, median": float(np.median(ratios)), "within 15 %": f"{near} of {len(ratios)}"}


def fidelity(photos: list[np.ndarray]) -> Numbers:
    rows = []
    for photo in photos:
        side = len(photo) // 4 * 4
        truth = photo[:side, :side]
        small = downscale(restore_photos.tensor(Image.fromarray(truth)), 4).clamp(0, 1)
        pixels = (small[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        made = [imgfix.upscale(pixels, scale=4, model=name) for name in ("bicubic", "fidelity-x4")]
        rows.append(tuple(psnr(one, truth) for one in made))
    return {"bicubic": mean(rows, 0), "fidelity-x4": mean(rows, 1)}


ROWS: dict[str, tuple[Callable[[list[np.ndarray]], Numbers], str]] = {
    "noise": (noise, "4 dB above the input"),
    "jpeg": (jpeg, "never below the input"),
    "clean": (clean, "none"),
    "scratches": (scratched, "33 dB, precision and recall 0.9"),
    "wear": (worn, "precision and recall 0.9, wires and joints left alone"),
    "fading": (fades, "above the input"),
    "light": (lit, "mean within 10 %, saturation kept"),
    "text": (text, "within 10 of 255"),
    "fills": (fills, "within 15 %"),
    "fidelity": (fidelity, "0.6 dB above the former file"),
}
"""Name to what measures it and what is aimed at."""


def before_and_after(data: bytes, photo: np.ndarray) -> tuple[float, float]:
    return psnr(decoded(data), photo), psnr(restored(data), photo)


def decoded(data: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels[..., ::-1]


def restored(data: bytes, **more: Any) -> np.ndarray:
    """What `imgfix.restore` makes of a file, which says more than its pixels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("photo.png" if data.startswith(b"\x89PNG") else "photo.jpg")
        path.write_bytes(data)
        made: np.ndarray = imgfix.restore(path, **more)
        return made


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.square(one.astype(np.float64) - other).mean())
    return 10 * float(np.log10(255**2 / max(error, 1e-4)))


def saturation(picture: np.ndarray) -> float:
    """Mean distance of the colours from grey, as a part of their brightness."""
    values = picture.astype(np.float32)
    return float((values.max(2) - values.min(2)).mean() / max(float((values @ LUMA).mean()), 1))


def mean(rows: list[tuple[float, ...]], column: int) -> float:
    return float(np.mean([row[column] for row in rows]))


if __name__ == "__main__":
    with torch.inference_mode():
        main()
