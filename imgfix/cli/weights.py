"""`imgfix weights`: the models, where they are, and how they come and go."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from imgfix.cli import complete
from imgfix.cli.console import Console, Tick
from imgfix.cli.flags import Json, Offline, Quiet, Verbose
from imgfix.cli.report import Outcome, Report, print_json
from imgfix.errors import ExitCode, UsageError
from imgfix.pipelines import columns
from imgfix.pipelines.units import size_in_words

command = typer.Typer(
    help="List, download, verify, import and export models.\n\n"
    "Models are kept in $IMGFIX_HOME, or else in the platform's cache folder. $IMGFIX_MIRROR replaces all download "
    "addresses, $HF_ENDPOINT only huggingface.co.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog="Example: [bold]imgfix weights pull realesrgan-x4plus[/]",
)


def _names(incomplete: str) -> list[tuple[str, str]]:
    return complete.known(incomplete)


Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name from weights list or weights search.", autocompletion=_names),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME...", help="Names from weights list or weights search, or addresses.",
        autocompletion=_names, show_default=False,
    ),
]  # fmt: skip
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
    from imgfix.pipelines.weights import facts, manage, tables

    chosen = manage.listed(task, here)
    if json:
        for entry in chosen:
            print_json(facts.brief(entry))
        return ExitCode.OK
    _write(tables.models(chosen, _width()))
    if sizes := manage.sizes(chosen):
        Console().say(f"{len(sizes)} installed, {size_in_words(sum(sizes))}")
    return ExitCode.OK


@command.command()
def info(name: Name, json: Json = False) -> int:
    """Show everything about a model: hyper-parameters, licence, training data, measured numbers, sources."""
    from imgfix.pipelines.weights import facts
    from imgfix.zoo import catalog

    values = facts.full(catalog.find(name))
    if json:
        print_json(values)
        return ExitCode.OK
    shown = [(key.replace("_", " "), facts.lines(key, value)) for key, value in values.items()
             if value not in (None, "", [], {})]  # fmt: skip
    _write(columns.pairs(shown, _width()))
    return ExitCode.OK


@command.command()
def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS", help="Words that must all occur.")] = None,
    scale: Annotated[
        int | None, typer.Option("--scale", metavar="N", help="Only models with this scale factor.", show_default=False)
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="Only models that need no extra.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Update the list of community models first (openmodeldb.info).")
    ] = False,
    offline: Offline = False,
    json: Json = False,
) -> int:
    """Search the catalog and the models of the community; list architecture, scale, licence, size and loader.

    What is found can be pulled by its name.
    """
    import datetime

    from imgfix.pipelines.weights import tables
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
            print_json(hit.facts())
    elif found:
        _write(tables.hits(found, _width()))
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
        bool, typer.Option("--overwrite", help="Download again even if installed and intact.")
    ] = False,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept a licence that does not allow every use.")
    ] = False,
    offline: Offline = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Download models: try each source in turn, resume, verify, convert to safetensors.

    NAME is a name from weights list or weights search, or an address: hf:ORG/REPO, hf:ORG/REPO/FILE,
    https://.../FILE.pth, optionally followed by #sha256=...
    """
    from imgfix.pipelines.weights import facts, manage
    from imgfix.zoo import catalog

    wanted = manage.to_pull(names, task)
    console = Console(quiet=quiet, verbose=verbose)

    def work(name: str, tick: Tick) -> Outcome:
        entry = catalog.find(name)
        if not overwrite and manage.is_here(entry):
            return Outcome("is here already", facts.of_installed(entry), status="skipped")
        if not (offline or quiet or json):
            known = facts.download_bytes(entry)
            console.say(f"pulling {name} ({size_in_words(known) if known else 'size not known'}, {entry.licence})")
        entry = manage.pull(entry, offline=offline, accept_licence=accept_licence, progress=tick, note=console.say)
        values = facts.of_installed(entry)
        return Outcome(
            f"pulled from {values['fetched_from']}, {size_in_words(values['bytes'])}, {entry.licence}", values
        )

    with manage.pulling(wanted, offline):
        return _each(wanted, work, console, json)


@command.command()
def verify(names: Names = None, json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> int:
    """Compare installed models with the hashes in the catalog; without names, all of them."""
    from imgfix.pipelines.weights import facts, manage
    from imgfix.zoo import catalog, store

    wanted = manage.to_verify(names)
    console = Console(quiet=quiet, verbose=verbose)
    if not wanted:
        console.say("no weights are on this machine yet; see: imgfix weights list")

    def work(name: str, tick: Tick) -> Outcome:
        entry = catalog.find(name)
        digest = store.verify(entry)
        return Outcome(f"good ({digest[:12]}...)", facts.of_installed(entry) | {"sha256": digest})

    return _each(wanted, work, console, json)


@command.command("rm")
def remove(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Installed models.", autocompletion=_names, show_default=False),
    ] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Delete downloaded models not used for --days.")] = False,
    days: Annotated[int, typer.Option("--days", min=0, metavar="N", help="Days without use, for --unused.")] = 90,
    imported: Annotated[
        bool, typer.Option("--imported", help="Also delete imported models, which cannot be downloaded again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be deleted.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Delete downloaded models; a later pull, or --model, downloads them again."""
    from imgfix.pipelines.weights import manage

    if bool(names) == unused:
        raise UsageError("which models?", hint="give names, or --unused")
    wanted, console = names or manage.unused(days, imported=imported), Console(quiet=quiet, verbose=verbose)
    freed: list[int] = []

    def work(name: str, tick: Tick) -> Outcome:
        gone = manage.remove(name, imported=imported, dry=dry_run)
        freed.append(gone.bytes)
        line = f"{'would be removed' if dry_run else 'removed'}, {size_in_words(gone.bytes)}"
        return Outcome(line, {"path": str(gone.path), "bytes": gone.bytes}, "planned" if dry_run else "done")

    if not wanted:
        console.say(f"every downloaded model was used in the last {days} days")
    code = _each(wanted, work, console, json)
    if len(freed) > 1 and not json:
        console.say(f"{size_in_words(sum(freed))} {'would be free' if dry_run else 'freed'}")
    return code


@command.command()
def path(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model.", autocompletion=_names, show_default=False)
    ] = None,
    json: Json = False,
) -> int:
    """Print the path of a model; without a name, that of the models folder."""
    from imgfix.pipelines.weights import manage

    place = manage.place(name)
    if json:
        print_json({"name": name, "path": str(place), "installed": place.exists()})
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
        typer.Option("--name", metavar="NAME", help="Name of the model. Default: that of the file."),
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
    """Import a checkpoint of your own; architecture and size are read from its tensors."""
    from imgfix.pipelines.weights import facts
    from imgfix.pipelines.weights.bring import import_file
    from imgfix.zoo import store

    entry = import_file(file, name, task=task, licence=licence, overwrite=overwrite)
    if json:
        print_json(facts.full(entry))
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
        Path, typer.Option("--output", "-o", metavar="FILE", help="Ends in .onnx, .safetensors or .pth.")
    ],
    half: Annotated[bool, typer.Option("--half", help="Store the weights as fp16 (.safetensors, .pth).")] = False,
    overwrite: Overwrite = False,
    offline: Offline = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Export a model, run the exported file, and print how much its output differs."""
    from imgfix.pipelines.weights import bring

    bring.check_export(output, overwrite)
    console = Console(quiet=quiet)
    with console.progress("bytes") as progress, progress.file(name) as tick:
        done = bring.export(name, output, half=half, offline=offline, progress=tick)
    if json:
        print_json(done.values)
    else:
        parity = "equal"
        if done.psnr is not None:
            parity = f"PSNR {done.psnr} dB, largest difference {done.largest_difference:.2g}"
        console.say(f"{output}: {size_in_words(done.bytes)}; {done.compared_with} against the network: {parity}")
    return ExitCode.OK


def _each(names: list[str], work: Callable[[str, Tick], Outcome], console: Console, json: bool) -> int:
    from imgfix.cli.batch import Item, run

    items = [Item(source=name, target=None, job=name) for name in dict.fromkeys(names)]
    return run(items, work, console, Report(console, json), unit="bytes")


def _width() -> int | None:
    """Of the terminal; in a pipe there is no width to fit, and lines stay whole, one a model, for grep and awk."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _write(lines: Sequence[str]) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write("".join(f"{line}\n" for line in lines).encode(encoding, "backslashreplace").decode(encoding))
