"""`imgfix upscale`: larger pictures and clips."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, clips, complete, models, options, pictures
from imgfix.cli.clips import ClipOptions
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ModelError

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.media.picture import JpegSettings
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.sequence import SequenceTask
    from imgfix.tasks.upscale import UpscaleOptions

EPILOG = options.examples(
    "imgfix upscale photo.jpg",
    "imgfix upscale scans/ -r -o large/ --long-side 4000",
    "imgfix upscale - < in.png > out.png",
    "imgfix upscale clip.mp4 --scale 2 --start 0:10 --end 0:20",
)

_SIZE = "Size and look"
_COARSE = 75  # JPEG quality below which the damage of encoding can be seen
_LONG = 30.0  # seconds; work that takes longer is announced with an estimate

Scale = Annotated[
    float | None,
    typer.Option(
        "--scale", "-s", metavar="N", help="Times the size, 1 to 16; without it the model's own.",
        rich_help_panel=_SIZE, show_default=False,
    ),
]  # fmt: skip
Width = Annotated[
    int | None,
    typer.Option("--width", metavar="N", help="Pixels; keeps the shape.", rich_help_panel=_SIZE, show_default=False),
]
Height = Annotated[
    int | None,
    typer.Option(
        "--height", metavar="N", help="Pixels; with --width both are taken as they are.", rich_help_panel=_SIZE,
        show_default=False,
    ),
]  # fmt: skip
LongSide = Annotated[
    int | None,
    typer.Option(
        "--long-side", metavar="N", help="Pixels of the longer side.", rich_help_panel=_SIZE, show_default=False
    ),
]
Megapixels = Annotated[
    float | None,
    typer.Option("--megapixels", metavar="N", help="Size in all.", rich_help_panel=_SIZE, show_default=False),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta", help="Mean of eight turned and mirrored runs: a little better, eight times slower.",
        rich_help_panel=_SIZE,
    ),
]  # fmt: skip
ColorFix = Annotated[
    bool | None,
    typer.Option(
        "--color-fix/--no-color-fix",
        help="Keep the input's broad colours; on by itself for models whose colours drift.",
        rich_help_panel=_SIZE,
        show_default=False,
    ),
]
Blend = Annotated[
    float,
    typer.Option("--blend", min=0, max=1, metavar="N", help="Share of plain resampling in it.", rich_help_panel=_SIZE),
]
ModelName = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME", help=options.MODEL_HELP, rich_help_panel="Model and machine",
        autocompletion=complete.models(("upscale", "video")),
    ),
]  # fmt: skip


def command(
    context: typer.Context,
    inputs: options.Inputs,
    scale: Scale = None,
    width: Width = None,
    height: Height = None,
    long_side: LongSide = None,
    megapixels: Megapixels = None,
    tta: Tta = False,
    color_fix: ColorFix = None,
    blend: Blend = 0.0,
    output: options.Output = None,
    format: options.Format = None,
    quality: options.Quality = None,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    no_record: options.NoRecord = False,
    codec: clips.Codec = None,
    crf: clips.Crf = None,
    preset: clips.Preset = None,
    pix_fmt: clips.PixFmt = None,
    encoder_option: clips.EncoderOption = None,
    start: clips.Start = None,
    end: clips.End = None,
    no_audio: clips.NoAudio = False,
    fps: clips.Fps = None,
    deinterlace: clips.Deinterlace = "auto",
    frames: clips.Frames = False,
    resume: clips.Resume = False,
    model: ModelName = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    offline: options.Offline = False,
    recursive: options.Recursive = False,
    max_pixels: options.MaxPixels = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Make pictures and clips larger.

    Format, bit depth, colour profile, metadata and transparency stay as they were; of clips also the time of every
    frame, sound, subtitles, chapters and attachments.
    """
    shared = options.Shared.of(context)
    moving = ClipOptions.of(context)
    from imgfix.tasks.upscale import UpscaleOptions

    wanted = UpscaleOptions(
        scale=scale, width=width, height=height, long_side=long_side, megapixels=megapixels, tta=tta,
        color_fix=color_fix, blend=blend, tile=shared.tile,
    )  # fmt: skip
    moving.check()
    chosen = _Models(shared, wanted)
    if frames:
        items = clips.folder_items(shared, chosen.suffix("video"))
    else:
        items = pictures.find_jobs(shared, chosen.suffix, chosen.variables, kinds=("image", "video"))
    report = Report(shared.console, shared.json)
    if all(item.problem or item.skipped for item in items):  # no need to load anything
        return batch.run(items, pictures.never, shared.console, report)
    run = _Run(shared, context, wanted, moving, chosen)
    kinds = {item.source: run.kind(item.job) for item in items if not (item.problem or item.skipped)}
    items = [replace(item, unit=None if kinds.get(item.source, "image") == "image" else "frames") for item in items]
    chosen.prepare(kinds.values())
    return batch.run(items, run.plan if dry_run else run.work, shared.console, report)


class _Models:
    """The model for each kind of file: settled when it is first needed, loaded when there is work for it."""

    def __init__(self, shared: options.Shared, wanted: UpscaleOptions) -> None:
        self._shared = shared
        self._wanted = wanted
        self._chosen: dict[str, tuple[str, str | None]] = {}
        self._engines: dict[str, Engine] = {}

    def name(self, kind: str) -> str:
        """The model for a kind, `video` or any other for pictures. Raises ModelError."""
        return self._choice(kind)[0]

    def _choice(self, kind: str) -> tuple[str, str | None]:
        kind = "video" if kind in ("video", "frames") else "image"
        if kind not in self._chosen:
            scale = round(self._wanted.scale) if self._wanted.scale else None
            tasks = _CLIP_TASKS if kind == "video" or self._shared.model != "auto" else _CLIP_TASKS[1:]
            self._chosen[kind] = models.choose(self._shared, tasks, scale)
        return self._chosen[kind]

    def suffix(self, kind: str) -> str:
        """Behind the stem of a result that stands beside its source."""
        factor = _factor_in_words(self._wanted, self.name(kind))
        return f"_{'x' + factor if factor else 'large'}"

    def variables(self, kind: str) -> dict[str, object]:
        """For output templates."""
        name = self.name(kind)
        return {"scale": _factor_in_words(self._wanted, name), "model": models.label(name)}

    def prepare(self, kinds: Iterable[str]) -> None:
        """Load what these kinds need, and say so before anything else is said."""
        for kind in dict.fromkeys("video" if kind in ("video", "frames") else "image" for kind in kinds):
            name = self.name(kind)
            missing = models.bytes_to_pull(name)
            if self._shared.dry_run and missing is not None:
                told = f"would pull {name} ({size_in_words(missing)}) first; tiles and time are known after that"
                self._shared.console.say(told)
            else:
                self.engine(kind)

    def missing(self, kind: str) -> bool:
        """Whether the model would have to be pulled first."""
        return models.bytes_to_pull(self.name(kind)) is not None

    def engine(self, kind: str) -> Engine:
        """The model for a kind, ready to run. Raises ModelError, DownloadError, UsageError."""
        name, better = self._choice(kind)
        if name not in self._engines:
            self._engines[name] = models.open_engine(self._shared, _CLIP_TASKS, name)
            models.announce(self._shared, self._engines[name], better)
        return self._engines[name]


@dataclass(frozen=True)
class _Run:
    """One command: what is done with each file, by its kind."""

    shared: options.Shared
    context: typer.Context
    wanted: UpscaleOptions
    moving: ClipOptions
    chosen: _Models

    def kind(self, job: Job) -> str:
        """`video`, `animation`, `frames` or `image`."""
        return clips.kind_of(job, self.shared)

    def work(self, job: Job, tick: Tick) -> Outcome:
        """Upscale one file."""
        kind = self.kind(job)
        engine, name = self.chosen.engine(kind), self.chosen.name(kind)
        if kind == "video":
            return clips.run(
                job, self.moving, self.shared, self.context, self._maker(engine), model=name,
                descriptor=engine.descriptor, facts=_running(engine), binding=asdict(self.wanted), tick=tick,
            )  # fmt: skip
        if kind != "image":
            return clips.run_animation(
                job, self.moving, self._for_pictures(), self.context, self._maker(engine), model=name,
                descriptor=engine.descriptor, facts=_running(engine), tick=tick,
            )  # fmt: skip
        _refuse_sequences(engine)
        return _upscale(job, engine, name, self.wanted, self._for_pictures(), self.context, tick)

    def plan(self, job: Job, tick: Tick) -> Outcome:
        """What one file would take."""
        kind = self.kind(job)
        if self.chosen.missing(kind):
            if kind in ("animation", "frames"):
                raise ModelError(
                    f"{self.chosen.name(kind)} is not here yet, and nothing can be said without it",
                    hint=f"imgfix weights pull {self.chosen.name(kind)}",
                )
            if kind == "video":
                return clips.plan_unseen(job, self.moving, self.shared, {"model": self.chosen.name(kind)})
            return _plan_unseen(job, self.wanted, self.chosen.name(kind), self._for_pictures())
        engine = self.chosen.engine(kind)
        if kind == "video":
            return clips.plan(job, self.moving, self.shared, self._maker(engine), _running(engine))
        if kind != "image":
            return clips.plan_animation(job, self.moving, self._for_pictures(), self._maker(engine), _running(engine))
        _refuse_sequences(engine)
        return _plan(job, engine, self.wanted, self._for_pictures())

    def _maker(self, engine: Engine) -> clips.Maker:
        def make(width: int, height: int, multiple: tuple[int, int]) -> SequenceTask:
            from imgfix.tasks.frames import sequence_for

            return sequence_for(engine, self.wanted, width, height, multiple)

        return make

    def _for_pictures(self) -> options.Shared:
        """`--format mp4` in a batch says nothing about its pictures."""
        return clips.without_container(self.shared)


_CLIP_TASKS = ("video", "upscale")
"""In the order in which `auto` tries them for a clip; a picture never gets a model for clips by itself."""


def _refuse_sequences(engine: Engine) -> None:
    if engine.descriptor.frames != 1:
        raise ModelError(
            f"{engine.descriptor.name} works on clips, not on single pictures",
            hint="choose another --model: imgfix weights list",
        )


def _running(engine: Engine) -> dict[str, Any]:
    return {
        "model": engine.descriptor.name,
        "device": str(engine.placement.device),
        "precision": engine.placement.precision,
    }


def _factor_in_words(wanted: UpscaleOptions, name: str) -> str:
    """`4` or `2.5` for file names; empty when the factor differs from picture to picture."""
    if wanted.scale is not None:
        return f"{wanted.scale:g}"
    if wanted.width or wanted.height or wanted.long_side or wanted.megapixels:
        return ""
    return str(models.scale_of(name))


def _upscale(
    job: Job,
    engine: Engine,
    name: str,
    wanted: UpscaleOptions,
    shared: options.Shared,
    context: typer.Context,
    tick: Tick,
) -> Outcome:
    from imgfix.media import colour, image
    from imgfix.tasks.upscale import Upscale

    start = time.monotonic()
    picture = pictures.read(job, shared)
    transform = colour.transform(picture.metadata, picture.channels)
    work = Upscale(picture.pixels, engine, wanted, alpha=picture.alpha, colour=transform)
    if sum(plan.tiles for plan in work.plans()) > 4:  # measuring the model would take longer than less work than that
        expected = work.estimate().seconds
        if expected > _LONG:
            shared.console.say(f"{job.source}: about {time_in_words(expected)}")
    writer = image.open_writer(
        pictures.sink(job),
        width=work.width,
        height=work.height,
        channels=picture.channels,
        dtype=picture.pixels.dtype,
        alpha=picture.alpha is not None,
        metadata=picture.metadata,
        format=shared.format,
        quality=shared.quality,
        record=pictures.record(context, shared, job, name, engine.descriptor),
    )
    with writer:
        for band in work.bands(tick):
            writer.write(band)
    seconds = time.monotonic() - start
    facts: dict[str, Any] = {
        "input": {"width": picture.width, "height": picture.height, "format": picture.metadata.format},
        "output": {
            "width": work.width,
            "height": work.height,
            "format": writer.format,
            "bytes": pictures.bytes_written(job),
        },
        **_running(work.engine),
        "seconds": round(seconds, 3),
    }
    return Outcome(
        line=f"{picture.width}x{picture.height} -> {work.width}x{work.height}, {time_in_words(seconds)}",
        facts=facts,
        warnings=pictures.unique(
            picture.metadata.notes,
            [transform.note] if transform.note else [],
            writer.notes,
            _coarse(picture.metadata.jpeg, writer.format, shared),
        ),
    )


def _coarse(jpeg: JpegSettings | None, written: str, shared: options.Shared) -> list[str]:
    """A word on a JPEG that is written as coarsely as it was read, because nobody asked for anything else."""
    if written != "JPEG" or shared.quality or jpeg is None or jpeg.quality >= _COARSE:
        return []
    return [f"written at the file's own JPEG quality, {jpeg.quality}; --quality 92 keeps more of what was won"]


def _plan(job: Job, engine: Engine, wanted: UpscaleOptions, shared: options.Shared) -> Outcome:
    """What an upscale would take, from the picture's header and a measurement of the model on a small probe."""
    import numpy as np

    from imgfix.tasks.upscale import Upscale

    header = pictures.inspect(job, shared)
    kind = np.uint16 if header.bits > 8 else np.uint8
    blank = np.broadcast_to(np.zeros((), kind), (header.height, header.width, header.channels))  # takes no memory
    work = Upscale(blank, engine, wanted)
    pictures.check_size(job, shared, header, work.width, work.height)
    estimate = work.estimate()
    memory = estimate.host_bytes + estimate.device_bytes
    facts = {
        **_sizes(header.width, header.height, work.width, work.height),
        **_running(work.engine),
        "tiles": estimate.tiles,
        "tile": list(estimate.tile),
        "memory_bytes": memory,
        "seconds": round(estimate.seconds, 1),
    }
    width, height = estimate.tile
    tiles_in_words = "1 tile" if estimate.tiles == 1 else f"{estimate.tiles} tiles of {width}x{height}"
    line = (
        f"{header.width}x{header.height} -> {work.width}x{work.height}, {tiles_in_words}, "
        f"about {size_in_words(memory)} and {time_in_words(estimate.seconds)}"
    )
    return Outcome(line=line, facts=facts, status="planned")


def _plan_unseen(job: Job, wanted: UpscaleOptions, name: str, shared: options.Shared) -> Outcome:
    """What can be said before the model is on this machine: the sizes."""
    from imgfix.tasks.upscale import target_size

    header = pictures.inspect(job, shared)
    width, height = target_size(header.width, header.height, wanted, models.scale_of(name))
    pictures.check_size(job, shared, header, width, height)
    line = f"{header.width}x{header.height} -> {width}x{height}"
    return Outcome(line, {**_sizes(header.width, header.height, width, height), "model": name}, status="planned")


def _sizes(width: int, height: int, new_width: int, new_height: int) -> dict[str, Any]:
    return {"input": {"width": width, "height": height}, "output": {"width": new_width, "height": new_height}}
