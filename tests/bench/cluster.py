"""`--ray` on one machine: one and two workers of one core, a worker killed, the run itself killed and started again.

    python tests/bench/cluster.py photos/ --model photo-x4

A Ray of 1 and then of 2 CPU cores is started for each run. On a machine with other work, look at the last column: CPU
seconds of the busiest worker, which is what the run would take with a core for each worker; its ratio is the speed-up.
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

    def __init__(self, photos: Path, out: Path, model: str, *words: str) -> None:
        command = [
            sys.executable, "-m", "imgfix", "upscale", photos, "-o", f"{out}/", "--model", model, "--json", *words
        ]  # fmt: skip
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="photo-x4")
    given = parser.parse_args()
    ray = ("--ray", "auto", "--worker-cores", "1")
    with tempfile.TemporaryDirectory(prefix="imgfix-ray-") as place:
        root = Path(place)
        os.environ["OMP_NUM_THREADS"] = "1"
        alone = Run(given.photos, root / "alone", given.model)
        print(f"alone: exit code {alone.end()}, {alone.seconds:.1f} s, {told(alone)}", flush=True)
        busiest = {}
        for cores in (1, 2):
            start_ray(cores)
            run = Run(given.photos, root / f"of{cores}", given.model, *ray)
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
        run = Run(given.photos, root / "killed", given.model, *ray)
        run.until(40)
        os.kill(next(iter(workers())), signal.SIGKILL)
        code = run.end()
        print(f"a worker killed: exit code {code}, {told(run)}; {same(root / 'alone', root / 'killed')}", flush=True)
        run = Run(given.photos, root / "again", given.model, *ray)
        run.until(60)
        run.process.kill()
        run.end()
        print(f"the run killed: {told(run)}, {len(list((root / 'again').iterdir()))} files", flush=True)
        run = Run(given.photos, root / "again", given.model, *ray, "--skip-existing")
        code = run.end()
        print(f"started again: exit code {code}, {told(run)}; {same(root / 'alone', root / 'again')}", flush=True)
        run = Run(given.photos, root / "interrupted", given.model, *ray)
        run.until(60)
        run.process.send_signal(signal.SIGINT)
        code = run.end()
        files = list((root / "interrupted").iterdir())
        hidden = sum(path.name.startswith(".") for path in files)
        print(f"Ctrl-C: exit code {code}, {told(run)}, {len(files)} files, {hidden} of them left over", flush=True)
        stop_ray()


if __name__ == "__main__":
    main()
