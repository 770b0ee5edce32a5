"""`--ray` on one machine: one and two workers of one core, a worker killed, the run itself killed and started again.

    python tests/bench/cluster.py photos photos/ --model photo-x4
    python tests/bench/cluster.py clip --model photo-x4 -- --no-steady
    python tests/bench/cluster.py full --model photo-x4          # as root: the results go to a small disk in memory

A Ray of 1 and then of 2 CPU cores is started for each run. On a machine with other work, look at the last column: CPU
seconds of the busiest worker, which is what the run would take with a core for each worker; its ratio is the speed-up.
The clip is made here: scenes that pan over pictures. Words after `--` go to the command.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np

TICKS = os.sysconf("SC_CLK_TCK")
RAY = [str(Path(sys.executable).with_name("ray"))]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def workers() -> dict[int, float]:
    """CPU seconds of the actors that hold a pipeline, by process id."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(b"ray::Worker"):
                fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
                found[int(path.name)] = (int(fields[11]) + int(fields[12])) / TICKS
        except OSError:
            continue
    return found


def start_ray(cores: int) -> None:
    """A cluster of this machine."""
    subprocess.run(
        [*RAY, "start", "--head", "--num-cpus", str(cores), "--include-dashboard", "false"], check=True, **QUIET
    )


def stop_ray() -> None:
    """End it."""
    subprocess.run([*RAY, "stop", "--force"], check=False, **QUIET)


class Run:
    """One run of the command, watched."""

    def __init__(self, source: Path, out: Path | str, model: str, *words: str) -> None:
        command = [
            sys.executable,
            "-m",
            "imgfix",
            "upscale",
            source,
            "-o",
            out,
            "--model",
            model,
            "--json",
            "--no-record",
            *words,
        ]
        self.start, self.cpu, self.first = time.monotonic(), dict[int, float](), dict[int, float]()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.rows: list[dict[str, object]] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.rows.append(json.loads(line))

    def until(self, results: int) -> None:
        """Wait for so many results, or the end."""
        while self.process.poll() is None and len(self.rows) < results:
            self.look()

    def look(self) -> None:
        """See what the workers have used; what they used before their first result is start-up."""
        now = workers()
        self.cpu.update(now)
        if len(self.rows) < 4:
            self.first.update(now)
        time.sleep(0.05)

    def end(self) -> int:
        """Wait for it; returns the exit code."""
        while self.process.poll() is None:
            self.look()
        self.reader.join()
        self.seconds = time.monotonic() - self.start
        return self.process.returncode

    @property
    def busiest(self) -> float:
        """CPU seconds of the busiest worker without its start-up."""
        return max((self.cpu[one] - self.first.get(one, 0) for one in self.cpu), default=0.0)


def told(run: Run) -> str:
    """Counts of what was told."""
    done = [row["source"] for row in run.rows if row["status"] == "done"]
    return f"{len(done)} done, {len(done) - len(set(done))} twice, {len(run.rows)} rows"


def same(one: Path, other: Path) -> str:
    """Compare two folders byte for byte; temporary files count."""
    names = {path.name for path in one.iterdir()} ^ {path.name for path in other.iterdir()}
    common = [path for path in one.iterdir() if path.name not in names]
    unlike = [path for path in common if path.read_bytes() != (other / path.name).read_bytes()]
    return f"{len(list(other.iterdir()))} files, {len(unlike)} of other bytes, {len(names)} missing or left over"


RAY_WORDS = ("--ray", "auto", "--worker-cores", "1")


def photos(root: Path, source: Path, model: str, extra: list[str]) -> None:
    """Two hundred small files, or whatever the folder holds."""
    alone = Run(source, f"{root}/alone/", model, *extra)
    print(f"alone: exit code {alone.end()}, {alone.seconds:.1f} s, {told(alone)}", flush=True)
    busiest = {}
    for cores in (1, 2):
        start_ray(cores)
        run = Run(source, f"{root}/of{cores}/", model, *RAY_WORDS, *extra)
        code = run.end()
        busiest[cores] = run.busiest
        print(
            f"{cores} workers: exit code {code}, {run.seconds:.1f} s, {told(run)}; "
            f"{same(root / 'alone', root / f'of{cores}')}; busiest worker {run.busiest:.2f} s of CPU",
            flush=True,
        )  # fmt: skip
        if cores == 1:
            stop_ray()
    print(f"speed-up by CPU time: {busiest[1] / busiest[2]:.2f}", flush=True)
    run = Run(source, f"{root}/killed/", model, *RAY_WORDS, *extra)
    run.until(40)
    os.kill(next(iter(workers())), signal.SIGKILL)
    code = run.end()
    print(f"a worker killed: exit code {code}, {told(run)}; {same(root / 'alone', root / 'killed')}", flush=True)
    run = Run(source, f"{root}/again/", model, *RAY_WORDS, *extra)
    run.until(60)
    run.process.kill()
    run.end()
    print(f"the run killed: {told(run)}, {len(list((root / 'again').iterdir()))} files", flush=True)
    run = Run(source, f"{root}/again/", model, *RAY_WORDS, "--skip-existing", *extra)
    code = run.end()
    print(f"started again: exit code {code}, {told(run)}; {same(root / 'alone', root / 'again')}", flush=True)
    run = Run(source, f"{root}/interrupted/", model, *RAY_WORDS, *extra)
    run.until(60)
    run.process.send_signal(signal.SIGINT)
    code = run.end()
    files = list((root / "interrupted").iterdir())
    hidden = sum(path.name.startswith(".") for path in files)
    print(f"Ctrl-C: exit code {code}, {told(run)}, {len(files)} files, {hidden} of them left over", flush=True)


def film(path: Path, scenes: int, frames: int, size: tuple[int, int]) -> Path:
    """A clip of scenes of so many frames each, that pan over soft pictures; with a tone."""
    width, height = size
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"crf": "12", "g": "50"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for scene in range(scenes):
            random = np.random.default_rng(scene)
            cells = np.clip(random.normal(random.integers(40, 216, 3), 60, (12, 24, 3)), 0, 255).astype(np.float32)
            wide = cv2.resize(cells, (width + frames + 8, height), interpolation=cv2.INTER_CUBIC)
            plane = np.clip(wide, 0, 255).astype(np.uint8)
            for at in range(frames):
                picture = np.ascontiguousarray(plane[:, at : at + width])
                out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
    return path


def alike(one: Path, other: Path) -> str:
    """Compare two clips."""
    if not other.is_file():
        return "no file"
    pictures = []
    for path in (one, other):
        with av.open(str(path)) as opened:
            pictures.append([hash(frame.to_ndarray(format="rgb24").tobytes()) for frame in opened.decode(video=0)])
    unlike = sum(a != b for a, b in zip(*pictures, strict=True)) if len(set(map(len, pictures))) == 1 else "all"
    kept = "parts left" if any(path.is_dir() for path in other.parent.iterdir()) else "nothing left over"
    words = "the same bytes" if one.read_bytes() == other.read_bytes() else "other bytes"
    return f"{words}, {unlike} of {len(pictures[0])} frames unlike, {kept}"


def clip(root: Path, source: Path | None, model: str, extra: list[str]) -> None:
    """A clip in parts."""
    if source is None:
        source = film(root / "film.mkv", 8, 60, (64, 48))
    out = root / "out"
    out.mkdir()
    alone = Run(source, out / "alone.mkv", model, *extra)
    print(f"alone: exit code {alone.end()}, {alone.seconds:.1f} s, {told(alone)}", flush=True)
    busiest = {}
    for cores in (1, 2):
        start_ray(cores)
        run = Run(source, out / f"clip{cores}.mkv", model, *RAY_WORDS, *extra)
        run.first = {}
        code = run.end()
        busiest[cores] = max(run.cpu.values(), default=0.0)
        print(
            f"{cores} workers: exit code {code}, {run.seconds:.1f} s, {told(run)}; "
            f"{alike(out / 'alone.mkv', out / f'clip{cores}.mkv')}; workers {sorted(run.cpu.values())} s of CPU",
            flush=True,
        )  # fmt: skip
        if cores == 1:
            stop_ray()
    print(f"speed-up by CPU time, start of the workers included: {busiest[1] / busiest[2]:.2f}", flush=True)
    run = Run(source, out / "killed.mkv", model, *RAY_WORDS, *extra)
    _until_parts(run, out / "killed.mkv", 2)
    os.kill(next(iter(workers())), signal.SIGKILL)
    code = run.end()
    print(f"a worker killed: exit code {code}, {told(run)}; {alike(out / 'alone.mkv', out / 'killed.mkv')}", flush=True)
    run = Run(source, out / "again.mkv", model, *RAY_WORDS, *extra)
    _until_parts(run, out / "again.mkv", 3)
    run.process.kill()
    run.end()
    there = [path for path in out.glob("again.mkv.unfinished/parts/*") if "." not in path.name]
    print(f"the run killed: {len(there)} parts are whole", flush=True)
    run = Run(source, out / "again.mkv", model, *RAY_WORDS, "--resume", *extra)
    code = run.end()
    resumed = run.rows[0].get("resumed") if run.rows else None
    print(
        f"started again: exit code {code}, {told(run)}, frames resumed {resumed}; "
        f"{alike(out / 'alone.mkv', out / 'again.mkv')}",
        flush=True,
    )


def _until_parts(run: Run, target: Path, number: int) -> None:
    """Wait until so many parts are whole, or the end."""
    room = target.with_name(f"{target.name}.unfinished") / "parts"
    while run.process.poll() is None and sum("." not in path.name for path in room.glob("*")) < number:
        run.look()


def full(root: Path, source: Path | None, model: str, extra: list[str]) -> None:
    """The disk of the results is full in the middle, and larger the second time."""
    if source is None:
        source = root / "photos"
        source.mkdir()
        for number in range(24):
            pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
            cv2.imwrite(str(source / f"{number:02d}.png"), pixels)
    alone = Run(source, f"{root}/alone/", model, *extra)
    alone.end()
    size = sum(path.stat().st_size for path in (root / "alone").iterdir())
    disk = root / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size // 2}", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    try:
        start_ray(2)
        run = Run(source, f"{disk}/", model, *RAY_WORDS, *extra)
        code = run.end()
        failed = [str(row.get("error")) for row in run.rows if row["status"] == "failed"]
        about = sum("the disk is full" in error for error in failed)
        broken = sum(path.read_bytes() != (root / "alone" / path.name).read_bytes() for path in disk.iterdir())
        print(
            f"a full disk: exit code {code}, {told(run)}, {len(failed)} failed, {about} of them for the disk; "
            f"{len(list(disk.iterdir()))} files there, {broken} of other bytes",
            flush=True,
        )
        subprocess.run(["mount", "-o", f"remount,size={size * 2}", str(disk)], check=True)
        run = Run(source, f"{disk}/", model, *RAY_WORDS, "--skip-existing", *extra)
        print(f"room made: exit code {run.end()}, {told(run)}; {same(root / 'alone', disk)}", flush=True)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def main() -> None:
    """See the module."""
    words = sys.argv[1:]
    extra = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["photos", "clip", "full"])
    parser.add_argument("source", type=Path, nargs="?")
    parser.add_argument("--model", default="photo-x4")
    given = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    with tempfile.TemporaryDirectory(prefix="imgfix-ray-") as place:
        os.environ["OMP_NUM_THREADS"] = "1"
        try:
            {"photos": photos, "clip": clip, "full": full}[given.what](Path(place), given.source, given.model, extra)
        finally:
            stop_ray()


if __name__ == "__main__":
    main()
