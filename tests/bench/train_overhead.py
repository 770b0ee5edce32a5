"""Measure how much of a training step is not the networks: making the batch, logging, watching, averaging.

    python tests/bench/train_overhead.py upscale photos/ [--steps 60] [--set crop=128 ...]

Times the real loop at the given recipe, then the bare step (forward, backward, optimizer) on one batch that is made
beforehand; the difference is the overhead, to be at most a tenth of a step. On the CPU it counts processor time, which
other programs on the machine do not disturb; on an accelerator wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from imgfix.train import loop
from imgfix.train.distributed import Team
from imgfix.train.folder import RunFolder
from imgfix.train.job import Batch, Draw
from imgfix.train.progress import Display
from imgfix.train.recipe import build_recipe, parse_assignment
from imgfix.train.run import prepare, team_at, with_absolute_paths
from imgfix.train.state import TrainState


class Prepared:
    """A job whose batch is made already and whose validation finds nothing to do."""

    def __init__(self, job: Any, batch: Batch | None) -> None:
        self._job, self._batch = job, batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def sample(self, draw: Draw) -> Batch:
        return dict(self._batch) if self._batch is not None else self._job.sample(draw)

    def validate(self, net: torch.nn.Module) -> None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind")
    parser.add_argument("photos")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    layers = [dict([parse_assignment(text)]) for text in options.set]
    fixed = {"photos": (options.photos,), "steps": 10**9, "validate_every": 10**9}
    recipe = with_absolute_paths(build_recipe(options.kind, [*layers, fixed]))
    with team_at(recipe) as (team, place), tempfile.TemporaryDirectory() as folder:
        job, state = prepare(recipe, place, Display(recipe))
        state.set_rates(0.0)
        fixed_batch = job.sample(Draw(recipe.seed, 0, 0, recipe.accumulate, recipe.batch, place.device))
        bare, real = Prepared(job, fixed_batch), Prepared(job, None)
        for _ in range(3):
            loop.take_step(real, state, team)
        # Alternate, so that whatever else the machine does hits both alike.
        times: dict[str, list[float]] = {"bare": [], "loop": []}
        rounds = 5
        for number in range(rounds):
            times["bare"].append(bare_steps(bare, state, team, options.steps // rounds))
            times["loop"].append(loop_steps(real, state, team, options.steps // rounds, Path(folder) / str(number)))
    best = {name: min(values) for name, values in times.items()}
    found = {
        "device": str(place.device),
        "precision": place.precision,
        "clock": "processor" if place.device.type == "cpu" else "wall",
        "bare_step_ms": round(1000 * best["bare"], 2),
        "loop_step_ms": round(1000 * best["loop"], 2),
        "overhead_percent_of_step": round(100 * (best["loop"] - best["bare"]) / best["loop"], 1),
    }
    print(json.dumps(found))


def clock(state: TrainState) -> float:
    """Seconds by the clock that fits the device."""
    state.placement.synchronize()
    return time.process_time() if state.placement.device.type == "cpu" else time.perf_counter()


def bare_steps(job: Any, state: TrainState, team: Team, count: int) -> float:
    """Seconds a step of nothing but forward, backward, clipping, optimizer and average."""
    begun = clock(state)
    for _ in range(count):
        loop.take_step(job, state, team)
    return (clock(state) - begun) / count


def loop_steps(job: Any, state: TrainState, team: Team, count: int, folder: Path) -> float:
    """Seconds a step of the whole loop, its checkpoint at the end left out."""
    import dataclasses

    run, before = RunFolder(folder), state.recipe
    state.step = 0
    state.recipe = dataclasses.replace(before, steps=count + 1, model=None)
    run.claim()
    run.open(state.recipe, 0)
    begun, ended = 0.0, 0.0
    shown = Display(state.recipe)
    taken = loop.take_step

    def timed(*arguments: Any) -> Any:
        nonlocal begun, ended
        if state.step in (0, count):
            ended = clock(state)
            begun = begun or ended
        return taken(*arguments)

    loop.take_step = timed  # type: ignore[assignment]
    try:
        loop.train(job, state, run, team, shown)
    finally:
        loop.take_step = taken
        run.close()
        state.recipe = before
    return (ended - begun) / count


if __name__ == "__main__":
    main()
