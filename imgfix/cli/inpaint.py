"""`imgfix inpaint`: fill holes, remove things, extend the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imgfix.cli import choosing, files, options
from imgfix.pipelines.options import CLASSICAL, MOST_VARIANTS, InpaintRequest

EPILOG = options.examples(
    "imgfix inpaint photo.jpg --mask mask.png",
    "imgfix inpaint photo.jpg --box 100,50,200,80 --dilate 4",
    "imgfix inpaint photo.jpg --object person:2",
    "imgfix inpaint photos/ --mask masks/ -o clean/",
    "imgfix inpaint photo.jpg --mask mask.png --variants 4 --sheet sheet.jpg",
    "imgfix inpaint photo.jpg --expand left=20%,right=20%",
    "imgfix inpaint clip.mp4 --mask logo.png --crf 14",
)

_FILL = "Fill"

Expand = Annotated[
    str | None,
    typer.Option(
        "--expand", metavar="SIDES", rich_help_panel=_FILL, show_default=False,
        help="Outpainting: extend the canvas, such as left=200,top=10% or all=15%.",
    ),
]  # fmt: skip
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta", rich_help_panel=_FILL, show_default=False,
        help="Merge several runs of the network. Default: on for small images and large holes.",
    ),
]  # fmt: skip
Grain = Annotated[
    bool,
    typer.Option(
        "--grain/--no-grain", rich_help_panel=_FILL, show_default=False,
        help="Match the grain of the surroundings. Default: on.",
    ),
]  # fmt: skip
Variants = Annotated[
    int,
    typer.Option(
        "--variants", metavar="N", min=1, max=MOST_VARIANTS, rich_help_panel=_FILL,
        help="Write several fills to choose from, the likeliest first: NAME, NAME-2 ...",
    ),
]  # fmt: skip
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="PATH", rich_help_panel=_FILL, show_default=False,
        help="Also write the variants side by side: a file, or a folder for several inputs.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Request(choosing.Region, InpaintRequest):
    """The options that only this verb has."""

    dilate: choosing.RegionDilate = "auto"
    feather: choosing.Feather = 0.0
    expand: Expand = None
    tta: Tta = None
    grain: Grain = True
    variants: Variants = 1
    sheet: Sheet = None


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model("inpaint", " telea and ns are classical and need no weights.", *CLASSICAL) = "auto"  # type: ignore[valid-type]


@options.flat(without=("tile",))
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    clips: options.ClipOptions,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Fill a region of images and videos: remove objects, text, scratches, or extend the canvas.

    Pixels outside the region do not change, until a lossy format (JPEG, WebP, AVIF) encodes them again; write a PNG to
    keep them. In videos, what other frames show behind the region is used. Encoding a video changes every pixel
    slightly: --codec ffv1 --pix-fmt bgr0 keeps them exactly as decoded, other lossless encodings (--codec ffv1, or
    --crf 0) within a few of 255.
    """
    from imgfix.pipelines.inpaint import InpaintPipeline

    return files.work(InpaintPipeline, inputs, request, saving, clips, machine, reading, reporting)
