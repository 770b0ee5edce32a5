"""Many pictures in one call beside as many calls: what loading the program and the model costs.

    python tests/bench/generate_batch.py [--model generate-stickers] [--pictures 64] [--calls 8]

Only --calls single calls are run, and their mean is taken for all, because they do not differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="generate-stickers")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--calls", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "one-call", Path(folder) / "many-calls"
        batch = seconds(options.model, f"0-{options.pictures - 1}", first)
        single = [seconds(options.model, str(seed), second) for seed in range(options.calls)]
        equal = all((first / path.name).read_bytes() == path.read_bytes() for path in second.iterdir())
    mean = sum(single) / len(single)
    print(f"{options.pictures} pictures in one call: {batch:.2f} s")
    print(f"one picture a call: {mean:.2f} s, so {options.pictures} calls take {options.pictures * mean:.1f} s")
    print(f"ratio {options.pictures * mean / batch:.1f}; the same bytes: {equal}")


def seconds(model: str, seeds: str, folder: Path) -> float:
    """Wall-clock time of one command."""
    words = [sys.executable, "-m", "imgfix", "generate", "a red apple", "--seeds", seeds, "--model", model]
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([*words, "-o", f"{folder}/"], check=True, capture_output=True, env=environment)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
