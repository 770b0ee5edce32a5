"""The `imgfix` command: parse, run one verb, and turn whatever happens into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from imgfix.cli.closed import open_streams
from imgfix.errors import ExitCode, ImgfixError, understood
from imgfix.pipelines.option_names import option
from imgfix.runtime import interrupts

if TYPE_CHECKING:
    from imgfix.cli.console import Console


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments; returns the exit code and never raises an ordinary exception."""
    with open_streams():
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    from imgfix.cli.console import Console

    verbose = _asks_for_verbose(arguments)
    console = Console(verbose=verbose)
    with interrupts.answered(), warnings.catch_warnings():
        if not verbose and not sys.warnoptions:
            # Libraries warn their own developers; what concerns a user is said by us.
            warnings.simplefilter("ignore")
        try:
            code = _invoke(list(arguments), console)
            sys.stdout.flush()
            if code == ExitCode.OK:
                interrupts.check()
        except BrokenPipeError:
            return _reader_left()
        except KeyboardInterrupt:
            console.error("interrupted")
            return ExitCode.INTERRUPTED
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException as error:
            number = interrupts.came()
            if number is None:
                return explain(error, console)
            console.error("interrupted")
            return 128 + number
    return code


def explain(error: BaseException, console: Console, subject: str | None = None) -> ExitCode:
    """Say what went wrong in one sentence and a hint; returns the exit code that goes with it.

    subject: the file at hand, named when the message itself does not name it.
    """
    told = as_told(error, subject)
    console.error(told.message, told.hint)
    console.traceback(error)
    return told.exit_code


def as_told(error: BaseException, subject: str | None = None) -> ImgfixError:
    """The error as it is told to the user: ours as it is, any other as a sentence with a remedy."""
    told = understood(error)
    named = subject is None or subject in told.message or (isinstance(error, OSError) and error.filename)
    return told.renamed(option, "" if named else f"{subject}: ")


def _invoke(arguments: list[str], console: Console) -> int:
    import typer

    from imgfix.cli import defaults
    from imgfix.cli.app import command

    # BadParameter -> UsageError -> ClickException: typer brings its own click in newer versions and shares one in
    # older ones, so the classes are found through the one that it exports.
    usage_error: type[Any]
    click_exception: type[Any]
    usage_error, click_exception = typer.BadParameter.__mro__[1:3]
    try:
        root = command(page=arguments in (["--help"], ["-h"]))
        if arguments[:1] == ["help"]:  # as git and cargo have it: `imgfix help weights pull`
            arguments = [*arguments[1:], "--help"]
        plain = {"config", "--help", "-h", "--version"} & set(arguments)  # these must work whatever a file says
        own = {} if plain else defaults.default_map(defaults.find(root.commands, used=arguments))
        code = root.main(args=arguments, prog_name="imgfix", standalone_mode=False, default_map=own)
    except usage_error as error:
        return _explain_usage(error, console)
    except click_exception as error:
        console.error(error.format_message())
        return ExitCode.SOME_FAILED
    except typer.Abort:
        raise KeyboardInterrupt from None
    return int(code or 0)


def _explain_usage(error: Any, console: Console) -> int:
    if type(error).__name__ != "NoArgsIsHelpError":  # that one has printed the help already
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "imgfix"
        meant = _meant(error, context)
        hint = f"did you mean {meant}? " if meant else ""
        # What looks alike is left out where the meaning is known: `--factor` is no `--crf`.
        message = error.message if meant and hasattr(error, "possibilities") else error.format_message()
        console.error(message, f"{hint}see: {path} --help")
    return ExitCode.USAGE


def _meant(error: Any, context: Any) -> str | None:
    """The option or verb that was meant by one that there is not."""
    from imgfix.cli import synonyms

    if context is None:
        return None
    word = getattr(error, "option_name", None)
    if word is not None and type(error).__name__ == "NoSuchOption":
        own = {name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        return synonyms.of_option(str(word), own)
    found = re.search(r"No such command '([^']*)'", error.message)
    commands = getattr(context.command, "commands", {})
    return synonyms.of_verb(found[1], commands) if found and context.parent is None else None


def _asks_for_verbose(arguments: Sequence[str]) -> bool:
    """Whether --verbose is among the arguments; known before parsing so that errors of parsing can honour it."""
    own = list(arguments)
    if "--" in own:
        own = own[: own.index("--")]
    return any(argument == "--verbose" or re.fullmatch(r"-[a-z]?v[a-z]?", argument) for argument in own)


def _reader_left() -> int:
    """The reader of our pipe has gone (`| head`): leave without a word, as other filters do."""
    with contextlib.suppress(OSError, ValueError):
        # Python flushes stdout once more at exit; that must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.SOME_FAILED
