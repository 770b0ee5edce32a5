"""How grainy fills are beside what was there: photos with grain, and clean ones.

    python -m tests.bench.inpaint_grain PHOTOS... [--model telea] [--crops 2] [--sheets FOLDER] > grain.json

In crops of 512x512 of each photo the flattest square of 96x96 is cut out and filled with and without grain. Printed are
the high-pass deviations (of 255) of the mean of the channels in both fills and in what was hidden, and whether grain
was added. What was hidden may hold texture too: a fill that then falls short of it is counted all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from imgfix.tasks import grain
from imgfix.tasks.inpaint import InpaintOptions, inpaint

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine

CROP, HOLE, EDGE = 512, 96, 64


def flattest(pixels: np.ndarray) -> tuple[int, int]:
    """Top left corner of the square that varies least once fine detail is taken away."""
    plane = cv2.GaussianBlur(pixels.astype(np.float32).mean(axis=2), (0, 0), 2)
    mean = cv2.boxFilter(plane, -1, (HOLE, HOLE))
    varied = cv2.boxFilter(plane * plane, -1, (HOLE, HOLE)) - mean * mean
    half = HOLE // 2
    inner = slice(EDGE + half, -EDGE - half)
    y, x = np.unravel_index(int(np.argmin(varied[inner, inner])), varied[inner, inner].shape)
    return int(y) + EDGE, int(x) + EDGE


def spread(pixels: np.ndarray, at: tuple[int, int]) -> float:
    part = pixels[at[0] : at[0] + HOLE, at[1] : at[1] + HOLE].astype(np.float32).mean(axis=2)
    return float(grain.high_pass(part)[4:-4, 4:-4].std())


def crops(path: Path, count: int) -> list[np.ndarray]:
    """Squares of a photo at full size, along its diagonal; none of one that is too small."""
    picture = Image.open(path).convert("RGB")
    if min(picture.size) < CROP:
        return []
    found = []
    for share in np.linspace(0.1, 0.9, count) if count > 1 else [0.5]:
        left, top = (int(share * (side - CROP)) for side in picture.size)
        found.append(np.asarray(picture.crop((left, top, left + CROP, top + CROP))))
    return found


def filler_of(name: str) -> Engine | str:
    if name in ("telea", "ns"):
        return name
    from imgfix import zoo
    from imgfix.runtime.engine import Engine

    return Engine(zoo.load(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default="telea")
    parser.add_argument("--crops", type=int, default=2)
    parser.add_argument("--sheets", type=Path, help="folder for pictures: hidden, without grain, with grain")
    asked = parser.parse_args()
    filler = filler_of(asked.model)
    rows = []
    for path in asked.photos:
        for number, pixels in enumerate(crops(path, asked.crops)):
            at = flattest(pixels)
            mask = np.zeros(pixels.shape[:2], np.float32)
            mask[at[0] : at[0] + HOLE, at[1] : at[1] + HOLE] = 1
            without = inpaint(pixels, mask, filler, InpaintOptions(grain=False))
            with_grain = inpaint(pixels, mask, filler)
            if not np.array_equal(with_grain[mask == 0], pixels[mask == 0]):
                sys.exit(f"{path}: changed outside the mask")
            row = {"photo": path.name, "crop": number, "found": not np.array_equal(without, with_grain)}
            row |= {"hidden": spread(pixels, at), "without": spread(without, at), "with": spread(with_grain, at)}
            rows.append(row)
            if asked.sheets is not None and row["found"]:
                asked.sheets.mkdir(parents=True, exist_ok=True)
                view = slice(at[0] - EDGE, at[0] + HOLE + EDGE), slice(at[1] - EDGE, at[1] + HOLE + EDGE)
                sheet = np.concatenate([pixels[view], without[view], with_grain[view]], axis=1)
                Image.fromarray(sheet).save(asked.sheets / f"{path.stem}-{number}.png")
    found = [row for row in rows if row["found"]]
    ratios = [float(row["with"]) / max(float(row["hidden"]), 1e-6) for row in found]
    before = [float(row["without"]) / max(float(row["hidden"]), 1e-6) for row in found]
    summary = {
        "crops": len(rows), "found": len(found),
        "within 15 %": sum(abs(ratio - 1) <= 0.15 for ratio in ratios),
        "median with": float(np.median(ratios)) if ratios else None,
        "median without": float(np.median(before)) if before else None,
    }  # fmt: skip
    json.dump({"model": asked.model, "summary": summary, "rows": rows}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
