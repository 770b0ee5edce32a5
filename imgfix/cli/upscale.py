"""`imgfix upscale`: larger pictures and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imgfix.cli import choosing, files, options
from imgfix.pipelines.options import RESAMPLING, UpscaleRequest

EPILOG = options.examples(
    "imgfix upscale photo.jpg",
    "imgfix upscale scans/ -r -o large/ --long-side 4000",
    "imgfix upscale - < in.png > out.png",
    "imgfix upscale clip.mp4 --scale 2 --start 0:10 --end 0:20",
    "imgfix upscale clip.mp4 --restore --smooth 2",
)

_SIZE = "Size and appearance"

Scale = Annotated[
    float | None,
    typer.Option(
        "--scale", "-s", metavar="N", parser=str, help="Scale factor, 1 to 16. Default: that of the model.",
        rich_help_panel=_SIZE, show_default=False,
    ),
]  # fmt: skip
Width = Annotated[
    int | None,
    typer.Option(
        "--width", metavar="N", rich_help_panel=_SIZE, show_default=False,
        help="Width in pixels; keeps the aspect ratio.",
    ),
]  # fmt: skip
Height = Annotated[
    int | None,
    typer.Option(
        "--height", metavar="N", help="Height in pixels; with --width, both are taken as given.", rich_help_panel=_SIZE,
        show_default=False,
    ),
]  # fmt: skip
LongSide = Annotated[
    int | None,
    typer.Option(
        "--long-side", metavar="N", rich_help_panel=_SIZE, show_default=False,
        help="Length of the longer side in pixels.",
    ),
]  # fmt: skip
Megapixels = Annotated[
    float | None,
    typer.Option(
        "--megapixels", metavar="N", parser=str, help="Size in megapixels.", rich_help_panel=_SIZE, show_default=False
    ),
]
Tta = Annotated[
    bool,
    typer.Option(
        "--tta", help="Average eight flipped and rotated runs: slightly better, eight times slower.",
        rich_help_panel=_SIZE,
    ),
]  # fmt: skip
ColorFix = Annotated[
    bool | None,
    typer.Option(
        "--color-fix/--no-color-fix",
        help="Keep the low-frequency colour of the input. Default: on for models whose colour drifts.",
        rich_help_panel=_SIZE, show_default=False,
    ),
]  # fmt: skip
Blend = Annotated[
    float,
    typer.Option(
        "--blend", metavar="0..1", parser=str, help="Share of plain resampling in the result.", rich_help_panel=_SIZE
    ),
]
Restore = Annotated[
    bool,
    typer.Option("--restore", help="First remove the noise and JPEG artefacts that are found.", rich_help_panel=_SIZE),
]


@dataclass(frozen=True)
class Request(choosing.Part, UpscaleRequest):
    """The options that only this verb has."""

    scale: Scale = None
    width: Width = None
    height: Height = None
    long_side: LongSide = None
    megapixels: Megapixels = None
    tta: Tta = False
    color_fix: ColorFix = None
    blend: Blend = 0.0
    restore: Restore = False
    steady: options.Steady = None


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model(  # type: ignore[valid-type]
        ("upscale", "video"), " nearest, bicubic and lanczos are plain resampling and need no weights.", *RESAMPLING
    ) = "auto"


@options.flat()
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    clips: options.ClipOptions,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Upscale images and videos.

    Format, bit depth, colour profile, metadata and transparency are kept; for videos also the timestamp of every
    frame, audio, subtitles, chapters and attachments. With --only or --except, plain resampling enlarges the rest.
    """
    from imgfix.pipelines.upscale import UpscalePipeline

    return files.work(UpscalePipeline, inputs, request, saving, clips, machine, reading, reporting)
