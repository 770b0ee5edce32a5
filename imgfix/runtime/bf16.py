"""Whether a CPU gains by computing in bf16: measured once on each machine, and kept, so that bytes stay the same.

An instruction that a processor has is not one that it is quick in: of two generations of servers with AVX512-BF16, one
takes half the time of fp32 for a convolution, the other twice as long.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.errors import ImgfixError
from imgfix.runtime.processor import capabilities, processor
from imgfix.zoo import folders

GAIN = 1.15
"""How many times as fast as fp32 bf16 has to be: it gives up digits, and a measurement is never quite the same."""
_ROUNDS = 8


@dataclass(frozen=True)
class Gain:
    """What bf16 brings on this CPU."""

    times: float | None
    """How many times as fast as fp32 a convolution is; None where it was not measured."""
    pays: bool
    """Whether `precision` auto takes it."""
    words: str
    """Why, for people."""
    known: bool = True
    """Whether it was found out at all."""


def gain() -> Gain:
    """What bf16 brings on a CPU that has instructions for it.

    AMX multiplies bf16 several times as fast as anything multiplies fp32, and is not measured. Else the figures of the
    first measurement on this machine count, by this version of torch. Where they cannot be kept, another process might
    find others and give other bytes: then it is fp32.
    """
    if capabilities().get("amx_bf16"):
        return Gain(None, True, "AMX; bf16 is used")
    seconds = _kept() or _keep(measure())
    if seconds is None:
        return Gain(None, False, "in this processor, but what it gains cannot be kept; fp32 is used", known=False)
    times = seconds["fp32"] / seconds["bf16"]
    pays = times >= GAIN
    return Gain(times, pays, f"{times:.2f} times as fast as fp32, measured; {'bf16' if pays else 'fp32'} is used")


def measure() -> dict[str, float]:
    """Seconds of a 3x3 convolution of 64 channels in either format on one thread: some 50 ms of work in all.

    In turns, and the best of each; where the system tells it finely enough, the time that the thread was given.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            runs = {name: _convolution(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
            best = dict.fromkeys(runs, math.inf)
            for turn in range(_ROUNDS):
                for name, run in runs.items():
                    start = _clock()
                    run()
                    if turn:  # the first sets things up
                        best[name] = min(best[name], _clock() - start)
    finally:
        torch.set_num_threads(threads)
    return best


def _convolution(dtype: torch.dtype) -> Callable[[], Tensor]:
    x = torch.ones(1, 64, 64, 64).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    return lambda: F.conv2d(x, weight, padding=1)


_clock = time.perf_counter if sys.platform == "win32" else time.thread_time  # Windows counts in steps of 16 ms


def place() -> Path:
    """The file that keeps what was measured; its name stands for the machine and the version of torch."""
    return folders.home() / "engines" / f"bf16-{hashlib.sha256(_circumstances().encode()).hexdigest()[:16]}.json"


def _circumstances() -> str:
    able = sorted(name for name, value in capabilities().items() if value is True)
    return f"{processor()}, torch {torch.__version__}, {' '.join(able)}"


def _kept() -> dict[str, float] | None:
    try:
        found = json.loads(place().read_text("utf-8"))["seconds"]
        seconds = {name: float(found[name]) for name in ("fp32", "bf16")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seconds if all(0 < each < math.inf for each in seconds.values()) else None


def _keep(seconds: dict[str, float]) -> dict[str, float] | None:
    """What is kept from now on: what was measured, or what another process measured meanwhile."""
    text = json.dumps({"circumstances": _circumstances(), "seconds": seconds}, indent=1) + "\n"
    with contextlib.suppress(ImgfixError, OSError):
        folders.check_home()
        file = place()
        file.parent.mkdir(parents=True, exist_ok=True)
        if _kept() is None:
            file.unlink(missing_ok=True)  # it is damaged
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    return _kept()
