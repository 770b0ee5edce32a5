"""The options that verbs share, written once, and the record they end up in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, get_type_hints

import typer

from imgfix.cli import complete
from imgfix.cli.console import Console
from imgfix.cli.flags import MODEL, REPORT
from imgfix.cli.flags import Json as Json
from imgfix.cli.flags import Offline as Offline
from imgfix.cli.flags import Quiet as Quiet
from imgfix.cli.flags import Verbose as Verbose
from imgfix.pipelines import options as asked

_OUTPUT = "Output"
_CLIPS = "Video"

MODEL_HELP = (
    "A name from 'imgfix weights list' (downloaded if missing), a weights file, or auto: the best one installed."
)

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, folders, globs in quotes, @list.txt with one path per line, or - for stdin.",
        show_default=False,
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels", min=0, metavar="N",
        help="Refuse images with more pixels than this (decompression bombs); 0 accepts any.", show_default=False,
    ),
]  # fmt: skip
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N",
        help="Process only the I-th of N parts of the inputs; each input is in exactly one part.",
        show_default=False,
    ),
]  # fmt: skip

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray", metavar="ADDRESS", rich_help_panel=MODEL, show_default=False,
        help="Spread the files over workers on Ray: local, auto (the running cluster), or host:port.",
    ),
]  # fmt: skip
WorkerCores = Annotated[
    int | None,
    typer.Option(
        "--worker-cores", min=1, metavar="N", rich_help_panel=MODEL, show_default=False,
        help="CPU cores per --ray worker. Default: one worker per GPU, or per 4 cores.",
    ),
]  # fmt: skip

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file, a folder (the tree of the input is kept), a template such as 'out/{stem}_{model}{ext}', "
        "or - for stdout. Default: beside the input.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME",
        help="png, jpeg, webp, tiff, bmp, avif, gif ... Default: by the output's extension, else that of the input.",
        rich_help_panel=_OUTPUT, show_default=False,
    ),
]  # fmt: skip
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality", min=1, max=100, metavar="N", help="Quality of lossy formats. Default: that of the input.",
        rich_help_panel=_OUTPUT, show_default=False,
    ),
]  # fmt: skip
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.", rich_help_panel=_OUTPUT)]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Skip inputs whose output exists.", rich_help_panel=_OUTPUT)
]
Record = Annotated[
    bool,
    typer.Option(
        " /--no-record", help="Do not store command, model and seed in the metadata of the output.",
        rich_help_panel=_OUTPUT, show_default=False,
    ),
]  # fmt: skip

Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps or xpu.", rich_help_panel=MODEL,
        autocompletion=lambda: ["auto", "cpu", "cuda", "mps", "xpu"],
    ),
]  # fmt: skip
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option(
        "--precision",
        help="Number format of the computation; auto: the fastest that the model supports, fp32 above 8 bits.",
        rich_help_panel=MODEL,
    ),
]
Tile = Annotated[
    str,
    typer.Option(
        "--tile", metavar="auto|N", help="Tile size in input pixels; auto fits the free memory.",
        rich_help_panel=MODEL,
    ),
]  # fmt: skip

Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="NAME", help="torch, openvino, onnx, or auto: the fastest one that was measured here.",
        rich_help_panel=MODEL, autocompletion=lambda: ["auto", "torch", "openvino", "onnx"],
    ),
]  # fmt: skip

Codec = Annotated[
    str | None,
    typer.Option(
        "--codec", metavar="NAME",
        help="h264, hevc, av1, vp9, prores, ffv1, or the name of an encoder. Default: that of the input if the "
        "output container supports it, else h264.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Crf = Annotated[
    float | None,
    typer.Option(
        "--crf", metavar="N", help="Quality of the encoding; lower is better. Default: 17 for h264.",
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
        "--pix-fmt", metavar="NAME", help="yuv420p, yuv444p10le ... Default: depth and chroma of the input.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
EncoderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder-option", "-e", metavar="KEY=VALUE", help="Any option of the encoder; may be repeated.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Start = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", help="Start time: seconds, or hours:minutes:seconds.", rich_help_panel=_CLIPS,
        show_default=False,
    ),
]  # fmt: skip
End = Annotated[
    str | None, typer.Option("--end", metavar="TIME", help="End time.", rich_help_panel=_CLIPS, show_default=False)
]
Audio = Annotated[
    bool, typer.Option(" /--no-audio", help="Drop the audio.", rich_help_panel=_CLIPS, show_default=False)
]
Fps = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="N",
        help="Constant frame rate, by repeating or dropping frames. Default: every frame keeps its timestamp.",
        rich_help_panel=_CLIPS, show_default=False,
    ),
]  # fmt: skip
Smooth = Annotated[
    str | None,
    typer.Option(
        "--smooth", metavar="N|auto", rich_help_panel=_CLIPS, show_default=False,
        help="Frame interpolation: N output frames per input frame; auto: as many as --fps needs.",
    ),
]  # fmt: skip
Steady = Annotated[
    bool | None,
    typer.Option(
        "--steady/--no-steady", rich_help_panel=_CLIPS, show_default=False,
        help="Reduce flicker of image models by averaging along the motion. Default: on for videos.",
    ),
]  # fmt: skip
SmoothModel = Annotated[
    str,
    typer.Option(
        "--smooth-model", metavar="NAME", rich_help_panel=_CLIPS,
        help="The model for --smooth; flow is optical flow without weights.",
        autocompletion=complete.models("interpolate", *asked.SMOOTHING),
    ),
]  # fmt: skip
Deinterlace = Annotated[
    str,
    typer.Option(
        "--deinterlace", metavar="[auto|on|off]",
        help="Deinterlace frames flagged as interlaced, all frames, or none; one output frame per input frame.",
        rich_help_panel=_CLIPS,
    ),
]  # fmt: skip
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.", rich_help_panel=_CLIPS)]

Frames = Annotated[
    bool,
    typer.Option("--frames", help="Treat each input folder of numbered images as one video.", rich_help_panel=_CLIPS),
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the plan (sizes, tiles, memory, time) without doing anything.", rich_help_panel=REPORT
    ),
]


def examples(*commands: str) -> str:
    """The end of a help page: commands a user would copy, one a line."""
    return "\n\n".join(["Examples:", *(f"[bold]{command}[/]" for command in commands)])


OWN_TASK = " A named model is used for its own task; auto chooses the others."


def model(task: str | tuple[str, ...], more: str = "", *methods: str) -> Any:
    """The option `--model` of a verb; methods: names that need no weights."""
    return Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="NAME", help=MODEL_HELP + more, rich_help_panel=MODEL,
            autocompletion=complete.models(task, *methods),
        ),
    ]  # fmt: skip


def save_mask(panel: str, what: str) -> Any:
    """The option `--save-mask` of a verb; what: the mask in words."""
    return Annotated[
        str | None,
        typer.Option(
            "--save-mask", metavar="PATH", rich_help_panel=panel, show_default=False,
            help=f"Also write {what}: a file, or a folder for several inputs.",
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Reading(asked.Reading):
    """How inputs are found and read."""

    recursive: Recursive = False
    max_pixels: MaxPixels = None
    shard: Shard = None
    ray: Ray = None
    worker_cores: WorkerCores = None


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
    smooth: Smooth = None
    smooth_model: SmoothModel = "auto"


@dataclass(frozen=True)
class Machine(asked.Machine):
    """Which model runs, and where; a verb says what its `model` may be."""

    device: Device = "auto"
    precision: Precision = "auto"
    tile: Tile = "auto"
    offline: Offline = False
    engine: Engine = "auto"


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


def _own_first(kind: type[Any]) -> list[Field[Any]]:
    """The fields of a record, those it names itself before those it has from others."""
    return sorted(fields(kind), key=lambda field: field.name not in kind.__annotations__)


def flat(without: Collection[str] = ()) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a command of a function that takes records of options: typer sees their fields as options.

    without: fields that the verb does not have; they keep their defaults.
    """

    def flatten(function: Callable[..., int]) -> Callable[..., int]:
        hints = get_type_hints(function, include_extras=True)
        records: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
        taken = {
            name: [field for field in _own_first(kind) if field.name not in without] for name, kind in records.items()
        }
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
