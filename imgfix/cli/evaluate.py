"""`imgfix evaluate`: measure pictures against references, with the protocol stated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, evaluate_output, options
from imgfix.cli.console import Tick
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, UsageError
from imgfix.metrics.table import METRICS

if TYPE_CHECKING:
    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import Contestant, Running, Standing
    from imgfix.tasks.evaluate import Measurement

EPILOG = (
    "Examples: [bold]imgfix evaluate out/ --against gt/ --protocol sr-y4[/], "
    "[bold]imgfix evaluate out.png --against gt.png --metric lpips --sheet compare.png[/], "
    "[bold]imgfix evaluate --benchmark set5 --data Set5/ --model bicubic --model NAME[/]"
)

_HOW = "How to measure"
_OUT = "Output"
_BENCH = "Benchmark"


def _option(*names: str, panel: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, show_default=False)


_ENOUGH = 2048
"""Pictures from which FID means something: below the number of its features their covariance is not of full rank."""


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RESULT]...", help="Files, folders, globs in quotes or @list.txt.", show_default=False),
    ] = None,
    against: Annotated[str | None, _option(
        "--against", "-a", panel=_HOW, metavar="PATH",
        help="The reference: a file, or a folder whose files pair by name (baby_x4.png with baby.png).",
    )] = None,
    protocol: Annotated[str | None, _option(
        "--protocol", "-p", panel=_HOW, metavar="NAME",
        help="rgb (PSNR, SSIM), y, sr-yN and sr-rgbN (N pixels cut off each side), perceptual, sets (FID, KID), "
        "video, niqe (needs no reference). Without it: rgb, video or niqe.",
    )] = None,
    metric: Annotated[list[str] | None, _option(
        "--metric", panel=_HOW, metavar="NAME",
        help=f"Measure these instead: {', '.join(METRICS)}.",
    )] = None,
    crop: Annotated[bool, _option(
        "--crop", panel=_HOW, help="Where sizes differ, compare the common top left part instead of refusing."
    )] = False,
    csv: Annotated[Path | None, _option(
        "--csv", panel=_OUT, metavar="FILE", help="Write the table as CSV."
    )] = None,
    sheet: Annotated[Path | None, _option(
        "--sheet", panel=_OUT, metavar="FILE", help="Write a picture of zoomed details side by side."
    )] = None,
    report: Annotated[Path | None, _option(
        "--report", panel=_OUT, metavar="FILE", help="Write one HTML page with before/after sliders."
    )] = None,
    rows: Annotated[int, _option(
        "--rows", panel=_OUT, metavar="N", help="Pictures on the sheet and the page, the worst first (12)."
    )] = 12,
    overwrite: options.Overwrite = False,
    benchmark: Annotated[str | None, _option(
        "--benchmark", panel=_BENCH, metavar="NAME",
        help="Run models on good pictures that are damaged first; NAME is a heading such as set5.",
    )] = None,
    data: Annotated[Path | None, _option(
        "--data", panel=_BENCH, metavar="FOLDER", help="The good pictures."
    )] = None,
    model: Annotated[list[str] | None, _option(
        "--model", "-m", panel=_BENCH, metavar="NAME",
        help="A model to run, or bicubic; give it several times to compare.",
    )] = None,
    degrade: Annotated[str | None, _option(
        "--degrade", panel=_BENCH, metavar="NAME",
        help="bicubic, noiseSIGMA or jpegQUALITY. Without it: bicubic to upscale, noise25 to restore.",
    )] = None,
    scale: Annotated[int | None, _option(
        "--scale", "-s", panel=_BENCH, metavar="N", help="Scale of plain bicubic."
    )] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    tile: options.Tile = "auto",
    offline: options.Offline = False,
    max_pixels: options.MaxPixels = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:  # fmt: skip
    """Measure pictures and clips against references: PSNR, SSIM, LPIPS, NIQE, FID, KID, flicker.

    The protocol is spelled out beside the numbers. The table goes to stdout, everything else to stderr.
    """
    shared = options.Shared(
        inputs=tuple(inputs or ()), device=device, precision=precision, tile=options.parse_tile(tile),
        max_pixels=max_pixels, overwrite=overwrite, offline=offline, json=json, quiet=quiet, verbose=verbose,
    )  # fmt: skip
    if rows < 1:
        raise UsageError(f"--rows {rows}: must be at least 1")
    evaluate_output.refuse_existing([csv, sheet, report], overwrite)
    output = evaluate_output.Output(shared, csv, sheet, report, rows)
    if benchmark or model or data:
        if inputs or against:
            raise UsageError("--benchmark makes its own results", hint="leave RESULT and --against out")
        if not (data and model):
            raise UsageError("a benchmark needs --data FOLDER and at least one --model NAME")
        return _benchmark(benchmark or data.name, data, model, protocol, metric or [], degrade, scale, output)
    if degrade or scale:
        raise UsageError("--degrade and --scale belong to a benchmark", hint="add --data FOLDER and --model NAME")
    if not inputs:
        raise UsageError(
            "nothing to measure", hint="name results and --against, or a benchmark with --data and --model"
        )
    return _compare(inputs, against, protocol, metric or [], crop, output)


def _compare(
    inputs: Sequence[str],
    against: str | None,
    named: str | None,
    metrics: Sequence[str],
    crop: bool,
    output: evaluate_output.Output,
) -> int:
    from imgfix.media.image import DEFAULT_MAX_PIXELS
    from imgfix.media.jobs import VIDEO_EXTENSIONS
    from imgfix.metrics import protocol as protocols
    from imgfix.tasks import pairing
    from imgfix.tasks.evaluate import evaluate_file, evaluate_sets

    results = pairing.collect(inputs)
    moving = any(file.path.suffix.lower() in VIDEO_EXTENSIONS for file in results)
    usual = "niqe" if against is None else "video" if moving else "rgb"
    protocol = protocols.find(named or usual, metrics)
    singles, paired, sets = (protocol.of_kind(kind) for kind in ("single", "pair", "set"))
    if against is None and (paired or sets):
        raise UsageError(f"{(paired + sets)[0].label} needs a reference", hint="add --against PATH, or --metric niqe")
    references = pairing.collect([against]) if against is not None else []
    shared = output.shared
    pairs: list[tuple[Path, Path | None]] = [(file.path, None) for file in results]
    if against is not None and paired:
        matched = pairing.pair(results, references)
        for path, reason in matched.left_over:
            shared.console.warn(f"{path}: {reason}, so it is not measured")
        if not matched.pairs:
            raise UsageError("no result has a reference", hint="files pair by name: baby_x4.png with baby.png")
        pairs = list(matched.pairs)
    elif against is not None and len(references) == len(results) == 1:
        pairs = [(results[0].path, references[0].path)]
    found: list[Measurement] = []
    limit = DEFAULT_MAX_PIXELS if shared.max_pixels is None else shared.max_pixels or None

    def work(job: tuple[Path, Path | None], tick: Tick) -> Outcome:
        start = time.monotonic()
        item = evaluate_file(*job, protocol, crop=crop, progress=tick, max_pixels=limit)
        found.append(item)
        facts = {
            "width": item.size[0], "height": item.size[1], "frames": item.frames, "protocol": protocol.name,
            "metrics": evaluate_output.finite(item.values), "seconds": round(time.monotonic() - start, 3),
        }  # fmt: skip
        return Outcome(evaluate_output.in_words(item.values), facts, warnings=item.notes)

    code = ExitCode.OK
    items = [batch.Item(str(result), str(reference) if reference else None, (result, reference))
             for result, reference in pairs]  # fmt: skip
    if singles or paired or protocol.of_kind("video"):
        code = batch.run(items, work, shared.console, Report(shared.console, shared.json), "frames")
    of_sets: dict[str, float] = {}
    if sets and code != ExitCode.INTERRUPTED:
        with shared.console.progress("pictures") as progress, progress.file("features") as tick:
            of_sets = evaluate_sets(
                [file.path for file in results], [file.path for file in references], protocol, progress=tick
            )
        fewest = min(len(results), len(references))
        if "fid" in of_sets and fewest < _ENOUGH:
            shared.console.warn(
                f"FID of sets as small as {fewest} comes out too high, the smaller the set the more",
                "compare it with that of sets of the same size alone, or take KID, which has no such bias",
            )
    output.compared(protocol, found, of_sets, crop)
    return code


def _benchmark(
    name: str,
    data: Path,
    names: Sequence[str],
    named: str | None,
    metrics: Sequence[str],
    degrade: str | None,
    scale: int | None,
    output: evaluate_output.Output,
) -> int:
    from imgfix.metrics import protocol as protocols
    from imgfix.tasks import benchmark, pairing

    shared = output.shared
    ground = data / "HR" if (data / "HR").is_dir() else data
    files = [file.path for file in pairing.collect([str(ground)], kinds=("image",))]
    contestants = [_contestant(model, shared) for model in names if model != "bicubic"]
    scales = {contestant.scale for contestant, _ in contestants} | ({scale} if scale else set())
    if len(scales) > 1:
        raise UsageError(f"the models have different scales: {sorted(scales)}", hint="compare models of one scale")
    common = scales.pop() if scales else 4
    task = contestants[0][1] if contestants else "upscale"
    damage = benchmark.find_degradation(degrade, task)
    protocol: Protocol = protocols.find(named or (f"sr-y{common}" if common > 1 else "rgb"), metrics)
    if protocol.of_kind("set", "video"):
        raise UsageError("a benchmark measures single pictures", hint="leave FID, KID and warping out")
    waiting = [contestant for contestant, _ in contestants]
    for contestant in waiting:
        contestant.noise = damage.level / 255 if damage.name.startswith("noise") else 0.0
    places: list[Contestant] = [benchmark.Bicubic(common) if model == "bicubic" else waiting.pop(0) for model in names]
    shared.console.say(f"{name}: {len(files)} pictures, damage: {damage.describe(common)}")
    found: list[Standing] = []
    keep = output.rows if output.sheet or output.report else 0

    def work(place: Contestant, tick: Tick) -> Outcome:
        standing = benchmark.run_benchmark(place, files, protocol, damage, keep=keep, progress=tick)
        found.append(standing)
        facts = {
            "benchmark": name, "pictures": len(files), "degradation": damage.name, "protocol": protocol.name,
            "metrics": evaluate_output.finite(standing.values), "seconds": round(standing.seconds, 4),
            "parameters": standing.parameters, "multiply_adds": standing.multiply_adds,
            "peak_bytes": standing.peak_bytes,
        }  # fmt: skip
        facts_of_model = getattr(getattr(place, "engine", None), "descriptor", None)
        expects = facts_of_model.expects if facts_of_model else ()
        other = bool(expects) and damage.kind not in expects
        warnings = (f"was trained for other damage ({', '.join(expects)})",) if other else ()
        return Outcome(evaluate_output.in_words(standing.values), facts, warnings=warnings)

    items = [batch.Item(place.name, None, place) for place in places]
    code = batch.run(items, work, shared.console, Report(shared.console, shared.json), "pictures")
    output.ranked(name, protocol, damage.describe(common), found, files)
    return code


def _contestant(name: str, shared: options.Shared) -> tuple[Running, str]:
    """Load a model of any task that turns a picture into a picture; returns it and its task."""
    from imgfix import zoo
    from imgfix.cli import models
    from imgfix.tasks.benchmark import Running
    from imgfix.zoo.catalog import find

    if models._is_file(name):
        task = str(zoo.load(name).descriptor.task)
    else:
        task = find(name).task
    if task not in ("upscale", "restore"):
        raise UsageError(f"{name} is a model for '{task}'", hint="a benchmark runs models that upscale or restore")
    engine = models.open_engine(shared, task, name)
    models.announce(shared, engine)
    return Running(engine, tile=shared.tile), task
