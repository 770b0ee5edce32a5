"""Clips: memory over a long one, stages at once against one after the other, what comes on top of inference, kills.

    python tests/bench/video.py memory [--frames 2000] [--model MODEL]
    python tests/bench/video.py overlap [--model photo-x4] [--size 160x96] [--frames 40] [--turns 9]
    python tests/bench/video.py kill [--times 10] [--frames 600] [--model MODEL]

Without a model, `memory` and `kill` take a tiny network.
`memory` runs a clip through it and prints the resident memory around its first and its last 200 frames.
`overlap` prints the wall time of a clip as `imgfix upscale` does it, of the same work one stage after the other, with
three stages at once whatever the device, and of the network alone on the same frames (of a network for clips: with its
rounding to bytes). They take turns, and what is compared are those of one turn, for a machine that others use is faster
now and slower then. `kill` ends the command with SIGKILL at random moments while it works, which its journal tells,
takes it up again, and compares the frames with those of a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).parents[2]


def make_clip(path: Path, frames: int, size: tuple[int, int]) -> Path:
    """A moving pattern with grain, 25 frames a second, with sound."""
    width, height = size
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    grain = rng.integers(-8, 9, (height, width, 1))
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = out.add_stream("aac", rate=48000)
        for number in range(frames):
            waves = [128 + 90 * np.sin((x * (c + 1) + number * 3) / 19) * np.cos((y - number) / 13) for c in range(3)]
            array = (np.stack(waves, -1) + np.roll(grain, number, 1)).clip(0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for number in range(frames * 48000 // 25 // 1024):
            tone = np.sin(np.arange(number * 1024, (number + 1) * 1024) / 20)[None].repeat(2, 0) * 0.1
            part = av.AudioFrame.from_ndarray(tone.astype(np.float32), format="fltp", layout="stereo")
            part.sample_rate, part.pts, part.time_base = 48000, number * 1024, Fraction(1, 48000)
            out.mux(sound.encode(part))
        out.mux(sound.encode(None))
    return path


def tiny_weights(path: Path) -> Path:
    """A network of a few thousand weights, x2."""
    import torch

    from imgfix import zoo
    from imgfix.nets.srvgg import SRVGG

    torch.manual_seed(0)
    config = {"scale": 2, "features": 8, "convs": 1}
    return zoo.save(path, "srvgg", config, SRVGG(**config).state_dict(), task="upscale", name="tiny-x2")


def engine_of(model: str) -> Any:
    from imgfix import zoo
    from imgfix.runtime.engine import Engine

    return Engine(zoo.load(model))


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(model: str | None, frames: int, size: tuple[int, int], folder: Path) -> int:
    from imgfix.pipelines.moving.clip import Clip
    from imgfix.tasks.frames import sequence_for
    from imgfix.tasks.upscale import UpscaleOptions

    source = make_clip(folder / "a.mp4", frames, size)
    engine = engine_of(model or str(tiny_weights(folder / "tiny-x2.safetensors")))
    held: list[int] = []
    start = time.perf_counter()
    Clip(source, folder / "b.mp4").run(
        sequence_for(engine, UpscaleOptions(), *size), {}, progress=lambda done, total: held.append(resident())
    )
    seconds = time.perf_counter() - start
    first, last = max(held[1:201]), max(held[-200:])
    print("| frames | size | peak, first 200 | peak, last 200 | difference | seconds |\n|---|---|---|---|---|---|")
    print(
        f"| {len(held) - 1} | {size[0]}x{size[1]} | {first / 1e6:.1f} MB | {last / 1e6:.1f} MB "
        f"| {(last - first) / 1e6:+.1f} MB | {seconds:.0f} |"
    )
    return int(last > first * 1.1)


def overlap(model: str, frames: int, size: tuple[int, int], turns: int, folder: Path) -> int:
    import torch

    from imgfix.media.video.reader import Reader
    from imgfix.pipelines.moving import clip as clips
    from imgfix.runtime.prefetch import prefetch
    from imgfix.tasks.frames import sequence_for
    from imgfix.tasks.upscale import UpscaleOptions

    source = make_clip(folder / "a.mp4", frames, size)
    engine = engine_of(model)
    single = engine.descriptor.frames == 1
    decoded = [frame.pixels for frame in Reader(source).frames()]
    pictures = [torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255 for pixels in decoded]
    task = sequence_for(engine, UpscaleOptions(), *size)
    at_once = clips.stages

    def one_by_one(task: Any, given: Iterator[np.ndarray], restart: Any, depth: int) -> Any:
        return iter(list(task.run(iter(list(given)), restart)))

    def three(task: Any, given: Iterator[np.ndarray], restart: Any, depth: int) -> Any:
        return prefetch(task.run(prefetch(given, depth), restart), depth)

    def alone() -> None:
        if single:
            for picture in pictures:
                engine.run(picture)
        else:
            for _ in task.run(iter(decoded)):
                pass

    def whole(way: Any, name: str) -> None:
        clips.stages = way
        clips.Clip(source, folder / f"{name}.mp4", clips.Settings(overwrite=True)).run(task, {})

    works = {
        "network alone": alone,
        "one stage after the other": lambda: whole(one_by_one, "in-turn"),
        "all stages at once": lambda: whole(three, "three"),
        "as it is done": lambda: whole(at_once, "at-once"),
    }
    wall: dict[str, list[float]] = {name: [] for name in works}
    busy: dict[str, list[float]] = {name: [] for name in works}
    alone()
    for _ in range(turns):
        for name, work in works.items():
            begin, used = time.perf_counter(), time.process_time()
            work()
            wall[name].append(time.perf_counter() - begin)
            busy[name].append(time.process_time() - used)
    clips.stages = at_once
    print(f"{model}, {frames} frames of {size[0]}x{size[1]}, median of {turns}, {torch.get_num_threads()} threads\n")
    print("| | seconds | against the network alone (middle half) | processor seconds | against the network alone |")
    print("|---|---|---|---|---|")
    for name in works:
        more = np.percentile(np.divide(wall[name], wall["network alone"]) - 1, (25, 50, 75)) * 100
        busier = np.median(np.divide(busy[name], busy["network alone"]) - 1) * 100
        print(
            f"| {name} | {np.median(wall[name]):.2f} | {more[1]:+.1f} % ({more[0]:+.1f} to {more[2]:+.1f}) "
            f"| {np.median(busy[name]):.2f} | {busier:+.1f} % |"
        )
    return int(np.median(np.divide(wall["as it is done"], wall["network alone"])) > 1.15)


def hashes(path: Path) -> list[str]:
    """Of every decoded frame and every other packet."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type == "video":
                for frame in packet.decode():
                    data = b"".join(bytes(plane) for plane in frame.planes)
                    found.append(f"{frame.pts} {hashlib.sha256(data).hexdigest()}")
            elif packet.size:
                found.append(f"{packet.pts} {hashlib.sha256(bytes(packet)).hexdigest()}")
    return found


def kill(model: str | None, times: int, frames: int, size: tuple[int, int], folder: Path) -> int:
    from imgfix.media.video.segments import LENGTH

    source = make_clip(folder / "a.mp4", frames, size)
    weights = model or str(tiny_weights(folder / "tiny-x2.safetensors"))
    command = [sys.executable, "-m", "imgfix", "upscale", str(source), "--model", weights, "-q"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole, parts = folder / "whole.mp4", folder / "parts.mp4"
    subprocess.run([*command, "-o", str(whole)], env=environment, check=True)
    wanted, last = hashes(whole), -(-frames // LENGTH)
    rng = random.Random(0)
    places: Counter[str] = Counter()
    different = 0

    def complete() -> None:
        nonlocal different
        if not parts.exists():
            subprocess.run([*command, "-o", str(parts), "--resume"], env=environment, check=True)
        different += hashes(parts) != wanted
        parts.unlink()

    for number in range(times):
        if finished(parts) > last - 5:
            complete()  # too little is left to be interrupted
        process = subprocess.Popen([*command, "-o", str(parts), "--resume"], env=environment)
        kept = finished(parts)
        # Anywhere between the end of a part and that of the next, some parts on: never at the start, seldom at the end.
        until = min(last - 2, kept + rng.randint(2, 3))
        took = wait_for(parts, until, process)
        time.sleep(rng.random() * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = finished(parts)
        place = "after the end" if parts.exists() else "while it was joined" if kept == last else "in the middle"
        places[place] += 1
        left = len(list(parts.parent.glob(f"{parts.name}.unfinished/*.part")))
        print(f"killed {number + 1}: {place}, {kept} of {last} parts kept, {left} open", flush=True)
        if parts.exists():
            complete()
    complete()
    told = ", ".join(f"{count} {place}" for place, count in places.most_common())
    print(f"{times} kills ({told}), {len(wanted)} frames and packets: {'DIFFERENT' if different else 'equal'}")
    return int(different > 0)


def finished(target: Path) -> int:
    """How many parts of a result are closed."""
    from imgfix.media.video.segments import Journal

    journal = Journal.read(target)
    return len(journal.segments) if journal is not None else 0


def wait_for(target: Path, parts: int, process: subprocess.Popen[bytes]) -> float:
    """Wait until so many parts are closed, or the process has ended; how many seconds the last part took."""
    before = now = 0.0
    seen = finished(target)
    while process.poll() is None and seen < parts:
        time.sleep(0.005)
        if (count := finished(target)) > seen:
            before, now, seen = now, time.perf_counter(), count
    return now - before if before else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "overlap", "kill"])
    parser.add_argument("--frames", type=int)
    parser.add_argument("--size", default="160x96")
    parser.add_argument("--model")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--times", type=int, default=10)
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.what == "memory":
            return memory(arguments.model, arguments.frames or 2000, (width, height), folder)
        if arguments.what == "overlap":
            return overlap(
                arguments.model or "photo-x4", arguments.frames or 40, (width, height), arguments.turns, folder
            )
        return kill(arguments.model, arguments.times, arguments.frames or 600, (width, height), folder)


if __name__ == "__main__":
    sys.exit(main())
