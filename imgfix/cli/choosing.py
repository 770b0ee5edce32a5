"""The options that choose a part of a picture by what it is, shared by the verbs that have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imgfix.cli import complete, options
from imgfix.pipelines import options as asked

PANEL, REGION = "What to choose", "Region"
_AGAIN = " May be given several times."


def _several(flag: str, metavar: str, help: str) -> object:
    return typer.Option(flag, metavar=metavar, rich_help_panel=PANEL, show_default=False, help=help + _AGAIN)


Point = Annotated[
    list[str] | None,
    _several("--point", "x,y", "What is at this point, in pixels or percent; points on several things mean all."),
]
NotPoint = Annotated[list[str] | None, _several("--not-point", "x,y", "What --point means does not reach here.")]
BoxObject = Annotated[list[str] | None, _several("--box-object", "x,y,w,h", "The thing inside this rectangle.")]
Object = Annotated[
    list[str] | None,
    _several(
        "--object", "NAME[:N]",
        "Everything of one of COCO's 80 names, such as person, dog, car; with :N only one, counted from the left.",
    ),
]  # fmt: skip
Text = Annotated[
    list[str] | None,
    _several("--text", "WORDS", "What is written and says this; '*' for all writing. Needs the extra 'text'."),
]
Subject = Annotated[bool, typer.Option("--subject", rich_help_panel=PANEL, help="The main subject.")]
Background = Annotated[bool, typer.Option("--background", rich_help_panel=PANEL, help="All but the main subject.")]
Overlay = Annotated[
    bool,
    typer.Option(
        "--overlay", rich_help_panel=PANEL,
        help="What was laid over the image: date stamps, captions, subtitles, logos, stickers, frames.",
    ),
]  # fmt: skip
Score = Annotated[
    float | None,
    typer.Option(
        "--score", min=0, max=1, metavar="N", rich_help_panel=PANEL, show_default=False,
        help="How sure the detector has to be. Default: 0.4 of an object, or the surest; 0.9 of an overlay.",
    ),
]  # fmt: skip
Dilate = Annotated[
    str,
    typer.Option(
        "--dilate", metavar="auto|N", rich_help_panel=PANEL,
        help="Widen what is found by so many pixels; auto: so that no halo of it stays.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Choosing(asked.Choosing):
    """What is chosen in a picture by what it is."""

    point: Point = None
    not_point: NotPoint = None
    box_object: BoxObject = None
    object: Object = None
    text: Text = None
    subject: Subject = False
    background: Background = False
    overlay: Overlay = False
    score: Score = None
    dilate: Dilate = "0"


def _region(flag: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    more = {"rich_help_panel": REGION, "show_default": False, **more}
    return typer.Option(flag, help=help, metavar=metavar, **more)


Mask = Annotated[Path | None, _region(
    "--mask", "White is the region. One image for all inputs and frames, or a folder of masks paired with inputs by "
    "name. For a video also a video of masks, or a folder with one mask per frame.", "PATH",
)]  # fmt: skip
Box = Annotated[list[str] | None, _region("--box", "A rectangle in pixels or percent; may be repeated.", "x,y,w,h")]
Color = Annotated[str | None, _region(
    "--color", "Everything painted in this colour, such as '#ff00ff'; in videos, found in each frame.", "COLOR",
)]  # fmt: skip
Tolerance = Annotated[float, _region(
    "--tolerance", "How much a pixel may differ from --color, of 255.", "N", min=0, max=255, show_default=True,
)]  # fmt: skip
Alpha = Annotated[bool, _region("--alpha", "The transparent part of the image.")]
RegionDilate = Annotated[str, _region(
    "--dilate", "Dilate the region by N pixels; negative: erode. auto: only what is chosen, so that no halo of it "
    "stays.", "auto|N", show_default=True,
)]  # fmt: skip
Feather = Annotated[float | None, _region(
    "--feather", "Fade the result out over N pixels beyond the region.", "N", min=0,
)]  # fmt: skip
Invert = Annotated[bool, _region("--invert", "The black part of the mask is the region, not the white.")]
FitMask = Annotated[bool, _region("--fit-mask", "Resize a mask of another size with the same aspect ratio.")]
Detector = Annotated[str, _region(
    "--detector", "The model that finds what is chosen: a name or a file.", "NAME", rich_help_panel=PANEL,
    autocompletion=complete.models(("detect", "overlay", "select", "cutout")), show_default=True,
)]  # fmt: skip
At = Annotated[str | None, _region(
    "--at", "In videos, the moment in which it is chosen, such as 2.5 or 1:30; it is followed both ways.", "TIME",
    rich_help_panel=PANEL,
)]  # fmt: skip
Only = Annotated[bool, _region("--only", "Work on the region alone.")]
Except = Annotated[bool, _region("--except", "Work on all but the region.")]


@dataclass(frozen=True)
class Region(Choosing):
    """A region of a picture or clip; a verb says its `dilate` and `feather`."""

    detector: Detector = "auto"
    mask: Mask = None
    boxes: Box = None
    color: Color = None
    tolerance: Tolerance = 12.0
    alpha: Alpha = False
    invert: Invert = False
    fit_mask: FitMask = False
    at: At = None
    save_mask: options.save_mask(REGION, "the region, white = worked on") = None  # type: ignore[valid-type]


@dataclass(frozen=True)
class Part(Region):
    """Whether all is worked on, a region only, or all but a region."""

    dilate: RegionDilate = "0"
    feather: Feather = None
    only: Only = False
    except_: Except = False
