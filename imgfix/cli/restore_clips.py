"""`imgfix restore` on clips, animated pictures and folders of frames: one decision for all frames."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imgfix.cli import clips, options
from imgfix.cli.clips import ClipOptions, Told
from imgfix.cli.console import Tick, time_in_words
from imgfix.cli.report import Outcome
from imgfix.errors import ModelError, UsageError

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.tasks.footage import Footage
    from imgfix.tasks.restore import EngineFor, RestoreOptions, Step
    from imgfix.tasks.restore_frames import RestoreFrames
    from imgfix.tasks.sequence import SequenceTask


@dataclass(frozen=True)
class ClipWork:
    """What the command line asks for, done to one clip at a time."""

    wanted: RestoreOptions
    scratches: bool
    engine_for: EngineFor
    model: str
    """What --model says."""
    moving: ClipOptions
    shared: options.Shared
    context: typer.Context

    def restore(self, job: Job, kind: str, tick: Tick) -> Outcome:
        """Restore one clip. Raises UsageError under --scratches."""
        start = time.monotonic()
        footage, task, steps, told = self._looked_at(job)
        if not steps and self._stays(job, kind):
            return self._copied(job, footage, told, start, tick)
        descriptor = steps[0].engine.descriptor if steps else None

        def make(width: int, height: int, multiple: tuple[int, int]) -> SequenceTask:
            return task

        if kind != "video":
            return clips.run_animation(
                job, self.moving, self._written(job, steps), self.context, make, model=self.model,
                descriptor=descriptor, facts={}, tick=tick, told=told,
            )  # fmt: skip
        models = [step.engine.descriptor.sha256 for step in steps]
        return clips.run(
            job, self.moving, self.shared, self.context, make, model=self.model, descriptor=descriptor, facts={},
            binding={**asdict(self.wanted), "models": models}, tick=tick, clip=footage.clip, told=told,
        )  # fmt: skip

    def plan(self, job: Job, kind: str) -> Outcome:
        """What restoring would take: the damage is looked for, nothing is undone."""
        footage, task, steps, told = self._looked_at(job)
        if not steps and self._stays(job, kind):
            line = ", ".join([*told.said, "would be copied as it is"])
            return Outcome(line, {**_size(footage), **told.facts}, status="planned", warnings=told.warnings)

        def make(width: int, height: int, multiple: tuple[int, int]) -> SequenceTask:
            return task

        if kind != "video":
            return clips.plan_animation(job, self.moving, self._for_pictures(), make, {}, told)
        return clips.plan(job, self.moving, self.shared, make, {}, footage.clip, told)

    def plan_unseen(self, job: Job, kind: str) -> Outcome:
        """What can be said before the model is on this machine."""
        self._refuse_scratches(job)
        if kind == "video":
            return clips.plan_unseen(job, self.moving, self.shared, {"model": self.model})
        raise ModelError(
            f"{self.model} is not here yet, and nothing can be said without it",
            hint=f"imgfix weights pull {self.model}",
        )

    def _looked_at(self, job: Job) -> tuple[Footage, RestoreFrames, list[Step], Told]:
        """The clip, the work on it, the runs of networks for each frame, and what is to be said of them."""
        from imgfix.cli.restore import facts_of, found_in_words
        from imgfix.tasks import restore
        from imgfix.tasks.restore_frames import LOOKED_AT, RestoreFrames, look

        self._refuse_scratches(job)
        footage = clips.footage(job, self.moving, self.shared)
        found = look(list(islice(footage.frames(), LOOKED_AT))) if self.wanted.estimates else None
        steps, notes = restore.steps(self.wanted, found, self.engine_for)
        told = Told(tuple(found_in_words(found, steps)), facts_of(found, steps), tuple(notes))
        return footage, RestoreFrames(self.wanted, self.engine_for, found), steps, told

    def _refuse_scratches(self, job: Job) -> None:
        if self.scratches:
            raise UsageError(
                f"{job.source} moves, and --scratches looks for scratches of scanned pictures alone",
                hint="leave --scratches out for clips; 'imgfix inpaint' fills what a mask shows",
            )

    def _stays(self, job: Job, kind: str) -> bool:
        """Whether the command line leaves nothing to do but what was found: no part, no codec, no other format."""
        plain = ClipOptions(resume=self.moving.resume)
        if self.moving.deinterlace == "off":
            plain = replace(plain, deinterlace="off")
        if self.moving != plain or (kind != "video" and self.shared.quality is not None):
            return False
        return all(source.suffix.lower() == target.suffix.lower() for source, target in self._files(job))

    def _files(self, job: Job) -> list[tuple[Path, Path]]:
        """Every file that is read, and the one that is written for it."""
        if job.kind == clips.FRAMES:
            return list(zip(*clips.frames_of(job, self._for_pictures()), strict=True))
        assert isinstance(job.source, Path) and isinstance(job.target, Path)
        return [(job.source, job.target)]

    def _written(self, job: Job, steps: list[Step]) -> options.Shared:
        """The options for pictures; frames that were JPEGs with artefacts are not given them again."""
        from imgfix.media import image
        from imgfix.tasks.restore import quality_to_write

        shared = self._for_pictures()
        if job.kind != clips.FRAMES or shared.quality is not None:
            return shared
        (first, _), *_ = self._files(job)
        return replace(shared, quality=quality_to_write(steps, image.read(first).metadata.jpeg))

    def _copied(self, job: Job, footage: Footage, told: Told, start: float, tick: Tick) -> Outcome:
        from imgfix.media.files import copy

        files = self._files(job)
        for number, (source, target) in enumerate(files, start=1):
            copy(source, target)
            tick(number, len(files))
        seconds = time.monotonic() - start
        facts: dict[str, Any] = {**_size(footage), **told.facts, "copied": True, "seconds": round(seconds, 3)}
        facts["output"]["bytes"] = sum(target.stat().st_size for _, target in files)
        return Outcome(
            ", ".join([*told.said, "copied as it is", time_in_words(seconds)]), facts, warnings=told.warnings
        )

    def _for_pictures(self) -> options.Shared:
        return clips.without_container(self.shared)


def _size(footage: Footage) -> dict[str, Any]:
    width, height = footage.shown
    return {"input": {"width": width, "height": height}, "output": {"width": width, "height": height}}
