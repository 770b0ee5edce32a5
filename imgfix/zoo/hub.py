"""Hugging Face repositories: which of their files is the model, and what its hash is.

API: https://huggingface.co/docs/hub/api. `$HF_ENDPOINT` is asked in place of huggingface.co.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imgfix.errors import DownloadError, ModelError
from imgfix.zoo import fetch, references

SITE = "https://huggingface.co"
LIMIT = 8 << 20
"""Bytes of a repository's description that are read."""


@dataclass(frozen=True)
class HubFile:
    """One file of a repository."""

    address: str
    """Where it is fetched from."""
    path: str
    """Its path inside the repository."""
    sha256: str
    """Its hash, empty for a small file, of which the site tells none."""
    bytes: int
    """Its size, 0 where it is not told."""
    licence: str
    """What the repository says of its licence: its SPDX name, else the site's word, `unknown` when it says nothing."""


def choose(path: str) -> HubFile:
    """The weights file of `ORG/REPO`, or `ORG/REPO/FILE`. Raises DownloadError, ModelError (none or several)."""
    organisation, repository, *inner = path.split("/", 2)
    name = f"{organisation}/{repository}"
    described = _describe(name)
    files = {str(each.get("rfilename", "")): each for each in described.get("siblings", ()) if isinstance(each, dict)}
    weights = [file for file in files if Path(file).suffix.lower() in references.FORMATS]
    wanted = inner[0] if inner else _only(name, weights)
    if wanted not in files:
        near = f"; there are: {', '.join(weights[:8])}" if weights else ""
        raise ModelError(f"hf:{name} has no file {wanted}{near}", hint=f"look at {SITE}/{name}")
    about = files[wanted]
    large = about.get("lfs") or {}
    return HubFile(
        address=f"{SITE}/{name}/resolve/main/{quote(wanted)}",
        path=wanted,
        sha256=str(large.get("sha256", "")),
        bytes=int(large.get("size") or about.get("size") or 0),
        licence=_licence(described),
    )


def _only(name: str, weights: list[str]) -> str:
    stems = {Path(file).with_suffix("") for file in weights}
    if not weights:
        raise ModelError(f"hf:{name} holds no weights file", hint=f"look at {SITE}/{name}")
    if len(stems) > 1:
        listed = ", ".join(weights[:8]) + (" ..." if len(weights) > 8 else "")
        raise ModelError(f"hf:{name} holds {len(weights)} weights files: {listed}", hint=f"name one: hf:{name}/FILE")
    return min(weights, key=lambda file: list(references.FORMATS).index(Path(file).suffix.lower()))


def _describe(name: str) -> dict[str, Any]:
    address = f"{SITE}/api/models/{name}?blobs=true"
    try:
        described = json.loads(fetch.read(address, LIMIT))
    except ValueError as error:
        raise DownloadError(f"{address}: the answer is not what was expected ({error})") from error
    if not isinstance(described, dict) or not isinstance(described.get("siblings", []), list):
        raise DownloadError(f"{address}: the answer is not what was expected")
    return described


def _licence(described: dict[str, Any]) -> str:
    card = described.get("cardData")
    word = card.get("license") if isinstance(card, dict) else None
    if not isinstance(word, str) or not word.isprintable():
        return "unknown"
    spdx = {
        "mit": "MIT", "apache-2.0": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
        "cc0-1.0": "CC0-1.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-sa-4.0": "CC-BY-SA-4.0", "unlicense": "Unlicense",
        "wtfpl": "WTFPL", "isc": "ISC", "zlib": "Zlib",
    }  # fmt: skip
    return spdx.get(word.lower(), word)
