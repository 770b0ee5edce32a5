"""The options that verbs share, written once, and the record they end up in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, get_type_hints

import typer

from imgfix.cli import complete
from imgfix.cli.console import Console
from imgfix.pipelines import options as asked

_OUTPUT = "Output"
_CLIPS = "Clips"
_MODEL = "Model and machine"
_REPORT = "Report"

MODEL_HELP = (
    "A name from 'imgfix weights list' (pulled when missing), a weights file, or auto: the best on this machine."
)

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, folders, globs in quotes, @list.txt with one path a line, or - for stdin.",
        show_default=False,
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Take folders with everything below them.")]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=0,
        metavar="N",
        help="Refuse pictures with more pixels than this, as a guard against decompression bombs; 0 takes any.",
        show_default=False,
    ),
]

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file, a folder (its tree mirrors the input's), a template such as 'out/{stem}_{model}{ext}', "
        "or - for stdout. Without it: beside the input.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="png, jpeg, webp, tiff, bmp, avif, gif ... Without it: what the output's name says, else the input's.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        min=1,
        max=100,
        metavar="N",
        help="For lossy formats. Without it: like the input.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.", rich_help_panel=_OUTPUT)]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out inputs whose output exists.", rich_help_panel=_OUTPUT)
]
Record = Annotated[
    bool,
    typer.Option(
        " /--no-record",
        help="Do not note command, model and seed in the output's metadata.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]

Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:1, mps or xpu.",
        rich_help_panel=_MODEL,
        autocompletion=lambda: ["auto", "cpu", "cuda", "mps", "xpu"],
    ),
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option(
        "--precision",
        help="Number format of the arithmetic; auto: the quickest that holds, above 8 bits fp32.",
        rich_help_panel=_MODEL,
    ),
]
Tile = Annotated[
    str,
    typer.Option(
        "--tile",
        metavar="auto|N",
        help="Side of the squares a picture is worked on in, in input pixels; auto fits them to free memory.",
        rich_help_panel=_MODEL,
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never touch the network, not even for a named model.", rich_help_panel=_MODEL)
]

Codec = Annotated[
    str | None,
    typer.Option(
        "--codec", metavar="NAME",
        help="h264, hevc, av1, vp9, prores, ffv1, or an encoder's own name. Without it: what the input has, where the "
        "output's container holds it, else h264.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Crf = Annotated[
    float | None,
    typer.Option(
        "--crf", metavar="N", help="Quality of the encoding, smaller is better; 17 for h264 without it.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", help="Speed of the encoder: fast, medium, slow ...", rich_help_panel=_CLIPS,
        show_default=False,
    ),
]  # fmt: skip
PixFmt = Annotated[
    str | None,
    typer.Option(
        "--pix-fmt", metavar="NAME", help="yuv420p, yuv444p10le ... Without it: depth and chroma of the input.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
EncoderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder-option", "-e", metavar="KEY=VALUE", help="Any option of the encoder; can be repeated.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="TIME",
        help="Begin there: seconds, or hours:minutes:seconds.",
        rich_help_panel=_CLIPS,
        show_default=False,
    ),
]
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="End there.", rich_help_panel=_CLIPS, show_default=False)
]
Audio = Annotated[
    bool, typer.Option(" /--no-audio", help="Leave the sound out.", rich_help_panel=_CLIPS, show_default=False)
]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="N",
        help="Evenly spaced frames at this rate, by repeating or leaving out; without it every frame keeps its time.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Deinterlace = Annotated[
    str,
    typer.Option(
        "--deinterlace", metavar="[auto|on|off]",
        help="Make whole frames of interlaced ones, one of each: those that are marked as interlaced, all, or none.",
        rich_help_panel=_CLIPS,
    ),
]  # fmt: skip
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with what an interrupted run left beside the output.", rich_help_panel=_CLIPS),
]

Frames = Annotated[
    bool,
    typer.Option("--frames", help="Take each input folder as one clip of numbered pictures.", rich_help_panel=_CLIPS),
]

Json = Annotated[bool, typer.Option("--json", help="One JSON object an item on stdout.", rich_help_panel=_REPORT)]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print what would be done (sizes, tiles, memory, time) and touch nothing.",
        rich_help_panel=_REPORT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", rich_help_panel=_REPORT)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Reasons for choices, tracebacks of errors.", rich_help_panel=_REPORT)
]


def examples(*commands: str) -> str:
    """The end of a help page: commands a user would copy, one a line."""
    return "\n\n".join(["Examples:", *(f"[bold]{command}[/]" for command in commands)])


def model(task: str | tuple[str, ...], more: str = "", *methods: str) -> Any:
    """The option `--model` of a verb; methods: names that need no weights."""
    return Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="NAME", help=MODEL_HELP + more, rich_help_panel=_MODEL,
            autocompletion=complete.models(task, *methods),
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Reading(asked.Reading):
    """How inputs are found and read."""

    recursive: Recursive = False
    max_pixels: MaxPixels = None


@dataclass(frozen=True)
class Saving(asked.Saving):
    """How results are written."""

    output: Output = None
    format: Format = None
    quality: Quality = None
    overwrite: Overwrite = False
    skip_existing: SkipExisting = False
    record: Record = True


@dataclass(frozen=True)
class ClipOptions(asked.ClipOptions):
    """How clips are read and written."""

    codec: Codec = None
    crf: Crf = None
    preset: Preset = None
    pix_fmt: PixFmt = None
    encoder_option: EncoderOption = None
    start: Start = None
    end: End = None
    audio: Audio = True
    fps: Fps = None
    deinterlace: Deinterlace = "auto"
    frames: Frames = False
    resume: Resume = False


@dataclass(frozen=True)
class Machine(asked.Machine):
    """Which model runs, and where; a verb says what its `model` may be."""

    device: Device = "auto"
    precision: Precision = "auto"
    tile: Tile = "auto"
    offline: Offline = False


@dataclass(frozen=True)
class Reporting:
    """What is told, and how."""

    json: Json = False
    dry_run: DryRun = False
    quiet: Quiet = False
    verbose: Verbose = False

    @cached_property
    def console(self) -> Console:
        """Where this command speaks."""
        return Console(quiet=self.quiet, verbose=self.verbose)


def flat(without: Collection[str] = ()) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a command of a function that takes records of options: typer sees their fields as options.

    without: fields that the verb does not have; they keep their defaults.
    """

    def flatten(function: Callable[..., int]) -> Callable[..., int]:
        hints = get_type_hints(function, include_extras=True)
        records: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
        taken = {name: [field for field in fields(kind) if field.name not in without] for name, kind in records.items()}
        parameters = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name not in records:
                parameters.append(parameter.replace(annotation=hints[parameter.name]))
                continue
            kinds = get_type_hints(records[parameter.name], include_extras=True)
            parameters += [
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[field.name]
                )
                for field in taken[parameter.name]
            ]

        @functools.wraps(function)
        def command(**values: Any) -> int:
            made = {
                name: kind(**{field.name: values.pop(field.name) for field in taken[name]})
                for name, kind in records.items()
            }
            return function(**values, **made)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": int}
        return command

    return flatten
