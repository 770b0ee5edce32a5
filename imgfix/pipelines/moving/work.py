"""What every verb does with something that moves: tell its kind, open it, plan the work and do it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import InputError, UsageError
from imgfix.pipelines.models import Listener
from imgfix.pipelines.options import ClipOptions, Saving
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, joined, values_in

if TYPE_CHECKING:
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.interpolate import Between
    from imgfix.tasks.sequence import SequenceTask

IMAGE, VIDEO, ANIMATION, FRAMES = "image", "video", "animation", "frames"
CLIPS = (VIDEO, FRAMES)
LONG = 30.0
"""Seconds; work that takes longer is announced with an estimate."""


def kind_of(source: Any, target: Any, options: ClipOptions, saving: Saving) -> str:
    """`video`, `animation`, `frames` or `image`: what a source is worked on as."""
    from imgfix.media.media_type import media_type

    if not isinstance(source, Path):
        return IMAGE
    if options.frames:
        return FRAMES
    place = target if isinstance(target, Path) else None
    return media_type(source, place, saving.for_pictures.format)


def steadies(wanted: bool | None, kind: str) -> bool:
    """Whether frames that are made one by one are steadied; unasked, those of videos and of folders."""
    return kind in CLIPS if wanted is None else wanted


def open_moving(
    kind: str, source: Any, target: Any, options: ClipOptions, saving: Saving, max_pixels: int | None
) -> Moving:
    """The source, looked at and planned. Raises InputError, OutputError, UsageError."""
    if not isinstance(source, Path):
        raise InputError("a clip cannot be read from stdin", hint="save it to a file first")
    if not isinstance(target, Path):
        raise UsageError("a clip cannot be written to stdout", hint="name a file with `output`")
    if kind == VIDEO:
        from imgfix.pipelines.moving.video import VideoFile

        return VideoFile(source, target, options, saving)
    if kind == FRAMES:
        from imgfix.pipelines.moving.folder import FrameFolder

        return FrameFolder(source, target, options, saving.for_pictures, max_pixels)
    from imgfix.pipelines.moving.animation import AnimatedFile

    return AnimatedFile(source, target, options, saving.for_pictures, max_pixels)


def plan(moving: Moving, task: SequenceTask, facts: Facts, between: Between | None = None) -> Plan:
    """What the work would take; facts: what the verb has to say of it; between: as of `run`."""
    size = task.size(*moving.size)
    moving.check(size)
    moving.check_end()
    expected = moving.whole(task, between)
    return Plan(
        **values_in(_told(moving, size, facts, moving.notes)),
        seconds=None if expected is None else expected.seconds,
        memory_bytes=None if expected is None else expected.host_bytes + expected.device_bytes,
    )


def plan_unseen(moving: Moving, facts: Facts) -> Plan:
    """What can be said before the model is on this machine. Raises InputError: it is cut off."""
    moving.check_end()
    told = _told(moving, moving.size, facts, moving.notes)
    return Plan(**values_in(replace(told, output=None)))


def pixels(moving: Moving) -> int:
    """Of all frames together; 0: not known."""
    width, height = moving.size
    return moving.count * width * height


def bound(*engines: Engine | str) -> dict[str, str]:
    """What `binding` has to say of engines: frames of one that torch began are not to be gone on with by another."""
    others = {each.placement.engine for each in engines if not isinstance(each, str)} - {"torch"}
    return {"engine": ", ".join(sorted(others))} if others else {}


def run(
    moving: Moving,
    task: SequenceTask,
    facts: Facts,
    *,
    model: str,
    binding: Mapping[str, Any],
    record: Mapping[str, object] | None,
    listener: Listener,
    progress: Progress,
    announce: bool = True,
    between: Between | None = None,
) -> Result:
    """Do the work.

    model: hash of the model, or the name of a method. binding: the options that change the frames; an interrupted run
    is only taken up when they are the same. announce: say how long it takes, where that is long. between: makes frames
    between frames, where `smooth` asks for them.
    """
    start = time.monotonic()
    size = task.size(*moving.size)
    moving.check(size)
    if announce:
        expected = moving.whole(task, between)
        if expected is not None and expected.seconds > LONG:
            listener.expecting(moving.name, expected.seconds)
    job = job_of(model, binding, between)
    done = moving.run(task, job, record, progress, lambda text: listener.said(f"{moving.name}: {text}"), between)
    told = _told(moving, done.size, facts, done.notes)
    return Result(
        **values_in(replace(told, frames=done.frames)), seconds=time.monotonic() - start, resumed=done.resumed
    )


def job_of(model: str, binding: Mapping[str, Any], between: Between | None) -> dict[str, Any]:
    """What the frames of a result depend on besides the source; arguments as of `run`."""
    if between is not None:
        binding = {**binding, "between": between.sha256}
    return {"model": model, "options": {key: repr(value) for key, value in sorted(binding.items())}}


def copy(moving: Moving, facts: Facts, progress: Progress) -> Result:
    """Copy what needs no work, file by file. Raises OutputError."""
    from imgfix.media.files import copy

    start = time.monotonic()
    files = moving.files()
    for number, (source, target) in enumerate(files, start=1):
        copy(source, target)
        progress(number, len(files))
    written = FileFacts(*moving.shown, bytes=sum(target.stat().st_size for _, target in files))
    told = replace(facts, input=FileFacts(*moving.shown), output=written, copied=True)
    return Result(**values_in(told), seconds=time.monotonic() - start)


def _told(moving: Moving, size: tuple[int, int], facts: Facts, notes: tuple[str, ...]) -> Facts:
    return replace(
        facts, input=moving.input(), output=moving.output(size), frames=moving.count, clip=moving.details,
        notes=joined(moving.ignored, facts.notes, notes),
    )  # fmt: skip
