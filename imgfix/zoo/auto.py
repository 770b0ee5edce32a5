"""`--model auto`: the best model for a job that is already on this machine, and a better one to name."""

from __future__ import annotations

from imgfix.errors import ModelError
from imgfix.zoo import catalog, store

SCALE_BONUS = 5
"""Ranks that a model of just the wanted scale gains: less waste, but no excuse for a much weaker model."""


def resolve(task: str, scale: int | None = None, job: str | None = None) -> tuple[str, str | None]:
    """Name of the best installed model for a task, and of a better one that could be pulled (`None`: there is none).

    job: for `restore`, the kind of damage. Raises ModelError when none is installed.
    """

    def merit(entry: catalog.Entry) -> int:
        if job is not None:
            return entry.handles.get(job, 0)
        return entry.rank + (SCALE_BONUS if scale is not None and entry.scale == scale else 0)

    candidates = [entry for entry in catalog.entries() if entry.task == task and merit(entry) > 0]
    here = [entry for entry in candidates if store.installed(entry)]
    to_pull = [entry for entry in candidates if entry.sources and entry not in here]
    best_elsewhere = max(to_pull, key=merit, default=None)
    if not here:
        hint = f"imgfix weights pull {best_elsewhere.name}" if best_elsewhere else "name one with --model"
        raise ModelError(f"no model for '{job or task}' is on this machine yet", hint=hint)
    best = max(here, key=merit)
    better = best_elsewhere if best_elsewhere and merit(best_elsewhere) > merit(best) else None
    return best.name, better.name if better else None
