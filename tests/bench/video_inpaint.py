"""Measure steady filling of a clip beside filling each frame alone.

    python tests/bench/video_inpaint.py CLIP [CLIP ...] [--filler migan-512-places2] [--frames 24] [--sheet DIR]

A logo is laid over a part of each clip (fixed, or moving with `--moving`), brought to 360 lines, and taken out again.
Because what it hid is known, both ways are compared with it inside the hole: PSNR, and flicker, the mean squared
difference of neighbouring frames along the clean clip's motion, times 1e4 (the clean clip's own beside it).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from imgfix import zoo
from imgfix.metrics.warping import to_grey, visible
from imgfix.nets.motion import dense_inverse_search, fetch
from imgfix.runtime.engine import Engine
from imgfix.tasks.inpaint import inpaint
from imgfix.tasks.video_inpaint import VideoInpaint

LINES = 360


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--filler", default="telea", help="telea, ns, or a model for inpainting")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--moving", action="store_true", help="the logo crosses the picture")
    parser.add_argument("--sheet", type=Path, help="write crops of some frames there")
    options = parser.parse_args()
    filler = options.filler if options.filler in ("telea", "ns") else Engine(zoo.load(options.filler))
    print(f"{'clip':24} {'way':12} {'PSNR':>6} {'flicker':>8} {'clean':>6} {'s/frame':>8}  other frames/carried/made")
    for path in options.clips:
        clean = frames_of(path, options.frames)
        mask_of = masks(clean[0].shape[0], clean[0].shape[1], len(clean), options.moving)
        marked = [np.where(mask_of(n)[..., None] > 0, np.uint8(240), frame) for n, frame in enumerate(clean)]
        own = flicker(clean, clean, mask_of)
        task = VideoInpaint(lambda number, frame: mask_of(number), filler)  # noqa: B023
        ways: dict[str, Callable[[], list[np.ndarray]]] = {
            "alone": lambda: [inpaint(frame, mask_of(n), filler) for n, frame in enumerate(marked)],  # noqa: B023
            "steady": lambda: [made.frame for made in task.run(iter(marked))],  # noqa: B023
        }
        for name, work in ways.items():
            begun = time.perf_counter()
            results = work()
            seconds = (time.perf_counter() - begun) / len(results)
            errors = [
                np.square(one.astype(float) - two)[mask_of(n) > 0].mean() / 255**2
                for n, (one, two) in enumerate(zip(results, clean, strict=True))
            ]
            parts = np.array([task.seen, task.carried, task.made], float)
            shares = "/".join(f"{part:.0%}" for part in parts / max(parts.sum(), 1)) if name == "steady" else ""
            quality, moved = -10 * np.log10(np.mean(errors)), flicker(results, clean, mask_of)
            print(
                f"{path.stem:24} {name:12} {quality:6.2f} {moved:8.2f} {own:6.2f} {seconds:8.2f}  {shares}", flush=True
            )
            if options.sheet:
                options.sheet.mkdir(parents=True, exist_ok=True)
                picked = [results[n] for n in np.linspace(0, len(results) - 1, 4).astype(int)]
                cv2.imwrite(str(options.sheet / f"{path.stem}-{name}.png"), np.hstack(picked)[..., ::-1])


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    """The first frames of a clip at 360 lines, (360, W, 3) uint8."""
    frames = []
    with av.open(str(path)) as container:
        for decoded in container.decode(video=0):
            frame = decoded.to_ndarray(format="rgb24")
            size = round(frame.shape[1] * LINES / frame.shape[0]), LINES
            frames.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
            if len(frames) == count:
                break
    return frames


def masks(height: int, width: int, count: int, moving: bool) -> Callable[[int], np.ndarray]:
    """A plate with letters on it: its mask for each frame."""

    def mask_of(number: int) -> np.ndarray:
        mask = np.zeros((height, width), np.uint8)
        left = round(width * (0.1 + 0.6 * number / count)) if moving else round(width * 0.3)
        top = height // 2
        cv2.putText(mask, "LOGO", (left, top), cv2.FONT_HERSHEY_SIMPLEX, 2.2, 1, 14)
        cv2.rectangle(mask, (left, top + 14), (left + 150, top + 40), 1, -1)
        return mask.astype(np.float32)

    return mask_of


def flicker(results: list[np.ndarray], clean: list[np.ndarray], mask_of: Callable[[int], np.ndarray]) -> float:
    """Mean squared difference inside the hole along the clean clip's motion, times 1e4."""
    found = []
    for n in range(len(clean) - 1):
        one, two, first, second = (
            frame.astype(np.float64) / 255 for frame in (results[n], results[n + 1], clean[n], clean[n + 1])
        )
        there, back = (dense_inverse_search(to_grey(a), to_grey(b)) for a, b in ((first, second), (second, first)))
        seen = visible(there, back) & (mask_of(n) > 0)
        if seen.any():
            found.append(np.square(one - fetch(two.astype(np.float32), there)).mean(axis=2)[seen].mean())
    return float(np.mean(found)) * 1e4


if __name__ == "__main__":
    main()
