"""Results measured against references, and models measured on pictures that are damaged first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import InputError, UsageError
from imgfix.pipelines import models
from imgfix.pipelines.models import Listener, ModelChoice, Models
from imgfix.pipelines.options import Machine, Reading
from imgfix.pipelines.result import Progress, unseen

if TYPE_CHECKING:
    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import AppliedDegradation, Contestant, Running, Standing
    from imgfix.tasks.measurement import Measurement

BICUBIC = "bicubic"
"""The name of plain resampling among the models of a benchmark."""
ENOUGH = 2048
"""Pictures from which FID means something: below the number of its features their covariance is not of full rank."""


class Comparison:
    """Files measured against references, or alone.

    Raises UsageError: no such protocol or metric, a reference is needed, nothing pairs.
    """

    def __init__(
        self,
        results: Sequence[str],
        against: str | None = None,
        protocol: str | None = None,
        metrics: Sequence[str] = (),
        crop: bool = False,
        reading: Reading | None = None,
        listener: Listener | None = None,
    ) -> None:
        from imgfix.media.jobs import VIDEO_EXTENSIONS
        from imgfix.metrics import protocol as protocols
        from imgfix.tasks import pairing

        self.crop, self.reading, self.listener = crop, reading or Reading(), listener or Listener()
        found = pairing.collect(results)
        moving = any(file.path.suffix.lower() in VIDEO_EXTENSIONS for file in found)
        usual = "niqe" if against is None else "video" if moving else "rgb"
        self.protocol: Protocol = protocols.find(protocol or usual, metrics)
        singles, paired, sets = (self.protocol.of_kind(kind) for kind in ("single", "pair", "set"))
        if against is None and (paired or sets):
            raise UsageError(
                f"{(paired + sets)[0].label} needs a reference", hint="add `against`, or measure niqe as the `metric`"
            )
        references = pairing.collect([against]) if against is not None else []
        self.results, self.references = [file.path for file in found], [file.path for file in references]
        self.measures_files = bool(singles or paired or self.protocol.of_kind("video"))
        self.measures_sets = bool(sets)
        self.pairs: list[tuple[Path, Path | None]] = [(file.path, None) for file in found]
        if against is not None and paired:
            matched = pairing.pair(found, references)
            for path, reason in matched.left_over:
                self.listener.warned(f"{path}: {reason}, so it is not measured")
            if not matched.pairs:
                raise UsageError("no result has a reference", hint="files pair by name: baby_x4.png with baby.png")
            self.pairs = list(matched.pairs)
        elif against is not None and len(references) == len(found) == 1:
            self.pairs = [(found[0].path, references[0].path)]

    def measure(self, result: Path, reference: Path | None, progress: Progress = unseen) -> Measurement:
        """The numbers of one pair. Raises InputError."""
        from imgfix.tasks.evaluate import evaluate_file

        return evaluate_file(
            result, reference, self.protocol, crop=self.crop, progress=progress, max_pixels=self.reading.limit
        )

    def measure_sets(self, progress: Progress = unseen) -> dict[str, float]:
        """FID and KID, as far as they are asked for. Raises InputError, UsageError."""
        from imgfix.tasks.evaluate import evaluate_sets

        if not self.measures_sets:
            return {}
        found = evaluate_sets(self.results, self.references, self.protocol, progress=progress)
        fewest = min(len(self.results), len(self.references))
        if "fid" in found and fewest < ENOUGH:
            self.listener.warned(
                f"FID of sets as small as {fewest} comes out too high, the smaller the set the more: "
                "compare it with that of sets of the same size alone, or take KID, which has no such bias"
            )
        return found

    def summary(self, found: Sequence[Measurement], of_sets: dict[str, float]) -> dict[str, float]:
        """The means over files, and the numbers of sets."""
        from imgfix.tasks.evaluate import means

        return {**means(found), **of_sets}


@dataclass(frozen=True)
class BenchmarkRequest:
    """What a benchmark runs."""

    name: str
    """Its heading."""
    data: Path
    """The good pictures; a folder HR in it is taken instead."""
    models: tuple[str, ...]
    protocol: str | None = None
    metrics: tuple[str, ...] = ()
    degrade: str | None = None
    scale: int | None = None


class Benchmark:
    """Models of one scale, run on the same pictures. Raises UsageError, ModelError."""

    def __init__(
        self, request: BenchmarkRequest, machine: Machine | None = None, listener: Listener | None = None
    ) -> None:
        from imgfix.metrics import protocol as protocols
        from imgfix.tasks import benchmark, pairing

        self.request, self.machine, self.listener = request, machine or Machine(), listener or Listener()
        self._models = Models(self.machine, self.listener)
        ground = request.data / "HR" if (request.data / "HR").is_dir() else request.data
        self.left_out: dict[Path, InputError] = {}
        """Pictures that no model is measured on, and why; known once the first model has run."""
        self.files = [file.path for file in pairing.collect([str(ground)], kinds=("image",))]
        running = [self._running(name) for name in request.models if name != BICUBIC]
        scales = {each.scale for each, _ in running} | ({request.scale} if request.scale else set())
        if len(scales) > 1:
            raise UsageError(f"the models have different scales: {sorted(scales)}", hint="compare models of one scale")
        self.scale = scales.pop() if scales else 4
        self.damage: AppliedDegradation = benchmark.find_degradation(
            request.degrade, running[0][1] if running else "upscale"
        )
        usual = f"sr-y{self.scale}" if self.scale > 1 else "rgb"
        self.protocol: Protocol = protocols.find(request.protocol or usual, request.metrics)
        if self.protocol.of_kind("set", "video"):
            raise UsageError("a benchmark measures single pictures", hint="leave FID, KID and warping out")
        waiting = [each for each, _ in running]
        for each, name in zip(waiting, _apart([each.name for each in waiting], request.models), strict=True):
            each.name = name
        for each in waiting:
            each.noise = self.damage.level / 255 if self.damage.kind == "noise" else 0.0
        self.places: list[Contestant] = [
            benchmark.Bicubic(self.scale) if name == BICUBIC else waiting.pop(0) for name in request.models
        ]

    @property
    def damage_in_words(self) -> str:
        """What is done to the pictures first."""
        return self.damage.describe(self.scale)

    @property
    def measured(self) -> list[Path]:
        """The pictures that the models are measured on."""
        return [path for path in self.files if path not in self.left_out]

    def run(self, place: Contestant, keep: int = 0, progress: Progress = unseen) -> tuple[Standing, tuple[str, ...]]:
        """The numbers of one model, and what should be said about them; keep: results that are kept to be shown."""
        from imgfix.tasks import benchmark

        standing = benchmark.run_benchmark(place, self.files, self.protocol, self.damage, keep=keep, progress=progress)
        for path, error in standing.left_out.items():
            if path not in self.left_out:  # every model stumbles over the same ones
                self.listener.warned(f"{error.message}; it is left out for every model")
        self.left_out |= standing.left_out
        model = getattr(getattr(place, "engine", None), "descriptor", None)
        expects = model.expects if model else ()
        other = bool(expects) and self.damage.kind not in expects
        return standing, ((f"was trained for other damage ({', '.join(expects)})",) if other else ())

    def _running(self, name: str) -> tuple[Running, str]:
        """A model of any task that turns a picture into a picture, and its task."""
        from imgfix.tasks.benchmark import Running

        task = models.task_of(name)
        if task not in ("upscale", "restore"):
            raise UsageError(f"{name} is a model for '{task}'", hint="a benchmark runs models that upscale or restore")
        return Running(self._models.open(ModelChoice(name), task), tile=self.machine.side), task


def _apart(names: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Names that differ: models of one name get the end of their paths, `runs/a/model` and `runs/b/model`.

    names: what the models call themselves. asked: how they were asked for, in the same order, bicubic among them.
    """
    paths = [Path(word) for word in asked if word != BICUBIC]
    found = list(names)
    for name in {name for name in names if names.count(name) > 1}:
        same = [index for index, other in enumerate(names) if other == name]
        longest = max(len(paths[index].absolute().parts) for index in same)
        for length in range(2, longest + 1):
            ends = ["/".join(paths[index].absolute().with_suffix("").parts[-length:]) for index in same]
            if len(set(ends)) == len(ends):
                break
        else:  # one model twice
            ends = [f"{name} ({number})" for number in range(1, len(same) + 1)]
        for index, end in zip(same, ends, strict=True):
            found[index] = end
    return found
