"""`imgfix config`: which defaults hold, and where they come from."""

from __future__ import annotations

from pathlib import Path

import typer

from imgfix.cli import defaults, options
from imgfix.cli.report import print_json
from imgfix.errors import ExitCode
from imgfix.media.names import printable

EPILOG = options.examples("imgfix config", "IMGFIX_DEVICE=cpu imgfix config --json")


def command(json: options.Json = False) -> int:
    r"""Show the option defaults that are set, and where: in imgfix.toml or in environment variables.

    imgfix.toml is read from the working folder and from the user's configuration folder. A line such as device = "cpu"
    applies to all verbs, below \[upscale] only to that verb; so do IMGFIX_DEVICE and IMGFIX_UPSCALE_DEVICE.
    """
    from imgfix.cli.app import verbs

    found = defaults.find(verbs())
    last = {(each.verb, each.parameter): each for each in found}  # the strongest of each
    if json:
        print_json(
            {
                "files": [str(defaults.user_file()), str(Path(defaults.FILE).absolute())],
                "defaults": [
                    {"verb": each.verb, "option": each.option, "value": each.shown, "origin": each.origin}
                    for each in last.values()
                ],
            }
        )
        return ExitCode.OK
    for file in (defaults.user_file(), Path(defaults.FILE).absolute()):
        typer.echo(printable(f"{file}: {'read' if file.is_file() else 'not there'}"))
    for each in sorted(last.values(), key=lambda each: (each.verb, each.option)):
        typer.echo(printable(f"imgfix {each.verb} {each.words}  ({each.origin})"))
    if not last:
        typer.echo("no defaults are set; every option has its own")
    return ExitCode.OK
