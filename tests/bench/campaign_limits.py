"""Done once each: full disks, folders that go away, two processes on one place, narrow memory, crowded folders, a large
picture."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgfix.train import loop
from tests.bench.campaign_kills import Process, works
from tests.bench.campaign_seeds import photo, tiny_model
from tests.bench.campaign_worker import broken
from tests.media.clips import Recipe
from tests.media.clips import make as make_clip

LONG = 1800.0
"""Seconds for what is large."""


@dataclass
class Trial:
    """What one of them gave."""

    facts: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def judge(self, name: str, ended: tuple[int | str, str], codes: tuple[int, ...], out: Path | None = None) -> None:
        """Compare an exit code with those that are right, and look for tracebacks and for half-written files."""
        code, said = ended
        self.facts[name] = code
        if code not in codes:
            self.found.append(f"{name}: exit code {code}: {said[-300:]}")
        if "Traceback" in said or "fault of imgfix" in said:
            self.found.append(f"{name}: {said[-300:]}")
        self.found += [f"{name}: half-written: {path}" for path in (broken(out) if out and out.exists() else [])]


def run(place: Path, seed: int, seconds: float, names: list[str] | None, keep: Path | None) -> dict[str, Any]:
    """Do each of them; the facts by name, and what was found."""
    import torch

    torch.set_num_threads(1)
    result: dict[str, Any] = {"found": []}
    for name, trial in TRIALS.items():
        if names is None or name in names:
            (place / name).mkdir()
            begun = time.monotonic()
            done = Trial()
            trial(place / name, done)
            result[name] = {**done.facts, "seconds": round(time.monotonic() - begun, 1)}
            for problem in done.found:
                print(f"{name}: {problem}", file=sys.stderr)
                result["found"].append({"kind": name, "what": problem})
            shutil.rmtree(place / name)
    return result


def _small_files(limit: int) -> Callable[[], None]:
    """The system refuses to let any file grow beyond this, as a full disk does."""

    def before() -> None:
        loop.RETRY_SECONDS = 0.05  # a training that is done waits long for somebody to free some space
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return before


def _full_disk(place: Path, trial: Trial) -> None:
    with works(place, None) as every:
        for work in every:
            for limit in (10_000, 30_000, 300_000):
                out = place / f"{work.name}-{limit}"
                ended = Process(work.words, out, _small_files(limit)).end(300)
                trial.judge(f"{work.name} {limit}", ended, (0, 1, 3), out)
                if ended[0] != 0 and "disk is full" not in ended[1]:
                    trial.found.append(f"{work.name} {limit}: no word of the disk: {ended[1][-300:]}")
                ended = Process((*work.words, *work.again), out).end(300)
                trial.judge(f"{work.name} {limit} and then with room", ended, (0,), out)


def _gone(place: Path, trial: Trial) -> None:
    """Folders that are deleted while they are read or written."""
    with works(place, None) as every:
        for work in every:
            for moment in (0.1, 0.5, 1.0, 2.0):
                out = place / work.name
                process = Process(work.words, out)
                time.sleep(moment)
                shutil.rmtree(out, ignore_errors=True)
                trial.judge(f"{work.name} after {moment} s", process.end(300), (0, 1, 3), out)
                shutil.rmtree(out, ignore_errors=True)
    photos = place / "going"
    photos.mkdir()
    for number in range(20):
        Image.fromarray(photo(320, 240)).save(photos / f"{number}.png")
    tiny = tiny_model(place)
    process = Process(("upscale", str(photos), "-o", "{out}/", "--model", str(tiny)), place / "results")
    time.sleep(1)
    shutil.rmtree(photos)
    trial.judge("the photos", process.end(300), (0, 1), place / "results")


def _read_only(place: Path, trial: Trial) -> None:
    """Folders of results that nobody may write in any more, half-way."""
    with works(place, None) as every:
        for work in every:
            for moment in (0.1, 0.5, 1.0, 2.0):
                out = place / work.name
                out.mkdir()
                out.chmod(0o777)
                process = Process(work.words, out, _bound_by_rights)
                time.sleep(moment)
                folders = [out, *(path for path in out.rglob("*") if path.is_dir())]
                for folder in folders:
                    folder.chmod(0o555)
                ended = process.end(300)
                for folder in folders:
                    folder.chmod(0o777)
                trial.judge(f"{work.name} after {moment} s", ended, (0, 1, 3), out)
                if ended[0] == 0 and moment < 0.5:
                    trial.facts[f"{work.name} after {moment} s"] = "done before"
                shutil.rmtree(out)


def _bound_by_rights() -> None:
    """Gives up what lets root write where nobody may: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of Linux."""
    loop.RETRY_SECONDS = 0.05
    if os.geteuid() == 0:
        library = ctypes.CDLL(None)
        head, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        library.capget(head, sets)
        sets[0] &= ~0b110
        sets[1] &= ~0b110
        if library.capset(head, sets) != 0:
            raise OSError("the rights of root cannot be given up")


def _two(place: Path, trial: Trial) -> None:
    """Two processes at the same time on one output, one download, one training folder."""
    with works(place, None) as every:
        for work in every:
            out = place / work.name
            more = {"batch": ("--overwrite",), "clip": ("--overwrite",)}.get(work.name, ())
            codes = (0, 1, 2, 3) if work.name in ("clip", "training") else (0,)
            both = [Process((*work.words, *more), out) for _ in range(2)]
            ended = [process.end(300) for process in both]
            for number, end in enumerate(ended):
                trial.judge(f"{work.name} {number}", end, codes, out)
            if all(end[0] != 0 for end in ended):
                trial.found.append(f"{work.name}: neither of the two got anywhere: {ended}")


def _memory(place: Path, trial: Trial) -> None:
    """Networks with less and less memory: done, or exit code 4, but never a crash."""
    Image.fromarray(photo(1200, 800)).save(place / "photo.jpg")
    peaks = []
    for verb in (
        ("upscale", "--model", "photo-x4"),
        ("restore", "--model", "restore"),
        ("inpaint", "--box", "9,9,90,90"),
    ):
        for megabytes in (200, 400, 800, 1600, 3200):
            limit = _own_address_space() + megabytes * 1_000_000

            def before(limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

            out = place / f"{verb[0]}-{megabytes}"
            words = (verb[0], str(place / "photo.jpg"), "-o", "{out}/", *verb[1:])
            ended = Process(words, out, before).end(LONG)
            trial.judge(f"{verb[0]} {megabytes} MB", ended, (0, 4), out)
            peaks.append(ended[0])


def _own_address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _names(place: Path, trial: Trial, count: int = 100_000) -> None:
    """A folder of a hundred thousand names, of which a few are done, and then none is left to do."""
    photos, out = place / "photos", place / "out"
    photos.mkdir()
    out.mkdir()
    Image.fromarray(photo(16, 12)).save(place / "one.png")
    for number in range(count):
        _named_too(place / "one.png", photos / f"{number:06d}.png")
    words = ("upscale", str(photos), "-o", "{out}/", "--model", str(tiny_model(place)))
    for name, more in (("a shard of 1/5000", ("--shard", "1/5000")), ("all done already", ("--skip-existing",))):
        if name == "all done already":
            for path in photos.iterdir():
                if not (out / path.name).exists():
                    _named_too(place / "one.png", out / path.name)
        begun = time.monotonic()
        trial.judge(name, Process((*words, *more), out).end(LONG), (0,))
        trial.facts[f"{name}, seconds"] = round(time.monotonic() - begun, 1)


def _named_too(path: Path, name: Path) -> None:
    """One more name for a file; a file has only so many, and is then copied."""
    try:
        os.link(path, name)
    except OSError:
        shutil.copy(path, path.with_name("next.png"))
        path.with_name("next.png").replace(path)
        os.link(path, name)


def _large(place: Path, trial: Trial) -> None:
    """A picture of 200 megapixels through a network and through a fill, with the memory that each took."""
    rows = np.tile(photo(20_000, 100), (100, 1, 1))
    Image.MAX_IMAGE_PIXELS = None
    Image.fromarray(rows).save(place / "large.png", compress_level=1)
    tiny = str(tiny_model(place))
    for name, words in {
        "fill": ("inpaint", "{photo}", "--box", "10000,5000,60,40", "--model", "telea", "-o", "{out}/a.png"),
        "network": ("upscale", "{photo}", "--model", tiny, "-o", "{out}/b.png"),
    }.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        begun = time.monotonic()
        words = tuple(word.replace("{photo}", str(place / "large.png")) for word in words)
        trial.judge(name, Process((*words, "--max-pixels", "0"), place / name).end(LONG), (0,))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        trial.facts[f"{name}, seconds"] = round(time.monotonic() - begun, 1)
        trial.facts[f"{name}, peak MB"] = peak // 1024 if peak > before else f"at most {peak // 1024}"


def _clip_memory(place: Path, trial: Trial) -> None:
    """A clip whose frames are large, in little memory."""
    clip = make_clip(place / "clip.mp4", Recipe(times=[i / 25 for i in range(8)], size=(1280, 720)))
    words = ("upscale", str(clip), "-o", "{out}/clip.mp4", "--model", str(tiny_model(place)))
    for megabytes in (300, 1000, 3000):
        limit = _own_address_space() + megabytes * 1_000_000

        def before(limit: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

        trial.judge(f"{megabytes} MB", Process(words, place / str(megabytes), before).end(LONG), (0, 1, 4))


TRIALS: dict[str, Callable[[Path, Trial], None]] = {
    "full_disk": _full_disk, "gone": _gone, "read_only": _read_only, "two": _two, "memory": _memory,
    "clip_memory": _clip_memory, "names": _names, "large": _large,
}  # fmt: skip
"""Name -> what is done."""
