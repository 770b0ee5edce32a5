"""The typer application: one explicit list of verbs."""

from __future__ import annotations

import functools
import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from imgfix import __version__
from imgfix.cli.synonyms import FORMER

VERBS = {
    "upscale": "Upscale images and videos.",
    "inpaint": "Fill a region of images and videos: remove objects, text, scratches, or extend the canvas.",
    "restore": "Remove noise, JPEG artefacts, blur, low light, rain, haze and scratches.",
    "generate": "Generate images from a prompt, a class, a sound or another image.",
    "select": "Make masks from points, boxes, names or text; white is selected.",
    "cutout": "Cut out the main subject, or what is selected, with soft edges and no colour of the background.",
    "run": "Run a recipe: several verbs one after the other, with one decode and one encode.",
    "ui": "Open the page in a browser: paint, click, remove, upscale, restore, compare, undo, download.",
    "serve": "Serve upscale, inpaint, restore, select, cutout, generate and evaluate over HTTP, models kept loaded.",
    "watch": "Process the files that arrive in a folder, with the model kept loaded.",
    "train": "Train or fine-tune a model on a folder of your own images.",
    "evaluate": "Measure images and videos, with or without references: PSNR, SSIM, LPIPS, NIQE, FID and more.",
    "weights": "List, download, verify, import and export models.",
    "doctor": "Show what this machine supports (devices, formats, weights) and how to fix what it does not.",
    "bench": "Measure how fast this machine runs a model, in each installed engine.",
    "config": "Show the option defaults that are set, and where: in imgfix.toml or in environment variables.",
}
"""In the order of the help page, which shows these lines: it need not read the verbs' files. Each is a file of this
folder with a `command` (function or typer app)."""
_FILES = {"run": "recipe"}  # `imgfix.cli.run` is the function that runs a command line

_HELP = ["-h", "--help"]
_NARROW = 60  # columns of a terminal below which help pages have no tables


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgfix {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Restore images and videos: upscale, inpaint, remove noise and other degradation.

    What you did not ask to change stays as it is: format, bit depth, colour profile, metadata and transparency.
    """


def home(verb: str) -> str:
    """The module of a verb."""
    return f"imgfix.cli.{_FILES.get(verb, verb)}"


class _Verbs(Mapping[str, Any]):
    """Every verb's click command by name, made when it is asked for: reading the options of all verbs takes longer
    than most of what a command does before it loads a model."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, verb: str) -> Any:
        if verb not in VERBS:
            raise KeyError(verb)
        if verb not in self._made:
            self._made[verb] = _adapted(typer.main.get_command(_build(verb)).commands[verb])  # type: ignore[attr-defined]
        return self._made[verb]

    def __contains__(self, verb: object) -> bool:
        return verb in VERBS

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _build(verb: str | None = None) -> typer.Typer:
    """The application without its verbs, or with one of them."""
    app = typer.Typer(
        name="imgfix",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # the funnel in imgfix.cli speaks for errors
        rich_markup_mode="rich",
        context_settings={"help_option_names": _HELP, "max_content_width": 100},
        epilog="Help on a verb: [bold]imgfix help upscale[/]",
    )
    app.callback()(_root)
    if verb is not None:
        module = importlib.import_module(home(verb))
        if isinstance(module.command, typer.Typer):
            app.add_typer(module.command, name=verb)
        else:
            app.command(name=verb, epilog=getattr(module, "EPILOG", None))(module.command)
    return app


def command(page: bool = False) -> Any:
    """The click command behind the application; page: with nothing but what its help page shows."""
    app = _build()
    for verb, line in VERBS.items() if page else ():
        app.command(name=verb, help=line)(lambda: None)
    root: Any = _adapted(typer.main.get_command(app))
    if not page:
        root.commands = _Verbs()
    return root


def verbs() -> Mapping[str, Any]:
    """Every verb's click command by name."""
    return _Verbs()


def _adapted(command: Any) -> Any:
    _hide_types(command)
    _unwrap(command, narrow=shutil.get_terminal_size().columns < _NARROW)
    _accept_former_names(command)
    for child in getattr(command, "commands", {}).values():
        _adapted(child)
    return command


def _accept_former_names(command: Any) -> None:
    """Let options be given by their former names too; help shows an option's `opts`, so these must not be there."""
    for parameter in command.params:
        former = [old for old, today in FORMER.items() if today in parameter.opts]
        if former:
            parameter.former = former
            parameter.add_to_parser = functools.partial(_add_to_parser, parameter, parameter.add_to_parser)


def _add_to_parser(parameter: Any, add: Callable[[Any, Any], None], parser: Any, context: Any) -> None:
    shown = parameter.opts
    parameter.opts = [*shown, *parameter.former]
    try:
        add(parser, context)
    finally:
        parameter.opts = shown


def _unwrap(command: Any, narrow: bool) -> None:
    """Let the terminal wrap the paragraphs of help, whose lines are as long in the docstring as code may be.

    narrow: without tables, whose columns would cut the names of options off.
    """
    if command.help:
        command.help = "\n\n".join(" ".join(part.split()) for part in command.help.split("\n\n"))
    if narrow:
        from rich.text import Text

        command.rich_markup_mode = None
        command.context_class = _narrowed(command.context_class)
        for one in (command, *command.params):
            for name in ("help", "epilog"):
                if getattr(one, name, None):
                    setattr(one, name, Text.from_markup(getattr(one, name)).plain)


def _narrowed(context: Any) -> Any:
    """A kind of context that lays help out for a narrow terminal: what an option does stands below its name."""

    class NarrowFormatter(context.formatter_class):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__(width=max(shutil.get_terminal_size().columns - 1, 20))

        def write_dl(self, rows: Any, col_max: int = 6, col_spacing: int = 2) -> None:
            super().write_dl(rows, 6, col_spacing)

    return type("NarrowContext", (context,), {"formatter_class": NarrowFormatter})


def _hide_types(command: Any) -> None:
    """Keep types of Python out of the help pages: a flag takes no value, and an argument's name says what it takes."""
    help_option = command.get_help_option(typer.Context(command, help_option_names=_HELP))
    for parameter in [*command.params, *([help_option] if help_option else [])]:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None  # what a newer typer shows beside the name
