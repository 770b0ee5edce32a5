"""Where weights lie on disk: the shipped folder and the home folder.

The shipped folder is `weights/` of a checkout or `imgfix/weights/` of an installed wheel; it is only read. The home
folder is `$IMGFIX_HOME`, else the platform's cache folder; `models/NAME.safetensors` inside it is what a pull or an
import leaves, with a receipt `models/NAME.json` that says where it came from and what its hash is.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import imgfix
from imgfix.errors import ModelError
from imgfix.media.files import write_atomic

if TYPE_CHECKING:
    from imgfix.zoo.catalog import Entry

CHUNK = 1 << 20


@dataclass(frozen=True)
class Receipt:
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


def home() -> Path:
    """The folder for downloaded and imported weights; it need not exist yet."""
    if folder := os.environ.get("IMGFIX_HOME"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("imgfix", appauthor=False))


def models_folder() -> Path:
    """The folder inside `home()` that holds the model files."""
    return home() / "models"


def shipped_folder() -> Path:
    """The folder with `catalog.toml` and the weights that come with the program."""
    package = Path(imgfix.__file__).resolve().parent
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / "catalog.toml").is_file():
            return folder
    raise ModelError(
        "the catalog of models (weights/catalog.toml) is missing from this installation",
        hint="install imgfix again: pip install --force-reinstall imgfix",
    )


def path_of(entry: Entry) -> Path:
    """Where the safetensors file of a catalog entry is, or would be after a pull."""
    if entry.shipped:
        shipped = shipped_folder() / f"{entry.name}.safetensors"
        if shipped.is_file() or not entry.sources:
            return shipped
    return models_folder() / f"{entry.name}.safetensors"


def installed(entry: Entry) -> bool:
    """Whether the file is on this machine (its hash is looked at when it is loaded)."""
    return path_of(entry).is_file()


def sha256_of(path: Path) -> str:
    """Hash of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def receipt_path(path: Path) -> Path:
    """Where the receipt of a model file lies: beside it."""
    return path.with_suffix(".json")


def read_receipt(path: Path) -> Receipt | None:
    """The receipt of a model file, `None` when there is none or it cannot be read."""
    try:
        return Receipt(**json.loads(receipt_path(path).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write the receipt of a model file."""
    write_atomic(receipt_path(path), json.dumps(asdict(receipt), indent=1) + "\n")


def expected_hashes(entry: Entry) -> set[str]:
    """Every hash that the installed file of an entry may have."""
    known = {entry.sha256, *(source.result_sha256 for source in entry.sources)} - {""}
    receipt = read_receipt(path_of(entry))
    # A source whose converted file has no hash in the catalog is trusted through the hash of what was fetched.
    if receipt and any(receipt.source_sha256 == source.files[-1].sha256 for source in entry.sources):
        known.add(receipt.sha256)
    return known


def verify(entry: Entry) -> str:
    """Hash the installed file of an entry and compare; returns the hash. Raises ModelError when it is another file."""
    path = path_of(entry)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})", hint=remedy(entry)) from error
    if entry.imported:
        receipt = read_receipt(path)
        expected = {receipt.sha256} if receipt else {found}
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
    if entry.imported:
        return f"import it again: imgfix weights import FILE --name {entry.name} --overwrite"
    if entry.shipped and not entry.sources:
        return "install imgfix again, or restore the file from the repository"
    return f"imgfix weights pull {entry.name}"
