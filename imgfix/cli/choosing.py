"""The options that choose a part of a picture by what it is, shared by the verbs that have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imgfix.pipelines import options as asked

PANEL = "What to choose"
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
