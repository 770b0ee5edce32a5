"""Many files arriving in a watched folder: half-written ones, renamed ones, and a watch that is killed in the middle.

    python -m tests.bench.watch --files 500

Prints how often each file was done, the latency from whole to done beyond the settle time, and the largest memory of
the two runs of the watch.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tests.cli.conftest import save_photo

SETTLE = 0.5


def main() -> None:
    """Feed a folder, kill the watch half-way, and count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--poll", type=float, help="seconds; events without it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        _bench(Path(place), asked.files, asked.poll)


def _bench(place: Path, number: int, poll: float | None) -> None:
    inbox, out = place / "in", place / "out"
    inbox.mkdir()
    whole: dict[str, float] = {}
    data = [save_photo(place / "photos" / f"{seed}.png", seed).read_bytes() for seed in range(8)]
    feeder = threading.Thread(target=_feed, args=(inbox, number, data, whole))
    process, lines = _start(inbox, out, poll, place / "first.jsonl")
    feeder.start()
    _until(lambda: _count(out) >= number // 2)
    process.send_signal(signal.SIGKILL)
    peak = [_left(process)]
    lines.close()
    process, lines = _start(inbox, out, poll, place / "second.jsonl")
    feeder.join()
    _until(lambda: _count(out) == number)
    process.send_signal(signal.SIGINT)
    peak.append(_left(process))
    lines.close()
    told = [
        json.loads(line) for name in ("first", "second") for line in (place / f"{name}.jsonl").read_text().splitlines()
    ]
    times = Counter(Path(item["source"]).name for item in told if item["status"] == "done")
    failed = [item for item in told if item["status"] == "failed"]
    late = sorted((out / name).stat().st_mtime - when - SETTLE for name, when in whole.items())
    print(f"{number} files: {_count(out)} results, {sum(times.values())} told as done, {len(failed)} failed")
    print(f"told more than once: {sum(count > 1 for count in times.values())}")
    print(f"not told, killed between the result and its line: {number - len(times)}")
    print(f"latency beyond settling: median {late[len(late) // 2]:.2f} s (the restart is within the largest,", end=" ")
    print(f"{late[-1]:.2f} s)")
    print(f"largest memory: {peak[0]:.0f} MB killed half-way, {peak[1]:.0f} MB at the end")


def _feed(inbox: Path, number: int, data: list[bytes], whole: dict[str, float]) -> None:
    """Write the files in three ways: at once, in two halves with a rest between them, and renamed when whole."""
    chance = random.Random(0)
    halves: list[tuple[Path, bytes]] = []
    for index in range(number):
        content, path = data[index % len(data)], inbox / f"{index:04d}.png"
        way = chance.choice(("at once", "half", "renamed"))
        if way == "half":
            path.write_bytes(content[: len(content) // 2])
            halves.append((path, content[len(content) // 2 :]))
        elif way == "renamed":
            path.with_suffix(".part").write_bytes(content)
            path.with_suffix(".part").rename(path)
        else:
            path.write_bytes(content)
        if way != "half":
            whole[path.name] = time.time()
        if len(halves) > 30 or index == number - 1:
            time.sleep(3 * SETTLE)  # half a file that rests for longer than the settle time
            for path, rest in halves:
                with path.open("ab") as stream:
                    stream.write(rest)
                whole[path.name] = time.time()
            halves = []
        time.sleep(0.01)


def _start(inbox: Path, out: Path, poll: float | None, lines: Path) -> tuple[subprocess.Popen[bytes], BinaryIO]:
    stream = lines.open("wb")
    command = [sys.executable, "-m", "imgfix", "watch", str(inbox), "-o", str(out), "--settle", str(SETTLE), "--json"]
    command += ["--poll", str(poll)] if poll else []
    command += ["--", "inpaint", "--box", "2,2,4,4", "--model", "telea"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=stream, stderr=subprocess.DEVNULL, env=environment), stream


def _left(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a process; its largest memory in MB."""
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss / 1000


def _count(out: Path) -> int:
    return len([path for path in out.iterdir() if not path.name.startswith(".")]) if out.is_dir() else 0


def _until(true: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit("it did not happen in time")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
