"""`imgfix bench`: how fast this machine runs a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgfix.cli import complete, options
from imgfix.cli.listening import ConsoleListener
from imgfix.cli.report import print_json
from imgfix.errors import ExitCode
from imgfix.pipelines import options as asked
from imgfix.pipelines.units import size_in_words, table

if TYPE_CHECKING:
    from imgfix.pipelines.bench import Measured

EPILOG = options.examples("imgfix bench photo-x4", "imgfix bench restore --size 1920x1080 --json | jq .seconds")


def command(
    model: Annotated[str, typer.Argument(
        metavar="MODEL", help="A name from 'imgfix weights list' (downloaded if missing), or a weights file.",
        autocompletion=complete.models(("upscale", "restore", "inpaint")),
    )],
    size: Annotated[str | None, typer.Option(
        "--size", metavar="WxH", help="Size of the input in pixels. Default: 512x512.", show_default=False
    )] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", help="Runs of each engine; the median counts.")] = 3,
    engine: options.Engine = "auto",
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    offline: options.Offline = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:  # fmt: skip
    """Measure how fast this machine runs a model, in each installed engine.

    Engines are measured in turns; --engine auto uses the fastest one from then on.
    """
    from imgfix.pipelines.bench import Bench, BenchRequest

    machine = asked.Machine(model=model, device=device, precision=precision, offline=offline, engine=engine)
    console = options.Reporting(json=json, quiet=quiet, verbose=verbose).console
    bench = Bench(BenchRequest(size, rounds), machine, ConsoleListener(console))
    with console.progress("runs") as progress, progress.file(bench.choice.name) as tick:
        found = bench.run(tick)
    first = next((each for each in found if each.stand.engine == "torch"), None)
    if json:
        for each in found:
            print_json(each.facts(first))
        return ExitCode.OK
    one = found[0]
    console.say(f"{one.model}, {one.width}x{one.height}, median of {rounds}")
    headings = ["engine", "seconds", "MP/s", "times as fast", "of the ceiling", "peak memory", "PSNR to fp32"]
    typer.echo(table(headings, [_line(each, each.facts(first)) for each in found]))
    return ExitCode.OK


def _line(found: Measured, facts: dict[str, object]) -> list[str]:
    stand = found.stand
    return [
        f"{stand.engine}, {stand.device}, {stand.precision}",
        f"{found.seconds:.3g}",
        f"{found.megapixels_per_second:.3g}",
        "-" if facts["times_as_fast"] is None else f"{facts['times_as_fast']:.2f}",
        "-" if found.share is None else f"{found.share:.0%}",
        "-" if stand.peak_bytes is None else size_in_words(stand.peak_bytes),
        "equal" if facts["psnr"] is None else f"{stand.psnr:.1f} dB",
    ]
