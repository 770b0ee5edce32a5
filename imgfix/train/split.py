"""Which pictures are held out for validation, and which of them are looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path


def held_out(files: Sequence[Path], fraction: float) -> tuple[list[Path], list[Path]]:
    """Split files into those to train on and those to measure on, by a hash of the file's name.

    The hash looks at the name alone, not at the folder, the order or the number of files: adding pictures later or
    moving the folder never turns a held-out picture into one that was trained on. With two files or more and a
    fraction above 0 at least one is held out and at least one stays.

    Args:
        files: all files.
        fraction: wanted part to hold out, in [0, 1).

    Returns:
        (to train on, held out), each in the order given.
    """
    if fraction <= 0 or len(files) < 2:
        return list(files), []
    places = {file: _place(file.name) for file in files}
    chosen = {file for file in files if places[file] < fraction}
    ranked = sorted(files, key=lambda file: (places[file], file.name))
    if not chosen:
        chosen = {ranked[0]}
    elif len(chosen) == len(set(files)):
        chosen.discard(ranked[-1])
    return [file for file in files if file not in chosen], [file for file in files if file in chosen]


def _place(name: str) -> float:
    """Hash a name to [0, 1)."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()) / 2.0**64


def spread(count: int, limit: int) -> list[int]:
    """At most `limit` of `count` numbers, evenly spread."""
    kept = min(count, limit)
    return [index * count // kept for index in range(kept)]
