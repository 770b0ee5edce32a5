"""`imgfix select`: the mask of what is clicked, boxed, named or written, and a list of what is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli import choosing, files, options
from imgfix.errors import UsageError
from imgfix.pipelines.options import SelectRequest

if TYPE_CHECKING:
    from imgfix.pipelines.select import SelectPipeline

EPILOG = options.examples(
    "imgfix select photo.jpg --list",
    "imgfix select photo.jpg --object person:2 -o mask.png",
    "imgfix select photo.jpg --point 120,80 --not-point 200,90 --preview look.jpg",
    "imgfix select photo.jpg --subject --object -cup",
    "imgfix select scan.jpg --text 2019",
    "imgfix select photo.jpg --overlay --preview look.jpg",
)

Listed = Annotated[
    bool,
    typer.Option(
        "--list", rich_help_panel=choosing.PANEL, help="List the objects that --object can select; write no mask."
    ),
]
Invert = Annotated[bool, typer.Option("--invert", rich_help_panel=choosing.PANEL, help="Invert the mask.")]
Preview = Annotated[
    str | None,
    typer.Option(
        "--preview", metavar="PATH", rich_help_panel=choosing.PANEL, show_default=False,
        help="Also write the image with the selection highlighted: a file, or a folder for several inputs.",
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Request(choosing.Choosing, SelectRequest):
    """The options that only this verb has."""

    invert: Invert = False
    preview: Preview = None


@dataclass(frozen=True)
class Machine(options.Machine):
    """The machine, and the models that fit this verb."""

    model: options.model(("select", "detect", "cutout", "overlay"), options.OWN_TASK) = "auto"  # type: ignore[valid-type]


@options.flat(without=("tile", "precision", "engine"))
def command(
    inputs: options.Inputs,
    request: Request,
    saving: options.Saving,
    machine: Machine,
    reading: options.Reading,
    reporting: options.Reporting,
    *,
    listed: Listed = False,
) -> int:
    """Make masks from points, boxes, names or text; white is selected.

    Values are joined. Then those with a leading & are intersected, and those with a leading - subtracted, in this
    order. Without any other value, & and - start from the whole image.
    """
    from imgfix.pipelines.select import SelectPipeline

    clips = options.ClipOptions()
    if not listed:
        return files.work(SelectPipeline, inputs, request, saving, clips, machine, reading, reporting)
    from imgfix.cli.listening import ConsoleListener

    if reading.ray is not None:
        raise UsageError("--list writes no files, and --ray has nothing to spread", hint="leave one of them out")
    listener = ConsoleListener(reporting.console)
    pipeline = SelectPipeline(request, saving, clips, machine, reading, listener)
    return _list(pipeline, inputs, request.preview, reporting)


def _list(pipeline: SelectPipeline, inputs: list[str], preview: str | None, reporting: options.Reporting) -> int:
    """Tell what is in each picture, as a table or as JSON on stdout."""
    from imgfix.cli import batch
    from imgfix.cli.batch import Item
    from imgfix.cli.report import Outcome, Report
    from imgfix.media import jobs
    from imgfix.pipelines.choosing import SideFiles
    from imgfix.pipelines.for_programs import thing_values
    from imgfix.pipelines.select import in_words, pictures_write
    from imgfix.pipelines.tally import Nothing
    from imgfix.tasks.select.preview import labelled

    found = jobs.find_sources(inputs, recursive=pipeline.reading.recursive)
    part = pipeline.reading.part
    mine = [source for source in found.sources if part.holds(source.path, source.relative)]
    items = [Item(str(source.path), None, source, source.error) for source in mine]
    side = SideFiles("preview", preview, "_found.jpg", pipeline.saving.overwrite)
    side.check(len(found.sources))
    pipeline.tools.detector()

    def look(source: Any, tick: Any) -> Outcome:
        shown = side.path(source.path, None, source.relative)
        rgb, things = pipeline.things(source.path if isinstance(source.path, Path) else source.path.read())
        if shown is not None:
            pictures_write(shown, labelled(rgb, things))
        if not reporting.json:
            for thing in things:
                left, top, right, bottom = (round(edge) for edge in thing.box)
                place = f"{left},{top},{right - left},{bottom - top}"
                typer.echo(f"{thing.name}:{thing.number}\t{thing.score:.2f}\t{place}")
        return Outcome(in_words(things) or "nothing with a name", {"things": [thing_values(one) for one in things]})

    report, aside = Report(reporting.console, reporting.json), Nothing(len(found.sources) - len(mine))
    return batch.run(items, look, reporting.console, report, unit="pictures", aside=aside)
