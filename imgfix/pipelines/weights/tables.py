"""Models as lines of a table, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from imgfix.pipelines import columns
from imgfix.pipelines.units import size_in_words
from imgfix.pipelines.weights import facts

if TYPE_CHECKING:
    from imgfix.zoo.entry import Entry
    from imgfix.zoo.model_search import Hit

_RIGHT = ("scale", "size")


def models(entries: Iterable[Entry], width: int | None = None) -> list[str]:
    """The catalog, one line a model; width: of the terminal."""
    rows = []
    for entry in entries:
        known = facts.brief(entry)
        size = size_in_words(known["bytes"]) if known["bytes"] else f"~{size_in_words(facts.download_bytes(entry))}"
        state = "shipped" if entry.shipped and known["installed"] else "yes" if known["installed"] else "-"
        scale = f"x{entry.scale}" if entry.task in ("upscale", "video") else ""
        rows.append((entry.name, entry.task, scale, size, entry.licence, state, entry.summary))
    return columns.table(("model", "task", "scale", "size", "licence", "here", ""), rows, _RIGHT, width)


def hits(found: Iterable[Hit], width: int | None = None) -> list[str]:
    """What a search has found, one line a model; width: of the terminal."""
    rows = []
    for hit in found:
        scale, size = f"x{hit.scale}" if hit.scale else "", size_in_words(hit.bytes) if hit.bytes else "?"
        rows.append((hit.name, scale, size, hit.licence, hit.architecture, hit.state, hit.purpose))
    return columns.table(("model", "scale", "size", "licence", "architecture", "here", ""), rows, _RIGHT, width)
