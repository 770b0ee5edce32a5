"""Which engine is quickest for a network on this machine: measured once, and kept."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from imgfix.runtime import engines
from imgfix.runtime.processor import processor
from imgfix.zoo import exported
from imgfix.zoo.descriptor import Model, Precision

SMALL, LARGE = "small", "large"
BORDER = 256 * 256
"""Input pixels from which a picture is large; in a small one handing over and compiling count for more."""
WORTH = 60.0
"""Seconds of work from which measuring pays: an export and a few runs take ten to twenty."""
GAIN = 1.05
"""How many times as fast as torch another engine has to be."""
_ROUNDS = 3


def size_class(pixels: int) -> str:
    """`small` or `large`: what pictures of so many input pixels have in common."""
    return SMALL if pixels < BORDER else LARGE


def circumstances(precision: Precision, pixels: int) -> str:
    """All that a measurement depends on, besides the network: machine, threads, versions, precision, size."""
    versions = ", ".join(engines.version(name) for name in engines.installed())
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} threads, {versions}, {precision}, {size_class(pixels)}"


def quickest(seconds: Mapping[str, float]) -> str:
    """The engine to take, of the seconds that each needs for the same work; torch, unless another gains enough."""
    best = min(seconds, key=lambda name: seconds[name], default=engines.TORCH)
    own = seconds.get(engines.TORCH)
    return engines.TORCH if own is not None and seconds[best] * GAIN > own else best


def kept(model: Model, precision: Precision, pixels: int) -> dict[str, float]:
    """Seconds that were measured for each engine at such sizes; empty where they were not, or not for all of them."""
    found = exported.recall(model).get(circumstances(precision, pixels), {})
    seconds = {name: value for name, value in found.items() if name in engines.ENGINES}
    return seconds if set(engines.installed()) <= seconds.keys() else {}


def keep(model: Model, precision: Precision, pixels: int, seconds: Mapping[str, float]) -> None:
    """Remember what was measured; `inf` for an engine that cannot run the network."""
    exported.remember(model, circumstances(precision, pixels), dict(seconds))


def measure(runs: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each engine's run, in turns, the first of each not counted.

    Of the processor, by thread: by the clock, what else the machine does would decide.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(_ROUNDS + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if turn:
                times[name].append((time.process_time() - start) / torch.get_num_threads())
    return {name: statistics.median(values) for name, values in times.items()}
