"""Search for a model by words, over the catalog, the user's own and the community's index; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from imgfix.zoo import catalog, community_index, store
from imgfix.zoo.entry import Entry


@dataclass(frozen=True)
class Hit:
    """One model that was found."""

    name: str
    """What `weights pull` and the field `model` take."""
    purpose: str
    """What it is for."""
    architecture: str
    """Its network."""
    scale: int | None
    """Output pixels per input pixel along one side, `None` where it keeps the size."""
    licence: str
    """SPDX name."""
    bytes: int
    """What has to be transferred, 0 when not known."""
    reader: str
    """What reads it: `imgfix`, `community` (the extra), or nothing."""
    installed: bool
    """Whether it is on this machine."""

    @property
    def state(self) -> str:
        """Whether it can be used here, in a word."""
        if self.installed:
            return "yes"
        return {"imgfix": "-", "community": "needs community extra", "": "not readable"}[self.reader]

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def search(words: Sequence[str], scale: int | None = None) -> list[Hit]:
    """Models in which every word is found, in their names first; those that imgfix reads itself before others.

    words: in any case; of several in one text each is looked for. scale: only models of this factor.
    """
    wanted = [word for text in words for word in text.lower().split()]
    own = [*catalog.entries(), *catalog.imported()]
    names = {entry.name.lower() for entry in own}
    pairs = [(_of_catalog(entry), _text(entry)) for entry in own if entry.task != "metric"]
    first = {row.name: row for row in reversed(community_index.rows()) if row.name.lower() not in names}
    pairs += [(_of_index(row), " ".join((*_words(row), row.tags))) for row in reversed(first.values())]
    found = [
        (hit, text) for hit, text in pairs
        if all(word in text.lower() for word in wanted) and scale in (None, hit.scale)
    ]  # fmt: skip
    order = {"imgfix": 0, "community": 1, "": 2}

    def place(pair: tuple[Hit, str]) -> tuple[int, int]:
        name = pair[0].name.lower()
        return -sum(word in name for word in wanted), order[pair[0].reader]

    return [hit for hit, _ in sorted(found, key=place)]


def _text(entry: Entry) -> str:
    about = (entry.name, entry.task, entry.net, entry.summary, entry.licence, entry.degradation, entry.trained_on)
    return " ".join((*about, *entry.handles, *entry.expects))


def _words(row: community_index.Row) -> tuple[str, ...]:
    task = "restore" if row.scale == 1 else "upscale"
    return row.name, row.architecture, community_index.OWN.get(row.architecture, ""), row.author, row.licence, task


def _of_catalog(entry: Entry) -> Hit:
    return Hit(
        name=entry.name,
        purpose=entry.summary,
        architecture=entry.net,
        scale=entry.scale if entry.task in ("upscale", "video") else None,
        licence=entry.licence,
        bytes=entry.sources[0].download_bytes if entry.sources else entry.bytes,
        reader="community" if entry.net == "community" else "imgfix",
        installed=store.installed(entry),
    )


def _of_index(row: community_index.Row) -> Hit:
    return Hit(
        name=row.name,
        purpose=row.tags.replace(",", ", "),
        architecture=row.architecture,
        scale=row.scale if row.scale > 1 else None,
        licence=row.licence,
        bytes=row.bytes,
        reader=row.runs_here,
        installed=store.installed(community_index.as_entry([row])),
    )
