"""The index of community models: facts of OpenModelDB (https://openmodeldb.info), by which they are found and pulled.

`weights/community.tsv` ships with the program: permissive licences, PyTorch files on GitHub or Hugging Face, each with
its hash. `refresh` reads the present list into the home folder, which is then asked instead.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from imgfix.errors import DownloadError
from imgfix.media.files import write_atomic
from imgfix.zoo import folders
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile
from imgfix.zoo.licences import PERMISSIVE

ADDRESS = "https://openmodeldb.info/api/v1/models.json"
PAGE = "https://openmodeldb.info/models/"
HEAD = "# Facts from OpenModelDB (https://openmodeldb.info, github.com/OpenModelDB/open-model-database), read on "
LIMIT = 32 << 20
"""Bytes of the list that are read."""

OWN = {
    "esrgan": "rrdbnet", "compact": "srvgg", "span": "span", "realplksr": "realplksr",
    "realplksr-dysample": "realplksr", "swinir": "swinir",
}  # fmt: skip
"""Architectures of the index that imgfix builds itself."""
SPANDREL = frozenset({
    "atd", "compact", "dat", "ditn", "drct", "esrgan", "grl", "hat", "mosr", "omni-sr", "omnisr", "plksr", "realplksr",
    "realplksr-dysample", "rgt", "safmn", "span", "swift-srgan", "swin2sr", "swinir",
})  # fmt: skip
"""Architectures of the index that spandrel (the `community` extra) builds."""


@dataclass(frozen=True)
class Row:
    """One file of one model of the index; some models have two, the same weights in another form."""

    name: str
    """Its name there: `4x-Name`."""
    architecture: str
    """Its architecture, as the index calls it."""
    scale: int
    """Output pixels per input pixel along one side."""
    licence: str
    """SPDX name."""
    author: str
    """Who trained it."""
    bytes: int
    """Size of the file."""
    sha256: str
    """Hash of the file."""
    tags: str
    """What it is for, in words with commas between them."""
    url: str
    """Where the file is."""

    @property
    def runs_here(self) -> str:
        """What reads it: `imgfix`, `community` (the extra), or nothing."""
        return "imgfix" if self.architecture in OWN else "community" if self.architecture in SPANDREL else ""


def rows() -> tuple[Row, ...]:
    """The index: the refreshed one where there is one, else the one that ships."""
    refreshed = refreshed_path()
    return _read(refreshed if refreshed.is_file() else folders.shipped_folder() / "community.tsv")


def refreshed_path() -> Path:
    """Where `refresh` keeps what it read."""
    return folders.home() / "community.tsv"


@cache
def _read(path: Path) -> tuple[Row, ...]:
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        return ()  # the catalog itself does not depend on it


def parse(text: str) -> tuple[Row, ...]:
    """The rows of an index as text: comments, a line of names, tabs between values. Raises ValueError, TypeError."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(Row(**{**row, "scale": int(row["scale"]), "bytes": int(row["bytes"])}) for row in table)  # type: ignore[arg-type]


def write(rows: Iterable[Row], read_on: str) -> str:
    """The text that `parse` reads, sorted by name; of one model's files safetensors, which cannot hold code, first."""
    names = [field.name for field in fields(Row)]
    stream = io.StringIO()
    stream.write(f"{HEAD}{read_on}\n" + "\t".join(names) + "\n")
    for row in sorted(rows, key=lambda row: (row.name.lower(), not row.url.endswith(".safetensors"))):
        stream.write("\t".join(str(getattr(row, name)).replace("\t", " ") for name in names) + "\n")
    return stream.getvalue()


def find(name: str) -> Entry | None:
    """The model of that name, in any case of letters."""
    wanted = name.lower()
    files = [row for row in rows() if row.name.lower() == wanted]
    return as_entry(files) if files else None


def names() -> list[str]:
    """Every name of the index, once."""
    return list(dict.fromkeys(row.name for row in rows()))


def as_entry(files: Sequence[Row]) -> Entry:
    """The files of one model as a model that can be pulled; its hyper-parameters are read from what is fetched."""
    row = files[0]
    restores = row.scale == 1
    return Entry(
        name=row.name,
        task="restore" if restores else "upscale",
        net="",
        facts={"scale": row.scale},
        summary=f"{row.tags.replace(',', ', ')} ({row.architecture}, by {row.author})",
        licence=row.licence,
        origin=f"{PAGE}{row.name}",
        sources=tuple(_source(file) for file in files),
    )


def _source(row: Row) -> DownloadSource:
    name = row.url.rsplit("/", 1)[-1]
    form = "safetensors" if name.endswith(".safetensors") else "torch"
    return DownloadSource("http", row.url, form, (SourceFile(name, row.sha256, row.bytes),))


def refresh(read_on: str) -> int:
    """Read the present list over HTTPS and keep it in the home folder; returns how many models it has.

    read_on: the day, for the file. Raises DownloadError, OutputError.
    """
    from imgfix.zoo import fetch

    try:
        found = from_official(json.loads(fetch.read(ADDRESS, LIMIT)))
    except (ValueError, TypeError, AttributeError) as error:
        raise DownloadError(
            f"{ADDRESS}: the list is not what was expected ({error})", hint="try again later"
        ) from error
    if not found:
        raise DownloadError(f"{ADDRESS}: there is no model in the list", hint="try again later")
    write_atomic(refreshed_path(), write(found, read_on))
    _read.cache_clear()
    return len(found)


def from_official(models: dict[str, Any]) -> list[Row]:
    """The models of the official list with a permissive licence and a PyTorch file whose hash is told."""
    found = []
    for name, model in models.items():
        file = _file(model)
        author = model.get("author")
        if file is None or model.get("license") not in PERMISSIVE or not str(name).isprintable():
            continue
        found.append(
            Row(
                name=str(name),
                architecture=str(model.get("architecture", "")),
                scale=int(model.get("scale", 1)),
                licence=model["license"],
                author=", ".join(author) if isinstance(author, list) else str(author),
                bytes=int(file.get("size") or 0),
                sha256=file["sha256"],
                tags=",".join(model.get("tags", ())),
                url=file["address"],
            )
        )
    return found


def _file(model: dict[str, Any]) -> dict[str, Any] | None:
    for file in model.get("resources", ()):
        for address in file.get("urls", ()):
            direct = address.startswith(("https://github.com/", "https://huggingface.co/"))
            if direct and address.lower().endswith((".pth", ".safetensors")) and len(file.get("sha256") or "") == 64:
                return {**file, "address": address}
    return None
