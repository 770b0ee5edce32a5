"""A whole run, from a recipe to a finished folder: errors come in the order in which they are cheapest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from imgfix.errors import ImgfixError, MemoryExhaustedError, UsageError, out_of_memory
from imgfix.train import distributed
from imgfix.train.folder import RunFolder
from imgfix.train.job import TrainJob
from imgfix.train.kinds import find_kind
from imgfix.train.loop import Outcome, train
from imgfix.train.pace import paced
from imgfix.train.placement import Placement, place
from imgfix.train.progress import Display, Reporter
from imgfix.train.recipe import Recipe
from imgfix.train.rehearse import RunEstimate, preview, rehearse
from imgfix.train.state import TrainState


def run_training(recipe: Recipe, out: Path, *, resume: bool | None = None, reporter: Reporter | None = None) -> Outcome:
    """Train as the recipe says, into the folder `out`; goes on where an interrupted run stopped.

    Args:
        recipe: every setting.
        out: the run's folder; see `RunFolder` for what it holds afterwards.
        resume: True demands a checkpoint there, False starts over, None goes on if there is one.
        reporter: where to show progress; None is silent but for warnings.

    Raises:
        ImgfixError: one of its kinds, with a sentence: bad recipe, data, model, device, no memory, no disk space.
    """
    with team_at(recipe) as (team, where):
        run = RunFolder(out)
        if resume is not False:
            recipe = run.alike(recipe)
        saved = run.previous(recipe, resume)
        if team.leads:
            run.claim()
        show = Display(recipe, reporter if team.leads else None)
        try:
            if saved and saved["step"] >= recipe.steps:
                show.line(f"{out}: all {recipe.steps} steps are done already; more `steps` would go on")
                return finished(saved, team)
            if saved and recipe.minutes is not None and saved["seconds"] >= 60 * recipe.minutes:
                show.line(f"{out}: its {recipe.minutes:g} minutes are over already; more `minutes` would go on")
                return finished(saved, team, "out of time")
            with memory_errors(recipe):
                if not saved:
                    recipe = show.recipe = paced(recipe, where, team, show)
                job, state = prepare(recipe, where, show)
                if saved:
                    state.restore(saved, str(run.checkpoint))
                if team.leads:
                    run.open(recipe, state.step)
                if saved:
                    show.line(f"going on at step {state.step} of {recipe.steps} ({run.checkpoint})")
                team.share([*state.raw.values(), state.average.module])
                with show:
                    outcome = train(job, state, run, team, show)
            return outcome
        finally:
            run.close()


def finished(saved: dict[str, Any], team: distributed.Team, reason: str = "finished") -> Outcome:
    """Describe a run that has nothing left to do; reason: as of `Outcome`."""
    known = {name: saved[name] for name in ("step", "seconds", "best", "best_step")}
    return Outcome(**known, reason=reason, incidents=len(saved["skipped"]), leads=team.leads)


def dry_run(recipe: Recipe, *, reporter: Reporter | None = None) -> tuple[RunEstimate, Placement]:
    """Take a few real steps and measure them; nothing is written.

    Raises:
        ImgfixError: whatever would end the real run at its start.
    """
    with team_at(recipe) as (team, where), memory_errors(recipe):
        recipe = paced(recipe, where, team, Display(recipe, reporter))
        job, state = prepare(recipe, where, Display(recipe, reporter))
        return rehearse(job, state, team), where


def write_preview(recipe: Recipe, count: int, target: Path, *, reporter: Reporter | None = None) -> None:
    """Write a sheet of training samples.

    Raises:
        ImgfixError: whatever is wrong with the recipe, the data or the file.
    """
    where = place(recipe.device, recipe.precision)
    job: TrainJob = find_kind(recipe.kind).build(recipe, where.device)
    show = Display(recipe, reporter)
    for line in job.facts():
        show.line(line)
    preview(job, recipe, where, count, target)


def prepare(recipe: Recipe, where: Placement, show: Display) -> tuple[TrainJob, TrainState]:
    """Build the job and what learns, and say what they are."""
    torch.manual_seed(recipe.seed)
    job: TrainJob = find_kind(recipe.kind).build(recipe, where.device)
    state = TrainState(recipe, job, where)
    sizes = ", ".join(f"{n} {sum(p.numel() for p in m.parameters()):,} parameters" for n, m in state.raw.items())
    identity = job.identity()
    show.line(f"{recipe.kind}: {recipe.model or identity.net} on {where.device}, {where.precision}; {sizes}")
    for line in job.facts():
        show.line(line)
    return job, state


@contextmanager
def team_at(recipe: Recipe) -> Iterator[tuple[distributed.Team, Placement]]:
    """Place this process, join the others, and leave torch's global switches as they were afterwards."""
    where = place(recipe.device, recipe.precision)
    team = distributed.join(where.device)
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(),
    )
    torch.use_deterministic_algorithms(recipe.deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not recipe.deterministic  # crops always have one size: the search pays
    if where.device.type == "cuda" and not recipe.deterministic:
        torch.set_float32_matmul_precision("high")
    try:
        yield team, where
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=True)
        torch.backends.cudnn.benchmark = before[1]
        torch.set_float32_matmul_precision(before[2])
        team.leave()


@contextmanager
def memory_errors(recipe: Recipe) -> Iterator[None]:
    """Say what to do where the device's memory is too small."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ImgfixError) or not out_of_memory(error):
            raise
        half = max(1, recipe.batch // 2)
        raise MemoryExhaustedError(
            f"not enough memory for batches of {recipe.batch} crops of {recipe.crop} pixels",
            hint=f"`batch={half}` `settings.accumulate={recipe.accumulate * 2}` does the same in smaller parts; "
            "a smaller `crop` takes less",
        ) from None


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """Spell out the folders of a recipe, so that the run can go on from anywhere.

    Raises:
        UsageError: a recipe without data.
    """
    if not recipe.photos and recipe.input is None:
        raise UsageError(
            f"imgfix train {recipe.kind}: no pictures given", hint=f"imgfix train {recipe.kind} photos/ -o runs/mine"
        )
    changes: dict[str, object] = {"photos": tuple(str(Path(p).expanduser().resolve()) for p in recipe.photos)}
    for name in ("input", "target", "val"):
        value = getattr(recipe, name)
        if value is not None:
            changes[name] = str(Path(value).expanduser().resolve())
    for name in ("model", "teacher"):
        value = getattr(recipe, name)
        if value is not None and Path(value).expanduser().is_file():
            changes[name] = str(Path(value).expanduser().resolve())
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]
