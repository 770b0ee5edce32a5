"""`imgfix inpaint` on clips, animated pictures and folders of frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import typer

from imgfix.cli import clips, options
from imgfix.cli.clips import ClipOptions, Told
from imgfix.cli.console import Tick
from imgfix.cli.regions import Region
from imgfix.cli.report import Outcome
from imgfix.errors import UsageError

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.canvas import Expansion
    from imgfix.tasks.footage import Footage
    from imgfix.tasks.inpaint import InpaintOptions
    from imgfix.tasks.sequence import SequenceTask


@dataclass(frozen=True)
class ClipWork:
    """What the command line asks for, done to one clip at a time."""

    region: Region
    expansion: Expansion | None
    how: InpaintOptions
    model: str
    alone: bool
    """The clip is the only input, so that a folder of masks holds one for each of its frames."""
    moving: ClipOptions
    shared: options.Shared
    context: typer.Context

    def inpaint(self, job: Job, kind: str, engine: Engine | None, facts: dict[str, str], tick: Tick) -> Outcome:
        """Fill the region in one clip. Raises UsageError for what only pictures can be asked for, InputError."""
        footage, make, told, digest = self._looked_at(job, engine, "filled")
        descriptor = engine.descriptor if engine is not None else None
        if kind != "video":
            return clips.run_animation(
                job, self.moving, clips.without_container(self.shared), self.context, make, model=self.model,
                descriptor=descriptor, facts=facts, tick=tick, told=told,
            )  # fmt: skip
        return clips.run(
            job, self.moving, self.shared, self.context, make, model=self.model, descriptor=descriptor, facts=facts,
            binding=self._binding(digest), tick=tick, clip=footage.clip, told=told,
        )  # fmt: skip

    def plan(self, job: Job, kind: str, engine: Engine | None, facts: dict[str, str]) -> Outcome:
        """What filling would take: the masks are looked at, nothing is filled. engine: None if it is not here yet."""
        footage, make, told, _ = self._looked_at(job, engine, "to fill")
        if kind != "video":
            return clips.plan_animation(job, self.moving, clips.without_container(self.shared), make, facts, told)
        return clips.plan(job, self.moving, self.shared, make, facts, footage.clip, told)

    def _binding(self, digest: str) -> dict[str, Any]:
        """What the frames depend on. Of a mask its content counts, and not where it lies."""
        return {**asdict(self.region), "mask": digest, **asdict(self.how)}

    def _looked_at(self, job: Job, engine: Engine | None, word: str) -> tuple[Footage, clips.Maker, Told, str]:
        """The clip, the work on it, what is to be said, and the hash of the mask."""
        from imgfix.media import mask as masks
        from imgfix.tasks.video_inpaint import VideoInpaint, VideoInpaintOptions

        self._refuse(job)
        footage = clips.footage(job, self.moving, self.shared)
        found, digest, notes = self.region.of_clip(job, footage, self.alone)
        share = found.coverage()
        filler: Engine | str = engine if engine is not None else self.model
        how = VideoInpaintOptions(feather=self.how.feather, tta=self.how.tta)

        def make(width: int, height: int, multiple: tuple[int, int]) -> SequenceTask:
            return VideoInpaint(found.fixed if found.same else found, filler, how)

        told = Told((f"{masks.percent(share)} {word}",), {"coverage": round(share, 6)}, tuple(notes))
        return footage, make, told, digest

    def _refuse(self, job: Job) -> None:
        if self.expansion is not None:
            raise UsageError(
                f"{job.source} moves, and --expand is for single pictures", hint="leave --expand out for clips"
            )
        if self.region.transparent:
            raise UsageError(
                f"{job.source} moves, and --alpha is for single pictures",
                hint="use --mask, --box or --color for clips",
            )
