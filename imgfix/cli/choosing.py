"""The options that choose a part of a picture by what it is, shared by the verbs that have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
    float,
    typer.Option(
        "--score", min=0, max=1, metavar="N", rich_help_panel=PANEL,
        help="How sure the detector has to be; where nothing of the name is that sure, the surest is taken.",
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
    score: Score = 0.4
    dilate: Dilate = "0"


Mask = Annotated[
    Path | None,
    typer.Option(
        "--mask", metavar="PATH", rich_help_panel=REGION, show_default=False,
        help="White is the region. One image for all inputs and frames, or a folder of masks paired with inputs by "
        "name. For a video also a video of masks, or a folder with one mask per frame.",
    ),
]  # fmt: skip
Box = Annotated[
    list[str] | None,
    typer.Option(
        "--box", metavar="x,y,w,h", rich_help_panel=REGION, show_default=False,
        help="A rectangle in pixels or percent; may be repeated.",
    ),
]  # fmt: skip
Color = Annotated[
    str | None,
    typer.Option(
        "--color", metavar="COLOR", rich_help_panel=REGION, show_default=False,
        help="Everything painted in this colour, such as '#ff00ff'; in videos, found in each frame.",
    ),
]  # fmt: skip
Tolerance = Annotated[
    float,
    typer.Option(
        "--tolerance", min=0, max=255, metavar="N", rich_help_panel=REGION,
        help="How much a pixel may differ from --color, of 255.",
    ),
]  # fmt: skip
Alpha = Annotated[bool, typer.Option("--alpha", rich_help_panel=REGION, help="The transparent part of the image.")]
RegionDilate = Annotated[
    str,
    typer.Option(
        "--dilate", metavar="auto|N", rich_help_panel=REGION,
        help="Dilate the region by N pixels; negative: erode. auto: only what is chosen, so that no halo of it stays.",
    ),
]  # fmt: skip
Feather = Annotated[
    float | None,
    typer.Option(
        "--feather", min=0, metavar="N", rich_help_panel=REGION, show_default=False,
        help="Fade the result out over N pixels beyond the region.",
    ),
]  # fmt: skip
Invert = Annotated[
    bool,
    typer.Option("--invert", rich_help_panel=REGION, help="The black part of the mask is the region, not the white."),
]
FitMask = Annotated[
    bool,
    typer.Option(
        "--fit-mask", rich_help_panel=REGION, help="Resize a mask of another size with the same aspect ratio."
    ),
]  # fmt: skip
Detector = Annotated[
    str,
    typer.Option(
        "--detector", metavar="NAME", rich_help_panel=PANEL,
        autocompletion=complete.models(("detect", "overlay", "select", "cutout")),
        help="The model that finds what is chosen: a name or a file.",
    ),
]  # fmt: skip
Only = Annotated[bool, typer.Option("--only", rich_help_panel=REGION, help="Work on the region alone.")]
Except = Annotated[bool, typer.Option("--except", rich_help_panel=REGION, help="Work on all but the region.")]


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
    save_mask: options.save_mask(REGION, "the region, white = worked on") = None  # type: ignore[valid-type]


@dataclass(frozen=True)
class Part(Region):
    """Whether all is worked on, a region only, or all but a region."""

    dilate: RegionDilate = "0"
    feather: Feather = None
    only: Only = False
    except_: Except = False
