"""`imgfix upscale`: larger pictures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, complete, models, options, pictures
from imgfix.cli.console import Tick, size_in_words, time_in_words
from imgfix.cli.report import Outcome, Report

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.upscale import UpscaleOptions

EPILOG = options.examples(
    "imgfix upscale photo.jpg",
    "imgfix upscale scans/ -r -o large/ --long-side 4000",
    "imgfix upscale - < in.png > out.png",
)

_SIZE = "Size and look"
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
        autocompletion=complete.models("upscale"),
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
    """Make pictures larger.

    Format, bit depth, colour profile, metadata and transparency stay as they were.
    """
    shared = options.Shared(
        inputs=tuple(inputs), output=output, model=model, device=device, precision=precision,
        tile=options.parse_tile(tile), recursive=recursive, max_pixels=max_pixels, format=format, quality=quality,
        overwrite=overwrite, skip_existing=skip_existing, record=not no_record, offline=offline, json=json,
        dry_run=dry_run, quiet=quiet, verbose=verbose,
    )  # fmt: skip
    from imgfix.tasks.upscale import UpscaleOptions

    wanted = UpscaleOptions(
        scale=scale, width=width, height=height, long_side=long_side, megapixels=megapixels, tta=tta,
        color_fix=color_fix, blend=blend, tile=shared.tile,
    )  # fmt: skip
    name, better = models.choose(shared, "upscale", round(scale) if scale else None)
    factor = _factor_in_words(wanted, name)
    items = pictures.find_jobs(
        shared, f"_{'x' + factor if factor else 'large'}", {"scale": factor, "model": models.label(name)}
    )
    report = Report(shared.console, shared.json)
    missing = models.bytes_to_pull(name)
    if dry_run and missing is not None:
        shared.console.say(f"would pull {name} ({size_in_words(missing)}) first; tiles and time are known after that")
        return batch.run(items, lambda job, tick: _plan_unseen(job, wanted, name, shared), shared.console, report)
    if all(item.problem or item.skipped for item in items):  # no need to load anything
        return batch.run(items, pictures.never, shared.console, report)
    engine = models.open_engine(shared, "upscale", name)
    models.announce(shared, engine, better)
    if dry_run:
        return batch.run(items, lambda job, tick: _plan(job, engine, wanted, shared), shared.console, report)

    def work(job: Job, tick: Tick) -> Outcome:
        return _upscale(job, engine, name, wanted, shared, context, tick)

    return batch.run(items, work, shared.console, report)


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
        "model": engine.descriptor.name,
        "device": str(engine.placement.device),
        "precision": engine.placement.precision,
        "seconds": round(seconds, 3),
    }
    return Outcome(
        line=f"{picture.width}x{picture.height} -> {work.width}x{work.height}, {time_in_words(seconds)}",
        facts=facts,
        warnings=pictures.unique(picture.metadata.notes, [transform.note] if transform.note else [], writer.notes),
    )


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
        "model": engine.descriptor.name,
        "device": str(engine.placement.device),
        "precision": engine.placement.precision,
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
