"""`imgfix run`: several verbs in one pass, as a recipe says."""

from __future__ import annotations

from typing import Annotated

import typer

from imgfix.cli import files, options
from imgfix.pipelines.recipes import RunRequest

EPILOG = options.examples(
    "imgfix run recipe.toml photo.jpg -o clean.jpg",
    "imgfix run recipe.toml scans/ -r -o clean/ --skip-existing",
    "imgfix run recipe.toml clip.mp4 --dry-run",
)

Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A TOML file of steps, each a verb and its options.", show_default=False)
]


@options.flat(without=("model", "tile"))
def command(
    recipe: Recipe,
    inputs: options.Inputs,
    saving: options.Saving,
    clips: options.ClipOptions,
    machine: options.Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Run a recipe: several verbs one after the other, with one decode and one encode.

    The result is the same as with lossless files between the verbs. Steps are restore, inpaint, upscale and cutout,
    with their options; the whole recipe is checked before any work.
    """
    from imgfix.pipelines.run import RunPipeline

    return files.work(RunPipeline, inputs, RunRequest(recipe), saving, clips, machine, reading, reporting)
