"""The weights on disk: where each model's file is, and whether it is the right one.

`models/NAME.safetensors` in the home folder is what a pull leaves, in the data folder what an import leaves, each with
a record `models/NAME.json` that says where it came from and what its hash is. The record's time is that of the last
use.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import ModelError
from imgfix.media.files import write_atomic
from imgfix.zoo.folders import imports_folder, models_folder, shipped_folder

if TYPE_CHECKING:
    from imgfix.zoo.entry import Entry

CHUNK = 1 << 20


@dataclass(frozen=True)
class PullRecord:
    """What is known of a file in the home folder."""

    name: str
    """Catalog name, or the name the user imported it under."""
    sha256: str
    """Hash of the safetensors file."""
    bytes: int
    """Its size."""
    source: str
    """Address, package or path it came from."""
    source_sha256: str
    """Hash of what was fetched, before it was converted (of its last file, where there are several)."""


def path_of(entry: Entry) -> Path:
    """Where the safetensors file of a catalog entry is, or would be after a pull."""
    if entry.shipped:
        shipped = shipped_folder() / f"{entry.name}.safetensors"
        if shipped.is_file() or not entry.sources:
            return shipped
    if entry.imported:
        own = imports_folder() / f"{entry.name}.safetensors"
        if own.is_file():
            return own
    return models_folder() / f"{entry.name}{entry.suffix}"


def installed(entry: Entry) -> bool:
    """Whether the file is on this machine (its hash is looked at when it is loaded)."""
    return path_of(entry).is_file()


def removable(entry: Entry) -> bool:
    """Whether the file was brought here by a pull or an import, and does not come with the program."""
    path = path_of(entry)
    return path.is_file() and path.parent in (models_folder(), imports_folder())


def fetchable(entry: Entry) -> bool:
    """Whether the model could be downloaded again: it has sources, or its record says that it came by the network."""
    record = read_record(path_of(entry))
    return bool(entry.sources) or (record is not None and not Path(record.source).is_absolute())


def note_use(path: Path) -> None:
    """Remember that a model file is used now, where it has a record that can be changed."""
    with contextlib.suppress(OSError):
        os.utime(record_path(path))


def last_used(entry: Entry) -> float | None:
    """When a pulled or imported model was last used (or fetched), in seconds since 1970; None for any other."""
    if not removable(entry):
        return None
    path = path_of(entry)
    record = record_path(path)
    return (record if record.is_file() else path).stat().st_mtime


def sha256_of(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def record_path(path: Path) -> Path:
    """Where the record of a model file lies: beside it."""
    return path.with_suffix(".json")


def read_record(path: Path) -> PullRecord | None:
    """The record of a model file, `None` when there is none or it cannot be read."""
    try:
        return PullRecord(**json.loads(record_path(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(path: Path, record: PullRecord) -> None:
    """Write the record of a model file."""
    write_atomic(record_path(path), json.dumps(asdict(record), indent=1) + "\n")


def expected_hashes(entry: Entry) -> set[str]:
    """Every hash that the installed file of an entry may have."""
    known = {entry.sha256, *(source.result_sha256 for source in entry.sources)} - {""}
    record = read_record(path_of(entry))
    # A source whose converted file has no hash in the catalog is trusted through the hash of what was fetched.
    if record and any(record.source_sha256 == source.files[-1].sha256 for source in entry.sources):
        known.add(record.sha256)
    return known


def verify(entry: Entry) -> str:
    """Hash the installed file of an entry and compare; returns the hash. Raises ModelError when it is another file."""
    path = path_of(entry)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})", hint=remedy(entry)) from error
    if entry.imported:
        record = read_record(path)
        expected = {record.sha256} if record else {found}
    else:
        expected = expected_hashes(entry)
    if found not in expected:
        raise ModelError(
            f"{path}: damaged weights file (its SHA-256 is {found[:12]}..., not the one of {entry.name})",
            hint=remedy(entry),
        )
    return found


def remedy(entry: Entry) -> str:
    """What a user does about a damaged or missing file of an entry."""
    if entry.imported and not entry.sources:
        return f"import it again: imgfix weights import FILE --name {entry.name} --overwrite"
    if entry.shipped and not entry.sources:
        return "install imgfix again, or restore the file from the repository"
    return f"imgfix weights pull {entry.name}"
