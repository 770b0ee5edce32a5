"""`--model auto`: the best model for a job that is already on this machine, and a better one to name."""

from __future__ import annotations

from imgfix.errors import ModelError
from imgfix.zoo import catalog, store

SCALE_BONUS = 5
"""Ranks that a model of just the wanted scale gains: less waste, but no excuse for a much weaker model."""


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

    def merit(entry: catalog.Entry) -> int:
        if job is not None:
            return entry.handles.get(job, 0)
        return entry.rank + (SCALE_BONUS if scale is not None and entry.scale == scale else 0)

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
