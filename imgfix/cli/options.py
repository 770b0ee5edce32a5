"""The options that verbs share, written once, and the record they end up in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Annotated, Literal

import typer

from imgfix.cli.console import Console
from imgfix.errors import UsageError

_OUTPUT = "Output"
_MODEL = "Model and machine"
_REPORT = "Report"

MODEL_HELP = (
    "A name from 'imgfix weights list' (pulled when missing), a weights file, or auto: the best on this machine."
)

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Files, folders, globs in quotes, @list.txt with one path a line, or - for stdin.",
        show_default=False,
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Take folders with everything below them.")]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        min=0,
        metavar="N",
        help="Refuse pictures with more pixels than this, as a guard against decompression bombs; 0 takes any.",
        show_default=False,
    ),
]

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="A file, a folder (its tree mirrors the input's), a template such as 'out/{stem}_{model}{ext}', "
        "or - for stdout. Without it: beside the input.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="png, jpeg, webp, tiff, bmp, avif, gif ... Without it: what the output's name says, else the input's.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        "--quality",
        min=1,
        max=100,
        metavar="N",
        help="For lossy formats. Without it: like the input.",
        rich_help_panel=_OUTPUT,
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.", rich_help_panel=_OUTPUT)]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out inputs whose output exists.", rich_help_panel=_OUTPUT)
]
NoRecord = Annotated[
    bool,
    typer.Option(
        "--no-record",
        help="Do not note command, model and seed in the output's metadata.",
        rich_help_panel=_OUTPUT,
    ),
]

Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:1, mps or xpu.",
        rich_help_panel=_MODEL,
        autocompletion=lambda: ["auto", "cpu", "cuda", "mps", "xpu"],
    ),
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option(
        "--precision",
        help="Number format of the arithmetic; auto: the quickest that holds, above 8 bits fp32.",
        rich_help_panel=_MODEL,
    ),
]
Tile = Annotated[
    str,
    typer.Option(
        "--tile",
        metavar="auto|N",
        help="Side of the squares a picture is worked on in, in input pixels; auto fits them to free memory.",
        rich_help_panel=_MODEL,
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Never touch the network, not even for a named model.", rich_help_panel=_MODEL)
]

Json = Annotated[bool, typer.Option("--json", help="One JSON object an item on stdout.", rich_help_panel=_REPORT)]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print what would be done (sizes, tiles, memory, time) and touch nothing.",
        rich_help_panel=_REPORT,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.", rich_help_panel=_REPORT)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Reasons for choices, tracebacks of errors.", rich_help_panel=_REPORT)
]


def examples(*commands: str) -> str:
    """The end of a help page: commands a user would copy, one a line."""
    return "\n\n".join(["Examples:", *(f"[bold]{command}[/]" for command in commands)])


@dataclass(frozen=True)
class Shared:
    """The shared options as one record."""

    inputs: tuple[str, ...]
    output: str | None = None
    model: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    recursive: bool = False
    max_pixels: int | None = None
    format: str | None = None
    quality: int | None = None
    overwrite: bool = False
    skip_existing: bool = False
    record: bool = True
    offline: bool = False
    json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.skip_existing:
            raise UsageError("--overwrite and --skip-existing contradict each other", hint="give one of them")
        if self.json and self.output == "-":
            raise UsageError(
                "--json and -o - both want stdout", hint="write the picture to a file, or leave --json out"
            )

    @classmethod
    def of(cls, context: typer.Context) -> Shared:
        """What the command line of a verb says; the options that it does not have keep their defaults.

        A verb spells its options out as parameters, for its help page; their values are all in the context.
        Raises UsageError for a tile that is none.
        """
        given = dict(context.params)
        given["inputs"] = tuple(given.get("inputs") or ())
        given["tile"] = parse_tile(given.get("tile", "auto"))
        given["record"] = not given.get("no_record", False)
        return cls(**{field.name: given[field.name] for field in fields(cls) if field.name in given})

    @cached_property
    def console(self) -> Console:
        """Where this command speaks."""
        return Console(quiet=self.quiet, verbose=self.verbose)


def parse_tile(text: str) -> int | None:
    """`auto` as None, a number as itself. Raises UsageError for anything else."""
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--tile {text}: not a tile size", hint="give auto, or a number of pixels such as 256")
    return int(text)
