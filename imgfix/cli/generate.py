"""`imgfix generate`: pictures from words, a class, a sound or another picture."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imgfix.cli import batch, files, options
from imgfix.cli.batch import Item
from imgfix.cli.console import Tick
from imgfix.cli.listening import ConsoleListener
from imgfix.cli.outcomes import outcome
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, UsageError
from imgfix.pipelines.options import GenerateRequest

EPILOG = options.examples(
    'imgfix generate "a red apple" -n 8 --seed 7 -o out/',
    'imgfix generate "a green frog" --class fluent --upscale 4',
    "imgfix generate --sound meow.ogg --seeds 0-35 --grid sheet.png",
    "imgfix generate --interpolate cat tiger --frames 60 -o morph.mp4",
)

_WHAT = "What to generate"
_VARIETY = "Number and variety"
_DIFFUSION = "Diffusion models (--model hf:organisation/name, or a folder)"


def _option(panel: str, *names: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(*names, help=help, metavar=metavar, rich_help_panel=panel, show_default=False, **more)


_what, _variety = functools.partial(_option, _WHAT), functools.partial(_option, _VARIETY)
_output, _diffusion = functools.partial(_option, "Output"), functools.partial(_option, _DIFFUSION)

Prompts = Annotated[list[str] | None, typer.Argument(
    metavar="[PROMPT]...", help="What to generate, in quotes; several prompts give several images.",
)]  # fmt: skip
PromptFile = Annotated[Path | None, _what("--prompts", metavar="FILE", help="A text file with one prompt per line.")]
Label = Annotated[str | None, _what(
    "--class", metavar="NAME", help="A class of the model, such as a style or an object.",
)]  # fmt: skip
Sound = Annotated[Path | None, _what(
    "--sound", metavar="FILE", help="Generate what makes this sound (wav, ogg, flac, mp3).",
)]  # fmt: skip
StartImage = Annotated[Path | None, _what("--image", metavar="FILE", help="Start from an image: a sketch, a photo.")]
Strength = Annotated[float | None, _what(
    "--strength", metavar="0..1", parser=str, help="How far the result may depart from that image.",
)]  # fmt: skip
Old = Annotated[Path | None, _what(
    "--from", metavar="FILE", help="Take prompt, seed and model from a generated image.",
)]  # fmt: skip
Interpolate = Annotated[tuple[str, str] | None, _what(
    "--interpolate", metavar="A B", help="A video that morphs from one prompt to another.",
)]  # fmt: skip
Frames = Annotated[int, _what("--frames", metavar="N", help="Number of frames of that video (60).", min=2)]
Count = Annotated[int, _variety("--count", "-n", metavar="N", help="Images per prompt.", min=1)]
Seed = Annotated[int | None, _variety("--seed", metavar="N", help="The first seed (0).", min=0)]
Seeds = Annotated[str | None, _variety("--seeds", metavar="LIST", help="A list of seeds, such as 0-35 or 3,7,20-29.")]
Truncation = Annotated[float | None, _variety(
    "--truncation", metavar="N", help="Below 1: more typical and less varied; 0: always the same.", min=0, max=2,
)]  # fmt: skip
Grid = Annotated[Path | None, _output(
    "--grid", metavar="FILE", help="Write all images on one sheet; without -o, only the sheet.",
)]  # fmt: skip
Enlarge = Annotated[
    float | None, _output("--upscale", metavar="N", help="Upscale the result, 1 to 16 times.", parser=str)
]
Upscaler = Annotated[str, _output("--upscale-model", metavar="NAME", help="Model for --upscale (auto).")]
Steps = Annotated[int | None, _diffusion("--steps", metavar="N", help="Denoising steps.", min=1)]
Guidance = Annotated[float | None, _diffusion(
    "--guidance", metavar="N", help="How closely the prompt is followed.", min=0,
)]  # fmt: skip
Negative = Annotated[str | None, _diffusion("--negative", metavar="WORDS", help="What the image should not contain.")]
Width = Annotated[int | None, _diffusion("--width", metavar="N", help="Width in pixels.", min=8)]
Height = Annotated[int | None, _diffusion("--height", metavar="N", help="Height in pixels.", min=8)]
LowMemory = Annotated[bool, _diffusion(
    "--low-memory", help="Compute in slices and keep only the active part on the device.",
)]  # fmt: skip


@dataclass(frozen=True)
class Request(GenerateRequest):
    """The options that only this verb has."""

    prompts: Prompts = None
    prompt_file: PromptFile = None
    label: Label = None
    sound: Sound = None
    image: StartImage = None
    strength: Strength = None
    like: Old = None
    interpolate: Interpolate = None
    frames: Frames = 60
    count: Count = 1
    seed: Seed = None
    seeds: Seeds = None
    truncation: Truncation = None
    grid: Grid = None
    upscale: Enlarge = None
    upscale_model: Upscaler = "auto"
    steps: Steps = None
    guidance: Guidance = None
    negative: Negative = None
    width: Width = None
    height: Height = None
    low_memory: LowMemory = False


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model("generate") = "auto"  # type: ignore[valid-type]


@options.flat(without=("precision", "tile", "engine"))
def command(request: Request, saving: options.Saving, machine: Machine, reporting: options.Reporting) -> int:
    """Generate images from a prompt, a class, a sound or another image.

    The same seed gives the same image, bit for bit, however many are generated at once.
    """
    from imgfix.pipelines.generate import GeneratePipeline, Order

    files.check_streams(saving.output, reporting)
    console = reporting.console
    console.starting()
    report = Report(console, reporting.json)
    pipeline = GeneratePipeline(request, saving, machine, ConsoleListener(console))
    if pipeline.film is not None:
        order = pipeline.film
        film = Item(pipeline.film_name, str(order.target), order, order.error)
        if film.problem is None:
            pipeline.prepare(reporting.dry_run)

        def show(order: Order, tick: Tick) -> Outcome:
            return outcome(pipeline.plan_film() if reporting.dry_run else pipeline.run_film(tick))

        return batch.run([film], show, console, report, unit="frames")
    if saving.output == files.STREAM and not reporting.dry_run and sys.stdout.isatty():
        raise UsageError("a picture would be written to the terminal", hint="name a file with -o, or pipe it on")
    if not reporting.dry_run:
        pipeline.check_sheet_is_free()
    sheet = request.grid is not None
    nowhere = None if sheet else files.STREAM
    items = [
        Item(order.name, str(order.target) if order.target else nowhere, order, order.error, order.skip)
        for order in pipeline.orders
    ]
    if all(item.problem or item.skipped for item in items) and not sheet:
        return batch.run(items, batch.never, console, report, unit="pictures")
    pipeline.prepare(reporting.dry_run)

    def draw(order: Order, tick: Tick) -> Outcome:
        if reporting.dry_run:
            return outcome(pipeline.plan(order))
        return outcome(pipeline.run(order, None if sheet else sys.stdout.buffer))

    code = batch.run(items, draw, console, report, unit="pictures")
    if code in (ExitCode.OK, ExitCode.SOME_FAILED):
        pipeline.write_sheet()
    return code
