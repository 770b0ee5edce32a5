"""`imgfix inpaint`: fill holes, remove things, extend the canvas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from imgfix.cli import choosing, complete, files, options
from imgfix.pipelines.options import CLASSICAL, InpaintRequest

EPILOG = options.examples(
    "imgfix inpaint photo.jpg --mask mask.png",
    "imgfix inpaint photo.jpg --box 100,50,200,80 --dilate 4",
    "imgfix inpaint photo.jpg --object person:2",
    "imgfix inpaint photos/ --mask masks/ -o clean/",
    "imgfix inpaint photo.jpg --expand left=20%,right=20%",
    "imgfix inpaint clip.mp4 --mask logo.png --crf 14",
)

_REGION = "What to fill"

Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask", metavar="PATH", rich_help_panel=_REGION, show_default=False,
        help="White is filled. One image for all inputs and frames, or a folder of masks paired with inputs by name. "
        "For a video also a video of masks, or a folder with one mask per frame.",
    ),
]  # fmt: skip
BoxOption = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="x,y,w,h", rich_help_panel=_REGION, show_default=False,
        help="A rectangle in pixels or percent; may be repeated.",
    ),
]  # fmt: skip
Colour = Annotated[
    str | None,
    typer.Option(
        "--color", metavar="COLOR", rich_help_panel=_REGION, show_default=False,
        help="Everything painted in this colour, such as '#ff00ff'; in videos, found in each frame.",
    ),
]  # fmt: skip
Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance",
        min=0,
        max=255,
        metavar="N",
        rich_help_panel=_REGION,
        help="How much a pixel may differ from --color, of 255.",
    ),
]
Alpha = Annotated[bool, typer.Option("--alpha", rich_help_panel=_REGION, help="The transparent part of the image.")]
Expand = Annotated[
    str | None,
    typer.Option(
        "--expand", metavar="SIDES", rich_help_panel=_REGION, show_default=False,
        help="Outpainting: extend the canvas, such as left=200,top=10% or all=15%.",
    ),
]  # fmt: skip
Dilate = Annotated[
    str,
    typer.Option(
        "--dilate", metavar="auto|N", rich_help_panel=_REGION,
        help="Dilate the region by N pixels; negative: erode. auto: only what is chosen, so that no halo of it stays.",
    ),
]  # fmt: skip
Feather = Annotated[
    float,
    typer.Option(
        "--feather", min=0, metavar="N", rich_help_panel=_REGION,
        help="Blend the fill over N pixels beyond the region.",
    ),
]  # fmt: skip
Invert = Annotated[
    bool,
    typer.Option("--invert", rich_help_panel=_REGION, help="Fill the black part of the mask instead of the white."),
]
Tta = Annotated[
    bool | None,
    typer.Option(
        "--tta/--no-tta", rich_help_panel=_REGION, show_default=False,
        help="Merge several runs of the network. Default: on for small images and large holes.",
    ),
]  # fmt: skip
Grain = Annotated[
    bool,
    typer.Option(
        "--grain/--no-grain", rich_help_panel=_REGION, show_default=False,
        help="Give the fill the grain of its surroundings. Default: on.",
    ),
]  # fmt: skip
FitMask = Annotated[
    bool,
    typer.Option(
        "--fit-mask", rich_help_panel=_REGION, help="Resize a mask of another size with the same aspect ratio."
    ),
]  # fmt: skip

Detector = Annotated[
    str,
    typer.Option(
        "--detector", metavar="NAME", rich_help_panel=choosing.PANEL,
        autocompletion=complete.models(("detect", "overlay", "select", "cutout")),
        help="The model that finds what to fill: a name or a file.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Request(choosing.Choosing, InpaintRequest):
    """The options that only this verb has."""

    dilate: Dilate = "auto"
    detector: Detector = "auto"
    mask: Mask = None
    boxes: BoxOption = None
    color: Colour = None
    tolerance: Tolerance = 12.0
    alpha: Alpha = False
    expand: Expand = None
    feather: Feather = 0.0
    invert: Invert = False
    fit_mask: FitMask = False
    tta: Tta = None
    grain: Grain = True
    save_mask: options.save_mask(_REGION, "the region, white = filled") = None  # type: ignore[valid-type]


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
