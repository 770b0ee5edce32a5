"""Measure `restore --deflicker` on clips that are made to flicker, and on the same clips as they are.

    python -m tests.bench.deflicker CLIP ... [--frames N] [--side N]

Every frame is made brighter or darker by a random exponent and factor, as the shutter and the ageing of a film do it
(standard deviations 0.12 and 0.06). Prints PSNR to the clip before, means over frames, and the flicker: the standard
deviation of the second difference of the mean brightness over time, of 255. A clip that does not flicker should stay.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from imgfix.metrics.psnr import psnr
from imgfix.tasks.deflicker import Deflicker
from tests.bench.interpolation import frames_of


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--side", type=int, default=480)
    options = parser.parse_args()
    table: dict[str, Any] = {}
    for path in options.clips:
        clean = list(islice(frames_of(path, options.side), options.frames))
        flickering = flicker(clean)
        evened = [made.frame for made in Deflicker().run(iter(flickering))]
        untouched = [made.frame for made in Deflicker().run(iter(clean))]
        table[path.name] = {
            "frames": len(clean),
            "flickering": _measured(flickering, clean),
            "evened": _measured(evened, clean),
            "clean, evened": _measured(untouched, clean),
            "clean": {"flicker": round(unsteadiness(clean), 3)},
        }
    print(json.dumps(table, indent=1))


def flicker(clip: list[np.ndarray], seed: int = 1) -> list[np.ndarray]:
    """The clip with a random brightness for each frame."""
    generator = np.random.default_rng(seed)
    made = []
    for frame in clip:
        exponent, factor = np.exp(generator.normal(0, 0.12)), np.exp(generator.normal(0, 0.06))
        steps = np.clip(factor * (np.arange(256) / 255) ** exponent, 0, 1)
        made.append((steps * 255 + 0.5).astype(np.uint8)[frame])
    return made


def unsteadiness(clip: list[np.ndarray]) -> float:
    """Standard deviation of the second difference of the mean brightness over time."""
    means = np.array([float(frame.mean()) for frame in clip])
    return float(np.diff(means, 2).std())


def _measured(clip: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, float]:
    scores = [min(99.0, float(psnr(one / 255, other / 255))) for one, other in zip(clip, truth, strict=True)]
    return {"psnr": round(float(np.mean(scores)), 2), "flicker": round(unsteadiness(clip), 3)}


if __name__ == "__main__":
    main()
