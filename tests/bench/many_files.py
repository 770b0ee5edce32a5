"""A folder of very many files: time and memory up to the first result, and memory as results go on.

    python tests/bench/many_files.py --files 1000000 --results 2000

Makes a folder of hard links to small pictures, works through it with a method that needs no weights until so many
results are there, and prints a row whenever their number has doubled or so; then Ctrl-C ends it. `--shard 1/100000`
passes over nearly all, which shows what a file costs that is only named.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

LINKS = 30_000
"""To one file; ext4 has room for 65,000."""


def fill(folder: Path, number: int) -> None:
    """Make the folder."""
    source = folder
    for index in range(number):
        path = folder / f"img_{index:07d}.png"
        if index % LINKS == 0:
            pixels = np.random.default_rng(index).integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
            source = path
        else:
            os.link(source, path)


def of_process(number: int) -> tuple[float, int]:
    """Seconds of CPU and resident MB."""
    fields = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()
    status = Path(f"/proc/{number}/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(memory.split()[1]) // 1024


def measure(folder: Path, out: Path, most: int, words: list[str]) -> None:
    """Run the command and print its rows."""
    command = [
        sys.executable, "-m", "imgfix", "upscale", folder, "-o", f"{out}/", "--model", "bicubic", "--scale", "2",
        "--json", *words,
    ]  # fmt: skip
    start, shown = time.monotonic(), 1
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    print(f"{'results':>8} {'wall s':>8} {'CPU s':>8} {'MB':>6}")
    for number, _ in enumerate(process.stdout, start=1):
        if number == shown:
            cpu, memory = of_process(process.pid)
            print(f"{number:8} {time.monotonic() - start:8.1f} {cpu:8.1f} {memory:6}", flush=True)
            shown *= 4
        if number == most:
            process.send_signal(signal.SIGINT)
    process.wait()
    print(f"ended after {time.monotonic() - start:.1f} s")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--results", type=int, default=2000)
    parser.add_argument("--shard")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgfix-many-") as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        fill(folder, given.files)
        words = ["--shard", given.shard] if given.shard else []
        measure(folder, Path(place) / "out", given.results, words)


if __name__ == "__main__":
    main()
