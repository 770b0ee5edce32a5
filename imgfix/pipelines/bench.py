"""How fast this machine runs a model, in every engine that is installed: side by side, in turns."""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from imgfix.errors import ImgfixError, ModelError, UsageError
from imgfix.pipelines import models
from imgfix.pipelines.models import Listener, Models
from imgfix.pipelines.options import Machine
from imgfix.pipelines.result import Progress, unseen

if TYPE_CHECKING:
    from imgfix.tasks.speed import Stand, Turn

TASKS = ("upscale", "restore", "inpaint")
SIDE = 512
_LARGEST = 1 << 28  # pixels


@dataclass(frozen=True)
class BenchRequest:
    """What is measured."""

    size: str | None = None
    """`WIDTHxHEIGHT` of the input in pixels; None: 512x512."""
    rounds: int = 3
    """Runs of each engine, besides a first one that is not counted."""

    def __post_init__(self) -> None:
        self.width_and_height  # noqa: B018  (raises)
        if self.rounds < 1:
            raise UsageError(f"`rounds` {self.rounds}: must be at least 1")

    @property
    def width_and_height(self) -> tuple[int, int] | None:
        """The size in pixels. Raises UsageError."""
        if self.size is None:
            return None
        words = self.size.lower().split("x")
        if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
            raise UsageError(f"`size` {self.size}: not a size", hint="give width and height, such as 1920x1080")
        width, height = map(int, words)
        if width * height > _LARGEST:
            raise UsageError(f"`size` {self.size}: too large to be measured")
        return width, height


@dataclass(frozen=True)
class Measured:
    """One engine on one network."""

    model: str
    width: int
    height: int
    threads: int
    stand: Stand
    turns: tuple[Turn, ...] = field(repr=False)
    ceiling: float
    """Operations per second that this device reaches in this precision, the best of the whole measurement."""

    @property
    def seconds(self) -> float:
        """Median of the rounds, by the clock."""
        return statistics.median(turn.seconds for turn in self.turns)

    @property
    def cpu_seconds(self) -> float:
        """Median of the rounds, of all threads together."""
        return statistics.median(turn.cpu_seconds for turn in self.turns)

    @property
    def megapixels_per_second(self) -> float:
        """Of the input."""
        return self.width * self.height / self.seconds / 1e6

    @property
    def share(self) -> float | None:
        """Of the device's ceiling that the network reaches; None where its operations cannot be counted.

        On a CPU of the seconds that it was given, so that what else the machine does is left out.
        """
        if self.stand.operations is None:
            return None
        seconds = self.cpu_seconds / self.threads if self.stand.device == "cpu" else self.seconds
        return self.stand.operations / seconds / self.ceiling

    def facts(self, torch: Measured | None) -> dict[str, Any]:
        """All of it as JSON can hold it. torch: what stood beside it, for the ratio."""
        stand = self.stand
        return {
            "model": self.model, "engine": stand.engine, "device": stand.device, "precision": stand.precision,
            "threads": self.threads, "width": self.width, "height": self.height, "rounds": len(self.turns),
            "seconds": round(self.seconds, 5), "cpu_seconds": round(self.cpu_seconds, 5),
            "megapixels_per_second": round(self.megapixels_per_second, 4),
            "times_as_fast": None if torch is None else round(ratio(self, torch), 3),
            "operations": stand.operations, "ceiling": round(self.ceiling),
            "share_of_ceiling": None if self.share is None else round(self.share, 3),
            "peak_bytes": stand.peak_bytes, "psnr": round(stand.psnr, 1) if math.isfinite(stand.psnr) else None,
        }  # fmt: skip


def ratio(one: Measured, other: Measured) -> float:
    """How many times as fast one is as the other: the median over rounds, each of which both ran one after the other.

    On a CPU in its own seconds.
    """

    def spent(turn: Turn) -> float:
        return turn.cpu_seconds if one.stand.device == other.stand.device == "cpu" else turn.seconds

    return statistics.median(spent(b) / spent(a) for a, b in zip(one.turns, other.turns, strict=True))


def _level(found: Sequence[Measured]) -> list[Measured]:
    """The same with one ceiling for each precision: the processes measured the same device."""
    best: dict[str, float] = {}
    for each in found:
        best[each.stand.precision] = max(best.get(each.stand.precision, 0), each.ceiling)
    return [replace(each, ceiling=best[each.stand.precision]) for each in found]


class Bench:
    """One measurement.

    Raises UsageError, ModelError, DownloadError: no such engine or model, or one that cannot be measured here.
    """

    def __init__(self, request: BenchRequest, machine: Machine, listener: Listener | None = None) -> None:
        from imgfix.runtime import engines

        self.request, self.machine, self.listener = request, machine, listener or Listener()
        self._models = Models(machine, self.listener)
        engines.check_name(machine.engine)
        self.engines = engines.installed() if machine.engine == engines.AUTO else [machine.engine]
        self.choice = self._models.choose(TASKS)
        if models.bytes_to_pull(self.choice) is not None:
            self._models.load(self.choice, TASKS)  # pulled once, before the processes start

    def run(self, progress: Progress = unseen) -> list[Measured]:
        """Measure every engine: in processes of their own, which take turns. Raises ImgfixError of the only engine."""
        with _Processes() as processes:
            places: list[_Place] = []
            for name in self.engines:
                try:
                    places.append(processes.start(self.choice.name, name, self.machine, self.request))
                except ImgfixError as failure:
                    if len(self.engines) == 1:
                        raise
                    self.listener.warned(f"{name}: {failure.message}")
            turns: dict[str, list[Turn]] = {place.engine: [] for place in places}
            total = len(places) * (self.request.rounds + 1)
            for turn in range(self.request.rounds + 1):
                for number, place in enumerate(places):
                    taken = place.ask("turn")
                    if turn:  # the first warms up
                        turns[place.engine].append(taken)
                    progress(turn * len(places) + number + 1, total)
            found = _level([place.measured(turns[place.engine]) for place in places])
        self._keep(found)
        return found

    def _keep(self, found: Sequence[Measured]) -> None:
        """Let `engine` auto know, where everything that could be taken was measured with its usual settings."""
        from imgfix import zoo
        from imgfix.runtime import engines
        from imgfix.runtime.engines import choice

        of_torch = next((each for each in found if each.stand.engine == engines.TORCH), None)
        if of_torch is None or self.machine.engine != engines.AUTO or of_torch.stand.device != "cpu":
            return
        seconds = {name: float("inf") for name in self.engines}
        seconds |= {each.stand.engine: each.cpu_seconds / each.threads for each in found}
        model = zoo.load(self.choice.name)
        precision, pixels = of_torch.stand.precision, of_torch.width * of_torch.height
        if len(seconds) > 1:
            choice.keep(model, precision, pixels, seconds)  # type: ignore[arg-type]


class _Place:
    """A process that holds one engine."""

    def __init__(self, engine: str, process: Any, pipe: Connection) -> None:
        self.engine, self._process, self._pipe = engine, process, pipe
        self.model: str
        self.size: tuple[int, int]
        self.threads: int
        self.model, self.size, self.threads = self._answer()

    def ask(self, what: str) -> Any:
        """Let it do something, and wait. Raises what it raised there."""
        self._pipe.send(what)
        return self._answer()

    def measured(self, turns: Sequence[Turn]) -> Measured:
        """What the turns and the process say together."""
        ceiling = max(turn.ceiling for turn in turns)
        width, height = self.size
        return Measured(self.model, width, height, self.threads, self.ask("stand"), tuple(turns), ceiling)

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise ModelError(
                f"the process that ran {self.engine} ended by itself",
                hint="memory may be short: measure a smaller `size`",
            ) from None
        if isinstance(answer, ImgfixError):
            raise answer
        return answer


class _Processes:
    """Processes that end with the block."""

    def __enter__(self) -> _Processes:
        self._context = multiprocessing.get_context("spawn")
        self._open: list[tuple[Any, Connection]] = []
        return self

    def start(self, model: str, engine: str, machine: Machine, request: BenchRequest) -> _Place:
        """Start one and wait until it is ready. Raises ImgfixError."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, model, engine, machine, request), daemon=True)
        process.start()
        theirs.close()
        self._open.append((process, ours))
        return _Place(engine, process, ours)

    def __exit__(self, *_: object) -> None:
        for process, pipe in self._open:
            pipe.close()
            process.terminate()
            process.join()


def _work(pipe: Connection, model: str, engine: str, machine: Machine, request: BenchRequest) -> None:
    """What a process does: it says what it measures, and answers until nobody asks any more."""
    try:
        import torch

        from imgfix import zoo
        from imgfix.runtime.engine import Engine
        from imgfix.tasks.speed import Stopwatch

        loaded = zoo.load(model, task=TASKS, offline=True)
        size = _size(loaded.descriptor, request)
        placed = Engine(loaded, machine.device, machine.precision, engine=engine)
        watch = Stopwatch(placed, *size)
        placed.prepare()
        pipe.send((loaded.descriptor.name, size, torch.get_num_threads()))
        with _quiet_end():
            while True:
                pipe.send(watch.turn() if pipe.recv() == "turn" else watch.stand())
    except ImgfixError as failure:
        pipe.send(_plain(failure))


@contextmanager
def _quiet_end() -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # threads of libraries may still be at work


def _size(facts: Any, request: BenchRequest) -> tuple[int, int]:
    wanted = request.width_and_height
    if facts.frames != 1:
        raise ModelError(f"{facts.name} works on clips", hint="measure a model that works on single pictures")
    native = facts.native_size
    if native and wanted not in (None, (native, native)):
        raise UsageError(f"{facts.name} works at {native}x{native} pixels and no other size", hint="leave `size` out")
    return (native, native) if native else wanted or (SIDE, SIDE)


def _plain(failure: ImgfixError) -> ImgfixError:
    """An error as it can go through a pipe: some of the family are made from other arguments than they keep."""
    made = ImgfixError(failure._message, failure._hint)
    made.exit_code = failure.exit_code
    return made
