"""Measure frames between frames on held-out clips: every second frame is dropped, made again and compared.

    python -m tests.bench.interpolation CLIP ... [--frames N] [--start N] [--stride N] [--side N] [--sheet DIR]

CLIP is a video file or a folder of numbered frames. Protocol: frames 0, 2, 4 ... are given, 1, 3, 5 ... are made from
their two neighbours and compared in 8-bit RGB; means over frames; pairs across a scene cut are left out. `stride` takes
every so many-th frame of the clip only, so that things move further. `side` shrinks frames by area to this longer side.
Beside the network: the frame before repeated, the mean of both, and optical flow without weights. Prints JSON; `sheet`
writes a PNG for each clip (truth, blend, flow, network; the worst frame of the network and the middle one).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from imgfix import zoo
from imgfix.media import image
from imgfix.media.picture import Picture
from imgfix.media.video.reader import Reader
from imgfix.metrics.psnr import psnr
from imgfix.metrics.ssim import ssim
from imgfix.runtime.engine import Engine
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks.interpolate import ByFlow, ByNetwork

HALF = [Fraction(1, 2)]
Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--model", default="rife-3.8", help="flow: without a network")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--frames", type=int, default=41, help="of each clip, those that are dropped included")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--side", type=int, help="longer side that frames are shrunk to")
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    flow = ByFlow()
    methods: dict[str, Method] = {
        "repeated": lambda before, after: before,
        "blended": lambda before, after: ((before.astype(np.uint16) + after + 1) // 2).astype(np.uint8),
        "flow": lambda before, after: flow.made(before, after, HALF)[0],
    }
    table: dict[str, Any] = {"stride": options.stride, "clips": {}}
    if options.model != "flow":
        network = ByNetwork(Engine(zoo.load(options.model, task="interpolate"), precision=options.precision))
        methods[options.model] = lambda before, after: network.made(before, after, HALF)[0]
        table["precision"] = network.engine.placement.precision
    for path in options.clips:
        clip = list(
            islice(
                frames_of(path, options.side),
                options.start,
                options.start + options.frames * options.stride,
                options.stride,
            )
        )
        table["clips"][path.name] = _measured(clip, methods, options.sheet, path.stem)
    print(json.dumps(table, indent=1))


def _measured(clip: list[np.ndarray], methods: dict[str, Method], sheet: Path | None, name: str) -> dict[str, Any]:
    height, width = clip[0].shape[:2]
    triples = [
        clip[at : at + 3] for at in range(0, len(clip) - 2, 2) if not _cut(clip[at : at + 3])
    ]  # fmt: skip
    found: dict[str, Any] = {"size": f"{width}x{height}", "frames made": len(triples)}
    made: dict[str, list[np.ndarray]] = {}
    for method, between in methods.items():
        began = time.perf_counter()
        made[method] = [between(before, after) for before, _, after in triples]
        seconds = (time.perf_counter() - began) / len(triples)
        pairs = [(result / 255, truth / 255) for result, (_, truth, _) in zip(made[method], triples, strict=True)]
        scores, alike = ([float(metric(*pair)) for pair in pairs] for metric in (psnr, ssim))
        found[method] = {
            "psnr": round(float(np.mean(scores)), 2), "worst": round(min(scores), 2),
            "ssim": round(float(np.mean(alike)), 4), "seconds": round(seconds, 3),
        }  # fmt: skip
    if sheet is not None:
        sheet.mkdir(parents=True, exist_ok=True)
        rows = [
            np.concatenate([triples[at][1], *(made[name][at] for name in list(methods)[1:])], axis=1)
            for at in (int(np.argmin(scores)), len(triples) // 2)
        ]
        image.write(sheet / f"{name}.png", Picture(np.concatenate(rows)))
    return found


def _cut(frames: list[np.ndarray]) -> bool:
    finder = CutFinder()
    found = [finder.is_cut(frame) for frame in frames]
    return any(found)


def frames_of(path: Path, side: int | None) -> Iterator[np.ndarray]:
    """Frames of a clip, (H, W, 3) uint8, shrunk by area to a longer side."""
    if path.is_dir():
        source: Iterator[np.ndarray] = (image.read(each).pixels for each in sorted(path.glob("*.png")))
    else:
        source = (frame.pixels for frame in Reader(path).frames())
    for frame in source:
        height, width = frame.shape[:2]
        share = 1.0 if side is None else min(1.0, side / max(height, width))
        size = round(width * share), round(height * share)
        yield frame if share == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
