"""`imgfix inpaint`: fill holes, remove things, extend the canvas."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, clips, complete, models, options, pictures
from imgfix.cli.clips import ClipOptions
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.inpaint_clips import ClipWork
from imgfix.cli.regions import Region
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ModelError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from imgfix.media.image import Picture
    from imgfix.media.jobs import Job
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.canvas import Expansion
    from imgfix.tasks.inpaint import InpaintOptions

EPILOG = options.examples(
    "imgfix inpaint photo.jpg --mask mask.png",
    "imgfix inpaint photo.jpg --box 100,50,200,80 --grow 4",
    "imgfix inpaint photos/ --mask masks/ -o clean/",
    "imgfix inpaint photo.jpg --expand left=20%,right=20%",
    "imgfix inpaint clip.mp4 --mask logo.png --crf 14",
)

CLASSICAL = ("telea", "ns")
_REGION = "What to fill"

Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask", metavar="PATH", rich_help_panel=_REGION, show_default=False,
        help="White is filled. One picture for all inputs and frames, or a folder whose files have the inputs' names. "
        "For a clip also a clip of masks, or a folder with a mask for each frame.",
    ),
]  # fmt: skip
BoxOption = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="x,y,w,h", rich_help_panel=_REGION, show_default=False,
        help="A rectangle in pixels or percent; may be given several times.",
    ),
]  # fmt: skip
Colour = Annotated[
    str | None,
    typer.Option(
        "--color", metavar="COLOR", rich_help_panel=_REGION, show_default=False,
        help="Everything painted in this colour, such as '#ff00ff'; in clips looked for in every frame.",
    ),
]  # fmt: skip
Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance", min=0, max=255, metavar="N", rich_help_panel=_REGION, help="How far off --color may be, of 255."
    ),
]
Alpha = Annotated[bool, typer.Option("--alpha", rich_help_panel=_REGION, help="The picture's own transparent part.")]
Expand = Annotated[
    str | None,
    typer.Option(
        "--expand", metavar="SIDES", rich_help_panel=_REGION, show_default=False,
        help="New borders, such as left=200,top=10% or all=15%.",
    ),
]  # fmt: skip
Grow = Annotated[
    float,
    typer.Option("--grow", metavar="N", rich_help_panel=_REGION, help="Widen the region by so many pixels."),
]
Feather = Annotated[
    float,
    typer.Option(
        "--feather", min=0, metavar="N", rich_help_panel=_REGION,
        help="Fade the fill out over so many pixels beyond the region.",
    ),
]  # fmt: skip
Invert = Annotated[
    bool, typer.Option("--invert", rich_help_panel=_REGION, help="In the mask, black is filled instead of white.")
]
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta", rich_help_panel=_REGION, show_default=False,
        help="Join several runs of the network into one; on by itself for small pictures and for large holes.",
    ),
]  # fmt: skip
FitMask = Annotated[
    bool,
    typer.Option(
        "--fit-mask", rich_help_panel=_REGION, help="Resize a mask of another size but the same shape."
    ),
]  # fmt: skip
ModelName = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME",
        help=options.MODEL_HELP + " telea and ns are classical and need no weights.",
        rich_help_panel="Model and machine", autocompletion=complete.models("inpaint", *CLASSICAL),
    ),
]  # fmt: skip


def command(
    context: typer.Context,
    inputs: options.Inputs,
    mask: Mask = None,
    box: BoxOption = None,
    color: Colour = None,
    tolerance: Tolerance = 12.0,
    alpha: Alpha = False,
    expand: Expand = None,
    grow: Grow = 0.0,
    feather: Feather = 0.0,
    invert: Invert = False,
    fit_mask: FitMask = False,
    tta: Tta = None,
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
    offline: options.Offline = False,
    recursive: options.Recursive = False,
    max_pixels: options.MaxPixels = None,
    json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Fill a part of pictures and clips from what is around it: remove things, scratches, text; or extend the canvas.

    Every pixel outside the region stays exactly as it was, until a lossy format (JPEG, WebP, AVIF) encodes it again; -o
    with a name in .png keeps it. In clips, what other frames show behind the region is taken from there. Encoding a
    clip changes every pixel a little; --codec ffv1 --pix-fmt bgr0 keeps them exactly as they are decoded, and another
    lossless encoding (--codec ffv1, or --crf 0) within a few of 255.
    """
    shared = options.Shared.of(context)
    moving = ClipOptions.of(context)
    from imgfix.media import mask as masks
    from imgfix.tasks.canvas import parse_expansion
    from imgfix.tasks.inpaint import InpaintOptions

    region = Region(
        mask=mask,
        boxes=tuple(masks.parse_box(text) for text in box or ()),
        colour=masks.parse_colour(color) if color is not None else None,
        tolerance=tolerance,
        transparent=alpha,
        grow=grow,
        invert=invert,
        fit=fit_mask,
    )
    expansion = parse_expansion(expand) if expand is not None else None
    if not region and expansion is None:
        raise UsageError(
            "nothing says what to fill", hint="give --mask FILE, --box x,y,w,h, --color, --alpha or --expand"
        )
    moving.check()
    name, better = _choose(shared)
    suffix = "_filled" if region else "_wide"
    if frames:
        items = clips.folder_items(shared, suffix)
    else:
        items = pictures.find_jobs(shared, suffix, {"model": models.label(name)}, kinds=("image", "video"))
    report = Report(shared.console, shared.json)
    missing = models.bytes_to_pull(name) if name not in CLASSICAL else None
    how = InpaintOptions(feather=feather, tta=tta)
    wanted = _Wanted(region, expansion, how, name, clips.without_container(shared), context)
    clip = ClipWork(region, expansion, how, name, len(items) == 1, moving, shared, context)
    if dry_run and missing is not None:
        shared.console.say(f"would pull {name} ({size_in_words(missing)}) first; the time is known after that")
        run = _Run(wanted, clip, None)
        return batch.run(items, lambda job, tick: run.plan(job), shared.console, report)
    if all(item.problem or item.skipped for item in items):  # no need to load anything
        return batch.run(items, pictures.never, shared.console, report)
    engine = None
    if name in CLASSICAL:
        shared.console.say(f"{name} (classical) on cpu, the file's own precision")
    else:
        engine = models.open_engine(shared, "inpaint", name)
        models.announce(shared, engine, better)
    run = _Run(wanted, clip, engine)
    if dry_run:
        return batch.run(items, lambda job, tick: run.plan(job), shared.console, report)
    return batch.run(clips.with_units(items, shared), run.work, shared.console, report, unit="holes")


@dataclass(frozen=True)
class _Run:
    """One command: what is done with each file, by its kind."""

    still: _Wanted
    clip: ClipWork
    engine: Engine | None
    """None for a classical method, and for a model that is not here yet."""

    def work(self, job: Job, tick: Tick) -> Outcome:
        """Fill the region in one file."""
        kind = clips.kind_of(job, self.clip.shared)
        if kind == "image":
            return _inpaint(job, self.still, self.engine, tick)
        return self.clip.inpaint(job, kind, self.engine, _runner(self.still, self.engine), tick)

    def plan(self, job: Job) -> Outcome:
        """What one file would take."""
        kind = clips.kind_of(job, self.clip.shared)
        if kind == "image":
            return _plan(job, self.still, self.engine)
        return self.clip.plan(job, kind, self.engine, _runner(self.still, self.engine))


@dataclass(frozen=True)
class _Wanted:
    """What the command line asks for."""

    region: Region
    expansion: Expansion | None
    how: InpaintOptions
    model: str
    shared: options.Shared
    context: typer.Context


def _choose(shared: options.Shared) -> tuple[str, str | None]:
    if shared.model in CLASSICAL:
        return shared.model, None
    try:
        return models.choose(shared, "inpaint", also=CLASSICAL)
    except ModelError as error:
        if shared.model == "auto":
            error.hint = f"{error.hint}; or --model telea, which needs no weights"
        raise


def _region(picture: Picture, job: Job, wanted: _Wanted) -> tuple[np.ndarray | None, list[str]]:
    """The mask of a picture, None when only the canvas grows."""
    if not wanted.region:
        return None, []
    pixels = picture.pixels
    if picture.channels == 4 and wanted.region.colour is not None:  # a colour is named in RGB, the file holds inks
        from imgfix.media import colour

        rgb = colour.transform(picture.metadata, 4).to_srgb(pixels)
        pixels = (rgb * 255 + 0.5).astype("uint8")
    return wanted.region.of(picture, job, pixels)


def _inpaint(job: Job, wanted: _Wanted, engine: Engine | None, tick: Tick) -> Outcome:
    import numpy as np

    from imgfix.media import colour, image
    from imgfix.media import mask as masks
    from imgfix.tasks.canvas import expand
    from imgfix.tasks.inpaint import inpaint

    start = time.monotonic()
    shared = wanted.shared
    picture = pictures.read(job, shared)
    engine = engine.for_samples(picture.pixels.dtype) if engine is not None else None
    transform = colour.transform(picture.metadata, picture.channels)
    region, notes = _region(picture, job, wanted)
    filler: Engine | str = engine if engine is not None else wanted.model
    pixels, alpha = picture.pixels, picture.alpha
    said = []
    facts: dict[str, Any] = {}
    if region is not None:
        pixels = inpaint(pixels, region, filler, wanted.how, colour=transform, alpha=alpha, progress=tick)
        if alpha is not None and wanted.region.transparent:
            # What was transparent and is filled now has to be seen.
            weight = masks.feather(region, wanted.how.feather)
            shown = alpha + (np.iinfo(alpha.dtype).max - alpha.astype(np.float64)) * weight
            alpha = np.where(weight > 0, (shown + 0.5).astype(alpha.dtype), alpha)
        share = masks.coverage(region)
        said.append(f"{masks.percent(share)} filled")
        facts["coverage"] = round(share, 6)
    if wanted.expansion is not None:
        margins = wanted.expansion.of(picture.width, picture.height)
        pixels, alpha = expand(
            pixels, margins, filler, options=wanted.how, colour=transform, alpha=alpha, progress=tick
        )
        said.append(f"{picture.width}x{picture.height} -> {pixels.shape[1]}x{pixels.shape[0]}")
    descriptor = engine.descriptor if engine is not None else None
    written = image.write(
        pictures.sink(job),
        replace(picture, pixels=pixels, alpha=alpha),
        format=shared.format,
        quality=shared.quality,
        record=pictures.record(wanted.context, shared, job, wanted.model, descriptor),
    )
    seconds = time.monotonic() - start
    facts = {
        "input": {"width": picture.width, "height": picture.height, "format": picture.metadata.format},
        "output": {"width": pixels.shape[1], "height": pixels.shape[0], "bytes": pictures.bytes_written(job)},
        **facts,
        **_runner(wanted, engine),
        "seconds": round(seconds, 3),
    }
    line = ", ".join([*said, time_in_words(seconds)])
    return Outcome(line, facts, warnings=pictures.unique(picture.metadata.notes, notes, written))


def _plan(job: Job, wanted: _Wanted, engine: Engine | None) -> Outcome:
    """What filling would take: the region is looked at, nothing is filled."""
    from imgfix.media import mask as masks
    from imgfix.tasks import holes

    picture = pictures.read(job, wanted.shared)
    region, notes = _region(picture, job, wanted)
    width, height = picture.width, picture.height
    said = []
    facts: dict[str, Any] = {"input": {"width": width, "height": height}}
    if region is not None:
        native = engine.descriptor.native_size if engine is not None else None
        groups = len(holes.find(masks.feather(region, wanted.how.feather) > 0, native or 1024))
        share = masks.coverage(region)
        said.append(f"{masks.percent(share)} to fill in {groups} {'window' if groups == 1 else 'windows'}")
        facts |= {"coverage": round(share, 6), "windows": groups}
        if engine is not None:
            area = (native or 512) ** 2
            seconds, memory = groups * area * engine.cost.seconds_per_pixel, area * engine.cost.bytes_per_pixel
            said.append(f"about {size_in_words(memory)} and {time_in_words(seconds)}")
            facts |= {"memory_bytes": round(memory), "seconds": round(seconds, 1)}
    if wanted.expansion is not None:
        width, height = wanted.expansion.of(width, height).size(width, height)
        said.append(f"{picture.width}x{picture.height} -> {width}x{height}")
    facts |= {"output": {"width": width, "height": height}, **_runner(wanted, engine)}
    return Outcome(", ".join(said), facts, status="planned", warnings=tuple(notes))


def _runner(wanted: _Wanted, engine: Engine | None) -> dict[str, str]:
    """The model and where it runs, for the report."""
    if engine is None:
        return {"model": wanted.model, "device": "cpu"}
    where = engine.placement
    return {"model": engine.descriptor.name, "device": str(where.device), "precision": where.precision}
