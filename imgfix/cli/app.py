"""The typer application: one explicit list of verbs."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import shutil
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer

from imgfix import __version__
from imgfix.cli.synonyms import FORMER

VERBS = (
    "upscale", "inpaint", "restore", "generate", "select", "cutout", "run", "ui", "serve", "watch", "train",
    "evaluate", "weights", "doctor", "bench", "config",
)  # fmt: skip
"""In the order of the help page. Each is a file of this folder with a `command` (function or typer app)."""
_FILES = {"run": "recipe"}  # `imgfix.cli.run` is the function that runs a command line

_HELP = ["-h", "--help"]
_NARROW = 60
"""Columns of a terminal below which help pages have no tables."""


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


@cache
def build() -> typer.Typer:
    """The application with every verb whose file is there."""
    app = typer.Typer(
        name="imgfix",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # the funnel in imgfix.cli speaks for errors
        rich_markup_mode="rich",
        context_settings={"help_option_names": _HELP, "max_content_width": 100},
        epilog="Help on a verb: [bold]imgfix help upscale[/]",
    )
    app.callback()(_root)
    for verb in VERBS:
        if importlib.util.find_spec(home(verb)) is None:
            continue
        module = importlib.import_module(home(verb))
        if isinstance(module.command, typer.Typer):
            app.add_typer(module.command, name=verb)
        else:
            app.command(name=verb, epilog=getattr(module, "EPILOG", None))(module.command)
    return app


def command() -> Any:
    """The click command behind the application."""
    root = typer.main.get_command(build())
    _hide_types(root)
    _unwrap(root, narrow=shutil.get_terminal_size().columns < _NARROW)
    _accept_former_names(root)
    return root


def verbs() -> dict[str, Any]:
    """Every verb's click command by name."""
    return dict(command().commands)


def _accept_former_names(command: Any) -> None:
    """Let options be given by their former names too; help shows an option's `opts`, so these must not be there."""
    for parameter in command.params:
        former = [old for old, today in FORMER.items() if today in parameter.opts]
        if former:
            parameter.former = former
            parameter.add_to_parser = functools.partial(_add_to_parser, parameter, parameter.add_to_parser)
    for child in getattr(command, "commands", {}).values():
        _accept_former_names(child)


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
    for child in getattr(command, "commands", {}).values():
        _unwrap(child, narrow)


def _narrowed(context: Any) -> Any:
    """A kind of context that lays help out for a narrow terminal: what an option does stands below its name."""

    class NarrowFormatter(context.formatter_class):  # type: ignore[misc]
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__(width=max(shutil.get_terminal_size().columns - 1, 20))

        def write_dl(self, rows: Any, col_max: int = 6, col_spacing: int = 2) -> None:
            super().write_dl(rows, 6, col_spacing)

    return type("NarrowContext", (context,), {"formatter_class": NarrowFormatter})


def _no_type(ctx: Any) -> None:
    return None


def _hide_types(command: Any) -> None:
    """Keep types of Python out of the help pages: a flag takes no value, and an argument's name says what it takes."""
    help_option = command.get_help_option(typer.Context(command, help_option_names=_HELP))
    for parameter in [*command.params, *([help_option] if help_option else [])]:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = _no_type  # what a newer typer shows beside the name
    for child in getattr(command, "commands", {}).values():
        _hide_types(child)
