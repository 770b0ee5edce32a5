"""The model `auto`: the best model for a job that is already on this machine, and a better one to name."""

from __future__ import annotations

from dataclasses import dataclass

from imgfix.errors import ModelError
from imgfix.zoo import catalog, store
from imgfix.zoo.entry import Entry

SCALE_BONUS = 5
"""Ranks that a model of just the wanted scale gains: less waste, but no excuse for a much weaker model."""
NEAR = 10
"""Ranks that a much quicker model may be behind."""
PATIENCE = 8
"""Times as long from which a model is not taken unasked where there is no accelerator."""


def tasks(task: str | tuple[str, ...]) -> tuple[str, ...]:
    """One task or several, as several."""
    return (task,) if isinstance(task, str) else task


def words(task: str | tuple[str, ...]) -> str:
    """For messages: `video' or 'upscale`, to stand between quotes."""
    return "' or '".join(tasks(task))


def resolve(task: str | tuple[str, ...], scale: int | None = None, job: str | None = None) -> tuple[str, str | None]:
    """Name of the best installed model for a task, and of a better one that could be pulled (`None`: there is none).

    Of several tasks the first that has a model here is taken. job: for `restore`, the kind of damage. Raises ModelError
    when none is installed.
    """
    *first, last = tasks(task)
    for each in first:
        try:
            return _resolve(each, scale, job)
        except ModelError:
            continue
    return _resolve(last, scale, job)


def _resolve(task: str, scale: int | None, job: str | None) -> tuple[str, str | None]:

    def merit(entry: Entry) -> int:
        if job is not None:
            return entry.handles.get(job, 0)
        return _merit(entry, scale)

    candidates = [entry for entry in catalog.entries() if entry.task == task and merit(entry) > 0]
    here = [entry for entry in candidates if store.installed(entry)]
    to_pull = [entry for entry in candidates if entry.sources and entry not in here]
    best_elsewhere = max(to_pull, key=merit, default=None)
    if not here:
        hint = f"imgfix weights pull {best_elsewhere.name}" if best_elsewhere else "name one with `model`"
        raise ModelError(f"no model for '{job or task}' is on this machine yet", hint=hint)
    best = max(here, key=merit)
    better = best_elsewhere if best_elsewhere and merit(best_elsewhere) > merit(best) else None
    return best.name, better.name if better else None


def lacking(task: str) -> str | None:
    """The model to pull for a task that has none on this machine; None: it has one, or none can be pulled."""
    known = [entry for entry in catalog.entries() if entry.task == task and _merit(entry, None) > 0]
    if any(store.installed(entry) for entry in known):
        return None
    best = max((entry for entry in known if entry.sources), key=lambda entry: _merit(entry, None), default=None)
    return best.name if best else None


@dataclass(frozen=True)
class Slower:
    """A better model that is on this machine and that was passed over."""

    name: str
    times: float
    """How many times as long it takes, roughly."""


def quicker(name: str, task: str | tuple[str, ...], scale: int | None = None) -> tuple[str, Slower] | None:
    """A model to take instead of the best one where there is no accelerator: hardly worse, and much quicker.

    name: what `resolve` gave. Returns the other model and what is to be said of the first; None where the best is quick
    enough, or nothing that is here comes near it.
    """
    known = {entry.name: entry for entry in catalog.entries()}
    best = known.get(name)
    if best is None or best.task not in tasks(task):
        return None
    near = [
        entry
        for entry in known.values()
        if entry.task == best.task
        and _merit(entry, scale) >= max(1, _merit(best, scale) - NEAR)
        and times_as_long(entry.name, name) > PATIENCE
        and store.installed(entry)
    ]
    if not near:
        return None
    other = max(near, key=lambda entry: _merit(entry, scale))
    return other.name, Slower(name, times_as_long(other.name, name))


def for_drawings(name: str, scale: int, patient: bool) -> str | None:
    """The best model for drawings on this machine; None where there is none, or it takes far longer than another.

    name: the other, which `resolve` or `quicker` gave. patient: however long it takes.
    """
    here = [
        entry
        for entry in catalog.entries()
        if entry.drawings and (patient or times_as_long(name, entry.name) <= PATIENCE) and store.installed(entry)
    ]
    best = max(here, key=lambda entry: entry.drawings + SCALE_BONUS * (entry.scale == scale), default=None)
    return best.name if best is not None else None


def times_as_long(name: str, other: str) -> float:
    """How many times as long the other of two models of the catalog takes, from their sizes; 0 where that is not known.

    In a convolutional network every parameter is used once per pixel of what the body works on.
    """
    known = {entry.name: entry for entry in catalog.entries()}
    costs = [_cost(known[each]) if each in known else 0.0 for each in (name, other)]
    return costs[1] / costs[0] if all(costs) else 0.0


def _cost(entry: Entry) -> float:
    return entry.parameters / float(entry.config.get("unshuffle", 1)) ** 2


def _merit(entry: Entry, scale: int | None) -> int:
    return entry.rank + (SCALE_BONUS if entry.rank and scale is not None and entry.scale == scale else 0)
