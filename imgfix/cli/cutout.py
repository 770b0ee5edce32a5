"""`imgfix cutout`: the subject on transparency, or on something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from imgfix.cli import choosing, files, options
from imgfix.pipelines.options import CutoutRequest

EPILOG = options.examples(
    "imgfix cutout photo.jpg",
    "imgfix cutout photo.jpg --background white -o product.jpg",
    "imgfix cutout photos/ --background blur -o portraits/",
    "imgfix cutout photo.jpg --object dog:1",
)

_PANEL = "Background"

Behind = Annotated[
    str | None,
    typer.Option(
        "--background", metavar="COLOR|FILE|blur", rich_help_panel=_PANEL, show_default=False,
        help="What is put behind: a colour, a picture, or the picture's own background out of focus. Without it: "
        "transparency.",
    ),
]  # fmt: skip
SaveMask = Annotated[
    str | None,
    typer.Option(
        "--save-mask", metavar="PATH", rich_help_panel=_PANEL, show_default=False,
        help="Also write the matte, white = kept: a file, or a folder for several inputs.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Request(CutoutRequest):
    """The options that only this verb has."""

    point: choosing.Point = None
    not_point: choosing.NotPoint = None
    box_object: choosing.BoxObject = None
    object: choosing.Object = None
    text: choosing.Text = None
    subject: choosing.Subject = False
    score: choosing.Score = 0.4
    dilate: choosing.Dilate = "0"
    behind: Behind = None
    save_mask: SaveMask = None


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model(("cutout", "select", "detect"), " It replaces its own kind.") = "auto"  # type: ignore[valid-type]


@options.flat(without=("tile", "precision", "background"))
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Cut out the main subject, or what is selected, with soft edges and without the colour of the background.

    Without --background the result is transparent around it, and a PNG where its name does not say otherwise.
    """
    from imgfix.pipelines.cutout import CutoutPipeline

    return files.work(CutoutPipeline, inputs, request, saving, options.ClipOptions(), machine, reading, reporting)
