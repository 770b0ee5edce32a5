"""Damaged files: each reader gets good files with a few bytes changed, cut, doubled, swapped or made absurd."""

from __future__ import annotations

import json
import random
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.campaign_seeds import Seed, seeds

PATIENCE = 90.0
"""Seconds after which a file counts as one that hangs."""
CODES = frozenset(range(5))
ABSURD = (
    "0",
    "-1",
    "1e400",
    "nan",
    "9" * 40,
    "null",
    "[" * 3000,
    '"\\u0000"',
    "true",
    "{}",
    "2147483647",
    "'\x1b[31m'",
)
INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def run(place: Path, seed: int, seconds: float, names: list[str] | None, keep: Path | None) -> dict[str, Any]:
    """Damage files of every kind in turn until the time is up. What happened, by kind, and what was found."""
    kinds = seeds(place / "seeds", names)
    found: list[dict[str, Any]] = []
    rows = {kind: _row() for kind in kinds}
    end = time.monotonic() + seconds
    worker = Worker()
    number = 0
    try:
        for name, each in kinds.items():
            for one in each:
                good = _asked(one, place / "work", worker, lambda at: None)
                if good["code"] != 0:
                    raise SystemExit(f"{name}: the good {one.name} is refused: {good['said']}")
        while time.monotonic() < end:
            for kind, row in rows.items():
                # A clip takes ten times as long as a picture; every kind gets its share of the time.
                if row["seconds"] > min(other["seconds"] for other in rows.values()) + 5:
                    continue
                number += 1
                draw = random.Random(f"{seed}/{kind}/{number}")
                problem = _one(draw, draw.choice(kinds[kind]), place / "work", worker, row)
                if problem:
                    found.append({"kind": kind, "number": number, **problem})
                    _keep(place / "work", keep, f"{kind}-{number}", problem)
    finally:
        worker.stop()
    files = sum(row["files"] for row in rows.values())
    return {"files": files, "kinds": rows, "found": found}


def _row() -> dict[str, Any]:
    return {"files": 0, "done": 0, "refused": 0, "slowest": 0.0, "peak_mb": 0, "seconds": 0.0}


def _one(draw: random.Random, seed: Seed, work: Path, worker: Worker, row: dict[str, Any]) -> dict[str, Any] | None:
    victim = draw.choice(seed.victims)

    def spoil(at: Path) -> None:
        data = (at / victim).read_bytes()
        for copy in range(1, seed.copies):
            (at / f"{copy:02d}-{victim}").write_bytes(damaged(data, draw))
        (at / victim).write_bytes(damaged(data, draw))

    begun = time.monotonic()
    answer = _asked(seed, work, worker, spoil)
    took = time.monotonic() - begun
    row["files"] += seed.copies
    row["seconds"] = round(row["seconds"] + took, 2)
    row["slowest"] = round(max(row["slowest"], took), 2)
    row["peak_mb"] = max(row["peak_mb"], answer.get("peak_mb", 0))
    done = answer.get("written", 0) if seed.copies > 1 else int(answer["code"] == 0)
    row["done"] += done
    row["refused"] += seed.copies - done
    problem = judged(answer)
    return {"what": problem, "seed": seed.name, "victim": victim, **answer} if problem else None


def _asked(seed: Seed, work: Path, worker: Worker, spoil: Callable[[Path], None]) -> dict[str, Any]:
    shutil.rmtree(work, ignore_errors=True)
    at, out = work / "at", work / "out"
    shutil.copytree(seed.folder, at)
    out.mkdir()
    spoil(at)
    words = [word.replace("{at}", str(at)).replace("{out}", str(out)) for word in seed.words]
    environment = {name: value.replace("{at}", str(at)) for name, value in seed.environment}
    return {"words": words, **worker.ask({"arguments": words, "out": str(out), "environment": environment})}


def judged(answer: dict[str, Any]) -> str | None:
    """What is wrong with how a command ended; None: nothing."""
    if answer["code"] not in CODES:
        return "hang" if answer["code"] == "hang" else "crash"
    if "Traceback" in answer["said"] or "fault of imgfix" in answer["said"]:
        return "traceback"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", answer["said"]):
        return "raw control characters"
    return "half-written" if answer["broken"] else None


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The same bytes with something wrong, at the ends more often than in the middle, one to three times over."""
    changed = bytearray(data) or bytearray(b"\0")
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        _damage(changed, draw)
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def _damage(changed: bytearray, draw: random.Random) -> None:
    size = len(changed)
    near = min(size, 512)
    at = draw.choice((draw.randrange(size), draw.randrange(near), size - 1 - draw.randrange(near)))
    kind = draw.randrange(9)
    if kind == 0:
        for _ in range(draw.randrange(1, 8)):
            changed[(at + draw.randrange(16)) % size] = draw.randrange(256)
    elif kind == 1:
        changed[at] ^= 1 << draw.randrange(8)
    elif kind == 2:
        del changed[at : at + draw.randrange(1, 64)]
    elif kind == 3:
        changed[at:at] = changed[at : at + draw.randrange(1, 256)]
    elif kind == 4:
        del changed[at:]
    elif kind == 5:
        width, order = draw.choice((1, 2, 4, 8)), draw.choice(("big", "little"))
        value = draw.choice(INTEGERS) & ((1 << 8 * width) - 1)
        changed[at : at + width] = value.to_bytes(width, order)
    elif kind == 6:
        changed[at : at + draw.randrange(1, 64)] = bytes(draw.randrange(1, 64))
    elif kind == 7:
        other = draw.randrange(size)
        length = draw.randrange(1, 128)
        changed[at : at + length] = changed[other : other + length]
    else:
        _absurd(changed, draw)


def _absurd(changed: bytearray, draw: random.Random) -> None:
    """A number or word in a text becomes an absurd one; in what is no text, some bytes do."""
    found = list(
        re.finditer(rb"(?<=[=:, \[])-?[0-9]+(\.[0-9]+)?|\"[^\"\n]{0,40}\"|true|false|null", bytes(changed[:20000]))
    )
    begin, end = draw.choice(found).span() if found else (0, min(4, len(changed)))
    changed[begin:end] = draw.choice(ABSURD).encode()


class Worker:
    """A process that runs command lines, started anew when it crashed, hung or has grown."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._runs = 0

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the worker answers; code 'hang' or that of a crash where it does not."""
        if self._process is None:
            command = [sys.executable, "-m", "tests.bench.campaign_worker"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE + (30 if self._runs == 0 else 0))
        line = process.stdout.readline() if ready else ""
        self._runs += 1
        if not line:
            code: int | str = "hang" if not ready else process.wait()
            self.stop()
            return {"code": code, "said": "", "broken": []}
        answer: dict[str, Any] = json.loads(line)
        if self._runs >= 400 or answer["peak_mb"] > 3000:  # so that a peak is that of few files
            self.stop()
        return answer

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process, self._runs = None, 0


def _keep(work: Path, keep: Path | None, name: str, problem: dict[str, Any]) -> None:
    print(f"{name}: {problem['what']}: {problem['victim']}: {problem['said'].strip()[-300:]}", file=sys.stderr)
    if keep is not None:
        shutil.copytree(work, keep / name, dirs_exist_ok=True)
        (keep / name / "found.json").write_text(json.dumps(problem, indent=1))
