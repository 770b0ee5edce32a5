"""Measure hole filling on Places2 photos with large free-form holes, beside MI-GAN's own published outputs.

    python tests/bench/inpaint_places2.py --bench BENCH [--sheet sheet.png] [--model migan-512-places2 ...]

BENCH holds inpaint_places2_256_freeform/{images,masks,results/migan} (black = hole there). Every method sees the
picture with its hole blackened and fills it through `imgfix.tasks.inpaint`; outside the hole every result is the photo.
LPIPS (AlexNet, v0.1) and PSNR are over the whole 256x256 picture; `against` is the mean difference of LPIPS to MI-GAN's
own outputs with its standard error over the pictures. A model that is not on this machine is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from imgfix import zoo
from imgfix.errors import ImgfixError
from imgfix.media.mask import read_mask
from imgfix.metrics.lpips import lpips
from imgfix.metrics.psnr import psnr
from imgfix.runtime.engine import Engine
from imgfix.tasks.inpaint import InpaintOptions, inpaint

OWN = "MI-GAN 256, its authors' outputs"
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--model", action="append", default=[], help="besides migan-512-places2")
    parser.add_argument("--sheet", type=Path, help="where to write the results side by side")
    options = parser.parse_args()
    folder = options.bench / "inpaint_places2_256_freeform"
    photos = sorted((folder / "images").iterdir())
    methods = find_methods(["migan-512-places2", *options.model])
    scores: dict[str, list[tuple[float, float, float]]] = {}
    rows = []
    for path in photos:
        photo = np.asarray(Image.open(path).convert("RGB"))
        mask = read_mask(folder / "masks" / f"{path.stem}.png", photo.shape[1::-1], invert=True).values
        broken = np.where(mask[..., None] > 0, np.uint8(0), photo)
        row = [broken, photo]
        theirs = np.asarray(Image.open(folder / "results" / "migan" / f"{path.stem}.png").convert("RGB"))
        for name, method in {OWN: lambda *_, theirs=theirs: theirs, **methods}.items():
            start = time.perf_counter()
            result = method(broken, mask)
            seconds = time.perf_counter() - start
            found = float(lpips(result, photo)), float(psnr(result, photo)), seconds
            scores.setdefault(name, []).append(found)
            row.append(result)
        rows.append(np.hstack(row))
    if options.sheet:
        Image.fromarray(np.vstack(rows)).save(options.sheet)
    print(f"{len(photos)} photos, {'method':36} LPIPS   PSNR    s/photo  against")
    reference = np.array([score[0] for score in scores[OWN]])
    for name, values in scores.items():
        distance, decibel, seconds = np.array(values).T
        gap = distance - reference
        error = gap.std(ddof=1) / len(gap) ** 0.5
        timing = f"{seconds.mean():7.2f}" if name != OWN else "      -"
        print(f"{name:47} {distance.mean():.4f}  {decibel.mean():.2f} {timing}   {gap.mean():+.4f} +- {error:.4f}")


def find_methods(models: list[str]) -> dict[str, Method]:
    """The networks that are on this machine, with and without joining runs, and the classical methods."""
    found: dict[str, Method] = {}
    for name in models:
        try:
            engine = Engine(zoo.load(name, task="inpaint", offline=True))
        except ImgfixError as error:
            print(f"left out: {error.message}")
            continue
        found[name] = lambda photo, mask, engine=engine: inpaint(photo, mask, engine)
        once = InpaintOptions(tta=False)
        found[f"{name}, one run"] = lambda photo, mask, engine=engine, once=once: inpaint(photo, mask, engine, once)
    for name in ("telea", "ns"):
        found[name] = lambda photo, mask, name=name: inpaint(photo, mask, name)
    return found


if __name__ == "__main__":
    main()
