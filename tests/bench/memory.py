"""Peak memory of upscaling large photos, measured from outside over the whole command.

    python tests/bench/memory.py [--photo FILE] [--megapixels 12 ...] [--model NAME] [--limit 3.0] [-- options]

Runs `imgfix upscale` in a process of its own and prints the most memory it ever held (the kernel's count of resident
pages, libraries included), its processor time, and the size of the result. Without a photo one is made, of each size
that is named: beyond the size of a tile memory should not grow. Words after `--` go to the command
(`-- --precision fp32 --tile 256`). Exits with 1 when the peak is above the limit (in 10^9 bytes).
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def make_photo(path: Path, megapixels: float) -> None:
    """A picture of 3:2 with slopes, edges and grain."""
    height = round(math.sqrt(megapixels * 1e6 / 1.5))
    width = round(megapixels * 1e6 / height)
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 36, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    grain = rng.integers(-6, 7, (height, width, 1), np.int16)
    Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(path, quality=92)


def run(command: list[str]) -> tuple[int, int, float]:
    """Exit code, peak bytes and seconds of processor time of a command."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return process.returncode, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime


def main() -> int:
    words = sys.argv[1:]
    extra = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12.0])
    parser.add_argument("--model", default="realesr-general-x4v3")
    parser.add_argument("--suffix", default=".png", help="of the result")
    parser.add_argument("--limit", type=float, default=3.0)
    arguments = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    Image.MAX_IMAGE_PIXELS = None
    print("| model | size | result | peak memory | CPU seconds |\n|---|---|---|---|---|")
    worst = 0
    for megapixels in arguments.megapixels if arguments.photo is None else [0.0]:
        worst = max(worst, measured(arguments, megapixels, extra))
    return int(worst / 1e9 > arguments.limit)


def measured(arguments: argparse.Namespace, megapixels: float, extra: list[str]) -> int:
    """Peak bytes for one photo; prints a row. megapixels: of one that is made."""
    with tempfile.TemporaryDirectory() as folder:
        photo = arguments.photo or Path(folder) / "photo.jpg"
        if arguments.photo is None:
            make_photo(photo, megapixels)
        result = Path(folder) / f"large{arguments.suffix}"
        command = [sys.executable, "-m", "imgfix", "upscale", str(photo), "-o", str(result), "--model", arguments.model]
        code, peak, seconds = run([*command, *extra])
        if code:
            raise SystemExit(f"the command ended with {code}")
        with Image.open(photo) as before, Image.open(result) as after:
            sizes = f"{before.width}x{before.height} -> {after.width}x{after.height}"
            large = after.width * after.height / 1e6
        megabytes = result.stat().st_size / 1e6
    print(
        f"| {Path(arguments.model).stem} | {sizes} ({large:.0f} MP) | {megabytes:.0f} MB {arguments.suffix[1:]} "
        f"| {peak / 1e9:.2f} GB | {seconds:.0f} |",
        flush=True,
    )
    return peak


if __name__ == "__main__":
    sys.exit(main())
