"""A picture to which nothing was done: the very same file where its format stays."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from imgfix.media import files
from imgfix.media.encode import write
from imgfix.media.formats import for_target
from imgfix.media.picture import Picture


def write_unchanged(
    source: Path | bytes,
    picture: Picture,
    target: Path | BinaryIO,
    *,
    format: str | None = None,
    quality: int | None = None,
) -> list[str] | None:
    """Write what was read to its target, byte for byte unless another format or quality is asked for.

    source: the file, or what a pipe gave. picture: the same, read. format, quality: as of `write`.
    Returns None where the bytes were copied, which loses nothing; else the notes of `write`. Raises OutputError;
    UsageError for an extension that is no picture format.
    """
    place = target if isinstance(target, Path) else None
    same = for_target(place, picture.metadata.format, format).name == picture.metadata.format
    if not same or quality is not None:
        return list(write(target, picture, format=format, quality=quality))
    if isinstance(source, Path) and isinstance(target, Path):
        files.copy(source, target)
        return None
    data = source if isinstance(source, bytes) else source.read_bytes()
    if isinstance(target, Path):
        files.write_atomic(target, data)
    else:
        target.write(data)
        target.flush()
    return None
