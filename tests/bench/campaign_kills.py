"""Kills and signals at random moments: of a batch, a clip, a download and a training, each then done to its end.

After a kill nothing under a final name may differ from the uninterrupted run, and the same command must reach its end.
After SIGINT, SIGTERM and SIGHUP nothing may be left lying about either, and the exit code is 128 + number.
"""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgfix import cli
from tests.bench import campaign_worker
from tests.bench.campaign_seeds import photo, tiny_model
from tests.media.clips import Recipe, Sound
from tests.media.clips import make as make_clip
from tests.zoo.helpers import serve

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 120.0


@dataclass(frozen=True)
class Work:
    """Something that is ended in the middle: its command, and where its results lie in `{out}`."""

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...]
    """What the same command needs besides to go on."""
    compared: tuple[str, ...]
    """Patterns of the results that must equal those of the uninterrupted run, byte for byte."""
    grows: bool = False
    """Whether they are those of the uninterrupted run at the end only: the best model so far."""


def run(place: Path, seed: int, seconds: float, names: list[str] | None, keep: Path | None) -> dict[str, Any]:
    """End each kind of work in turn until the time is up. How often, by kind, and what was found."""
    import torch

    torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    rows: dict[str, dict[str, Any]] = {}
    with works(place, names) as all_work:
        whole = {work.name: place / f"whole-{work.name}" for work in all_work}
        lengths = {}
        for work in all_work:
            begun = time.monotonic()
            code, said = Process(work.words, whole[work.name]).end(PATIENCE)
            if code != 0:
                raise SystemExit(f"{work.name} fails when nobody ends it: {said}")
            lengths[work.name] = time.monotonic() - begun
            rows[work.name] = {"ended": 0, "killed": 0, "in_time": 0, "too_early": 0, "left_behind": 0}
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for work in all_work:
                number += 1
                draw = random.Random(f"{seed}/{work.name}/{number}")
                for problem in _one(draw, work, place / "out", whole[work.name], lengths[work.name], rows[work.name]):
                    found.append({"kind": work.name, "number": number, "what": problem})
                    print(f"{work.name}-{number}: {problem}", file=sys.stderr)
                    if keep is not None:
                        shutil.copytree(place / "out", keep / f"{work.name}-{number}", dirs_exist_ok=True)
    return {"ends": sum(row["ended"] for row in rows.values()), "kinds": rows, "found": found}


def _one(draw: random.Random, work: Work, out: Path, whole: Path, length: float, row: dict[str, Any]) -> Iterator[str]:
    shutil.rmtree(out, ignore_errors=True)
    number = draw.choice(SIGNALS)
    process = Process(work.words, out)
    time.sleep(draw.random() * length)
    process.send(number)
    code, said = process.end(PATIENCE)
    row["ended"] += 1
    row["killed"] += number == signal.SIGKILL
    row["in_time"] += code != 0
    if code == "hang":
        yield f"{number.name}: it did not end"
    elif code == -number and not said:  # it came before imgfix answers any
        row["too_early"] += 1
    elif code not in (0, *_codes(number, work)):
        yield f"{number.name}: exit code {code}: {said[-300:]}"
    if "Traceback" in said or "fault of imgfix" in said:
        yield f"{number.name}: {said[-300:]}"
    litter = [path.name for path in out.rglob(".imgfix-*")] if out.exists() else []
    row["left_behind"] += len(litter)
    if litter and number != signal.SIGKILL:  # nobody can tidy up after a SIGKILL
        yield f"{number.name}: left behind: {litter}"
    yield from (f"{number.name}: differs: {name}" for name in _differing(work, out, whole, part=True))
    code, said = Process((*work.words, *work.again), out).end(PATIENCE)
    if code != 0:
        yield f"{number.name}: again: exit code {code}: {said[-300:]}"
    yield from (f"{number.name}: differs in the end: {name}" for name in _differing(work, out, whole, part=False))


def _codes(number: int, work: Work) -> tuple[int, ...]:
    if number == signal.SIGKILL:
        return (-number,)
    # A training answers every signal in the same way: it saves, and leaves with 130.
    return (128 + number, 130) if work.name == "training" else (128 + number,)


def _differing(work: Work, out: Path, whole: Path, part: bool) -> list[str]:
    """Results that are not those of the uninterrupted run; part: not all of them have to be there."""
    wanted = {path.relative_to(whole) for pattern in work.compared for path in whole.glob(pattern)}
    if not wanted:
        return ["nothing to compare"]
    return [
        str(name)
        for name in sorted(wanted)
        if not ((out / name).is_file() and _equal(whole / name, out / name))
        and not (part and (work.grows or not (out / name).exists()))
    ]


def _equal(one: Path, other: Path) -> bool:
    if one.suffix != ".safetensors":
        return filecmp.cmp(one, other, shallow=False)
    from safetensors.numpy import load_file  # its header names the folder of the run

    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


@contextmanager
def works(place: Path, names: list[str] | None) -> Iterator[list[Work]]:
    """The four kinds of work, with a web server for the download."""
    tiny = tiny_model(place)
    photos = place / "photos"
    photos.mkdir()
    for number in range(8):
        Image.fromarray(photo(120, 80, number)).save(photos / f"{number}.{('png', 'jpg')[number % 2]}")
    clip = make_clip(
        place / "clip.mp4", Recipe(times=[i / 25 for i in range(130)], size=(32, 24), sounds=(Sound(seconds=5),))
    )
    plain = ("--model", str(tiny), "--precision", "fp32", "--device", "cpu")
    every = [
        Work("batch", ("upscale", str(photos), "-o", "{out}/", *plain), ("--skip-existing",), ("*.png", "*.jpg")),
        Work("clip", ("upscale", str(clip), "-o", "{out}/clip.mp4", *plain), ("--resume", "--overwrite"), ("*.mp4",)),
        Work("pull", ("weights", "pull", "https://models.example/big.pth"), (), ("home/models/*.safetensors",)),
        Work("training", ("train", "tiny", str(photos), "-o", "{out}/run", "--steps", "60", "-q",
             "--set", "checkpoint_minutes=0"), (), ("run/model.safetensors",), grows=True),
    ]  # fmt: skip
    data = _large_checkpoint(place / "big.pth").read_bytes()
    with serve() as server:
        server.files["/models.example/big.pth"] = data
        os.environ["IMGFIX_MIRROR"] = server.url
        yield [work for work in every if names is None or work.name in names]


def _large_checkpoint(path: Path) -> Path:
    import torch

    from tests.zoo.helpers import tiny_checkpoint

    state = torch.load(tiny_checkpoint(path.with_name("small.pth")), weights_only=True)
    more = {"optimizer": {"step": torch.from_numpy(np.random.default_rng(0).random(3_000_000, np.float32))}}
    torch.save(state | more if isinstance(state, dict) else state, path)
    return path


class Process:
    """A command line in a fork of this process, so that torch need not be imported anew each time."""

    def __init__(self, words: tuple[str, ...], out: Path, before: Callable[[], None] | None = None) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._said = out.with_name(f"{out.name}.said")
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._run([word.replace("{out}", str(out)) for word in words], out, before)

    def send(self, number: int) -> None:
        """Send a signal; one that comes after the end is nobody's business."""
        os.kill(self.pid, number)

    def end(self, patience: float) -> tuple[int | str, str]:
        """Exit code (negative: killed by that signal; 'hang': killed here, for it did not end) and stderr."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status), self._said.read_text("utf-8", "replace")
            time.sleep(0.005)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return "hang", self._said.read_text("utf-8", "replace")

    def _run(self, words: list[str], out: Path, before: Callable[[], None] | None) -> None:
        code = 99
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.environ["IMGFIX_HOME"] = str(out / "home")
            said = os.open(self._said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            null = os.open(os.devnull, os.O_RDWR)
            for new, old in ((null, 0), (null, 1), (said, 2)):
                os.dup2(new, old)
            sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
            if before is not None:
                before()
            code = cli.run(words)
            sys.stdout.flush()
        except BaseException as error:
            code = 128 + signal.SIGINT if isinstance(error, KeyboardInterrupt) else 98
        finally:
            try:
                sys.stderr.flush()
            finally:
                os._exit(code)


assert campaign_worker.kinds.KINDS["tiny"]  # trained here too
