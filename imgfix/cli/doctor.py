"""`imgfix doctor`: what this machine can do, and what to do about the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgfix.cli import options
from imgfix.cli.report import print_json
from imgfix.errors import ExitCode
from imgfix.media.names import printable

if TYPE_CHECKING:
    from imgfix.pipelines.doctor.check import Check

EPILOG = options.examples("imgfix doctor", "imgfix doctor --json | jq .devices")


def command(json: options.Json = False) -> int:
    """Show what this machine supports (devices, formats, weights) and how to fix what it does not."""
    from imgfix.pipelines.doctor.examine import examine

    found = examine()
    if json:
        print_json(found.values)
    else:
        _print(found.checks)
    return ExitCode.SOME_FAILED if found.broken else ExitCode.OK


def _print(checks: Sequence[Check]) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    out = RichConsole(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)
    marks = {"ok": ("ok", "green"), "missing": ("--", "yellow"), "broken": ("!!", "bold red")}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    area = None
    for check in sorted(checks, key=_order):
        words = Text(printable(check.words))
        if check.remedy:
            words.append(f"\n{check.remedy}", style="cyan")
        table.add_row(Text(check.area if check.area != area else "", style="bold"), Text(*marks[check.state]),
                      printable(check.name), words)  # fmt: skip
        area = check.area
    out.print(table)


def _order(check: Check) -> int:
    return ("program", "devices", "formats", "weights", "folders", "extras").index(check.area)
