"""`imgfix evaluate`: measure pictures against references, with the protocol stated."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import batch, evaluate_output, options
from imgfix.cli.console import Tick
from imgfix.cli.listening import ConsoleListener
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, UsageError
from imgfix.metrics.table import METRICS
from imgfix.pipelines import options as asked
from imgfix.pipelines.evaluate_files import MeasurementFiles, finite, in_words

if TYPE_CHECKING:
    from imgfix.pipelines.evaluate import Benchmark, Comparison
    from imgfix.tasks.benchmark import Contestant, Standing
    from imgfix.tasks.measurement import Measurement

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


def command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RESULT]...", help="Files, folders, globs in quotes or @list.txt.", show_default=False),
    ] = None,
    against: Annotated[str | None, _option(
        "--against", "-a", panel=_HOW, metavar="PATH",
        help="The reference: a file, or a folder whose files are paired by name (baby_x4.png with baby.png).",
    )] = None,
    protocol: Annotated[str | None, _option(
        "--protocol", "-p", panel=_HOW, metavar="NAME",
        help="rgb (PSNR, SSIM), y, sr-yN and sr-rgbN (N pixels cropped from each side), perceptual, sets (FID, KID), "
        "video, niqe (no reference). Default: rgb, video or niqe.",
    )] = None,
    metric: Annotated[list[str] | None, _option(
        "--metric", panel=_HOW, metavar="NAME",
        help=f"Measure these instead; may be repeated: {', '.join(METRICS)}.",
    )] = None,
    crop: Annotated[bool, _option(
        "--crop", panel=_HOW, help="If sizes differ, compare the common top left part instead of refusing."
    )] = False,
    csv: Annotated[Path | None, _option(
        "--csv", panel=_OUT, metavar="FILE", help="Write the table as CSV."
    )] = None,
    sheet: Annotated[Path | None, _option(
        "--sheet", panel=_OUT, metavar="FILE", help="Write an image of enlarged details side by side."
    )] = None,
    report: Annotated[Path | None, _option(
        "--report", panel=_OUT, metavar="FILE", help="Write an HTML page with before/after sliders."
    )] = None,
    rows: Annotated[int, _option(
        "--rows", panel=_OUT, metavar="N", help="Images on the sheet and the page, worst first (12)."
    )] = 12,
    overwrite: options.Overwrite = False,
    benchmark: Annotated[str | None, _option(
        "--benchmark", panel=_BENCH, metavar="NAME",
        help="Degrade clean images, run models on them and compare; NAME is a heading such as set5.",
    )] = None,
    data: Annotated[Path | None, _option(
        "--data", panel=_BENCH, metavar="FOLDER", help="The clean images."
    )] = None,
    model: Annotated[list[str] | None, _option(
        "--model", "-m", panel=_BENCH, metavar="NAME",
        help="A model to run, or bicubic; repeat to compare several.",
    )] = None,
    degrade: Annotated[str | None, _option(
        "--degrade", panel=_BENCH, metavar="NAME",
        help="bicubic, noiseSIGMA or jpegQUALITY. Default: bicubic to upscale, noise25 to restore.",
    )] = None,
    scale: Annotated[int | None, _option(
        "--scale", "-s", panel=_BENCH, metavar="N", help="Scale of bicubic."
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
    """Measure images and videos, with or without references: PSNR, SSIM, LPIPS, NIQE, FID and more.

    The protocol is stated along with the numbers. The table goes to stdout, everything else to stderr.
    """
    from imgfix.pipelines.evaluate import Benchmark, BenchmarkRequest, Comparison

    machine = asked.Machine(device=device, precision=precision, tile=tile, offline=offline)
    reporting = options.Reporting(json=json, quiet=quiet, verbose=verbose)
    listener = ConsoleListener(reporting.console)
    if rows < 1:
        raise UsageError(f"--rows {rows}: must be at least 1")
    written = MeasurementFiles(csv, sheet, report, rows, listener)
    written.check(overwrite)
    output = evaluate_output.Output(reporting, written)
    if benchmark or model or data:
        if inputs or against:
            raise UsageError("--benchmark makes its own results", hint="leave RESULT and --against out")
        if not (data and model):
            raise UsageError("a benchmark needs --data FOLDER and at least one --model NAME")
        request = BenchmarkRequest(
            benchmark or data.name, data, tuple(model), protocol, tuple(metric or ()), degrade, scale
        )  # fmt: skip
        return _benchmark(Benchmark(request, machine, listener), output)
    if degrade or scale:
        raise UsageError("--degrade and --scale belong to a benchmark", hint="add --data FOLDER and --model NAME")
    if not inputs:
        raise UsageError(
            "nothing to measure", hint="name results and --against, or a benchmark with --data and --model"
        )
    reading = asked.Reading(max_pixels=max_pixels)
    return _compare(Comparison(inputs, against, protocol, metric or [], crop, reading, listener), output)


def _compare(comparison: Comparison, output: evaluate_output.Output) -> int:
    console, protocol = output.reporting.console, comparison.protocol
    found: list[Measurement] = []

    def work(job: tuple[Path, Path | None], tick: Tick) -> Outcome:
        start = time.monotonic()
        item = comparison.measure(*job, tick)
        found.append(item)
        facts = {
            "width": item.size[0], "height": item.size[1], "frames": item.frames, "protocol": protocol.name,
            "metrics": finite(item.values), "seconds": round(time.monotonic() - start, 3),
        }  # fmt: skip
        return Outcome(in_words(item.values), facts, warnings=item.notes)

    code = ExitCode.OK
    items = [batch.Item(str(result), str(reference) if reference else None, (result, reference))
             for result, reference in comparison.pairs]  # fmt: skip
    if comparison.measures_files:
        code = batch.run(items, work, console, Report(console, output.reporting.json), "frames")
    of_sets: dict[str, float] = {}
    if comparison.measures_sets and code != ExitCode.INTERRUPTED:
        with console.progress("pictures") as progress, progress.file("features") as tick:
            of_sets = comparison.measure_sets(tick)
    output.compared(protocol, found, of_sets, comparison.crop)
    return code


def _benchmark(benchmark: Benchmark, output: evaluate_output.Output) -> int:
    console, name, protocol = output.reporting.console, benchmark.request.name, benchmark.protocol
    console.say(f"{name}: {len(benchmark.files)} pictures, damage: {benchmark.damage_in_words}")
    found: list[Standing] = []
    keep = output.files.rows if output.files.draws else 0

    def work(place: Contestant, tick: Tick) -> Outcome:
        standing, notes = benchmark.run(place, keep, tick)
        found.append(standing)
        facts = {
            "benchmark": name, "pictures": len(standing.pictures), "degradation": benchmark.damage.name,
            "protocol": protocol.name, "metrics": finite(standing.values),
            "seconds": round(standing.seconds, 4), "parameters": standing.parameters,
            "multiply_adds": standing.multiply_adds, "peak_bytes": standing.peak_bytes,
        }  # fmt: skip
        return Outcome(in_words(standing.values), facts, warnings=notes)

    items = [batch.Item(place.name, None, place) for place in benchmark.places]
    code = batch.run(items, work, console, Report(console, output.reporting.json), "pictures")
    output.ranked(name, protocol, benchmark.damage_in_words, found, benchmark.measured)
    return ExitCode.SOME_FAILED if code == ExitCode.OK and benchmark.left_out else code
