"""Noise, JPEG artefacts, blur, darkness, rain, haze and scratches undone, in pictures and in what moves.

Of something that moves the first frames are looked at, and one decision holds for all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import UsageError
from imgfix.pipelines import faces, models, pictures
from imgfix.pipelines.choosing import SideFiles
from imgfix.pipelines.models import Choice, DamageModels
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import ClipOptions, RestoreRequest
from imgfix.pipelines.part import Part
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.prints import Prints
from imgfix.pipelines.result import (
    Facts,
    FileFacts,
    Plan,
    Progress,
    RestoreFacts,
    Result,
    Runner,
    StepFacts,
    joined,
    values_in,
)
from imgfix.pipelines.steps import Stage

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import JpegSettings, Picture
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.estimate import Damage
    from imgfix.tasks.faces.face import Face
    from imgfix.tasks.fading import Fading
    from imgfix.tasks.restore import RestoreOptions, Step
    from imgfix.tasks.sequence import SequenceTask

NOTHING = "nothing to do"
_FEW = 4  # tiles; measuring the models would take longer than less work than that


class RestorePipeline(Pipeline[RestoreRequest]):
    """`imgfix restore`."""

    verb = "restore"

    def check(self) -> None:
        """See `Pipeline.check`."""
        self.named: Choice | None = None if self.machine.model == "auto" else self.models.choose("restore")
        plain = self.request.options(self.machine.side)
        self.engines = DamageModels(self.models, self.named)
        self.prints = Prints(self.request, self.engines)
        self.wanted = self._filled(plain)
        self.steadies: Callable[[str], bool] = self._steadies
        """Whether results for the frames of something are averaged along the motion."""
        if self.request.fidelity and not self.wanted.faces:
            raise UsageError("`fidelity` says how faces are restored", hint="add `faces`")
        self.part = Part.of(self.request, self.models, self.saving.overwrite)
        self.faces = self._faces() if self.wanted.faces else None

    def _steadies(self, kind: str) -> bool:
        return work.steadies(self.request.steady, kind)

    def _filled(self, plain: RestoreOptions) -> RestoreOptions:
        """What is undone when little or nothing is named. Raises UsageError when nothing is left to do."""
        own = models.damage_of(self.named) if self.named is not None else None
        if self.named is not None and own is not None:
            plain.check(self.named.name, own)
        alone = self.request.fills or self.request.fades or self.request.deflicker
        if alone and self.named is None and not plain.jobs_named:
            return plain
        filled = plain.filled(own, off=self.request.off)
        if not (filled.jobs_named or alone or self.clips.smooth is not None):
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
            self.part.prepare(kinds)
        missing = self._missing()
        if dry and missing is not None and self.named is not None:
            self.listener.missing(self.named.name, missing)
        else:
            if self.faces is not None:
                self.faces.prepare()
            self.engines.prepare(self.wanted)

    # -- pictures ------------------------------------------------------------------------------------------------------

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import colour, image
        from imgfix.media.picture import Picture
        from imgfix.media.unchanged import write_unchanged
        from imgfix.tasks.part import mixed_bands
        from imgfix.tasks.restore import Restore, quality_to_write

        start = time.monotonic()
        saving = self._saving(source)
        mask_path = self.side_files(saving.overwrite).path(source, target, relative)
        picture = self._read(source)
        weight, told = self._weight(picture, source, relative, None if self.request.fills else mask_path)
        self.engines.pixels, self.engines.dry = picture.width * picture.height, False
        transform = colour.transform(picture.metadata, picture.channels)
        pixels, result = picture.pixels, told
        if self.request.fills:
            marks = self.prints.marks(picture, weight, source, relative)
            if mask_path is not None:
                image.write(mask_path, Picture(((marks.mask > 0) * 255).astype(np.uint8)[..., None]))
            pixels, result = self.prints.filled(picture, marks, progress)
            result = replace(result, summary=(*told.summary, *result.summary))
        fading = self.prints.fading(pixels, transform, picture.alpha)
        jpeg = jpeg_of(source, picture)
        wanted = self.wanted
        lit: list[Step] = []
        before: list[str] = []
        if wanted.light:
            pixels, lit, before = self._brightened(picture, pixels, transform, progress, jpeg)
            wanted = wanted.after_light()
        found, steps, notes = look_at_picture(picture, pixels, transform, wanted, self.engines, jpeg)
        notes = [*before, *notes]
        own = self._record(pictures.origin(source), self.model, self._first([*lit, *steps]))
        reading = [*picture.metadata.notes, *([transform.note] if transform.note else []), *told.notes]
        summary = [*result.summary, *(step.in_words() for step in lit), *in_words(found, steps, fading)]
        summary = something(summary) if lit else summary
        bands, seen = iter([pixels]), None
        if steps or fading is not None:
            task = Restore(pixels, steps, wanted, alpha=picture.alpha, colour=transform, fading=fading)
            steps, bands = task.steps, task.bands(progress)
            if task.tiles > _FEW and (expected := task.seconds()) > work.LONG:
                self.listener.expecting(pictures.name_of(source), expected)
        if self.faces is not None:
            if steps or fading is not None:
                _collect(bands, pixels := np.empty_like(pixels))
            pixels, seen = self.faces.restore(pixels, transform, picture.alpha, progress)
            bands = iter([pixels])
            summary = [*something(summary), self.faces.in_words(seen)]
            notes = [*notes, *faces.notes_of(seen)]
        written: list[str] = []
        made = picture
        fresh = not isinstance(source, pictures.Carried) or source.fresh
        if not steps and fading is None and pixels is picture.pixels and (fresh or target is None):
            first = pictures.origin(source)
            if target is not None and first is picture:  # there is no file that could be copied
                written = list(image.write(target, picture, format=saving.format, quality=saving.quality))
            elif target is not None:
                kept = write_unchanged(first, picture, target, format=saving.format, quality=saving.quality)
                written = kept or []
                if kept is None:  # of a file that is copied nothing is lost, whatever was not understood of it
                    result, reading = replace(result, copied=True), list(told.notes)
        else:
            out = np.empty_like(pixels) if keep or target is None else None
            if weight is not None:
                bands = mixed_bands(iter([picture.pixels]), bands, weight, (picture.width, picture.height))
            if target is None:
                assert out is not None
                _collect(bands, out)
            else:
                quality = saving.quality or quality_to_write([*lit, *steps], picture.metadata.jpeg)
                writer = image.open_writer(
                    target, width=picture.width, height=picture.height, channels=picture.channels,
                    dtype=picture.pixels.dtype, alpha=picture.alpha is not None, metadata=picture.metadata,
                    format=saving.format, quality=quality,
                    record=self._signature(source, own),
                )  # fmt: skip
                with writer:
                    at = 0
                    for band in bands:
                        writer.write(_with_alpha(band, picture, at))
                        if out is not None:
                            out[at : at + len(band)] = band
                        at += len(band)
                written = writer.notes
                if writer.format == "JPEG" and quality != saving.quality:
                    summary.append(f"written at quality {quality}")
            made = picture if out is None else replace(picture, pixels=out)
        return replace(
            result,
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(picture.width, picture.height, bytes=pictures.bytes_written(target)),
            restored=self._with_faces(facts_of(found, [*lit, *steps]), seen),
            summary=tuple(summary),
            notes=joined(result.notes, reading, notes, written),
            seconds=time.monotonic() - start,
            picture=made if keep else None,
            quality=quality_to_write([*lit, *steps], picture.metadata.jpeg),
            record=own,
        )

    def _brightened(
        self,
        picture: Picture,
        pixels: np.ndarray,
        transform: ColourTransform,
        progress: Progress,
        jpeg: JpegSettings | None,
    ) -> tuple[np.ndarray, list[Step], list[str]]:
        """The pixels without JPEG artefacts and with more light, the runs that did it, and what has to be left.

        What else there is to undo is looked for afterwards: noise that is faint in the dark is not so in the light.
        """
        from imgfix.tasks import exposure
        from imgfix.tasks.restore import Restore

        only = self.wanted.until_light()
        _, steps, notes = look_at_picture(picture, pixels, transform, only, self.engines, jpeg)
        whole = replace(only, strength=1.0)
        made = np.empty_like(pixels)
        _collect(Restore(pixels, steps, whole, alpha=picture.alpha, colour=transform).bands(progress), made)
        dark, bright = transform.to_srgb(pixels), transform.to_srgb(made)
        bright = exposure.measure(dark, bright).settled(bright)
        if only.strength < 1:
            bright = dark + np.float32(only.strength) * (bright - dark)
        return transform.from_srgb(bright, pixels.dtype, transform.lost(pixels)), steps, notes

    def _first(self, steps: list[Step]) -> Engine | None:
        """The model that a record names."""
        if steps:
            return steps[0].engine
        return self.faces.engine if self.faces is not None else None

    def _with_faces(self, facts: RestoreFacts, seen: list[Face] | None) -> RestoreFacts:
        """The same, and what is done about faces; seen: those of a picture."""
        if self.faces is None:
            return facts
        if seen is None or any(not face.left_alone for face in seen):
            facts = replace(facts, steps=(*facts.steps, self.faces.step()))
        return replace(facts, faces=None if seen is None else faces.facts_of(seen))

    def _with_faces_of_frames(self, facts: Facts) -> Facts:
        """What is to be said of a clip in which faces are restored, too."""
        assert self.faces is not None and facts.restored is not None
        summary = (*something(facts.summary), f"faces by {self.faces.engine.descriptor.name}")
        return replace(facts, summary=summary, restored=self._with_faces(facts.restored, None))

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """The damage is looked for, nothing is undone."""
        from imgfix.media import colour
        from imgfix.tasks.restore import Restore

        if self._missing() is not None:
            header = pictures.inspect_whole(source, self.reading.limit)
            return Plan(input=FileFacts(header.width, header.height), output=FileFacts(header.width, header.height))
        picture = self._read(source)
        self.engines.pixels, self.engines.dry = picture.width * picture.height, True
        transform = colour.transform(picture.metadata, picture.channels)
        jpeg = jpeg_of(source, picture)
        found, steps, notes = look_at_picture(picture, picture.pixels, transform, self.wanted, self.engines, jpeg)
        task = Restore(picture.pixels, steps, self.wanted)
        size = FileFacts(picture.width, picture.height)
        weight, told = self._weight(picture, source, relative)
        plan = Plan(
            input=size, output=size, restored=facts_of(found, task.steps), coverage=told.coverage,
            notes=(*told.notes, *notes),
            summary=(
                *told.summary,
                *in_words(found, steps, self.prints.fading(picture.pixels, transform, picture.alpha)),
            ),
        )  # fmt: skip
        if self.request.fills:
            marks = self.prints.marks(picture, weight, source, relative)
            plan = replace(plan, summary=(*plan.summary, marks.in_words()), coverage=marks.share)
        if self.faces is not None:
            seen = self.faces.find(picture.pixels, transform)
            plan = replace(
                plan,
                restored=self._with_faces(facts_of(found, task.steps), seen),
                summary=(*something(plan.summary), self.faces.in_words(seen)),
                seconds=self.faces.seconds(seen),
                notes=joined(plan.notes, faces.notes_of(seen)),
            )
        if steps:
            plan = replace(plan, tiles=task.tiles, seconds=(plan.seconds or 0) + task.seconds())
        return plan

    def _read(self, source: Any) -> Picture:
        """The picture of a source, in colour where it is to get some."""
        if self.request.deflicker:
            raise UsageError(
                f"{pictures.name_of(source)} is one picture, and `deflicker` compares the frames of a clip",
                hint="leave `deflicker` out for pictures",
            )
        picture = pictures.read(source, self.reading.limit)
        return pictures.in_colour(picture) if self.wanted.color else picture

    def _weight(
        self, picture: Picture, source: Any, relative: Path | None, save: Path | None = None
    ) -> tuple[np.ndarray | None, Result]:
        """The share of the work in each pixel, None where all of it is worked on, and what is said of it."""
        if self.part is None:
            return None, Result()
        weight, facts = self.part.of_picture(picture, source, relative, save)
        return weight, Result(**values_in(facts))

    # -- what moves ----------------------------------------------------------------------------------------------------

    def not_here(self, kind: str) -> Facts | None:
        """See `Pipeline.not_here`."""
        if self._missing() is None or self.named is None:
            return None
        return Facts(runner=Runner(self.named.name))

    def _stage(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> Stage:
        """The damage is looked for in the first frames."""
        self.engines.pixels, self.engines.dry = work.pixels(moving), dry
        task, steps, facts, binding = self._looked_at(moving, kind, relative, dry)
        engines = [step.engine for step in steps] + ([self.faces.engine] if self.faces is not None else [])
        shas = [engine.descriptor.sha256 for engine in engines]
        return Stage(
            task,
            facts,
            model=shas[0] if shas else self.model,
            binding={
                **asdict(self.wanted),
                **({"deflicker": True} if self.request.deflicker else {}),
                **({"steady": True} if self.steadies(kind) else {}),
                **({"fidelity": self.request.fidelity} if self.faces is not None else {}),
                "models": shas,
                **binding,
                **work.bound(*engines),
            },
            record=self._record(moving.source, self.model, self._first(steps)),
            idle=not steps and not self.request.deflicker and self.faces is None,
            quality=self._quality(moving, kind, steps),
        )

    def afterwards(self) -> list[str]:
        """See `Pipeline.afterwards`."""
        return self.faces.notes if self.faces is not None else []

    def _looked_at(
        self, moving: Moving, kind: str, relative: Path | None, dry: bool
    ) -> tuple[SequenceTask, list[Step], Facts, dict[str, Any]]:
        """The work on a clip, the runs of networks, what is to be said, and what its part depends on."""
        from imgfix.tasks.chain import Chain
        from imgfix.tasks.deflicker import Deflicker

        task, steps, facts = look_at(moving, self.wanted, self.engines, self.steadies(kind))
        if self.request.deflicker:
            task = Chain(Deflicker(), task)
            facts = replace(facts, summary=("flicker evened out", *something(facts.summary)))
        if self.faces is not None:
            task = Chain(task, self.faces.frames())
            facts = self._with_faces_of_frames(facts)
        if self.part is None:
            return task, steps, facts, {}
        task, said, binding, notes = self.part.of_moving(task, moving, relative, self.alone, dry=dry)
        return task, steps, replace(facts, summary=(said, *facts.summary), notes=(*notes, *facts.notes)), binding

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        if self.request.fills or self.request.fades:
            word = "old" if self.request.old else "scratches" if self.request.fills else "fading"
            raise UsageError(
                f"{source} moves, and `{word}` looks for the damage of scanned pictures alone",
                hint=f"leave `{word}` out for clips; 'imgfix inpaint' fills what a mask shows",
            )
        if self.wanted.color:
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

    def _quality(self, moving: Moving, kind: str, steps: list[Step]) -> int | None:
        """At which frames that were JPEGs with artefacts are written, so that they are not given them again."""
        if kind != work.FRAMES or not steps:
            return None
        from imgfix.media import image
        from imgfix.tasks.restore import quality_to_write

        return quality_to_write(steps, image.read(moving.files()[0][0]).metadata.jpeg)


def jpeg_of(source: Any, picture: Picture) -> JpegSettings | None:
    """The settings of the JPEG whose artefacts may be in a picture; of what another step has made none is known."""
    return None if isinstance(source, pictures.Carried) and not source.fresh else picture.metadata.jpeg


def look_at_picture(
    picture: Picture, pixels: np.ndarray, transform: ColourTransform, wanted: RestoreOptions, engines: DamageModels,
    jpeg: JpegSettings | None,
) -> tuple[Damage | None, list[Step], list[str]]:  # fmt: skip
    """What is found in a picture, the runs of networks that undo it, and what has to be left, a sentence each.

    pixels: the picture's own, or what became of them. jpeg: what the file tells of how it was compressed.
    """
    from imgfix.tasks import restore

    found = None
    if wanted.estimates:
        found = restore.find(pixels, transform, jpeg, engines.meter(wanted))
    return found, *restore.steps(wanted, found, engines)


def look_at(
    moving: Moving, wanted: RestoreOptions, engines: DamageModels, steady: bool = False
) -> tuple[SequenceTask, list[Step], Facts]:
    """The work on something that moves, the runs of networks for each frame, and what is to be said of them.

    steady: average what they make along the motion.
    """
    from imgfix.tasks import restore
    from imgfix.tasks.as_it_is import AsItIs
    from imgfix.tasks.brighten_frames import BrightenFrames
    from imgfix.tasks.chain import Chain
    from imgfix.tasks.restore_frames import LOOKED_AT, RestoreFrames, look
    from imgfix.tasks.steady import Steady

    if not wanted.jobs_named - {restore.FACES}:
        return AsItIs(), [], Facts(restored=facts_of(None, []))
    first = list(islice(moving.frames(), LOOKED_AT)) if wanted.estimates else []
    lighter: SequenceTask | None = None
    lit: list[Step] = []
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


def in_words(found: Damage | None, steps: list[Step], fading: Fading | None = None) -> list[str]:
    """What was found and what is done about it, in short phrases."""
    words = [f"found {found.in_words()}"] if found is not None else []
    if steps or fading is not None:
        faded = [f"{fading.in_words()} undone"] if fading is not None else []
        return [*words, *(step.in_words() for step in steps), *faded]
    return [*words, NOTHING] if found is not None else words


def something(words: Iterable[str]) -> list[str]:
    """Phrases without the one that nothing is to be done, where something is."""
    return [word for word in words if word != NOTHING]


def facts_of(found: Damage | None, steps: list[Step]) -> RestoreFacts:
    """The same as values."""
    made = tuple(
        StepFacts(
            tuple(step.jobs), step.engine.descriptor.name, step.level, str(step.engine.placement.device),
            step.engine.placement.precision, step.engine.placement.engine,
        )
        for step in steps
    )  # fmt: skip
    if found is None:
        return RestoreFacts(made)
    return RestoreFacts(made, looked=True, noise=found.noise, jpeg=found.jpeg)


def _collect(bands: Iterable[np.ndarray], out: np.ndarray) -> None:
    at = 0
    for band in bands:
        out[at : at + len(band)] = band
        at += len(band)


def _same(one: ClipOptions, other: ClipOptions) -> bool:
    return one.settings() == other.settings() and one.frames == other.frames


def _with_alpha(band: np.ndarray, picture: Picture, at: int) -> np.ndarray:
    if picture.alpha is None:
        return band
    return np.ascontiguousarray(np.concatenate([band, picture.alpha[at : at + len(band), :, None]], axis=2))
