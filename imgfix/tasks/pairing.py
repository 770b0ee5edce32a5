"""Which result belongs to which reference: by folder and stem, with room for endings such as `_x4`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import UsageError
from imgfix.media import jobs

CONTINUATION = re.compile(r"[_\-. ]|x\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class Pairing:
    """Pairs of files, and what is left over on either side with the reason."""

    pairs: tuple[tuple[Path, Path], ...]
    """(result, reference)"""
    left_over: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True)
class _File:
    path: Path
    relative: Path

    @property
    def key(self) -> tuple[str, str]:
        return self.relative.parent.as_posix(), self.relative.stem


def collect(words: Sequence[str], kinds: Sequence[str] = ("image", "video")) -> list[_File]:
    """Expand files, folders (with everything below), globs and lists. Raises UsageError when nothing is there."""
    found = jobs.find_sources(words, recursive=True, kinds=kinds)
    for source in found.sources:
        if source.error is not None:
            raise UsageError(source.error.message, hint=source.error.hint)
    files = [_File(source.path, source.relative) for source in found.sources if isinstance(source.path, Path)]
    if not files:
        raise UsageError(f"{', '.join(map(str, words))}: no pictures or videos there", hint="check the path")
    return files


def pair(results: Sequence[_File], references: Sequence[_File]) -> Pairing:
    """Match results to references.

    One file against one file always match. Otherwise, folder by folder: the same name; else the same stem; else one
    stem that continues the other (`baby_x4` or `babyx4`, and `baby`), where exactly one file on each side fits.
    """
    if len(results) == len(references) == 1:
        return Pairing(((results[0].path, references[0].path),))
    by_path = {file.relative: file for file in references}
    by_stem: dict[tuple[str, str], list[_File]] = defaultdict(list)
    for file in references:
        by_stem[file.key].append(file)
    wanted: dict[Path, list[_File]] = {}
    for result in results:
        exact = by_path.get(result.relative)
        wanted[result.path] = [exact] if exact else by_stem.get(result.key) or _continuing(result, references)
    takers: dict[Path, list[Path]] = defaultdict(list)
    for path, candidates in wanted.items():
        if len(candidates) == 1:
            takers[candidates[0].path].append(path)
    pairs, left_over = [], []
    for path, candidates in wanted.items():
        if not candidates:
            left_over.append((path, "no reference of that name"))
        elif len(candidates) > 1:
            names = ", ".join(file.path.name for file in candidates[:3])
            left_over.append((path, f"several references fit: {names}"))
        elif len(takers[candidates[0].path]) > 1:
            left_over.append((path, f"not the only result for {candidates[0].path.name}"))
        else:
            pairs.append((path, candidates[0].path))
    used = {reference for _, reference in pairs}
    left_over += [(file.path, "no result for this reference") for file in references if file.path not in used]
    return Pairing(tuple(pairs), tuple(left_over))


def _continuing(result: _File, references: Sequence[_File]) -> list[_File]:
    """The references whose stem the result's stem continues, or the other way; only the longest agreement counts."""
    fits: dict[int, list[_File]] = defaultdict(list)
    folder, stem = result.key
    for file in references:
        other_folder, other = file.key
        if other_folder != folder:
            continue
        short, long = sorted((stem, other), key=len)
        if long.startswith(short) and CONTINUATION.match(long[len(short) :]):
            fits[len(short)].append(file)
    return fits[max(fits)] if fits else []
