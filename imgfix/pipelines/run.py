"""A recipe: several verbs in one pass over pictures, videos, animated pictures and folders of frames."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix import __version__
from imgfix.errors import ImgfixError
from imgfix.pipelines import pictures, recipes, record
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener
from imgfix.pipelines.moving.work import IMAGE
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.recipes import RunRequest
from imgfix.pipelines.result import Plan, Progress, Result

if TYPE_CHECKING:
    from imgfix.pipelines.moving.moving import Moving


_NAMED = 4
"""Steps of a recipe without a file that the name of a result tells one by one."""


class RunPipeline(Pipeline[RunRequest]):
    """`imgfix run`: one decode, all steps, one encode. The last step writes; the others are done before it."""

    verb = "run"

    def __init__(
        self,
        request: RunRequest,
        saving: Saving | None = None,
        clips: ClipOptions | None = None,
        machine: Machine | None = None,
        reading: Reading | None = None,
        listener: Listener | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        """See `Pipeline`. Raises InputError, UsageError, ModelError: recipe or step make no sense."""
        self.recipe = recipes.read(request.recipe)
        self._asked = saving or Saving(), clips or ClipOptions()
        saving, clips = self.recipe.applied(*self._asked)
        # Steps with the same model share it.
        super().__init__(request, saving, clips, machine, reading, listener, Loaded() if loaded is None else loaded)

    def check(self) -> None:
        """See `Pipeline.check`."""
        self._parts = [self._made(number) for number in range(1, len(self.recipe.steps) + 1)]
        self._last = self._parts[-1]
        self._steps = tuple(step for each in self._parts for step in each.steps)
        for step in self._steps:
            step.before = ()
        self._last.before = self._steps[:-1]
        self._last.signed = self._signed_by
        self.unit = self._last.unit if len(self._steps) == 1 else "tiles"  # type: ignore[misc]

    def _made(self, number: int) -> Pipeline[Any]:
        """The pipeline of a step. Raises ImgfixError that names it."""
        step, last = self.recipe.steps[number - 1], number == len(self.recipe.steps)
        spec = recipes.VERBS[step.verb]
        kind: type[Pipeline[Any]] = getattr(importlib.import_module(f"imgfix.pipelines.{spec.module}"), spec.name)
        saving, clips = self.saving, self.clips
        if not last:
            saving, clips = replace(saving, quality=None, format=None), ClipOptions()
        try:
            machine = replace(self.machine, **{"model": "auto", **step.machine})
            made = kind(spec.request(**step.request), saving, clips, machine, self.reading, self.listener, self.loaded)
            made.variables(IMAGE)  # settles the model
        except ImgfixError as error:
            raise error.within(self.recipe.place(number), recipes.public) from error
        for one in made.steps:
            one.called = self.recipe.place(number)
        return made

    @property
    def steps(self) -> tuple[Pipeline[Any], ...]:
        """See `Pipeline.steps`."""
        return self._steps

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        if self.recipe.file is not None:
            return f"_{self.recipe.file.stem}"
        return "".join(each.suffix(kind) for each in self._parts) if len(self._parts) <= _NAMED else "_run"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        found: dict[str, object] = {}
        for step in self._steps:
            found |= step.variables(kind)
        return found

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        kinds = list(kinds)
        for step in self._steps:
            with step._named():
                step.prepare(kinds, dry)

    def plan(self, source: Any, target: Any = None, relative: Path | None = None) -> Plan:
        """See `Pipeline.plan`."""
        self._tell_steps()
        return super().plan(source, target, relative)

    def run(self, source: Any, target: Any = None, **how: Any) -> Result:
        """See `Pipeline.run`."""
        self._tell_steps()
        return super().run(source, target, **how)

    def _tell_steps(self) -> None:
        for step in self._steps:
            step.alone, step.names = self.alone, self.names

    def _run_one(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        return self._last._run_one(source, target, relative, progress, keep)

    def _plan_one(self, source: Any, target: Any, relative: Path | None) -> Plan:
        return self._last._plan_one(source, target, relative)

    def _run_moving(self, moving: Moving, kind: str, relative: Path | None, progress: Progress) -> Result:
        return self._last._run_moving(moving, kind, relative, progress)

    def _plan_moving(self, moving: Moving, kind: str, relative: Path | None) -> Plan:
        return self._last._plan_moving(moving, kind, relative)

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        return self._last._run_picture(source, target, relative, progress, keep)

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        return self._last._plan_picture(source, target, relative)

    def _signed_by(self, source: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The record of a result: the command, and how each step made its part."""
        file = self.recipe.file
        line = record.command_line(
            "run", (str(file) if file is not None else pictures.NAMELESS, source), None, *self._asked, self.machine,
            names=self.names,
        )  # fmt: skip
        return {"command": line, "steps": [dict(each) for each in records], "version": __version__}
