"""What `restore` does to one picture: stages, one after the other, each of which may be left out.

A new stage is a class with the two methods of `PictureStage` and one entry in `RestorePipeline.stages`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from imgfix.pipelines import faces, pictures
from imgfix.pipelines.faces import Faces
from imgfix.pipelines.models import DamageModels
from imgfix.pipelines.moving.work import LONG
from imgfix.pipelines.prints import Prints
from imgfix.pipelines.result import Facts, Plan, Progress, RestoreFacts, StepFacts, joined, unseen

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import JpegSettings, Picture
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.estimate import Damage
    from imgfix.tasks.faces.face import Face
    from imgfix.tasks.fading import Fading
    from imgfix.tasks.restore import RestoreOptions, RestoreStep

NOTHING = "nothing to do"
_FEW = 4  # tiles; measuring the models would take longer than less work than that


@dataclass
class Restoration:
    """A picture, and what became of it so far."""

    source: Any
    relative: Path | None
    picture: Picture
    """As it was read."""
    transform: ColourTransform
    jpeg: JpegSettings | None
    """What the file tells of how it was compressed."""
    options: RestoreOptions
    """What is still to be undone."""
    part: Facts
    """What is said of the part of the picture that is worked on."""
    weight: np.ndarray | None = None
    """(H, W), the share of the work in each pixel; None: it is all of the picture."""
    marks_file: Path | None = None
    """Where the mask of what is filled is written."""
    progress: Progress = unseen
    pixels: np.ndarray = field(init=False)
    """(H, W, C), the same array as the picture's until something is changed."""
    bands: Iterator[np.ndarray] | None = None
    """The rows that take the place of `pixels`, made while they are read."""
    fading: Fading | None = None
    found: Damage | None = None
    steps: list[RestoreStep] = field(default_factory=list)
    """The runs of networks, in order."""
    engine: Engine | None = None
    """Of the first one that is run, for the record."""
    faces: list[Face] | None = None
    """All that were found; None: they were not looked for."""
    facts: RestoreFacts = field(default_factory=RestoreFacts)
    coverage: float | None = None
    filler: str | None = None
    summary: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What has to be left, a sentence each."""

    def __post_init__(self) -> None:
        self.pixels, self.coverage, self.summary = self.picture.pixels, self.part.coverage, list(self.part.summary)

    @property
    def anywhere(self) -> bool:
        """Whether there is a part that is worked on."""
        return self.weight is None or bool(self.weight.any())

    @property
    def unchanged(self) -> bool:
        """Whether the result is the picture as it was read."""
        return self.bands is None and self.pixels is self.picture.pixels

    def result(self) -> Iterator[np.ndarray]:
        """The rows of the result, top to bottom, in bands; outside the part they are those of the picture."""
        from imgfix.tasks.part import mixed_bands

        bands = iter([self.pixels]) if self.bands is None else self.bands
        if self.weight is None:
            return bands
        return mixed_bands(iter([self.picture.pixels]), bands, self.weight, (self.picture.width, self.picture.height))

    def collected(self) -> np.ndarray:
        """All rows, made."""
        if self.bands is not None:
            self.pixels = collected(self.bands, self.pixels)
            self.bands = None
        return self.pixels


class PictureStage(Protocol):
    """One thing that is done to a picture."""

    def run(self, done: Restoration) -> None:
        """Do it. Raises ImgfixError."""
        ...

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """What is known beforehand, with what it would take; nothing is changed. Raises ImgfixError."""
        ...


@dataclass(frozen=True)
class FillScratches:
    """Scratches, dust and tears are found, or given as a mask, and filled."""

    prints: Prints

    def run(self, done: Restoration) -> None:
        """See `PictureStage.run`."""
        from imgfix.media import image
        from imgfix.media.picture import Picture

        marks = self.prints.marks(done.picture, done.weight, done.source, done.relative)
        if done.marks_file is not None:
            image.write(done.marks_file, Picture(((marks.mask > 0) * 255).astype(np.uint8)[..., None]))
        done.pixels, said = self.prints.filled(done.picture, marks, done.progress)
        done.coverage, done.filler = said.coverage, said.filler
        done.summary += said.summary
        done.notes += said.notes

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """See `PictureStage.plan`."""
        marks = self.prints.marks(done.picture, done.weight, done.source, done.relative)
        return replace(plan, summary=(*plan.summary, marks.in_words()), coverage=marks.share)


@dataclass(frozen=True)
class MeasureFading:
    """Faded colours are measured; they are undone with the last of the networks' rows."""

    prints: Prints

    def run(self, done: Restoration) -> None:
        """See `PictureStage.run`."""
        done.fading = self.prints.fading(done.pixels, done.transform, done.picture.alpha)

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """See `PictureStage.plan`."""
        self.run(done)
        return plan


@dataclass(frozen=True)
class Brighten:
    """JPEG artefacts are removed and a dark picture gets more light.

    What else there is to undo is looked for afterwards: noise that is faint in the dark is not so in the light.
    """

    engines: DamageModels

    def run(self, done: Restoration) -> None:
        """See `PictureStage.run`."""
        from imgfix.tasks import exposure
        from imgfix.tasks.restore import Restore

        only = done.options.until_light()
        pixels, transform = done.pixels, done.transform
        _, steps, notes = look_at_picture(done, only, self.engines)
        whole = Restore(pixels, steps, replace(only, strength=1.0), alpha=done.picture.alpha, colour=transform)
        dark, bright = transform.to_srgb(pixels), transform.to_srgb(collected(whole.bands(done.progress), pixels))
        bright = exposure.measure(dark, bright).settled(bright)
        if only.strength < 1:
            bright = dark + np.float32(only.strength) * (bright - dark)
        done.pixels = transform.from_srgb(bright, pixels.dtype, transform.lost(pixels))
        done.options = done.options.after_light()
        add_steps(done, steps)
        done.summary += (step.in_words() for step in steps)
        done.notes += notes

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """See `PictureStage.plan`: planned with the other networks, since nothing is brightened."""
        return plan


@dataclass(frozen=True)
class UndoDamage:
    """Noise, JPEG artefacts, blur and the like are looked for and undone by networks.

    expecting: told what a long piece of work is called and how many seconds it takes.
    """

    engines: DamageModels
    expecting: Callable[[str, float], None]

    def run(self, done: Restoration) -> None:
        """See `PictureStage.run`."""
        from imgfix.tasks.restore import Restore

        done.found, steps, notes = look_at_picture(done, done.options, self.engines)
        done.notes += notes
        words = [*done.summary, *in_words(done.found, steps, done.fading)]
        done.summary = something(words) if done.steps else words
        if steps or done.fading is not None:
            task = Restore(
                done.pixels, steps, done.options, alpha=done.picture.alpha, colour=done.transform, fading=done.fading
            )
            add_steps(done, steps, task.steps)
            done.bands = task.bands(done.progress)
            if task.tiles > _FEW and (expected := task.seconds()) > LONG:
                self.expecting(pictures.name_of(done.source), expected)
        done.facts = facts_of(done.found, done.steps)

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """See `PictureStage.plan`."""
        from imgfix.tasks.restore import Restore

        found, steps, notes = look_at_picture(done, done.options, self.engines)
        task = Restore(done.pixels, steps, done.options)
        plan = replace(
            plan,
            restored=facts_of(found, task.steps),
            summary=(*plan.summary, *in_words(found, steps, done.fading)),
            notes=(*plan.notes, *notes),
        )
        return replace(plan, tiles=task.tiles, seconds=task.seconds()) if steps else plan


@dataclass(frozen=True)
class RestoreFaces:
    """Faces are found and restored, when all else is done."""

    faces: Faces

    def run(self, done: Restoration) -> None:
        """See `PictureStage.run`."""
        pixels = done.collected()
        done.pixels, done.faces = self.faces.restore(pixels, done.transform, done.picture.alpha, done.progress)
        done.engine = done.engine or self.faces.engine
        done.facts = with_faces(done.facts, self.faces, done.faces)
        done.summary = [*something(done.summary), self.faces.in_words(done.faces)]
        done.notes += faces.notes_of(done.faces)

    def plan(self, done: Restoration, plan: Plan) -> Plan:
        """See `PictureStage.plan`."""
        seen = self.faces.find(done.picture.pixels, done.transform)
        return replace(
            plan,
            restored=with_faces(plan.restored or RestoreFacts(), self.faces, seen),
            summary=(*something(plan.summary), self.faces.in_words(seen)),
            seconds=(plan.seconds or 0) + self.faces.seconds(seen),
            notes=joined(plan.notes, faces.notes_of(seen)),
        )


# -- what the stages share ---------------------------------------------------------------------------------------------


def add_steps(done: Restoration, steps: list[RestoreStep], run: list[RestoreStep] | None = None) -> None:
    """Take runs of networks down; run: as they are run, where that is known."""
    if done.engine is None and steps:
        done.engine = steps[0].engine
    done.steps += steps if run is None else run


def look_at_picture(
    done: Restoration, options: RestoreOptions, engines: DamageModels
) -> tuple[Damage | None, list[RestoreStep], list[str]]:
    """What is found in the pixels, the runs of networks that undo it, and what has to be left, a sentence each."""
    from imgfix.tasks import restore

    found = None
    if options.estimates:
        found = restore.find(done.pixels, done.transform, done.jpeg, engines.meter(options))
    return found, *restore.steps(options, found, engines)


def with_faces(facts: RestoreFacts, restorer: Faces, seen: list[Face] | None) -> RestoreFacts:
    """The same, and what is done about faces; seen: those of a picture."""
    if seen is None or any(not face.left_alone for face in seen):
        facts = replace(facts, steps=(*facts.steps, restorer.step()))
    return replace(facts, faces=None if seen is None else faces.facts_of(seen))


def in_words(found: Damage | None, steps: list[RestoreStep], fading: Fading | None = None) -> list[str]:
    """What was found and what is done about it, in short phrases."""
    words = [f"found {found.in_words()}"] if found is not None else []
    if steps or fading is not None:
        faded = [f"{fading.in_words()} undone"] if fading is not None else []
        return [*words, *(step.in_words() for step in steps), *faded]
    return [*words, NOTHING] if found is not None else words


def something(words: Iterable[str]) -> list[str]:
    """Phrases without the one that nothing is to be done, where something is."""
    return [word for word in words if word != NOTHING]


def facts_of(found: Damage | None, steps: list[RestoreStep]) -> RestoreFacts:
    """The same as values."""
    made = tuple(
        StepFacts(
            tuple(step.undoes), step.engine.descriptor.name, step.level, str(step.engine.placement.device),
            step.engine.placement.precision, step.engine.placement.engine,
        )
        for step in steps
    )  # fmt: skip
    if found is None:
        return RestoreFacts(made)
    return RestoreFacts(made, looked=True, noise=found.noise, jpeg=found.jpeg)


def collected(bands: Iterable[np.ndarray], like: np.ndarray) -> np.ndarray:
    """Bands of rows as an array of the size and type of another."""
    out, at = np.empty_like(like), 0
    for band in bands:
        out[at : at + len(band)] = band
        at += len(band)
    return out
