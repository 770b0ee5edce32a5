"""What is known of a model, for programs."""

from __future__ import annotations

import datetime
from typing import Any

from imgfix.pipelines.units import size_in_words
from imgfix.zoo import store
from imgfix.zoo.entry import Entry


def brief(entry: Entry) -> dict[str, Any]:
    """What a list says of a model."""
    place = store.path_of(entry)
    here = place.is_file()
    return {
        "name": entry.name,
        "task": entry.task,
        "scale": entry.scale,
        "bytes": place.stat().st_size if here else entry.bytes or None,
        "licence": entry.licence,
        "installed": here,
        "shipped": entry.shipped,
        "summary": entry.summary,
    }


def full(entry: Entry) -> dict[str, Any]:
    """Everything: hyper-parameters, data, measured numbers, hash, place, sources."""
    place = store.path_of(entry)
    here = place.is_file()
    record = store.read_record(place) if here else None
    used = store.last_used(entry)
    return brief(entry) | {
        "net": entry.net,
        "config": entry.config,
        "parameters": entry.parameters or None,
        "degradation": entry.degradation,
        "expects": list(entry.expects),
        "undoes": list(entry.handles),
        "trained_on": entry.trained_on,
        "measured": entry.measured,
        "origin": entry.origin,
        "paper": entry.paper,
        "sha256": record.sha256 if record else entry.sha256 or None,
        "path": str(place),
        "fetched_from": record.source if record else None,
        "last_used": None if used is None else datetime.datetime.fromtimestamp(used, datetime.UTC).date().isoformat(),
        "sources": [
            {
                "kind": source.kind,
                "address": source.address,
                "download_bytes": source.download_bytes or None,
                "files": [{"path": file.path, "sha256": file.sha256} for file in source.files],
            }
            for source in entry.sources
        ],
    }


def of_installed(entry: Entry) -> dict[str, Any]:
    """What a script wants to know of a model that is on this machine."""
    place = store.path_of(entry)
    record = store.read_record(place)
    return {
        "task": entry.task,
        "path": str(place),
        "bytes": place.stat().st_size,
        "sha256": record.sha256 if record else entry.sha256,
        "licence": entry.licence,
        "fetched_from": record.source if record else "imgfix itself",
    }


def download_bytes(entry: Entry) -> int:
    """What a pull would transfer, 0 when not known."""
    return entry.sources[0].download_bytes if entry.sources else entry.bytes


def lines(key: str, value: Any) -> list[str]:
    """A value of `full` in words, one line or several."""
    if key == "bytes":
        return [f"{value} ({size_in_words(value)})"]
    if key == "sources":
        return [f"{source['kind']}: {source['address']}" for source in value]
    if isinstance(value, list):
        return [", ".join(str(item) for item in value)]
    if isinstance(value, dict):
        return [f"{name}: {item}" for name, item in value.items()]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [f"{value:,}" if key == "parameters" else str(value)]
