"""`imgfix serve`: the operations over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from imgfix.cli import options
from imgfix.cli.console import Console
from imgfix.errors import ExitCode
from imgfix.server import run
from imgfix.server.settings import Settings, size

EPILOG = options.examples(
    "imgfix serve",
    "imgfix serve --host 0.0.0.0 --token-file token.txt --max-upload 500M",
    "imgfix serve --mcp photos/",
    "curl -F file=@photo.jpg http://127.0.0.1:8765/v1/upscale -o large.jpg",
)


def _option(name: str, metavar: str, help: str, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=help, **more)


Host = Annotated[str, _option("--host", "ADDRESS", "Address to listen on; anything but loopback needs a token.")]
Port = Annotated[int, _option("--port", "N", "Port; 0: any free one.", min=0, max=65535)]
Token = Annotated[
    str | None, _option("--token", "TEXT", "Token that clients must send; safer in a file, or in IMGFIX_SERVE_TOKEN.")
]
TokenFile = Annotated[Path | None, _option("--token-file", "FILE", "File with the token.")]
Name = Annotated[list[str] | None, _option("--name", "HOST", "Host name that clients may use; may be repeated.")]
Folder = Annotated[Path | None, _option("--folder", "PATH", "Folder for uploads and jobs.", show_default=False)]
Upload = Annotated[str, _option("--max-upload", "SIZE", "Maximum size of a request.")]
Storage = Annotated[str, _option("--max-storage", "SIZE", "Maximum size of all uploads and results.")]
Pixels = Annotated[int, _option("--max-pixels", "N", "Maximum number of pixels per image.", min=1)]
Keep = Annotated[float, _option("--keep", "HOURS", "Delete files and finished jobs after this many hours.", min=0.01)]
Queue = Annotated[int, _option("--queue", "N", "Maximum number of waiting jobs and requests.", min=1)]
Connections = Annotated[int, _option("--connections", "N", "Maximum number of open connections.", min=1)]


Mcp = Annotated[
    list[Path] | None,
    _option("--mcp", "FOLDER", "Serve MCP on stdin and stdout instead, for the files in FOLDER; may be repeated."),
]


def command(
    host: Host = "127.0.0.1",
    port: Port = 8765,
    token: Token = None,
    token_file: TokenFile = None,
    name: Name = None,
    folder: Folder = None,
    device: options.Device = "auto",
    max_upload: Upload = "1G",
    max_storage: Storage = "20G",
    max_pixels: Pixels = 100_000_000,
    keep: Keep = 24.0,
    queue: Queue = 32,
    connections: Connections = 200,
    mcp: Mcp = None,
) -> int:
    """Serve upscale, inpaint, restore, select, cutout, generate and evaluate over HTTP, models kept loaded."""
    if mcp:
        from imgfix.server import tools

        tools.serve(mcp, device)
        return ExitCode.OK
    run.check_extra()
    settings = Settings(
        folder or run.usual_folder("server"), host, port, run.token(token, token_file), tuple(name or ()), device,
        max_upload=size(max_upload), max_storage=size(max_storage), max_pixels=max_pixels, keep=keep, queue=queue,
        connections=connections,
    )  # fmt: skip
    console = Console()

    def ready(address: str) -> None:
        known = "the token is needed" if settings.token else "without a token: every program here may call it"
        console.say(f"{address} ({known}); Ctrl-C ends it")

    run.serve(settings, ready)
    return ExitCode.OK
