"""`imgfix weights`: the models, where they are, and how they come and go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgfix.cli.batch import Item, run
from imgfix.cli.console import Console, Tick
from imgfix.cli.options import Json, Offline, Quiet, Verbose
from imgfix.cli.report import Outcome, Report, print_json
from imgfix.errors import ExitCode, OutputError, UsageError
from imgfix.media.names import printable
from imgfix.pipelines.units import size_in_words

if TYPE_CHECKING:
    from imgfix.zoo.entry import Entry
    from imgfix.zoo.model_search import Hit

command = typer.Typer(
    help="List, download, verify, import and export models.\n\n"
    "They are kept in one folder: $IMGFIX_HOME, else the cache folder of the platform. $IMGFIX_MIRROR replaces "
    "every address, $HF_ENDPOINT huggingface.co.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog="Example: [bold]imgfix weights pull realesrgan-x4plus[/]",
)


def _names(incomplete: str) -> list[tuple[str, str]]:
    from imgfix.errors import ImgfixError
    from imgfix.zoo import catalog

    try:
        entries = [*catalog.entries(), *catalog.imported()]
    except (ImgfixError, OSError):  # a completion never complains into the command line
        return []
    return [(entry.name, entry.summary) for entry in entries if entry.name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A model of the catalog, or found by weights search.", autocompletion=_names),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...",
        help="Models of the catalog, found by weights search, or addresses.",
        autocompletion=_names,
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


@command.command("list")
def list_models(
    task: Annotated[
        str | None, typer.Option("--task", metavar="NAME", help="Only models for this task.", show_default=False)
    ] = None,
    here: Annotated[bool, typer.Option("--installed", help="Only installed models.")] = False,
    json: Json = False,
) -> int:
    """List all models: task, scale, size, licence, and whether they are installed."""
    from imgfix.zoo import catalog, store

    entries = [*catalog.entries(), *catalog.imported()]
    tasks = sorted({entry.task for entry in entries})
    if task is not None and task not in tasks:
        raise UsageError(f"there is no task '{task}'", hint=f"tasks: {', '.join(tasks)}")
    chosen = [entry for entry in entries if task in (None, entry.task) and (not here or store.installed(entry))]
    if json:
        for entry in chosen:
            _print_json(_facts(entry))
        return ExitCode.OK
    _print_table(chosen)
    sizes = [store.path_of(entry).stat().st_size for entry in chosen if store.installed(entry)]
    if sizes:
        Console().say(f"{len(sizes)} installed, {size_in_words(sum(sizes))}")
    return ExitCode.OK


@command.command()
def info(name: Name, json: Json = False) -> int:
    """Show everything about a model: hyper-parameters, licence, training data, measured numbers, sources."""
    from imgfix.zoo import catalog

    facts = _facts(catalog.find(name), full=True)
    if json:
        _print_json(facts)
        return ExitCode.OK
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if value in (None, "", [], {}):
            continue
        for number, line in enumerate(_lines(key, value)):
            table.add_row("" if number else key.replace("_", " "), printable(line))
    _stdout().print(table, markup=False)
    return ExitCode.OK


@command.command()
def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS", help="All of them are looked for.")] = None,
    scale: Annotated[
        int | None, typer.Option("--scale", metavar="N", help="Only models of this factor.", show_default=False)
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="Only what imgfix reads without an extra.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Read the community's present list first (openmodeldb.info).")
    ] = False,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Search the catalog and the community's models: name, purpose, architecture, scale, licence, size, what reads it.

    Pull what it finds by its name.
    """
    import datetime

    from imgfix.zoo import community_index, model_search

    if refresh:
        if offline:
            raise UsageError("refresh needs the network, and offline forbids it", hint="leave one of them out")
        count = community_index.refresh(datetime.datetime.now(datetime.UTC).date().isoformat())
        Console().say(f"read {count} models from {community_index.ADDRESS}")
        if not words and scale is None:
            return ExitCode.OK
    found = [hit for hit in model_search.search(words or [], scale) if not runs or hit.reader == "imgfix"]
    if json:
        for hit in found:
            _print_json(hit.facts())
    elif found:
        _print_hits(found)
    else:
        Console().say(f"nothing is known for {' '.join(words or [])}; imgfix weights list shows the catalog")
    return ExitCode.OK


@command.command()
def pull(
    names: Names = None,
    task: Annotated[
        str | None, typer.Option("--task", metavar="NAME", help="All models for this task.", show_default=False)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Download again what is installed and intact.")
    ] = False,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept a licence that does not allow every use.")
    ] = False,
    offline: Offline = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Download models: each source in turn, resumed, verified, converted to safetensors.

    A model is named as weights list and weights search show it, or by where it is: hf:ORG/REPO, hf:ORG/REPO/FILE,
    https://.../FILE.pth, each with #sha256=... after it where its hash is known.
    """
    from imgfix.zoo import catalog, store
    from imgfix.zoo.pull import archives_kept
    from imgfix.zoo.pull import pull as fetch

    if not names and task is None:
        raise UsageError("which model?", hint="imgfix weights list shows them all")
    wanted = list(names or [])
    if task is not None:
        of_task = [entry.name for entry in catalog.entries() if entry.task == task and entry.sources]
        if not of_task:
            raise UsageError(f"there is no model to pull for '{task}'", hint="imgfix weights list")
        wanted += [name for name in of_task if name not in wanted]
    console = Console(quiet=quiet, verbose=verbose)

    def work(name: str, tick: Tick) -> Outcome:
        entry = catalog.find(name)
        if store.installed(entry) and not overwrite and _is_good(entry):
            return Outcome("is here already", _where(entry), status="skipped")
        if not (offline or quiet or json):
            known = _download_bytes(entry)
            console.say(f"pulling {name} ({size_in_words(known) if known else 'size not known'}, {entry.licence})")
        fetch(entry, offline=offline, accept_licence=accept_licence, progress=tick, note=console.say)
        entry = catalog.find(name)
        facts = _where(entry)
        origin, size = facts["fetched_from"], size_in_words(facts["bytes"])
        return Outcome(f"pulled from {origin}, {size}, {entry.licence}", facts)

    if offline or len(wanted) == 1:
        return _each(wanted, work, console, json)
    with archives_kept():
        return _each(wanted, work, console, json)


@command.command()
def verify(
    names: Names = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Compare installed files with the hashes in the catalog; without names, all of them."""
    from imgfix.zoo import catalog, store

    entries = [*catalog.entries(), *catalog.imported()]
    wanted = list(names or []) or [entry.name for entry in entries if store.installed(entry)]
    console = Console(quiet=quiet, verbose=verbose)
    if not wanted:
        console.say("no weights are on this machine yet; see: imgfix weights list")

    def work(name: str, tick: Tick) -> Outcome:
        entry = catalog.find(name)
        digest = store.verify(entry)
        return Outcome(f"good ({digest[:12]}...)", _where(entry) | {"sha256": digest})

    return _each(wanted, work, console, json)


@command.command("rm")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Installed models.", autocompletion=_names)],
    imported: Annotated[
        bool, typer.Option("--imported", help="Also imported models, which cannot be downloaded again.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Delete downloaded models; a later pull, or --model, downloads them again."""
    from imgfix.errors import ModelError
    from imgfix.zoo import catalog, folders, store

    def work(name: str, tick: Tick) -> Outcome:
        entry = catalog.find(name)
        place = store.path_of(entry)
        if not place.is_file():
            raise ModelError(f"{name} is not installed", hint="imgfix weights list --installed")
        if place.parent != folders.models_folder():
            raise ModelError(f"{name} is a part of imgfix and cannot be removed", hint="leave it out")
        if not entry.sources and not imported:
            raise ModelError(
                f"{name} is imported and could not be downloaded again", hint="add --imported to delete it"
            )
        size = place.stat().st_size
        place.unlink()
        store.record_path(place).unlink(missing_ok=True)
        return Outcome(f"removed, {size_in_words(size)}", {"path": str(place), "bytes": size})

    return _each(names, work, Console(quiet=quiet, verbose=verbose), json)


@command.command()
def path(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model.", autocompletion=_names, show_default=False)
    ] = None,
    json: Json = False,
) -> int:
    """Print the path of a model; without a name, that of the folder of all models."""
    from imgfix.zoo import catalog, folders, store

    entry = catalog.find(name) if name else None
    place = store.path_of(entry) if entry else folders.models_folder()
    if json:
        _print_json({"name": name, "path": str(place), "installed": place.exists()})
    else:
        sys.stdout.write(f"{place}\n")
    return ExitCode.OK


@command.command("import")
def import_model(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .pth, .pt, .ckpt or .safetensors file.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Name of the model. Default: that of the file.", show_default=False
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="Task of the model, if its architecture does not determine it."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="SPDX", help="Licence of the weights, stored with them.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Add a checkpoint of your own under a name; architecture and size are read from its tensors."""
    import re

    from imgfix.zoo import store
    from imgfix.zoo.importer import import_file

    chosen = name or re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
    entry = import_file(file, chosen, task=task, licence=licence, overwrite=overwrite)
    if json:
        _print_json(_facts(entry, full=True))
    else:
        config = ", ".join(f"{key} {value}" for key, value in entry.config.items())
        Console(quiet=quiet).say(f"{file}: {entry.net} ({config}), for '{entry.task}'; now --model {entry.name}")
        Console(quiet=quiet).say(f"kept as {store.path_of(entry)}")
    return ExitCode.OK


@command.command()
def export(
    name: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model in the catalog, or a weights file.", autocompletion=_names)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file, ending in .onnx, .safetensors or .pth.",
            show_default=False,
        ),
    ],
    half: Annotated[bool, typer.Option("--half", help="Store the weights as fp16 (.safetensors, .pth).")] = False,
    overwrite: Overwrite = False,
    offline: Offline = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Export a model, run the exported file, and print how much its output differs."""
    from imgfix import zoo
    from imgfix.zoo.export import export as write

    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists", hint="choose another -o, or --overwrite")
    console = Console(quiet=quiet)
    with console.progress("bytes") as progress, progress.file(name) as tick:
        model = zoo.load(name, offline=offline, progress=tick)
    done = write(model, output, half=half)
    psnr = None if done.psnr == float("inf") else round(done.psnr, 1)
    if json:
        _print_json(
            {
                "name": model.descriptor.name,
                "path": str(output),
                "bytes": done.bytes,
                "compared_with": done.compared_with,
                "largest_difference": done.largest_difference,
                "psnr": psnr,
            }
        )
    else:
        parity = "equal" if psnr is None else f"PSNR {psnr} dB, largest difference {done.largest_difference:.2g}"
        console.say(f"{output}: {size_in_words(done.bytes)}; {done.compared_with} against the network: {parity}")
    return ExitCode.OK


# --- what the commands share ----------------------------------------------------------------------


def _each(names: list[str], work: Callable[[str, Tick], Outcome], console: Console, json: bool) -> int:
    items = [Item(source=name, target=None, job=name) for name in dict.fromkeys(names)]
    return run(items, work, console, Report(console, json), unit="bytes")


def _is_good(entry: Entry) -> bool:
    from imgfix.errors import ModelError
    from imgfix.zoo import store

    try:
        store.verify(entry)
    except ModelError:
        return False
    return True


def _download_bytes(entry: Entry) -> int:
    return entry.sources[0].download_bytes if entry.sources else entry.bytes


def _where(entry: Entry) -> dict[str, Any]:
    """The facts of an installed model that a script wants after a pull."""
    from imgfix.zoo import store

    place = store.path_of(entry)
    record = store.read_record(place)
    return {
        "task": entry.task,
        "path": str(place),
        "bytes": place.stat().st_size,
        "sha256": record.sha256 if record else entry.sha256,
        "licence": entry.licence,
        "fetched_from": record.source if record else "imgfix itself",
    }


def _facts(entry: Entry, full: bool = False) -> dict[str, Any]:
    from imgfix.zoo import store

    place = store.path_of(entry)
    here = place.is_file()
    facts: dict[str, Any] = {
        "name": entry.name,
        "task": entry.task,
        "scale": entry.scale,
        "bytes": place.stat().st_size if here else entry.bytes or None,
        "licence": entry.licence,
        "installed": here,
        "shipped": entry.shipped,
        "summary": entry.summary,
    }
    if not full:
        return facts
    record = store.read_record(place) if here else None
    return facts | {
        "net": entry.net,
        "config": entry.config,
        "parameters": entry.parameters or None,
        "degradation": entry.degradation,
        "expects": list(entry.expects),
        "undoes": list(entry.handles),
        "trained_on": entry.trained_on,
        "measured": entry.measured,
        "origin": entry.origin,
        "paper": entry.paper,
        "sha256": record.sha256 if record else entry.sha256 or None,
        "path": str(place),
        "fetched_from": record.source if record else None,
        "sources": [
            {
                "kind": source.kind,
                "address": source.address,
                "download_bytes": source.download_bytes or None,
                "files": [{"path": file.path, "sha256": file.sha256} for file in source.files],
            }
            for source in entry.sources
        ],
    }


def _print_json(value: dict[str, Any]) -> None:
    print_json(value)


def _stdout() -> Any:
    from rich.console import Console as RichConsole

    # In a pipe there is no width to fit: lines stay whole, one a model, for grep and awk.
    return RichConsole(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 240)


def _print_table(entries: list[Entry]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title, justify in (("model", "left"), ("task", "left"), ("scale", "right"), ("size", "right")):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("licence", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for entry in entries:
        facts = _facts(entry)
        size = size_in_words(facts["bytes"]) if facts["bytes"] else f"~{size_in_words(_download_bytes(entry))}"
        state = "shipped" if entry.shipped and facts["installed"] else "yes" if facts["installed"] else "-"
        scale = f"x{entry.scale}" if entry.task in ("upscale", "video") else ""
        cells = (entry.name, entry.task, scale, size, entry.licence, state, entry.summary)
        table.add_row(*map(printable, cells))
    _stdout().print(table, markup=False)


def _print_hits(found: Sequence[Hit]) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("model", "scale", "size", "licence", "architecture", "here", ""):
        right = "right" if title in ("scale", "size") else "left"
        table.add_column(title, justify=right, no_wrap=title != "", overflow="ellipsis")  # type: ignore[arg-type]
    for hit in found:
        scale = f"x{hit.scale}" if hit.scale else ""
        size = size_in_words(hit.bytes) if hit.bytes else "?"
        table.add_row(hit.name, scale, size, hit.licence, hit.architecture, hit.state, hit.purpose)
    _stdout().print(table, markup=False)


def _lines(key: str, value: Any) -> list[str]:
    """A value of `info` in words, one line or several."""
    if key == "bytes":
        return [f"{value} ({size_in_words(value)})"]
    if key == "sources":
        return [f"{source['kind']}: {source['address']}" for source in value]
    if isinstance(value, list):
        return [", ".join(str(item) for item in value)]
    if isinstance(value, dict):
        return [f"{name}: {item}" for name, item in value.items()]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [f"{value:,}" if key == "parameters" else str(value)]
