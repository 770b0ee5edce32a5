"""Which model a command runs, made ready: chosen, pulled when it was named, loaded, placed, and announced."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.cli.console import size_in_words, time_in_words
from imgfix.cli.options import Shared
from imgfix.errors import ModelError

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine
    from imgfix.zoo.descriptor import Model


def choose(
    shared: Shared, task: str | tuple[str, ...], scale: int | None = None, also: Sequence[str] = ()
) -> tuple[str, str | None]:
    """Settle what `--model` means, without loading anything; of several tasks, `auto` prefers the first.

    also: names that could have been meant besides.
    Returns the name (or path) and, for `auto`, the name of a better model that could be pulled.
    Raises ModelError: unknown name, another task, nothing installed.
    """
    from imgfix.zoo import auto, catalog

    if shared.model == "auto":
        return auto.resolve(task, scale)
    if not _is_file(shared.model):
        entry = catalog.find(shared.model, also)
        if entry.task not in auto.tasks(task):
            names = ", ".join(known.name for known in catalog.entries() if known.task in auto.tasks(task))
            words = auto.words(task)
            hint = f"models for '{words}': {names}" if names else "see: imgfix weights list"
            raise ModelError(f"{shared.model} is a model for '{entry.task}', not for '{words}'", hint=hint)
    return shared.model, None


def bytes_to_pull(name: str) -> int | None:
    """What using a model would transfer first, in bytes; None when it is on this machine."""
    from imgfix.zoo import catalog, store

    if _is_file(name):
        return None
    entry = catalog.find(name)
    if store.installed(entry):
        return None
    return entry.sources[0].download_bytes if entry.sources else entry.bytes


def load(shared: Shared, task: str | tuple[str, ...], name: str) -> Model:
    """Load a model, and pull it first when it was named and is missing.

    Raises ModelError, DownloadError.
    """
    from imgfix import zoo

    console = shared.console
    missing = bytes_to_pull(name)
    if missing is None or shared.offline:
        return zoo.load(name, task=task, offline=shared.offline)
    start = time.monotonic()
    console.say(f"pulling {name} ({size_in_words(missing)})")
    with console.progress("bytes") as progress, progress.file(name) as tick:
        model = zoo.load(name, task=task, offline=False, progress=tick)
    console.say(f"pulled {name} in {time_in_words(time.monotonic() - start)}")
    return model


def open_engine(shared: Shared, task: str | tuple[str, ...], name: str) -> Engine:
    """Load a model (pull it first when it was named and is missing) and place it.

    Raises ModelError, DownloadError, UsageError (no such device).
    """
    from imgfix.runtime.engine import Engine

    return Engine(load(shared, task, name), shared.device, shared.precision, note=shared.console.warn)


def announce(shared: Shared, engine: Engine, better: str | None = None) -> None:
    """The first line: model, device, precision; and the better model, if there is one to pull."""
    facts = engine.descriptor
    scale = f" (x{facts.scale})" if facts.scale > 1 else ""
    shared.console.say(f"{facts.name}{scale} on {engine.placement}")
    shared.console.detail(engine.placement.why)
    if better:
        shared.console.say(f"better: {better}, after imgfix weights pull {better}")


def _is_file(name: str) -> bool:
    from imgfix.zoo.loader import FILE_SUFFIXES

    path = Path(name).expanduser()
    return path.suffix.lower() in FILE_SUFFIXES or path.is_file()


def label(name: str) -> str:
    """A model's name as it can stand in a file name."""
    return Path(name).stem if _is_file(name) else name


def scale_of(name: str) -> int:
    """The model's own factor, without loading it where the catalog or the file's header tells."""
    from imgfix import zoo
    from imgfix.zoo import catalog

    if not _is_file(name):
        return catalog.find(name).scale
    return zoo.load(name).descriptor.scale


def jobs_of(name: str) -> tuple[str, ...]:
    """The kinds of damage that a model for `restore` undoes, without loading it where the catalog tells."""
    from imgfix import zoo
    from imgfix.zoo import catalog

    if not _is_file(name):
        return tuple(catalog.find(name).handles)
    return zoo.load(name).descriptor.jobs
