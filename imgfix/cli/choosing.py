"""The options that choose a part of a picture by what it is, shared by the verbs that have them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imgfix.cli import complete, options
from imgfix.pipelines import options as asked

PANEL, REGION = "Selection", "Region"
_AGAIN = " May be repeated."


def _several(flag: str, metavar: str, help: str) -> object:
    return typer.Option(flag, metavar=metavar, rich_help_panel=PANEL, show_default=False, help=help + _AGAIN)


Point = Annotated[
    list[str] | None,
    _several(
        "--point", "x,y", "Select what is at this point, in pixels or percent; several points select several objects."
    ),
]
NotPoint = Annotated[list[str] | None, _several("--not-point", "x,y", "Exclude this point from the selection.")]
BoxObject = Annotated[list[str] | None, _several("--box-object", "x,y,w,h", "Select the object inside this rectangle.")]
Object = Annotated[
    list[str] | None,
    _several(
        "--object", "NAME[:N]",
        "Select all objects of a COCO class, such as person, dog or car; :N selects only the N-th from the left.",
    ),
]  # fmt: skip
Text = Annotated[
    list[str] | None,
    _several("--text", "WORDS", "Select text that reads WORDS; '*' selects all text. Needs the extra 'text'."),
]
Subject = Annotated[bool, typer.Option("--subject", rich_help_panel=PANEL, help="Select the main subject.")]
Background = Annotated[
    bool, typer.Option("--background", rich_help_panel=PANEL, help="Select all but the main subject.")
]
Overlay = Annotated[
    bool,
    typer.Option(
        "--overlay", rich_help_panel=PANEL,
        help="Select overlays: date stamps, captions, subtitles, logos, stickers, frames.",
    ),
]  # fmt: skip
Score = Annotated[
    float | None,
    typer.Option(
        "--score", min=0, max=1, metavar="N", rich_help_panel=PANEL, show_default=False,
        help="Minimum detection score. Default: 0.4 for objects, or else the best one; 0.9 for overlays.",
    ),
]  # fmt: skip
Dilate = Annotated[
    str,
    typer.Option(
        "--dilate", metavar="auto|N", rich_help_panel=PANEL,
        help="Dilate the selection by N pixels; auto: enough to leave no halo.",
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
    "--mask", "Mask; white is the region. One image for all inputs and frames, or a folder of masks paired by "
    "name. For videos, also a video of masks, or a folder with one mask per frame.", "PATH",
)]  # fmt: skip
Box = Annotated[list[str] | None, _region("--box", "A rectangle in pixels or percent; may be repeated.", "x,y,w,h")]
Color = Annotated[str | None, _region(
    "--color", "Everything painted in this colour, such as '#ff00ff'; in videos, found in each frame.", "COLOR",
)]  # fmt: skip
Tolerance = Annotated[float, _region(
    "--tolerance", "Maximum difference from --color, 0 to 255.", "N", min=0, max=255, show_default=True,
)]  # fmt: skip
Alpha = Annotated[bool, _region("--alpha", "The transparent part of the image.")]
RegionDilate = Annotated[str, _region(
    "--dilate", "Dilate the region by N pixels; a negative N erodes it. auto: dilate only what is selected, enough to "
    "leave no halo.", "auto|N", show_default=True,
)]  # fmt: skip
Feather = Annotated[float | None, _region(
    "--feather", "Fade the result out over N pixels beyond the region.", "N", min=0,
)]  # fmt: skip
Invert = Annotated[bool, _region("--invert", "Black is the region in masks, not white.")]
FitMask = Annotated[bool, _region("--fit-mask", "Resize masks that have another size but the same aspect ratio.")]
Detector = Annotated[str, _region(
    "--detector", "Model that finds the selection: a name or a file.", "NAME", rich_help_panel=PANEL,
    autocompletion=complete.models(("detect", "overlay", "select", "cutout")), show_default=True,
)]  # fmt: skip
At = Annotated[str | None, _region(
    "--at", "In videos, the time to select at, such as 2.5 or 1:30; it is tracked from there, both ways.", "TIME",
    rich_help_panel=PANEL,
)]  # fmt: skip
Only = Annotated[bool, _region("--only", "Process only the region.")]
Except = Annotated[bool, _region("--except", "Process all but the region.")]


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
    save_mask: options.save_mask(REGION, "the region (white: processed)") = None  # type: ignore[valid-type]


@dataclass(frozen=True)
class Part(Region):
    """Whether all is worked on, a region only, or all but a region."""

    dilate: RegionDilate = "0"
    feather: Feather = None
    only: Only = False
    except_: Except = False
