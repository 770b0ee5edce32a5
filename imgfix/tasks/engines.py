"""Which network undoes which kind of damage."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import TYPE_CHECKING

from imgfix.errors import ModelError

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.restore import RestoreOptions

Open = Callable[[str, str, str | None], "Engine"]
"""Makes a model ready: its name, the task it is for, and a better one that could be pulled (None: it is the best)."""


class Engines:
    """The engine for each kind of damage: the one that was named where it fits, else the best on this machine.

    Each is opened when it is first needed, and once.
    """

    def __init__(self, open: Open, named: str | Engine | None = None, jobs: Collection[str] = ()) -> None:
        """Choose among models.

        open: called once for each name. named: what goes before the others, None for nothing. jobs: the kinds of damage
        it undoes, as of `imgfix.tasks.restore.JOBS`.
        """
        self._open = cache(open)
        self._named = named
        self._jobs = frozenset(jobs)

    def __call__(self, job: str) -> Engine:
        """The engine for a kind of damage. Raises ModelError when there is none."""
        from imgfix.zoo import auto

        if self._named is not None and job in self._jobs:
            return self._given(self._named)
        name, better = auto.resolve("restore", job=job)
        return self._open(name, "restore", better)

    def filler(self) -> Engine | str:
        """What scratches are filled with: the best model on this machine, or the name of a classical method."""
        from imgfix.zoo import auto

        try:
            name, better = auto.resolve("inpaint")
        except ModelError:
            return "telea"
        return self._open(name, "inpaint", better)

    def prepare(self, wanted: RestoreOptions) -> None:
        """Open what is needed for certain, so that what is wrong is said before any work. Raises ModelError."""
        from imgfix.tasks.restore import noise_engine

        for job, on in wanted.flags.items():
            if on:
                self(job)
        if isinstance(wanted.jpeg, int):
            self("jpeg")
        if isinstance(wanted.denoise, int | float):
            noise_engine(self)
        if self._named is not None:
            self._given(self._named)

    def _given(self, named: str | Engine) -> Engine:
        return self._open(named, "restore", None) if isinstance(named, str) else named
