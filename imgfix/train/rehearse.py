"""Before hours are spent: a few steps to see what a run would cost, and a sheet to see what it would learn from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import ImgfixError
from imgfix.train.distributed import Team
from imgfix.train.job import Draw, TrainJob
from imgfix.train.loop import take_step
from imgfix.train.placement import Placement
from imgfix.train.recipe import Recipe
from imgfix.train.schedule import rate_factor
from imgfix.train.sheet import write_sheet
from imgfix.train.state import TrainState


@dataclass(frozen=True)
class RunEstimate:
    """What a dry run found."""

    parameters: dict[str, int]
    """Of each network."""
    losses: dict[str, float]
    """Of the first step."""
    first_seconds: float
    """Of the first step, with everything that only happens once."""
    step_seconds: float
    """Of a step after that."""
    sample_seconds: float
    """Part of it that making the batches takes."""
    peak_bytes: int
    """Most memory held."""
    run_seconds: float
    """Of the whole run, without validations."""


def rehearse(
    job: TrainJob, state: TrainState, team: Team, *, steps: int = 3, most_seconds: float = 20.0
) -> RunEstimate:
    """Take a few real steps and measure them. Nothing is saved; the state is spoilt for training.

    Raises:
        ImgfixError: the very first loss is not a number.
    """
    recipe, place = state.recipe, state.placement
    state.set_rates(rate_factor(recipe, 0))
    begun = time.perf_counter()
    values = take_step(job, state, team)
    place.synchronize()
    first = time.perf_counter() - begun
    losses = {name: float(value) for name, value in values.items()}
    if not all(abs(value) < float("inf") for value in losses.values()):
        raise ImgfixError(
            "the first step's losses are not all numbers: " + ", ".join(f"{k} {v}" for k, v in losses.items()),
            hint="is the model whole, and the precision right for it? try `precision` fp32",
        )
    times: list[float] = []
    while len(times) < steps and (not times or sum(times) < most_seconds):
        state.step += 1
        begun = time.perf_counter()
        take_step(job, state, team)
        place.synchronize()
        times.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    for turn in range(recipe.accumulate):
        job.sample(Draw(recipe.seed, state.step, turn, recipe.accumulate, recipe.batch, place.device))
    place.synchronize()
    sampling = time.perf_counter() - begun
    each = sorted(times)[len(times) // 2]
    whole = recipe.steps * each
    if recipe.minutes is not None:
        whole = min(whole, 60 * recipe.minutes)
    parameters = {name: sum(p.numel() for p in network.parameters()) for name, network in state.raw.items()}
    return RunEstimate(parameters, losses, first, each, sampling, place.peak_memory(), whole)


def preview(job: TrainJob, recipe: Recipe, place: Placement, count: int, target: Path) -> None:
    """Write a sheet of `count` training samples: what the net gets and what it should give.

    Raises:
        OutputError: the file cannot be written.
    """
    columns = job.preview(job.sample(Draw(recipe.seed, 0, 0, 1, count, place.device)))
    write_sheet(target, columns, count)
