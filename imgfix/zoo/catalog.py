"""The single list of models: `weights/catalog.toml`, read into frozen records."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from imgfix.errors import ModelError
from imgfix.zoo import community_index, folders, references
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile, SourceKind, from_file

_FORMATS = {".pth": "torch", ".pt": "torch", ".ckpt": "torch", ".safetensors": "safetensors", ".onnx": "onnx"}


def _source(row: dict[str, Any]) -> DownloadSource:
    kind: SourceKind = next(kind for kind in ("http", "pip", "npm") if kind in row)
    address = row[kind]
    if "files" in row:
        files = tuple(SourceFile(**file) for file in row["files"])
    else:
        name = row.get("file") or address.rsplit("/", 1)[-1].split("?")[0]
        files = (SourceFile(name, row["sha256"], row.get("bytes", 0)),)
    return DownloadSource(
        kind=kind,
        address=address,
        format=row.get("format") or _FORMATS.get(Path(files[-1].path).suffix, "torch"),
        files=files,
        result_sha256=row.get("result_sha256", ""),
        archive_sha256=row.get("archive_sha256", ""),
        archive_bytes=row.get("archive_bytes", 0),
        platform=row.get("platform", ""),
        sdist=row.get("sdist", False),
    )


def _entry(row: dict[str, Any]) -> Entry:
    row = dict(row)
    sources = tuple(_source(source) for source in row.pop("source", ()))
    expects = tuple(row.pop("expects", ()))
    return Entry(**row, expects=expects, sources=sources)


@cache
def _read(path: Path) -> tuple[Entry, ...]:
    """Raises ModelError: the file is damaged, or lacks."""
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
        found = tuple(_entry(row) for row in table["model"])
        for entry in found:
            _check_types(entry)
            for source in entry.sources:
                _check_types(source)
                for file in source.files:
                    _check_types(file)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration, RecursionError) as error:
        raise ModelError(
            f"{path}: the list of models is damaged ({_why(error)})", hint="install imgfix again"
        ) from error
    return found


def _check_types(record: Entry | DownloadSource | SourceFile) -> None:
    """Raise TypeError for a value that is not what its field is annotated with."""
    for each in fields(record):
        value, wanted = getattr(record, each.name), str(each.type).partition("[")[0]
        kind = {"str": str, "int": int, "bool": bool, "dict": dict, "tuple": tuple, "SourceKind": str}[wanted]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TypeError(f"{each.name} is no {kind.__name__}")
    if isinstance(record, Entry) and not all(isinstance(place, int) for place in record.jobs.values()):
        raise TypeError("jobs are no numbers")


def _why(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) or type(error).__name__


def entries() -> list[Entry]:
    """Every model of the catalog, in its order."""
    return list(_read(folders.shipped_folder() / "catalog.toml"))


def imported() -> list[Entry]:
    """Models that are not in the catalog: the user's own, and those fetched by address."""
    known = {entry.name for entry in entries()}
    # Earlier versions kept imported models beside the fetched ones.
    places = (folders.models_folder(), folders.imports_folder())
    files = {path.stem: path for folder in places for path in folder.glob("*.safetensors") if path.stem not in known}
    found = (from_file(files[name]) for name in sorted(files))
    return [entry for entry in found if entry is not None]


def find(name: str, also: Sequence[str] = ()) -> Entry:
    """The model of that name: of the catalog, imported, of the community's index, or named by an address.

    also: names that could have been meant besides. Raises ModelError, with the nearest names, for another.
    """
    if references.is_reference(name):
        return references.entry(name)
    everything = [*entries(), *imported()]
    for entry in everything:
        if entry.name == name:
            return entry
    indexed = community_index.find(name)
    if indexed is not None:
        return indexed
    names = (entry.name for entry in everything)
    lowered = {known.lower(): known for known in (*names, *also, *community_index.names())}
    word = name.lower()
    near = [known for known in lowered if word in known][:3] or difflib.get_close_matches(word, lowered, n=3)
    hint = f"did you mean {' or '.join(lowered[known] for known in near)}? " if near else ""
    raise ModelError(f"there is no model named '{name}'", hint=hint + "See: imgfix weights list")
