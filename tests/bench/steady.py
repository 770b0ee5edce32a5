"""Measure `restore --steady` on clips that are given the noise of a camera: PSNR, LPIPS and warping error.

    python -m tests.bench.steady CLIP ... [--frames N] [--side N]

CLIP is a video file or a folder of numbered pictures. Each frame gets noise as developed photos have it (Gaussian,
blurred by 0.7 pixels, equal deviation in all colours): of 10, told as 15, and of 20, coded by H.264 at crf 23
afterwards and told as 20. Restored by the models that are installed, frame by frame and steadied. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from imgfix.metrics.lpips import lpips
from imgfix.metrics.psnr import psnr
from imgfix.pipelines.models import DamageModels, Models
from imgfix.pipelines.options import Machine
from imgfix.tasks.restore import RestoreOptions
from imgfix.tasks.restore_frames import RestoreFrames
from imgfix.tasks.steady import Steady
from tests.bench.interpolation import frames_of

sys.path.insert(0, str(Path(__file__).parent))
from video_quality import as_tensor, coded, steadiness


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--side", type=int, default=384, help="longer side to which clips are shrunk")
    options = parser.parse_args()
    table = {}
    for path in options.clips:
        clean = list(islice(frames_of(path, options.side), options.frames))
        generator = np.random.default_rng(0)
        light = [developed(frame, 10, generator) for frame in clean]
        strong = coded([developed(frame, 20, generator) for frame in clean], 23)
        for name, noisy, level in (("noise 10", light, 15.0), ("noise 20, crf 23", strong, 20.0)):
            engines = DamageModels(Models(Machine()))
            engines.pixels = sum(frame.shape[0] * frame.shape[1] for frame in noisy)
            task = RestoreFrames(RestoreOptions(denoise=level), engines)
            alone = [made.frame for made in task.run(iter(noisy))]
            steadied = [made.frame for made in Steady(task).run(iter(noisy))]
            table[f"{path.name}, {name}"] = {
                "input": measured(noisy, clean), "alone": measured(alone, clean), "steadied": measured(steadied, clean)
            }  # fmt: skip
    print(json.dumps(table, indent=1))


def developed(frame: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """A frame with correlated noise of a standard deviation, of 255."""
    noise = cv2.GaussianBlur(generator.normal(0, 1, frame.shape), (0, 0), 0.7)
    noisy: np.ndarray = np.clip(frame + noise * (level / noise.std()) + 0.5, 0, 255).astype(np.uint8)
    return noisy


def measured(results: list[np.ndarray], clean: list[np.ndarray]) -> dict[str, float]:
    """Means over the frames; the warping error times 1e4."""
    pairs = [(as_tensor(one), as_tensor(two)) for one, two in zip(results, clean, strict=True)]
    return {
        "psnr": round(float(np.mean([float(psnr(*pair)) for pair in pairs])), 2),
        "lpips": round(float(np.mean([float(lpips(*pair)) for pair in pairs])), 3),
        "warping": round(steadiness(results, clean), 2),
    }


if __name__ == "__main__":
    main()
