"""Models named by where they are: `hf:ORG/REPO`, `hf:ORG/REPO/FILE`, `https://...`, each with `#sha256=...` or without.

A hash that is given is demanded. Without one, that of the first download is pinned in `models.lock` in the home folder,
and every later download has to have it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from imgfix.errors import UsageError
from imgfix.media.files import write_atomic
from imgfix.zoo import folders
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile, from_file

HUB = "hf:"
_HASH = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(/[\w./+ -]+)?")
_SCALE = re.compile(r"(?<![0-9a-z])(?:([1-8])x|x([1-8]))(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Pin:
    """What a name without a hash turned out to be when it was first fetched."""

    sha256: str
    """Hash of the file."""
    bytes: int
    """Its size."""
    address: str
    """Where it came from."""
    licence: str = "unknown"
    """What the place says of the licence."""


def is_reference(name: str) -> bool:
    """Whether a model is named by an address."""
    return name.startswith((HUB, "https://", "http://"))


def entry(name: str) -> Entry:
    """The model behind an address; nothing is fetched. Raises UsageError for an address that is not complete."""
    address, _, fragment = name.partition("#")
    wanted = fragment.removeprefix("sha256=").lower()
    if fragment and not (fragment.startswith("sha256=") and _HASH.fullmatch(wanted)):
        raise UsageError(f"{name}: what follows '#' is no hash", hint="#sha256= and 64 hexadecimal digits")
    pin = pins().get(address)
    known = wanted or (pin.sha256 if pin else "")
    source = _hub(address, known) if address.startswith(HUB) else _web(address, known)
    file = source.files[0]
    label = re.sub(r"[^a-z0-9.]+", "-", PurePosixPath(file.path).stem.lower()).strip("-.") or "model"
    # With the hash that is demanded in it, a file that was kept without one is never taken for it.
    short = f"{label}-{hashlib.sha256(f'{address}#{wanted}'.encode()).hexdigest()[:8]}"
    suffix = ".onnx" if source.format == "onnx" else ".safetensors"
    found = _installed(short, suffix)
    if found is not None:
        return replace(found, sources=(source,), reference=name)
    scale = _SCALE.search(label)
    return Entry(
        name=short,
        task="",
        net="",
        facts={"scale": int(scale[1] or scale[2])} if scale else {},
        summary=f"from {address}",
        licence=pin.licence if pin else "unknown",
        origin=source.page,
        sources=(source,),
        suffix=suffix,
        reference=name,
    )


def _installed(short: str, suffix: str) -> Entry | None:
    path = folders.models_folder() / f"{short}{suffix}"
    if not path.is_file():
        return None
    if suffix == ".onnx":
        return Entry(name=short, task="", net="onnx", imported=True, suffix=suffix, bytes=path.stat().st_size)
    return from_file(path)


def _web(address: str, sha256: str) -> DownloadSource:
    parts = urlsplit(address)
    if parts.scheme == "http" and not sha256:
        raise UsageError(
            f"{address}: without encryption a hash is needed", hint=f"{address}#sha256=..., or an https:// address"
        )
    name = PurePosixPath(unquote(parts.path)).name
    if not parts.hostname or Path(name).suffix.lower() not in FORMATS:
        raise UsageError(f"{address}: not the address of a weights file", hint=f"it ends in {', '.join(FORMATS)}")
    return DownloadSource("http", address, FORMATS[Path(name).suffix.lower()], (SourceFile(name, sha256),))


def _hub(address: str, sha256: str) -> DownloadSource:
    path = address.removeprefix(HUB)
    if not _REPOSITORY.fullmatch(path) or ".." in path.split("/"):
        raise UsageError(f"{address}: not a repository", hint="hf:ORGANISATION/REPOSITORY or hf:ORG/REPO/FILE")
    organisation, repository, *file = path.split("/", 2)
    name = file[0] if file else f"{organisation}-{repository}.safetensors"
    suffix = Path(name).suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(f"{address}: {name} is not a weights file", hint=f"it ends in {', '.join(FORMATS)}")
    return DownloadSource("hub", path, FORMATS[suffix], (SourceFile(name, sha256),))


FORMATS = {".safetensors": "safetensors", ".pth": "torch", ".pt": "torch", ".ckpt": "torch", ".onnx": "onnx"}
"""Files that can be named by an address, and how they are read."""


# --- pins -----------------------------------------------------------------------------------------


def lock_path() -> Path:
    """Where the hashes of names without one are kept."""
    return folders.home() / "models.lock"


def pins() -> dict[str, Pin]:
    """What has been pinned, by address without a hash. A file that cannot be read counts as empty."""
    try:
        return {name: Pin(**pin) for name, pin in json.loads(lock_path().read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def pin(reference: str, found: Pin) -> None:
    """Remember what a name stands for from now on. Raises OutputError."""
    every = pins() | {reference.partition("#")[0]: found}
    table = {name: asdict(each) for name, each in sorted(every.items())}
    write_atomic(lock_path(), json.dumps(table, indent=1) + "\n")
