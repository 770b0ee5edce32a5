"""Noise, JPEG artefacts, blur, darkness, rain, haze and scratches undone, in pictures and in what moves.

Of something that moves the first frames are looked at, and one decision holds for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import UsageError
from imgfix.pipelines import faces, models, pictures
from imgfix.pipelines.choosing import SideFiles
from imgfix.pipelines.models import DamageModels, ModelChoice
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import ClipOptions, RestoreRequest, Saving
from imgfix.pipelines.part import Part
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.prints import Prints
from imgfix.pipelines.restore_stages import (
    Brighten,
    FillScratches,
    MeasureFading,
    PictureStage,
    Restoration,
    RestoreFaces,
    UndoDamage,
    collected,
    facts_of,
    in_words,
    something,
    with_faces,
)
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, Runner, joined, unseen
from imgfix.pipelines.steps import MovingStep

if TYPE_CHECKING:
    from imgfix.media.picture import JpegSettings, Picture
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.restore import RestoreOptions, RestoreStep
    from imgfix.tasks.sequence import SequenceTask


@dataclass(frozen=True)
class SavedPicture:
    """A result, and what is said of how it was written."""

    picture: Picture
    notes: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    copied: bool = False
    """The file was copied, byte for byte."""


class RestorePipeline(Pipeline[RestoreRequest]):
    """`imgfix restore`."""

    verb = "restore"

    def check(self) -> None:
        """See `Pipeline.check`."""
        self.named: ModelChoice | None = None if self.machine.model == "auto" else self.models.choose("restore")
        plain = self.request.options(self.machine.side)
        self.engines = DamageModels(self.models, self.named)
        self.prints = Prints(self.request, self.engines)
        self.options = self._filled(plain)
        self.steadies: Callable[[str], bool] = self._steadies
        """Whether results for the frames of something are averaged along the motion."""
        if self.request.fidelity and not self.options.faces:
            raise UsageError("`fidelity` says how faces are restored", hint="add `faces`")
        self.part = Part.of(self.request, self.models, self.saving.overwrite, self.if_found)
        self.faces = self._faces() if self.options.faces else None

    def _steadies(self, kind: str) -> bool:
        return work.steadies(self.request.steady, kind)

    def _filled(self, plain: RestoreOptions) -> RestoreOptions:
        """What is undone when little or nothing is named. Raises UsageError when nothing is left to do."""
        own = models.damage_of(self.named) if self.named is not None else None
        if self.named is not None and own is not None:
            plain.check(self.named.name, own)
        alone = self.request.fills or self.request.fades or self.request.deflicker
        if alone and self.named is None and not plain.named:
            return plain
        filled = plain.filled(own, off=self.request.off)
        if not (filled.named or alone or self.clips.smooth is not None):
            raise UsageError("with `denoise` off and `jpeg` off nothing is left to do", hint="name what to undo")
        return filled

    def _faces(self) -> faces.Faces:
        own = models.damage_of(self.named) if self.named is not None else ()
        share = self.request.strength * (1 - self.request.fidelity)
        return faces.Faces(self.models, self.engines, share, self.named if faces.TASK in own else None)

    @property
    def model(self) -> str:
        """What was asked for as the model."""
        return self.named.name if self.named is not None else "auto"

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        return "_restored"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        return {"model": models.label(self.named) if self.named is not None else "auto"}

    def side_files(self, overwrite: bool) -> SideFiles:
        """See `Pipeline.side_files`."""
        return SideFiles("save_mask", self.request.save_mask, "_mask.png", overwrite)

    def _missing(self) -> int | None:
        """Bytes of the model that was named and of what goes with it, if they have to be pulled first."""
        own = models.bytes_to_pull(self.named) if self.named is not None else None
        finder = self.faces.bytes_to_pull() if self.faces is not None else None
        return None if own is None and finder is None else (own or 0) + (finder or 0)

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        if self.part is not None:
            self.part.prepare()
        missing = self._missing()
        if dry and missing is not None and self.named is not None:
            self.listener.missing(self.named.name, missing)
        else:
            if self.faces is not None:
                self.faces.prepare()
            self.engines.prepare(self.options)

    # -- pictures ------------------------------------------------------------------------------------------------------

    @property
    def stages(self) -> tuple[PictureStage, ...]:
        """All that is done to a picture, in order."""
        return (
            *([FillScratches(self.prints)] if self.request.fills else []),
            *([MeasureFading(self.prints)] if self.request.fades else []),
            *([Brighten(self.engines)] if self.options.light else []),
            UndoDamage(self.engines, self.listener.expecting),
            *([RestoreFaces(self.faces)] if self.faces is not None else []),
        )

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.tasks.restore import quality_to_write

        start = time.monotonic()
        saving = self._saving(source)
        marks_file = self.side_files(saving.overwrite).path(source, target, relative)
        done = self._opened(source, relative, marks_file, progress)
        for stage in self.stages if done.anywhere else ():
            stage.run(done)
        own = self._record(pictures.origin(source), self.model, done.engine)
        saved = self._save(done, target, saving, own, keep)
        picture = done.picture
        about = [*picture.metadata.notes, *([done.transform.note] if done.transform.note else [])]
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(picture.width, picture.height, bytes=pictures.bytes_written(target)),
            restored=done.facts,
            summary=(*done.summary, *saved.summary),
            coverage=done.coverage,
            filler=done.filler,
            copied=saved.copied,
            # Of a file that is copied nothing is lost, whatever was not understood of it.
            notes=joined([] if saved.copied else about, done.part.notes, done.notes, saved.notes),
            seconds=time.monotonic() - start,
            picture=saved.picture if keep else None,
            quality=quality_to_write(done.steps, picture.metadata.jpeg),
            record=own,
        )

    def _opened(
        self, source: Any, relative: Path | None, marks_file: Path | None = None, progress: Progress = unseen,
        dry: bool = False,
    ) -> Restoration:  # fmt: skip
        """A picture, read and with the part of it that is worked on."""
        from imgfix.media import colour

        picture = self._read(source)
        weight, part = self._weight(picture, source, relative, None if self.request.fills else marks_file)
        self.engines.pixels, self.engines.dry = picture.width * picture.height, dry
        transform = colour.transform(picture.metadata, picture.channels)
        jpeg = jpeg_of(source, picture)
        return Restoration(source, relative, picture, transform, jpeg, self.options, part, weight, marks_file, progress)

    def _save(
        self, done: Restoration, target: Any, saving: Saving, own: Mapping[str, Any] | None, keep: bool
    ) -> SavedPicture:
        """Write the result, copy the file where nothing was done, or keep it in memory."""
        from imgfix.media import image
        from imgfix.tasks.restore import quality_to_write

        picture, source = done.picture, done.source
        if done.unchanged and (target is None or not isinstance(source, pictures.Carried) or source.fresh):
            return _save_unchanged(done, target, saving)
        if target is None:
            return SavedPicture(replace(picture, pixels=collected(done.result(), done.pixels)))
        quality = saving.quality or quality_to_write(done.steps, picture.metadata.jpeg)
        writer = image.open_writer(
            target, width=picture.width, height=picture.height, channels=picture.channels,
            dtype=picture.pixels.dtype, alpha=picture.alpha is not None, metadata=picture.metadata,
            format=saving.format, quality=quality, record=self._signature(source, own),
        )  # fmt: skip
        out = np.empty_like(done.pixels) if keep else None
        with writer:
            at = 0
            for band in done.result():
                writer.write(_with_alpha(band, picture, at))
                if out is not None:
                    out[at : at + len(band)] = band
                at += len(band)
        said = (f"written at quality {quality}",) if writer.format == "JPEG" and quality != saving.quality else ()
        made = picture if out is None else replace(picture, pixels=out)
        return SavedPicture(made, tuple(writer.notes), said)

    def _first(self, steps: list[RestoreStep]) -> Engine | None:
        """The model that a record of something that moves names."""
        if steps:
            return steps[0].engine
        return self.faces.engine if self.faces is not None else None

    def _with_faces_of_frames(self, facts: Facts) -> Facts:
        """What is to be said of a clip in which faces are restored, too."""
        assert self.faces is not None and facts.restored is not None
        summary = (*something(facts.summary), f"faces by {self.faces.engine.descriptor.name}")
        return replace(facts, summary=summary, restored=with_faces(facts.restored, self.faces, None))

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """The damage is looked for, nothing is undone."""
        if self._missing() is not None:
            header = pictures.inspect_whole(source, self.reading.limit)
            return Plan(input=FileFacts(header.width, header.height), output=FileFacts(header.width, header.height))
        done = self._opened(source, relative, dry=True)
        size = FileFacts(done.picture.width, done.picture.height)
        part = done.part
        plan = Plan(input=size, output=size, coverage=part.coverage, summary=part.summary, notes=part.notes)
        for stage in self.stages if done.anywhere else ():
            plan = stage.plan(done, plan)
        return plan

    def _read(self, source: Any) -> Picture:
        """The picture of a source, in colour where it is to get some."""
        if self.request.deflicker:
            raise UsageError(
                f"{pictures.name_of(source)} is one picture, and `deflicker` compares the frames of a clip",
                hint="leave `deflicker` out for pictures",
            )
        picture = pictures.read(source, self.reading.limit)
        return pictures.in_colour(picture) if self.options.color else picture

    def _weight(
        self, picture: Picture, source: Any, relative: Path | None, save: Path | None = None
    ) -> tuple[np.ndarray | None, Facts]:
        """The share of the work in each pixel, None where all of it is worked on, and what is said of it."""
        return (None, Facts()) if self.part is None else self.part.of_picture(picture, source, relative, save)

    # -- what moves ----------------------------------------------------------------------------------------------------

    def not_here(self, kind: str) -> Facts | None:
        """See `Pipeline.not_here`."""
        if self._missing() is None or self.named is None:
            return None
        return Facts(runner=Runner(self.named.name))

    def _moving_step(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> MovingStep:
        """The damage is looked for in the first frames."""
        from imgfix.tasks.as_it_is import AsItIs

        self.engines.pixels, self.engines.dry = work.pixels(moving), dry
        task, steps, facts, binding = self._looked_at(moving, kind, relative, dry)
        engines = [step.engine for step in steps] + ([self.faces.engine] if self.faces is not None else [])
        shas = [engine.descriptor.sha256 for engine in engines]
        return MovingStep(
            task,
            facts,
            model=shas[0] if shas else self.model,
            binding={
                **asdict(self.options),
                **({"deflicker": True} if self.request.deflicker else {}),
                **({"steady": True} if self.steadies(kind) else {}),
                **({"fidelity": self.request.fidelity} if self.faces is not None else {}),
                "models": shas,
                **binding,
                **work.bound(*engines),
            },
            record=self._record(moving.source, self.model, self._first(steps)),
            idle=isinstance(task, AsItIs) or (not steps and not self.request.deflicker and self.faces is None),
            quality=self._quality(moving, kind, steps),
        )

    def afterwards(self) -> list[str]:
        """See `Pipeline.afterwards`."""
        return self.faces.notes if self.faces is not None else []

    def _looked_at(
        self, moving: Moving, kind: str, relative: Path | None, dry: bool
    ) -> tuple[SequenceTask, list[RestoreStep], Facts, dict[str, Any]]:
        """The work on a clip, the runs of networks, what is to be said, and what its part depends on."""
        from imgfix.tasks.chain import Chain
        from imgfix.tasks.deflicker import Deflicker

        task, steps, facts = look_at(moving, self.options, self.engines, self.steadies(kind))
        if self.request.deflicker:
            task = Chain(Deflicker(), task)
            facts = replace(facts, summary=("flicker evened out", *something(facts.summary)))
        if self.faces is not None:
            task = Chain(task, self.faces.frames())
            facts = self._with_faces_of_frames(facts)
        if self.part is None:
            return task, steps, facts, {}
        part = self.part.of_moving(task, moving, relative, self.alone, dry=dry)
        if part.nothing:
            return (
                part.task,
                [],
                Facts(restored=facts_of(None, []), summary=(part.said,), notes=part.notes),
                part.binding,
            )
        facts = replace(facts, summary=(part.said, *facts.summary), notes=(*part.notes, *facts.notes))
        return part.task, steps, facts, part.binding

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        if self.request.fills or self.request.fades:
            word = "old" if self.request.old else "scratches" if self.request.fills else "fading"
            raise UsageError(
                f"{source} moves, and `{word}` looks for the damage of scanned pictures alone",
                hint=f"leave `{word}` out for clips; 'imgfix inpaint' fills what a mask shows",
            )
        if self.options.color:
            raise UsageError(
                f"{source} moves, and `colorize` makes colours for single pictures alone",
                hint="leave `colorize` out for clips: their colours would change from frame to frame",
            )
        if self.part is not None:
            self.part.refuse_moving(source)

    def _stays(self, moving: Moving, kind: str) -> bool:
        """Whether nothing is asked for but to undo what was found: no part, no codec, no other format."""
        deinterlace = "off" if self.clips.deinterlace == "off" else "auto"
        plain = ClipOptions(frames=self.clips.frames, resume=self.clips.resume, deinterlace=deinterlace)
        if (
            self.request.deflicker
            or self.faces is not None
            or not _same(self.clips, plain)
            or (kind != work.VIDEO and self.saving.quality is not None)
        ):
            return False
        return all(source.suffix.lower() == target.suffix.lower() for source, target in moving.files())

    def _quality(self, moving: Moving, kind: str, steps: list[RestoreStep]) -> int | None:
        """At which frames that were JPEGs with artefacts are written, so that they are not given them again."""
        if kind != work.FRAMES or not steps:
            return None
        from imgfix.media import image
        from imgfix.tasks.restore import quality_to_write

        return quality_to_write(steps, image.read(moving.files()[0][0]).metadata.jpeg)


def jpeg_of(source: Any, picture: Picture) -> JpegSettings | None:
    """The settings of the JPEG whose artefacts may be in a picture; of what another step has made none is known."""
    return None if isinstance(source, pictures.Carried) and not source.fresh else picture.metadata.jpeg


def look_at(
    moving: Moving, wanted: RestoreOptions, engines: DamageModels, steady: bool = False
) -> tuple[SequenceTask, list[RestoreStep], Facts]:
    """The work on something that moves, the runs of networks for each frame, and what is to be said of them.

    steady: average what they make along the motion.
    """
    from imgfix.tasks import restore
    from imgfix.tasks.as_it_is import AsItIs
    from imgfix.tasks.brighten_frames import BrightenFrames
    from imgfix.tasks.chain import Chain
    from imgfix.tasks.restore_frames import LOOKED_AT, RestoreFrames, look
    from imgfix.tasks.steady import Steady

    if not wanted.named - {restore.FACES}:
        return AsItIs(), [], Facts(restored=facts_of(None, []))
    first = list(islice(moving.frames(), LOOKED_AT)) if wanted.estimates else []
    lighter: SequenceTask | None = None
    lit: list[RestoreStep] = []
    before: list[str] = []
    if wanted.light:
        only, wanted = wanted.until_light(), wanted.after_light()
        seen = look(first) if only.estimates else None
        lit, before = restore.steps(only, seen, engines)
        lighter = BrightenFrames(RestoreFrames(replace(only, strength=1.0), engines, seen), only.strength)
        first = [made.frame for made in lighter.run(iter(first))] if wanted.estimates else []
    found = look(first, engines.meter(wanted)) if wanted.estimates else None
    steps, notes = restore.steps(wanted, found, engines)
    done = [*lit, *steps]
    words = [*(step.in_words() for step in lit), *in_words(found, steps)]
    facts = Facts(
        summary=tuple(something(words) if lit else words), restored=facts_of(found, done), notes=(*before, *notes)
    )
    task: SequenceTask = RestoreFrames(wanted, engines, found) if steps or lighter is None else AsItIs()
    if steady and done:
        task, facts = Steady(task), replace(facts, summary=(*facts.summary, "steadied"))
    return Chain(lighter, task) if lighter is not None else task, done, facts


def _save_unchanged(done: Restoration, target: Any, saving: Saving) -> SavedPicture:
    """Copy the file, or write the picture where there is none, or another format or quality is asked for."""
    from imgfix.media import image
    from imgfix.media.unchanged import write_unchanged

    picture, first = done.picture, pictures.origin(done.source)
    if target is None:
        return SavedPicture(picture)
    if first is picture:
        return SavedPicture(picture, tuple(image.write(target, picture, format=saving.format, quality=saving.quality)))
    notes = write_unchanged(first, picture, target, format=saving.format, quality=saving.quality)
    return SavedPicture(picture, tuple(notes or ()), copied=notes is None)


def _same(one: ClipOptions, other: ClipOptions) -> bool:
    return one.settings() == other.settings() and one.frames == other.frames


def _with_alpha(band: np.ndarray, picture: Picture, at: int) -> np.ndarray:
    if picture.alpha is None:
        return band
    return np.ascontiguousarray(np.concatenate([band, picture.alpha[at : at + len(band), :, None]], axis=2))
