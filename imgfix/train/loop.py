"""The training loop, on one page. What is learned comes from a `TrainJob`, what is kept goes to a `RunFolder`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from imgfix.errors import OutputError
from imgfix.train.distributed import Team
from imgfix.train.folder import RETRY_SECONDS, RunFolder
from imgfix.train.guard import Guard, Interruption
from imgfix.train.job import Baseline, Draw, TrainJob
from imgfix.train.progress import Display
from imgfix.train.schedule import rate_factor
from imgfix.train.sheet import write_sheet
from imgfix.train.state import TrainState

PATIENCE = {"cpu": 1, "accelerator": 20}
"""Steps the device may run ahead before the loop waits for it and looks whether all is well."""

END_RETRIES = 20
"""How often writing the last checkpoint is tried again."""


@dataclass
class Outcome:
    """How a run ended."""

    step: int = 0
    """Optimizer steps done."""
    reason: str = "finished"
    """finished, interrupted, or out of time."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the last validation."""
    best: float | None = None
    """Highest validation score."""
    best_step: int = 0
    """The step it had."""
    incidents: int = 0
    """How often the guard stepped in."""
    seconds: float = 0.0
    """Wall-clock time, over all interruptions."""
    baseline: Baseline | None = None
    """What the held-out pictures get without a network."""
    leads: bool = True
    """Whether this process is the one that speaks for the team."""


def train(job: TrainJob, state: TrainState, run: RunFolder, team: Team, show: Display) -> Outcome:
    """Train until the recipe's steps or minutes are over, or until somebody asks to stop.

    Raises:
        ImgfixError: the losses stopped being numbers too often.
        OutputError: the results cannot be written at the end.
    """
    recipe, outcome = state.recipe, Outcome(leads=team.leads)
    limit = 60 * recipe.minutes if recipe.minutes else float("inf")
    patience = PATIENCE["cpu" if state.placement.device.type == "cpu" else "accelerator"]
    begun = time.monotonic() - state.seconds
    guard = Guard(state)
    if state.step == 0 and recipe.model:  # where fine-tuning starts from is worth knowing, and may stay the best
        look(job, state, run, team, show, outcome)

    with Interruption() as interruption:
        while state.step < recipe.steps and outcome.reason == "finished":
            step, values = state.step, {}
            rate = state.set_rates(rate_factor(recipe, step, state.seconds))
            if step not in state.skipped:
                values = take_step(job, state, team)
                guard.watch(step, values)
            state.step = done = step + 1

            logging = done % recipe.log_every == 0 or done == recipe.steps
            looking = done % recipe.validate_every == 0 or done == recipe.steps
            keeping = done % recipe.snapshot_every == 0 or looking
            if done % patience and not (logging or keeping):
                continue

            # From here on the device is waited for. First the processes agree on how things stand.
            standing = [time.monotonic() - begun, float(interruption.requested), float(guard.found_bad())]
            state.seconds, stop, bad = team.highest(standing, state.placement.device)
            if bad or (keeping and not guard.keep()):
                sentence = guard.go_back(step)
                if team.leads:
                    run.log.rewind(state.step)
                    run.log.write("event", state.step, text=sentence)
                    show.warn(sentence)
                continue
            if values and (logging or patience == 1):
                means = team.mean(torch.stack([value.detach().float() for value in values.values()])).tolist()
                show.losses = dict(zip(values, means, strict=True))
            if values and logging and team.leads:
                run.log.write("train", done, **show.losses, lr=rate, seconds=round(state.seconds, 2))
            show.step(done, rate, state.seconds, logging)
            if done < recipe.steps and (stop or state.seconds >= limit):
                outcome.reason = "interrupted" if stop else "out of time"
            with show.pause():
                if looking or outcome.reason == "out of time":
                    look(job, state, run, team, show, outcome)
                if team.leads and run.due(state) and state.is_finite():
                    try_to_save(job, state, run, show)

    outcome.step, outcome.seconds, outcome.incidents = state.step, state.seconds, len(state.skipped)
    outcome.best, outcome.best_step = state.best, state.best_step
    if team.leads:
        insist_on_saving(job, state, run, show, patient=outcome.reason != "interrupted")
    team.wait()
    return outcome


def take_step(job: TrainJob, state: TrainState, team: Team) -> dict[str, Tensor]:
    """Take one optimizer step with every player of this step; returns losses and gradient norms, on the device."""
    recipe, place, step = state.recipe, state.placement, state.step
    torch.manual_seed(
        Draw(recipe.seed, step, team.rank, team.world, recipe.batch).seed_for("global")
    )  # dropout and such
    players = job.players(step)
    values: dict[str, Tensor] = {}
    for turn in range(recipe.accumulate):
        slot, slots = turn * team.world + team.rank, recipe.accumulate * team.world
        batch = job.sample(Draw(recipe.seed, step, slot, slots, recipe.batch, place.device))
        for player in players:
            state.only(player)
            with place.autocast():
                terms = job.losses(player, state.networks, batch, step)
            total = torch.stack([term.float() for term in terms.values()]).sum() / recipe.accumulate
            state.scaler.scale(total).backward()
            for name, term in {"loss": total * recipe.accumulate, **terms}.items():
                key = name if player == "net" else f"{player}_{name}"
                values[key] = values.get(key, 0) + term.detach() / recipe.accumulate
    for player in players:
        team.average_gradients(state.trainable[player])
        norm = state.clip(player)
        if not state.scaler.is_enabled():  # with loss scaling, endless gradients are normal: that step is left out
            values["gradient" if player == "net" else f"{player}_gradient"] = norm
        state.scaler.step(state.optimizers[player])
        state.optimizers[player].zero_grad(set_to_none=True)
    state.scaler.update()
    state.average.update(step)
    return values


def look(job: TrainJob, state: TrainState, run: RunFolder, team: Team, show: Display, outcome: Outcome) -> None:
    """Measure the averaged weights on held-out pictures; write the sheet, and the model where it is the best so far."""
    outcome.metrics = {}
    if team.leads:
        net = state.average.module
        net.eval()
        with torch.inference_mode():
            found = job.validate(net)
        if net is state.raw["net"]:
            net.train()
        if found is not None:
            base = outcome.baseline = found.baseline
            outcome.metrics, better = found.metrics, state.best is None or found.score > state.best
            without = {f"{name}_baseline": value for name, value in (base.metrics if base else {}).items()}
            run.log.write("validate", state.step, **found.metrics, score=found.score, **without)
            show.validation(state.step, found, better)
            try:
                if found.samples:
                    write_sheet(run.samples / f"step_{state.step:06d}.png", found.samples, state.recipe.sheet_rows)
                if better and state.recipe.export == "best":
                    run.export(job, state, found.metrics)
                if better:
                    state.best, state.best_step = found.score, state.step
            except OutputError as error:
                show.warn(error.message)
    team.wait()


def try_to_save(job: TrainJob, state: TrainState, run: RunFolder, show: Display) -> None:
    """Write a checkpoint; where that fails, say so and go on: the old one is whole, and we retry in a minute."""
    try:
        run.save(job, state)
    except OutputError as error:
        run.log.write("event", state.step, text=error.message)
        show.warn(f"{error.message}; the checkpoint from before is whole, trying again in a minute")


def insist_on_saving(job: TrainJob, state: TrainState, run: RunFolder, show: Display, *, patient: bool) -> None:
    """Write the last checkpoint; a full disk at the very end is worth waiting for somebody to free some space."""
    for left in range(END_RETRIES if patient else 0, -1, -1):
        try:
            return run.save(job, state)
        except OutputError as error:
            if not left:
                raise
            show.warn(f"{error.message}; the training is done, trying again in {RETRY_SECONDS:.0f} s")
            time.sleep(RETRY_SECONDS)
