"""What every verb does with a clip: the options, the plan, the run, and what is told of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix import __version__
from imgfix.cli import pictures
from imgfix.cli.batch import Item
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.options import Shared
from imgfix.cli.report import Outcome
from imgfix.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.tasks.clip import Clip, Settings
    from imgfix.tasks.footage import Footage
    from imgfix.tasks.sequence import SequenceTask
    from imgfix.tasks.upscale import Estimate
    from imgfix.zoo.descriptor import Descriptor

FRAMES = "frames"
"""The kind of a job whose source is a folder that is one clip."""
_PANEL = "Clips"
_DEINTERLACE = ("auto", "on", "off")
_LONG = 30.0  # seconds; work that takes longer is announced with an estimate

Codec = Annotated[
    str | None,
    typer.Option(
        "--codec", metavar="NAME",
        help="h264, hevc, av1, vp9, prores, ffv1, or an encoder's own name. Without it: what the input has, where the "
        "output's container holds it, else h264.",
        rich_help_panel=_PANEL, show_default=False,
    ),
]  # fmt: skip
Crf = Annotated[
    float | None,
    typer.Option(
        "--crf", metavar="N", help="Quality of the encoding, smaller is better; 17 for h264 without it.",
        rich_help_panel=_PANEL, show_default=False,
    ),
]  # fmt: skip
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help="Speed of the encoder: fast, medium, slow ...", rich_help_panel=_PANEL,
        show_default=False,
    ),
]  # fmt: skip
PixFmt = Annotated[
    str | None,
    typer.Option(
        "--pix-fmt", metavar="NAME", help="yuv420p, yuv444p10le ... Without it: depth and chroma of the input.",
        rich_help_panel=_PANEL, show_default=False,
    ),
]  # fmt: skip
EncoderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder-option", "-e", metavar="KEY=VALUE", help="Any option of the encoder; can be repeated.",
        rich_help_panel=_PANEL, show_default=False,
    ),
]  # fmt: skip
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", help="Begin there: seconds, or h:m:s.", rich_help_panel=_PANEL, show_default=False
    ),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="End there.", rich_help_panel=_PANEL, show_default=False)
]
NoAudio = Annotated[bool, typer.Option("--no-audio", help="Leave the sound out.", rich_help_panel=_PANEL)]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="N",
        help="Evenly spaced frames at this rate, by repeating or leaving out; without it every frame keeps its time.",
        rich_help_panel=_PANEL, show_default=False,
    ),
]  # fmt: skip
Deinterlace = Annotated[
    str,
    typer.Option(
        "--deinterlace", metavar="[auto|on|off]",
        help="Make whole frames of interlaced ones, one of each: those that are marked as interlaced, all, or none.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with what an interrupted run left beside the output.", rich_help_panel=_PANEL),
]

Frames = Annotated[
    bool,
    typer.Option("--frames", help="Take each input folder as one clip of numbered pictures.", rich_help_panel=_PANEL),
]


@dataclass(frozen=True)
class ClipOptions:
    """The options of clips as they were given. Raises UsageError for what can be told to be wrong at once."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    encoder: tuple[tuple[str, str], ...] = ()
    start: float | None = None
    end: float | None = None
    audio: bool = True
    fps: Fraction | None = None
    deinterlace: str = "auto"
    resume: bool = False

    @classmethod
    def of(cls, context: typer.Context) -> ClipOptions:
        """From the words of the command line."""
        given = context.params
        pairs = []
        for word in given["encoder_option"] or ():
            key, equals, value = word.partition("=")
            if not (key and equals):
                raise UsageError(f"-e {word}: not KEY=VALUE", hint="for example: -e tune=animation")
            pairs.append((key, value))
        start, end = _seconds("--start", given["start"]), _seconds("--end", given["end"])
        if end is not None and end <= (start or 0):
            words = f"--end {given['end']} is not behind --start {given['start'] or 0}"
            raise UsageError(words, hint="choose a later --end")
        deinterlace = given["deinterlace"]
        if deinterlace not in _DEINTERLACE:
            raise UsageError(f"--deinterlace {deinterlace}: no such choice", hint=f"choose {', '.join(_DEINTERLACE)}")
        return cls(
            codec=given["codec"], crf=given["crf"], preset=given["preset"], pix_fmt=given["pix_fmt"],
            encoder=tuple(pairs), start=start, end=end, audio=not given["no_audio"], fps=_rate(given["fps"]),
            deinterlace=deinterlace, resume=given["resume"],
        )  # fmt: skip

    def check(self) -> None:
        """Whether codec, preset and pixel format exist; imports PyAV. Raises UsageError."""
        if any((self.codec, self.crf is not None, self.preset, self.pix_fmt, self.encoder)):
            from imgfix.media.video import encoding

            encoding.check(self.settings().wanted)

    def settings(self, shared: Shared | None = None) -> Settings:
        """As the pipeline takes them."""
        from imgfix.media.video.encoding import Wanted
        from imgfix.media.video.reader import Cut
        from imgfix.tasks.clip import Settings

        return Settings(
            cut=Cut(self.start, self.end, self.fps),
            wanted=Wanted(self.codec, self.crf, self.preset, self.pix_fmt, dict(self.encoder)),
            audio=self.audio,
            deinterlace=self.deinterlace,
            resume=self.resume,
            overwrite=shared.overwrite if shared is not None else False,
        )


@dataclass(frozen=True)
class Told:
    """What a verb has to say of a clip besides its sizes, streams and speed."""

    said: tuple[str, ...] = ()
    """For the line, in front of the rest."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


Maker = Callable[[int, int, tuple[int, int]], "SequenceTask"]
"""(width, height of a frame, what both sides of the result must be multiples of) -> the task, for one clip."""


def kind_of(job: Job, shared: Shared) -> str:
    """`video`, `animation`, `frames` or `image`: what a job's file is worked on as."""
    from imgfix.media.kinds import kind_of_file

    if job.kind == FRAMES or not isinstance(job.source, Path):
        return FRAMES if job.kind == FRAMES else "image"
    target = job.target if isinstance(job.target, Path) else None
    return kind_of_file(job.source, target, without_container(shared).format)


def folder_items(shared: Shared, suffix: str) -> list[Item[Job]]:
    """One item for each input folder, whose pictures are the frames of a clip. Raises UsageError."""
    from imgfix.media.jobs import Job

    items: list[Item[Job]] = []
    for word in shared.inputs:
        folder = Path(word)
        if not folder.is_dir():
            raise UsageError(f"--frames takes folders of numbered pictures, and {word} is none", hint="name a folder")
        if shared.output is None:
            target = folder.with_name(folder.name + suffix)
        else:
            target = Path(shared.output) / folder.name if len(shared.inputs) > 1 else Path(shared.output)
        problem, skipped = None, None
        if target.is_dir() and any(target.iterdir()) and not shared.overwrite:
            if shared.skip_existing:
                skipped = "the output folder holds something already"
            else:
                problem = OutputError(f"{target} holds something already", hint="use --overwrite or another -o")
        job = Job(folder, target, Path(folder.name), FRAMES)
        items.append(Item(str(folder), str(target), job, problem, skipped, unit="frames"))
    return items


def frames_of(job: Job, shared: Shared) -> tuple[list[Path], list[Path]]:
    """The pictures of a folder in natural order, and where each result goes. Raises UsageError: there are none."""
    from imgfix.media import jobs

    planned = jobs.plan([job.source], f"{job.target}/", target_format=shared.format, overwrite=True)  # type: ignore[list-item]
    return [Path(str(each.source)) for each in planned], [Path(str(each.target)) for each in planned]


def run(
    job: Job,
    options: ClipOptions,
    shared: Shared,
    context: typer.Context,
    make: Maker,
    *,
    model: str,
    descriptor: Descriptor | None,
    facts: Mapping[str, Any],
    binding: Mapping[str, Any],
    tick: Tick,
    clip: Clip | None = None,
    told: Told | None = None,
) -> Outcome:
    """Do one clip.

    model: as it would be named on the command line. descriptor: None for a classical method. facts: for the report.
    binding: the verb's options that change the frames; an interrupted run is only taken up when they are the same.
    clip: the job's, where it is open already. told: what else is to be said.
    """
    start = time.monotonic()
    clip, told = clip or opened(job, options, shared), told or Told()
    task = make(*clip.size, clip.encoding.multiple)
    width, height = task.size(*clip.size)
    clip.rehearse(width, height)
    expected = _expected(clip, task)
    if expected is not None and expected.seconds > _LONG and not options.resume:
        shared.console.say(f"{job.source}: about {time_in_words(expected.seconds)}")
    done = clip.run(
        task,
        {"model": descriptor.sha256 if descriptor is not None else model, "options": _words(binding)},
        record=_record(job, clip, shared, context, model, descriptor),
        progress=tick,
        say=lambda text: shared.console.say(f"{job.source}: {text}"),
    )
    seconds = time.monotonic() - start
    made = done.frames - done.resumed
    speed = made / seconds if seconds > 0 else 0.0
    found = {
        **_sizes(clip, width, height),
        **facts,
        **told.facts,
        "frames": done.frames,
        "resumed": done.resumed,
        "fps": round(speed, 3),
        "seconds": round(seconds, 3),
        **_streams(clip),
    }
    found["output"]["bytes"] = pictures.bytes_written(job)
    line = _line(
        told, clip.size, (width, height), f"{done.frames} frames", _in_words(clip),
        f"{time_in_words(seconds)} ({_speed_in_words(speed)})",
    )  # fmt: skip
    return Outcome(line, found, warnings=pictures.unique(_not_for_clips(shared), told.warnings, done.notes))


def plan(
    job: Job,
    options: ClipOptions,
    shared: Shared,
    make: Maker,
    facts: Mapping[str, Any],
    clip: Clip | None = None,
    told: Told | None = None,
) -> Outcome:
    """What a clip would take: frames, sizes, codec, streams, memory, time. Arguments as of `run`."""
    clip, told = clip or opened(job, options, shared), told or Told()
    task = make(*clip.size, clip.encoding.multiple)
    width, height = task.size(*clip.size)
    clip.rehearse(width, height)
    count = clip.reader.count
    expected = _expected(clip, task)
    found = {**_sizes(clip, width, height), **facts, **told.facts, "frames": count, **_streams(clip)}
    frames = f"{count or 'an unknown number of'} frames"
    line = _line(told, clip.size, (width, height), frames, _in_words(clip))
    if expected is not None:
        found |= {"memory_bytes": expected.host_bytes + expected.device_bytes, "seconds": round(expected.seconds, 1)}
        line += f", about {size_in_words(found['memory_bytes'])} and {time_in_words(expected.seconds)}"
    warnings = pictures.unique(_not_for_clips(shared), told.warnings, clip.notes)
    return Outcome(line, found, status="planned", warnings=warnings)


def _line(told: Told, before: tuple[int, int], after: tuple[int, int], *words: str) -> str:
    size = f"{before[0]}x{before[1]}"
    return ", ".join((*told.said, size if before == after else f"{size} -> {after[0]}x{after[1]}", *words))


def _not_for_clips(shared: Shared) -> tuple[str, ...]:
    return ("--quality is for pictures; the quality of a clip is --crf",) if shared.quality is not None else ()


def plan_unseen(job: Job, options: ClipOptions, shared: Shared, facts: Mapping[str, Any]) -> Outcome:
    """What can be said before the model is on this machine."""
    clip = opened(job, options, shared)
    head = clip.header
    told = {"input": _sizes(clip, 0, 0)["input"], **facts, "frames": clip.reader.count, **_streams(clip)}
    line = f"{clip.size[0]}x{clip.size[1]}, {clip.reader.count} frames of {head.codec}, {_in_words(clip)}"
    return Outcome(line, told, status="planned", warnings=clip.notes)


def without_container(shared: Shared) -> Shared:
    """The options for the pictures of a batch, of which `--format mp4` says nothing."""
    from imgfix.media.video.containers import CONTAINERS

    if shared.format is not None and f".{shared.format.lower().lstrip('.')}" in CONTAINERS:
        return replace(shared, format=None)
    return shared


def run_animation(
    job: Job,
    options: ClipOptions,
    shared: Shared,
    context: typer.Context,
    make: Maker,
    *,
    model: str,
    descriptor: Descriptor | None,
    facts: Mapping[str, Any],
    tick: Tick,
    told: Told | None = None,
) -> Outcome:
    """Do one animated picture, or (kind `frames`) one folder of pictures; arguments as of `run`."""
    from imgfix.media import animation, image
    from imgfix.tasks import animation as work

    start = time.monotonic()
    told = told or Told()
    limit = image.DEFAULT_MAX_PIXELS if shared.max_pixels is None else shared.max_pixels or None
    assert isinstance(job.target, Path) and isinstance(job.source, Path)
    if job.kind == FRAMES:
        sources, targets = frames_of(job, shared)
        header = image.inspect(sources[0])
        width, height = header.width, header.height
        given: dict[str, Any] = {"format": header.format}
        task = make(width, height, (1, 1))
        done = work.run_folder(
            sources, targets, task, format=shared.format, quality=shared.quality, max_pixels=limit, progress=tick,
            record=lambda source: pictures.record(context, shared, job, model, descriptor),
        )  # fmt: skip
        written = None
    else:
        found = animation.inspect(job.source, limit)
        width, height = found.width, found.height
        given = {"format": found.format, "duration": found.seconds}
        form = animation.form_for(job.target, found.format, shared.format)
        assert form is not None
        task = make(width, height, (1, 1))
        done = work.run(
            found, job.target, form, task, start=options.start, end=options.end, quality=shared.quality,
            record=pictures.record(context, shared, job, model, descriptor), progress=tick,
        )  # fmt: skip
        written = pictures.bytes_written(job)
    seconds = time.monotonic() - start
    facts = {
        "input": {"width": width, "height": height, **given},
        "output": {"width": done.size[0], "height": done.size[1], **({"bytes": written} if written else {})},
        **facts,
        **told.facts,
        "frames": done.frames,
        "fps": round(done.frames / seconds, 3) if seconds > 0 else 0.0,
        "seconds": round(seconds, 3),
    }
    line = _line(told, (width, height), done.size, f"{done.frames} frames", time_in_words(seconds))
    return Outcome(line, facts, warnings=pictures.unique(_left_out(options), told.warnings, done.notes))


def plan_animation(
    job: Job,
    options: ClipOptions,
    shared: Shared,
    make: Maker,
    facts: Mapping[str, Any],
    told: Told | None = None,
) -> Outcome:
    """What an animated picture or a folder of frames would take."""
    from imgfix.media import animation, image
    from imgfix.tasks import animation as work

    assert isinstance(job.source, Path)
    if job.kind == FRAMES:
        sources, _ = frames_of(job, shared)
        header = image.inspect(sources[0])
        width, height, count = header.width, header.height, len(sources)
    else:
        found = animation.inspect(job.source)
        first, last = work.part(found, options.start, options.end)
        width, height, count = found.width, found.height, last - first
    task = make(width, height, (1, 1))
    size, told = task.size(width, height), told or Told()
    found_out: dict[str, Any] = {
        "input": {"width": width, "height": height},
        "output": {"width": size[0], "height": size[1]},
        **facts,
        **told.facts,
        "frames": count,
    }
    line = _line(told, (width, height), size, f"{count} frames")
    estimate = getattr(task, "estimate", None)
    if estimate is not None:
        frame: Estimate = estimate(width, height)
        seconds = round(frame.seconds * count, 1)
        found_out |= {"memory_bytes": frame.host_bytes + frame.device_bytes, "seconds": seconds}
        line += f", about {size_in_words(found_out['memory_bytes'])} and {time_in_words(seconds)}"
    return Outcome(line, found_out, status="planned", warnings=pictures.unique(_left_out(options), told.warnings))


def footage(job: Job, options: ClipOptions, shared: Shared) -> Footage:
    """The frames of a job of any kind but `image`, for looks ahead of the work. Raises as `opened`."""
    from imgfix.media import animation, image
    from imgfix.tasks import footage as work

    kind = kind_of(job, shared)
    if kind == "video":
        return work.of_clip(opened(job, options, shared))
    limit = image.DEFAULT_MAX_PIXELS if shared.max_pixels is None else shared.max_pixels or None
    if kind == FRAMES:
        return work.of_folder(frames_of(job, shared)[0], limit)
    assert isinstance(job.source, Path)
    return work.of_animation(animation.inspect(job.source, limit), options.start, options.end)


def _left_out(options: ClipOptions) -> tuple[str, ...]:
    """Options that say nothing to an animated picture."""
    given = {
        "--codec": options.codec, "--crf": options.crf, "--preset": options.preset, "--pix-fmt": options.pix_fmt,
        "--fps": options.fps, "-e": options.encoder or None, "--resume": options.resume or None,
        "--deinterlace": options.deinterlace if options.deinterlace != "auto" else None,
    }  # fmt: skip
    words = [name for name, value in given.items() if value is not None]
    return (f"{' '.join(words)}: only for video files, left out",) if words else ()


def with_units(items: list[Item[Job]], shared: Shared) -> list[Item[Job]]:
    """The same items; the progress of those that move is counted in frames."""
    return [
        item if item.problem or item.skipped or kind_of(item.job, shared) == "image" else replace(item, unit="frames")
        for item in items
    ]


def opened(job: Job, options: ClipOptions, shared: Shared) -> Clip:
    """The clip of a job, looked at and planned. Raises InputError, OutputError, UsageError."""
    from imgfix.tasks.clip import Clip

    if not isinstance(job.source, Path):
        raise InputError("a clip cannot be read from stdin", hint="save it to a file first")
    if not isinstance(job.target, Path):
        raise UsageError("a clip cannot be written to stdout", hint="name a file with -o")
    return Clip(job.source, job.target, options.settings(shared))


def _expected(clip: Clip, task: SequenceTask) -> Estimate | None:
    """What the whole clip takes, where the task can tell what a frame takes."""
    estimate = getattr(task, "estimate", None)
    if estimate is None:
        return None
    frame: Estimate = estimate(*clip.size)
    width, height = task.size(*clip.size)
    deep = 2 if clip.header.pixels.bits > 8 else 1
    held = (6 + task.held) * (width * height + clip.size[0] * clip.size[1]) * 3 * deep
    # The encoder looks some forty frames ahead.
    held += 40 * width * height * 3 // 2 * deep
    return replace(frame, seconds=frame.seconds * clip.reader.count, host_bytes=frame.host_bytes + held)


def _sizes(clip: Clip, width: int, height: int) -> dict[str, Any]:
    head = clip.header
    return {
        "input": {
            "width": clip.size[0], "height": clip.size[1], "format": head.container, "codec": head.codec,
            "pixels": head.pixels.name, "rate": round(float(head.rate), 3), "duration": round(head.seconds, 3),
        },
        "output": {
            "width": width, "height": height, "format": clip.encoding.container,
            "codec": clip.encoding.encoder.family, "encoder": clip.encoding.encoder.name,
            "pixels": clip.encoding.pixels.name,
        },
    }  # fmt: skip


def _streams(clip: Clip) -> dict[str, Any]:
    return {
        "streams": [
            {"kind": each.track.kind, "codec": each.codec, "language": each.track.language, "way": each.way}
            for each in clip.streams.carried
        ],
        "chapters": clip.streams.chapters,
        "dropped": list(clip.streams.dropped),
    }


def _in_words(clip: Clip) -> str:
    kept = clip.streams.words
    return f"{clip.encoding.encoder.name} {clip.encoding.pixels.name}" + (f" with {kept}" if kept else "")


def _record(
    job: Job, clip: Clip, shared: Shared, context: typer.Context, model: str, descriptor: Descriptor | None
) -> dict[str, str]:
    made = pictures.record(context, shared, job, model, descriptor)
    if made is None:
        return {}
    hashed = f", sha256 {made['sha256']}" if "sha256" in made else ""
    key = "IMGFIX" if clip.encoding.container in ("matroska", "webm") else "comment"
    return {key: f"{made['command']} (imgfix {__version__}{hashed})"}


def _speed_in_words(speed: float) -> str:
    return f"{speed:.1f} fps" if speed >= 1 or speed == 0 else f"{time_in_words(1 / speed)} a frame"


def _words(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: repr(value) for key, value in sorted(values.items())}


def _seconds(option: str, text: str | None) -> float | None:
    """`90`, `1:30`, `0:01:30.5` as seconds. Raises UsageError."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text):
        raise UsageError(f"{option} {text}: not a time", hint="give seconds, or minutes:seconds, such as 1:30.5")
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def _rate(text: str | None) -> Fraction | None:
    """`30`, `29.97`, `30000/1001`. Raises UsageError."""
    if text is None:
        return None
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--fps {text}: not a frame rate", hint="for example 25, 29.97 or 30000/1001") from None
    for exact in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)):
        if abs(rate - exact) < Fraction(1, 200):
            rate = exact
    if not 0 < rate <= 1000:
        raise UsageError(f"--fps {text} is out of range", hint="choose above 0, up to 1000")
    return rate
