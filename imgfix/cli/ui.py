"""`imgfix ui`: the page in a browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from imgfix.cli import options
from imgfix.cli.console import Console
from imgfix.errors import ExitCode
from imgfix.server import run
from imgfix.server.settings import Settings

EPILOG = options.examples("imgfix ui", "imgfix ui --no-browser")

Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0: any free one.")]
Browser = Annotated[bool, typer.Option(" /--no-browser", show_default=False, help="Only print the address.")]


def command(port: Port = 0, device: options.Device = "auto", browser: Browser = True) -> int:
    """Open the page in a browser: paint, click, remove, upscale, restore, compare, undo, download."""
    run.check_extra()
    settings = Settings(run.usual_folder("ui"), port=port, token=run.new_token(), device=device)
    console = Console()

    def ready(address: str) -> None:
        page = f"{address}/#token={settings.token}"
        console.say(f"{page}; Ctrl-C ends it")
        if browser:
            webbrowser.open(page)

    run.serve(settings, ready)
    return ExitCode.OK
