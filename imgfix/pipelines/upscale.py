"""Larger pictures, videos, animated pictures and folders of frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import ModelError
from imgfix.pipelines import models, pictures
from imgfix.pipelines.models import Choice
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import Saving, UpscaleRequest
from imgfix.pipelines.pipeline import Pipeline, runner_of, unseen_model
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, Runner, joined

if TYPE_CHECKING:
    from imgfix.media.picture import JpegSettings, Picture
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.sequence import SequenceTask

TASKS = ("video", "upscale")
"""In the order in which `auto` tries them for a clip; a picture never gets a model for clips by itself."""
_COARSE = 75  # JPEG quality below which the damage of encoding can be seen
_FEW = 4  # tiles; measuring the model would take longer than less work than that


class UpscalePipeline(Pipeline[UpscaleRequest]):
    """`imgfix upscale`."""

    verb = "upscale"

    def check(self) -> None:
        """See `Pipeline.check`."""
        self.wanted = self.request.options(self.machine.side)
        self._chosen: dict[bool, Choice] = {}

    def choice(self, kind: str) -> Choice:
        """The model for a kind of source. Raises ModelError."""
        moves = kind in (work.VIDEO, work.FRAMES)
        if moves not in self._chosen:
            scale = round(self.wanted.scale) if self.wanted.scale else None
            tasks = TASKS if moves or self.machine.model != "auto" else TASKS[1:]
            self._chosen[moves] = self.models.choose(tasks, scale)
        return self._chosen[moves]

    def suffix(self, kind: str) -> str:
        """See `Pipeline.suffix`."""
        factor = self._factor(self.choice(kind))
        return f"_{'x' + factor if factor else 'large'}"

    def variables(self, kind: str) -> Mapping[str, object]:
        """See `Pipeline.variables`."""
        choice = self.choice(kind)
        return {"scale": self._factor(choice), "model": models.label(choice)}

    def _factor(self, choice: Choice) -> str:
        """`4` or `2.5` for file names; empty when the factor differs from picture to picture."""
        wanted = self.wanted
        if wanted.scale is not None:
            return f"{wanted.scale:g}"
        if wanted.width or wanted.height or wanted.long_side or wanted.megapixels:
            return ""
        return str(models.scale_of(choice))

    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """See `Pipeline.prepare`."""
        for choice in {choice.name: choice for choice in map(self.choice, kinds)}.values():
            missing = models.bytes_to_pull(choice)
            if dry and missing is not None:
                self.listener.missing(choice.name, missing)
            else:
                self.models.open(choice, TASKS)

    def _engine(self, kind: str) -> Engine:
        return self.models.open(self.choice(kind), TASKS)

    # -- pictures ------------------------------------------------------------------------------------------------------

    def _run_picture(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        from imgfix.media import colour, image
        from imgfix.tasks.upscale import Upscale

        start = time.monotonic()
        engine, saving = self._engine(work.IMAGE), self.saving.for_pictures
        _refuse_sequences(engine)
        picture = pictures.read(source, self.reading.limit)
        transform = colour.transform(picture.metadata, picture.channels)
        task = Upscale(picture.pixels, engine, self.wanted, alpha=picture.alpha, colour=transform)
        if sum(plan.tiles for plan in task.plans()) > _FEW:
            expected = task.estimate().seconds
            if expected > work.LONG:
                self.listener.expecting(pictures.name_of(source), expected)
        made = _Kept(picture, task.width, task.height) if keep else None
        notes: list[str] = []
        format = None
        if target is None:
            for band in task.bands(progress):
                assert made is not None
                made.add(band)
        else:
            writer = image.open_writer(
                target, width=task.width, height=task.height, channels=picture.channels, dtype=picture.pixels.dtype,
                alpha=picture.alpha is not None, metadata=picture.metadata, format=saving.format,
                quality=saving.quality, record=self._record(source, self.choice(work.IMAGE).name, engine.descriptor),
            )  # fmt: skip
            with writer:
                for band in task.bands(progress):
                    writer.write(band)
                    if made is not None:
                        made.add(band)
            format, notes = writer.format, [*writer.notes, *_coarse(picture.metadata.jpeg, writer.format, saving)]
        return Result(
            input=FileFacts(picture.width, picture.height, picture.metadata.format),
            output=FileFacts(task.width, task.height, format, pictures.bytes_written(target)),
            runner=runner_of(task.engine),
            notes=joined(picture.metadata.notes, [transform.note] if transform.note else [], notes),
            seconds=time.monotonic() - start,
            picture=made.picture if made is not None else None,
        )

    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """From the picture's header and a measurement of the model on a small probe."""
        from imgfix.tasks.upscale import Upscale, target_size

        choice, saving = self.choice(work.IMAGE), self.saving.for_pictures
        if models.bytes_to_pull(choice) is not None:
            header = pictures.inspect(source, self.reading.limit)
            width, height = target_size(header.width, header.height, self.wanted, models.scale_of(choice))
            pictures.check_size(target, header, saving.format, width, height)
            return Plan(
                input=FileFacts(header.width, header.height), output=FileFacts(width, height),
                runner=Runner(choice.name),
            )  # fmt: skip
        engine = self._engine(work.IMAGE)
        _refuse_sequences(engine)
        header = pictures.inspect(source, self.reading.limit)
        kind = np.uint16 if header.bits > 8 else np.uint8
        blank = np.broadcast_to(np.zeros((), kind), (header.height, header.width, header.channels))  # takes no memory
        task = Upscale(blank, engine, self.wanted)
        pictures.check_size(target, header, saving.format, task.width, task.height)
        estimate = task.estimate()
        return Plan(
            input=FileFacts(header.width, header.height),
            output=FileFacts(task.width, task.height),
            runner=runner_of(task.engine),
            tiles=estimate.tiles,
            tile=estimate.tile,
            memory_bytes=estimate.host_bytes + estimate.device_bytes,
            seconds=estimate.seconds,
        )

    # -- what moves ----------------------------------------------------------------------------------------------------

    def _run_moving(self, moving: Moving, kind: str, relative: Path | None, progress: Progress) -> Result:
        engine = self._engine(kind)
        return work.run(
            moving,
            self._task(moving, engine),
            Facts(runner=runner_of(engine)),
            model=engine.descriptor.sha256,
            binding=asdict(self.wanted),
            record=self._record(moving.source, self.choice(kind).name, engine.descriptor),
            listener=self.listener,
            progress=progress,
            announce=not self.clips.resume and kind == work.VIDEO,
        )

    def _plan_moving(self, moving: Moving, kind: str, relative: Path | None) -> Plan:
        choice = self.choice(kind)
        if models.bytes_to_pull(choice) is not None:
            if kind != work.VIDEO:
                raise unseen_model(choice)
            return work.plan_unseen(moving, Facts(runner=Runner(choice.name)))
        engine = self._engine(kind)
        return work.plan(moving, self._task(moving, engine), Facts(runner=runner_of(engine)))

    def _task(self, moving: Moving, engine: Engine) -> SequenceTask:
        from imgfix.tasks.frames import sequence_for

        return sequence_for(engine, self.wanted, *moving.size, moving.multiple)


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


def _refuse_sequences(engine: Engine) -> None:
    if engine.descriptor.frames != 1:
        raise ModelError(
            f"{engine.descriptor.name} works on clips, not on single pictures",
            hint="choose another `model`: imgfix weights list",
        )


def _coarse(jpeg: JpegSettings | None, written: str, saving: Saving) -> list[str]:
    """A word on a JPEG that is written as coarsely as it was read, because nobody asked for anything else."""
    if written != "JPEG" or saving.quality or jpeg is None or jpeg.quality >= _COARSE:
        return []
    return [f"written at the file's own JPEG quality, {jpeg.quality}; `quality` 92 keeps more of what was won"]
