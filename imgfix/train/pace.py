"""Batches and crops so small that enough steps fit into the minutes that somebody gives, where there is only a CPU."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import torch

from imgfix.train.distributed import Team
from imgfix.train.job import TrainJob
from imgfix.train.kinds import find_kind
from imgfix.train.loop import take_step
from imgfix.train.placement import Placement
from imgfix.train.progress import Display
from imgfix.train.recipe import Recipe
from imgfix.train.state import TrainState

STEPS = 300
"""Steps that should fit: fewer leave a fresh network worse than bicubic, whatever a step learns from."""
LEAST_CROP, LEAST_BATCH = 64, 4
FREE_CROPS = frozenset({"upscale", "restore", "video"})
"""Kinds whose network does not depend on the size of the crops."""


def paced(recipe: Recipe, where: Placement, team: Team, show: Display) -> Recipe:
    """The recipe with the largest batch and crop of which `STEPS` steps fit into its minutes, or else the smallest.

    Measured with a few steps of the smallest. Nothing changes on an accelerator, in a team, or without minutes.
    """
    if not recipe.pace or recipe.minutes is None or where.device.type != "cpu" or team.world > 1:
        return recipe
    sizes = list(_sizes(recipe))
    crop, batch = sizes[-1]
    each = _seconds(dataclasses.replace(recipe, crop=crop, batch=batch), where, team) / (crop * crop * batch)
    room = 60 * recipe.minutes
    chosen = next((size for size in sizes if each * size[0] ** 2 * size[1] * STEPS <= room), sizes[-1])
    if chosen != sizes[0]:
        steps = round(room / (each * chosen[0] ** 2 * chosen[1]))
        show.line(
            f"batches of {chosen[1]}, crops of {chosen[0]} pixels: about {steps} steps fit into {recipe.minutes:g} min "
            f"here (usual: {sizes[0][1]} and {sizes[0][0]}; `batch` and `crop` decide)"
        )
    return dataclasses.replace(recipe, crop=chosen[0], batch=chosen[1])


def _sizes(recipe: Recipe) -> Iterator[tuple[int, int]]:
    """(crop, batch) from the usual to the smallest."""
    batches = [recipe.batch]
    while batches[-1] // 2 >= LEAST_BATCH:
        batches.append(batches[-1] // 2)
    half = recipe.crop // 2
    if recipe.kind not in FREE_CROPS or half < LEAST_CROP or half % 16:
        yield from ((recipe.crop, batch) for batch in batches)
        return
    yield from ((recipe.crop, batch) for batch in batches[:2])
    yield from ((half, batch) for batch in batches)


def _seconds(recipe: Recipe, where: Placement, team: Team) -> float:
    """Of the second step, for much happens only once; the job is thrown away."""
    torch.manual_seed(recipe.seed)
    job: TrainJob = find_kind(recipe.kind).build(recipe, where.device)
    state = TrainState(recipe, job, where)
    state.set_rates(0.0)
    took = 0.0
    for _ in range(2):
        begun = time.perf_counter()
        take_step(job, state, team)
        took = time.perf_counter() - begun
        state.step += 1
    return took
