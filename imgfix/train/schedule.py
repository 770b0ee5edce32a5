"""How the learning rate rises and falls: a pure function of how far the run is."""

from __future__ import annotations

import math

from imgfix.train.recipe import Recipe


def progress(recipe: Recipe, step: int, seconds: float = 0.0) -> float:
    """Tell how far a run is, in [0, 1]: by steps, or by its time limit where that is further.

    Args:
        recipe: says how many steps and, perhaps, minutes the run has.
        step: optimizer steps done.
        seconds: wall-clock time spent, over all interruptions.
    """
    done = step / recipe.steps
    if recipe.minutes is not None:
        done = max(done, seconds / (60 * recipe.minutes))
    return min(done, 1.0)


def rate_factor(recipe: Recipe, step: int, seconds: float = 0.0) -> float:
    """Compute what the learning rate is multiplied by at this step.

    A linear warm-up, then constant, halved at fixed parts of the run (`step`), or half a cosine down to `lr_floor`
    (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts).
    """
    where = progress(recipe, step, seconds)
    factor = 1.0
    if recipe.schedule == "cosine":
        factor = recipe.lr_floor + (1 - recipe.lr_floor) * 0.5 * (1 + math.cos(math.pi * where))
    elif recipe.schedule == "step":
        factor = recipe.lr_drop_factor ** sum(where >= drop for drop in recipe.lr_drops)
    warm = (step + 1) / (min(recipe.warmup, recipe.steps // 10) + 1)
    if recipe.minutes is not None:  # few steps may fit into the time: a twentieth of it is warm-up enough
        warm = max(warm, 20 * where)
    return factor * min(1.0, warm)
