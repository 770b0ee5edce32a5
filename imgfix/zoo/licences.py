"""Which licences of weights allow every use, and which have to be accepted before a model is fetched."""

from __future__ import annotations

from imgfix.errors import ModelError
from imgfix.zoo.entry import Entry

PERMISSIVE = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "ISC", "MIT",
    "Unlicense", "WTFPL", "Zlib",
})  # fmt: skip
"""SPDX names: use, change and sharing are free, with the name of the author, some under the same licence."""
_ALLOWED = {name.lower() for name in PERMISSIVE}


def needs_acceptance(licence: str) -> bool:
    """Whether a licence is known and restricts what may be done with the weights."""
    parts = licence.lower().replace(" and ", " ").split()
    return licence != "unknown" and not all(part in _ALLOWED for part in parts)


def check(entry: Entry, accepted: bool) -> None:
    """Raise ModelError when the licence of a model has to be accepted and was not."""
    if accepted or not needs_acceptance(entry.licence):
        return
    where = f"read it at {entry.origin}, then: " if entry.origin else ""
    raise ModelError(
        f"{entry.name}: the licence of its weights, {entry.licence}, does not allow every use",
        hint=f"{where}imgfix weights pull {entry.reference or entry.name} --accept-licence",
    )
