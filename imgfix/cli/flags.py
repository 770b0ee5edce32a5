"""The flags that every verb has; apart from the other options, which need the records of requests."""

from __future__ import annotations

from typing import Annotated

import typer

MODEL, REPORT = "Model and device", "Report"
"""Panels of the help page."""

Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="Never use the network, not even to download the model that is named.", rich_help_panel=MODEL
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per item to stdout.", rich_help_panel=REPORT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.", rich_help_panel=REPORT)]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Also print why a model was chosen, and tracebacks.", rich_help_panel=REPORT),
]
