"""Larger pictures, videos, animated pictures and folders of frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import ModelError
from imgfix.pipelines import by_content, models, pictures
from imgfix.pipelines.by_content import Fitting
from imgfix.pipelines.choosing import SideFiles
from imgfix.pipelines.models import ModelChoice
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import (
    RESAMPLING,
    ClipOptions,
    PartRequest,
    RestoreRequest,
    Saving,
    UpscaleRequest,
    given,
)
from imgfix.pipelines.part import Part
from imgfix.pipelines.pipeline import Pipeline, runner_of
from imgfix.pipelines.restore import RestorePipeline
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, Runner, joined
from imgfix.pipelines.steps import MovingStep

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import JpegSettings, Picture
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.resampling import Resampling
    from imgfix.tasks.sequence import SequenceTask
    from imgfix.tasks.upscale import Upscale, UpscaleOptions
    from imgfix.zoo.descriptor import Descriptor

TASKS = ("video", "upscale")
"""In the order in which `auto` tries them for a clip; a picture never gets a model for clips by itself."""
_COARSE = 75  # JPEG quality below which the damage of encoding can be seen
_LOOKED_AT = (work.IMAGE, work.ANIMATION)
_FOR_NETWORKS = ("tta", "color_fix", "blend", "steady")
_PLAIN = "lanczos"
"""How what is outside the part that the model works on is enlarged."""
_FEW = 4  # tiles; measuring the model would take longer than less work than that


class UpscalePipeline(Pipeline[UpscaleRequest]):
    """`imgfix upscale`."""

    verb = "upscale"

    def check(self) -> None:
        """See `Pipeline.check`."""
        self.options = self.request.options(self.machine.side)
        self._chosen: dict[bool, ModelChoice] = {}
        if self.request.restore:
            self.before = (restorer(self),)
        self.part = Part.of(self.request, self.models, self.saving.overwrite, self.if_found)

    def choice(self, kind: str) -> ModelChoice:
        """The model for a kind of source. Raises ModelError."""
        moves = kind in work.CLIPS
        if moves not in self._chosen:
            scale = round(self.options.scale) if self.options.scale else None
            tasks = TASKS if moves or self.machine.model != "auto" else TASKS[1:]
            self._chosen[moves] = self.models.choose(tasks, scale, also=RESAMPLING)
        return self._chosen[moves]

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        factor = self._factor(self.choice(kind))
        return f"_{'x' + factor if factor else 'large'}"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        choice = self.choice(kind)
        # What a picture shows is not known yet when its result is named.
        return {"scale": self._factor(choice), "model": "auto" if self._looks(kind) else models.label(choice)}

    def size(self, width: int, height: int, kind: str) -> tuple[int, int]:
        """Width and height of the result for a source of a kind. Raises InputError: it would grow too much."""
        from imgfix.tasks.upscale import target_size

        return target_size(width, height, self.options, models.scale_of(self.choice(kind)))

    def _factor(self, choice: ModelChoice) -> str:
        """`4` or `2.5` for file names; empty when the factor differs from picture to picture."""
        wanted = self.options
        if wanted.scale is not None:
            return f"{wanted.scale:g}"
        if wanted.width or wanted.height or wanted.long_side or wanted.megapixels:
            return ""
        return str(models.scale_of(choice))

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        if self.part is not None:
            self.part.prepare()
        for kind in dict.fromkeys(kinds):
            choice = self.choice(kind)
            missing = models.bytes_to_pull(choice)
            if dry and missing is not None:
                self.listener.missing(choice.name, missing)
            elif self._looks(kind):
                self.models.open(choice, TASKS, announce=False)  # perhaps another one does the work
            else:
                self._upscaler(choice)

    def _looks(self, kind: str) -> bool:
        """Whether what a source of a kind shows decides which model it gets."""
        return isinstance(self.machine.model, str) and self.machine.model == "auto" and kind in _LOOKED_AT

    def _fitting(self, kind: str, source: Any, pixels: np.ndarray, alpha: np.ndarray | None) -> Fitting:
        """The model for one source, of which a picture is given. Raises ModelError."""
        usual = self.choice(kind)
        if not self._looks(kind):
            return Fitting(usual, usual)
        found = by_content.fitting(pixels, alpha, usual, self.models.accelerated, self._scale(usual))
        self.listener.detail(f"{pictures.name_of(source)}: {found.content}, {found.why}; {found.choice.name}")
        return found

    def _scale(self, usual: ModelChoice) -> int:
        return round(self.options.scale) if self.options.scale else models.scale_of(usual)

    def _sized(self, fit: Fitting) -> UpscaleOptions:
        """What is wanted of the model for one source; where no size is asked for, that of the usual model."""
        wanted = self.options
        asked = (wanted.scale, wanted.width, wanted.height, wanted.long_side, wanted.megapixels)
        usual = models.scale_of(fit.usual)
        if any(each is not None for each in asked) or models.scale_of(fit.choice) == usual:
            return wanted
        return replace(wanted, scale=float(usual))

    def _upscaler(self, choice: ModelChoice) -> Engine | str:
        """What enlarges: a model that is ready, or the name of a method without one. Raises ModelError."""
        if choice.name in RESAMPLING:
            return self.models.resampler(choice)
        return self.models.open(choice, TASKS)

    def side_files(self, overwrite: bool) -> SideFiles:
        """See `Pipeline.side_files`."""
        return SideFiles("save_mask", self.request.save_mask, "_mask.png", overwrite)

    # -- pictures ------------------------------------------------------------------------------------------------------

    def _weight(
        self, picture: Picture, source: Any, relative: Path | None, save: Path | None = None
    ) -> tuple[np.ndarray | None, Facts]:
        """The share of the model in each pixel, None where it draws all of them, and what is said of it."""
        if self.part is None:
            return None, Facts()
        return self.part.of_picture(picture, source, relative, save)

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import colour, image
        from imgfix.tasks.resampling import Resampling

        start = time.monotonic()
        saving = self._saving(source)
        if not self._looks(work.IMAGE):
            _refuse_sequences(self._upscaler(self.choice(work.IMAGE)))
        mask_path = self.side_files(saving.overwrite).path(source, target, relative)
        picture = pictures.read(source, self.reading.limit)
        weight, part = self._weight(picture, source, relative, mask_path)
        fit = self._fitting(work.IMAGE, source, picture.pixels, picture.alpha)
        upscaler = self._upscaler(fit.choice)
        wanted = self._sized(fit)
        transform = colour.transform(picture.metadata, picture.channels)
        upscaler = models.fitted(upscaler, picture.width * picture.height, self.listener)
        task = _still(picture.pixels, upscaler, wanted, picture.alpha, transform)
        self._expect(task, source)
        if isinstance(task, Resampling):
            numbers = task.kept(picture.metadata.samples)
            picture = replace(picture, metadata=replace(picture.metadata, samples=numbers))
        made = _Kept(picture, task.width, task.height) if keep else None
        own = self._made(source, fit, upscaler, wanted)
        notes: list[str] = []
        format = None
        bands = task.bands(progress) if weight is None else _part_bands(task, picture, weight, progress)
        if target is None:
            for band in bands:
                assert made is not None
                made.add(band)
        else:
            writer = image.open_writer(
                target, width=task.width, height=task.height, channels=picture.channels, dtype=picture.pixels.dtype,
                alpha=picture.alpha is not None, metadata=picture.metadata, format=saving.format,
                quality=saving.quality, record=self._signature(source, own),
            )  # fmt: skip
            with writer:
                for band in bands:
                    writer.write(band)
                    if made is not None:
                        made.add(band)
            format, notes = writer.format, [*writer.notes, *_coarse(picture.metadata.jpeg, writer.format, saving)]
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(task.width, task.height, format, pictures.bytes_written(target)),
            runner=_runner(task),
            summary=(*part.summary, *fit.summary),
            content=fit.content,
            coverage=part.coverage,
            notes=joined(
                picture.metadata.notes, part.notes, _colour_notes(transform, upscaler), self._left_out(upscaler), notes
            ),
            seconds=time.monotonic() - start,
            picture=made.picture if made is not None else None,
            record=own,
        )

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """From the picture's size and a measurement of the model on a small probe."""
        from imgfix.tasks.upscale import target_size

        choice, saving = self.choice(work.IMAGE), self.saving.for_pictures
        if models.bytes_to_pull(choice) is not None:
            header = pictures.inspect_whole(source, self.reading.limit)
            width, height = target_size(header.width, header.height, self.options, models.scale_of(choice))
            pictures.check_size(target, header, saving.format, width, height)
            return Plan(
                input=FileFacts(header.width, header.height), output=FileFacts(width, height),
                runner=Runner(choice.name),
            )  # fmt: skip
        fit, part = Fitting(choice, choice), Facts()
        if self.part is not None or self._looks(work.IMAGE):
            picture = pictures.read(source, self.reading.limit)
            _, part = self._weight(picture, source, relative)
            fit = self._fitting(work.IMAGE, source, picture.pixels, picture.alpha)
        upscaler = self._upscaler(fit.choice)
        _refuse_sequences(upscaler)
        header = pictures.inspect_whole(source, self.reading.limit)
        kind = np.uint16 if header.bits > 8 else np.uint8
        blank = np.broadcast_to(np.zeros((), kind), (header.height, header.width, header.channels))  # takes no memory
        upscaler = models.fitted(upscaler, header.width * header.height, self.listener, dry=True)
        task = _still(blank, upscaler, self._sized(fit))
        pictures.check_size(target, header, saving.format, task.width, task.height)
        estimate = task.estimate()
        tiled = not isinstance(upscaler, str)
        return Plan(
            input=FileFacts(header.width, header.height),
            output=FileFacts(task.width, task.height),
            runner=_runner(task),
            summary=(*part.summary, *fit.summary),
            content=fit.content,
            coverage=part.coverage,
            notes=joined(part.notes, self._left_out(upscaler)),
            tiles=estimate.tiles if tiled else None,
            tile=estimate.tile if tiled else None,
            memory_bytes=estimate.host_bytes + estimate.device_bytes,
            seconds=estimate.seconds,
        )

    def _made(self, source: Any, fit: Fitting, upscaler: Engine | str, wanted: UpscaleOptions) -> dict[str, Any] | None:
        """How a result is made, in which the size and what the picture was taken for are said."""
        found = self._record(source, fit.choice.name, upscaler, replace(self.request, scale=wanted.scale))
        return found if found is None or fit.content is None else found | {"content": f"{fit.content}, {fit.why}"}

    def _expect(self, task: Upscale | Resampling, source: Any) -> None:
        """Say how long it takes, where that is long."""
        from imgfix.tasks.upscale import Upscale

        if isinstance(task, Upscale) and sum(plan.tiles for plan in task.plans()) > _FEW:
            expected = task.estimate().seconds
            if expected > work.LONG:
                self.listener.expecting(pictures.name_of(source), expected)

    def _left_out(self, upscaler: Engine | str) -> list[str]:
        """A word on options that say nothing to a method without a network."""
        if not isinstance(upscaler, str):
            return []
        names = [f"`{name}`" for name, _ in given(self.request) if name in _FOR_NETWORKS]
        return [f"{' '.join(names)}: only for networks, left out"] if names else []

    # -- what moves ----------------------------------------------------------------------------------------------------

    def not_here(self, kind: str) -> Facts | None:
        """See `Pipeline.not_here`."""
        choice = self.choice(kind)
        return Facts(runner=Runner(choice.name)) if models.bytes_to_pull(choice) is not None else None

    def _moving_step(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> MovingStep:
        fit = self._fitting_of(moving, kind)
        wanted = self._sized(fit)
        upscaler = models.fitted(self._upscaler(fit.choice), work.pixels(moving), self.listener, dry=dry)
        descriptor = _descriptor(upscaler)
        task, facts = self._task(moving, kind, upscaler, fit)
        task, facts, binding = self._in_part(task, facts, moving, relative, dry)
        return MovingStep(
            task,
            facts,
            model=descriptor.sha256 if descriptor is not None else str(upscaler),
            binding={
                **asdict(wanted),
                **binding,
                **work.bound(upscaler),
                **({"steady": True} if self._steadied(upscaler, kind) else {}),
            },
            record=self._made(moving.source, fit, upscaler, wanted),
        )

    def _in_part(
        self, task: SequenceTask, facts: Facts, moving: Moving, relative: Path | None, dry: bool
    ) -> tuple[SequenceTask, Facts, dict[str, Any]]:
        """The work where the model draws a part alone, what is to be said, and what the part depends on."""
        if self.part is None:
            return task, facts, {}
        from imgfix.tasks.frames import ResampledFrames
        from imgfix.tasks.upscale import UpscaleOptions

        width, height = task.size(*moving.size)
        plain = ResampledFrames(_PLAIN, UpscaleOptions(width=width, height=height))
        part = self.part.of_moving(task, moving, relative, self.alone, plain, dry)
        facts = replace(facts, summary=(part.said, *facts.summary), notes=joined(part.notes, facts.notes))
        return part.task, facts, part.binding

    def refuse_moving(self, source: Any) -> None:
        """See `Pipeline.refuse_moving`."""
        if self.part is not None:
            self.part.refuse_moving(source)

    def _fitting_of(self, moving: Moving, kind: str) -> Fitting:
        """The model for an animated picture, by its first frame; clips have the usual one."""
        if not self._looks(kind):
            return Fitting(self.choice(kind), self.choice(kind))
        return self._fitting(kind, moving.source, *by_content.frame_of(next(iter(moving.frames()))))

    def _facts(self, upscaler: Engine | str, fit: Fitting) -> Facts:
        runner = Runner(upscaler, "cpu") if isinstance(upscaler, str) else runner_of(upscaler)
        return Facts(
            runner=runner, summary=fit.summary, content=fit.content, notes=tuple(self._left_out(upscaler))
        )  # fmt: skip

    def _steadied(self, upscaler: Engine | str, kind: str) -> bool:
        """Whether the results of frames are averaged along the motion: of a network that sees one at a time."""
        if isinstance(upscaler, str) or upscaler.descriptor.frames != 1:
            return False
        return work.steadies(self.request.steady, kind)

    def leaves_steadying(self, kind: str) -> bool:
        """Whether frames are steadied where they are restored first, since no network follows whose results are."""
        return work.steadies(self.request.steady, kind) and not self._steadied(self._upscaler(self.choice(kind)), kind)

    def _task(self, moving: Moving, kind: str, upscaler: Engine | str, fit: Fitting) -> tuple[SequenceTask, Facts]:
        """The work on all of it, and what is to be said of it."""
        from imgfix.tasks.frames import sequence_for
        from imgfix.tasks.steady import Steady

        facts = self._facts(upscaler, fit)
        task = sequence_for(upscaler, self._sized(fit), *moving.size, moving.multiple)
        if self._steadied(upscaler, kind):
            return Steady(task), replace(facts, summary=(*facts.summary, "steadied"))
        return task, facts


def restorer(pipeline: UpscalePipeline) -> RestorePipeline:
    """What `imgfix restore` does when no damage is named, as a step before another one, of the same part."""
    part = {one.name: getattr(pipeline.request, one.name) for one in fields(PartRequest) if one.name != "save_mask"}
    made = RestorePipeline(
        RestoreRequest(**part), replace(pipeline.saving, quality=None, format=None), ClipOptions(),
        replace(pipeline.machine, model="auto"), pipeline.reading, pipeline.listener, pipeline.loaded,
    )  # fmt: skip
    made.steadies = pipeline.leaves_steadying
    return made


class _Kept:
    """A result that is also wanted in memory, put together from its bands."""

    def __init__(self, like: Picture, width: int, height: int) -> None:
        self._like, self._at = like, 0
        self._whole = np.empty((height, width, like.channels + (like.alpha is not None)), like.pixels.dtype)

    def add(self, band: np.ndarray) -> None:
        """The next rows."""
        self._whole[self._at : self._at + len(band)] = band
        self._at += len(band)

    @property
    def picture(self) -> Picture:
        """All of it, with the metadata of what it was made of."""
        channels = self._like.channels
        alpha = np.ascontiguousarray(self._whole[..., -1]) if self._like.alpha is not None else None
        return replace(self._like, pixels=np.ascontiguousarray(self._whole[..., :channels]), alpha=alpha)


def _still(
    pixels: np.ndarray,
    upscaler: Engine | str,
    wanted: UpscaleOptions,
    alpha: np.ndarray | None = None,
    transform: ColourTransform | None = None,
) -> Upscale | Resampling:
    from imgfix.tasks.resampling import Resampling
    from imgfix.tasks.upscale import Upscale

    if isinstance(upscaler, str):
        return Resampling(pixels, upscaler, wanted, alpha=alpha)
    return Upscale(pixels, upscaler, wanted, alpha=alpha, colour=transform)


def _part_bands(
    task: Upscale | Resampling, picture: Picture, weight: np.ndarray, progress: Progress
) -> Iterator[np.ndarray]:
    """The rows of a task where the weight says so, and plain resampling elsewhere."""
    from imgfix.tasks.part import mixed_bands
    from imgfix.tasks.resampling import Resampling
    from imgfix.tasks.upscale import UpscaleOptions

    size = UpscaleOptions(width=task.width, height=task.height)
    plain = Resampling(picture.pixels, _PLAIN, size, alpha=picture.alpha)
    if not weight.any():
        return plain.bands(progress)
    return mixed_bands(plain.bands(threaded=False), task.bands(progress), weight, (task.width, task.height))


def _runner(task: Upscale | Resampling) -> Runner:
    from imgfix.tasks.upscale import Upscale

    return runner_of(task.engine) if isinstance(task, Upscale) else Runner(task.method, "cpu")


def _descriptor(upscaler: Engine | str) -> Descriptor | None:
    return None if isinstance(upscaler, str) else upscaler.descriptor


def _refuse_sequences(upscaler: Engine | str) -> None:
    descriptor = _descriptor(upscaler)
    if descriptor is not None and descriptor.frames != 1:
        raise ModelError(
            f"{descriptor.name} works on clips, not on single pictures",
            hint="choose another `model`: imgfix weights list",
        )


def _colour_notes(transform: ColourTransform, upscaler: Engine | str) -> list[str]:
    """What the conversion for a network could not keep."""
    return [transform.note] if transform.note and not isinstance(upscaler, str) else []


def _coarse(jpeg: JpegSettings | None, written: str, saving: Saving) -> list[str]:
    """A word on a JPEG that is written as coarsely as it was read, because nobody asked for anything else."""
    if written != "JPEG" or saving.quality or jpeg is None or jpeg.quality >= _COARSE:
        return []
    return [f"written at the file's own JPEG quality, {jpeg.quality}; `quality` 92 keeps more of what was won"]
