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
        help="New background: a colour, an image, or blur to defocus the original one. Default: transparent.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Request(choosing.Choosing, CutoutRequest):
    """The options that only this verb has."""

    behind: Behind = None
    save_mask: options.save_mask(_PANEL, "the matte (white: kept)") = None  # type: ignore[valid-type]


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model(("cutout", "select", "detect", "overlay"), options.OWN_TASK) = "auto"  # type: ignore[valid-type]


@options.flat(without=("tile", "precision", "engine", "background"))
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Cut out the main subject, or what is selected, with soft edges and no colour of the background.

    Without --background, the rest becomes transparent, and the output is a PNG unless its name says otherwise.
    """
    from imgfix.pipelines.cutout import CutoutPipeline

    return files.work(CutoutPipeline, inputs, request, saving, options.ClipOptions(), machine, reading, reporting)
