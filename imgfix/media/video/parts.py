"""Parts of an unfinished result that several processes make at once, each a journal with segments of its own.

    clip_x4.mp4.unfinished/parts/
        00000240.5f0c1a2b/    the part from frame 240 of the result on, being made by one process
        00000240/             the same, whole
        00000240.broken/      the same, behind which the parts that were planned do not fit

Whoever makes a part again takes over the folder of the process that was lost, by renaming it: what that one still wrote
would go nowhere. A whole part appears under its name at once, and is never written again.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgfix.media.video import segments
from imgfix.media.video.segments import Journal

_PARTS = "parts"
_BROKEN = "broken"


def _room(folder: Path) -> Path:
    return folder / _PARTS


def is_made(target: Path, first: int, job: Mapping[str, Any]) -> bool:
    """Whether a part is whole already."""
    found = Journal.at(_room(segments.folder_of(target)) / f"{first:08d}")
    return found is not None and found.job == job


def begin(target: Path, first: int, job: Mapping[str, Any]) -> Journal:
    """The journal of a part, with what a process that was lost has finished of it. Raises OSError."""
    room = _room(segments.folder_of(target))
    room.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(room / f"{first:08d}", ignore_errors=True)  # of another job
    mine = room / f"{first:08d}.{secrets.token_hex(4)}"
    for old in sorted(room.glob(f"{first:08d}.*")):
        with contextlib.suppress(OSError):
            old.rename(mine)
            break
    found = Journal.at(mine)
    if found is not None and found.job == job:
        found.cut_loose()
        return found
    shutil.rmtree(mine, ignore_errors=True)
    mine.mkdir()
    made = Journal(mine, dict(job))
    made.cut_loose()
    return made


def finish(journal: Journal, fits: bool) -> None:
    """Give a part its name. fits: the next one can be put behind it. Raises OSError: another process took it over."""
    name = journal.folder.name.partition(".")[0]
    place = journal.folder.with_name(name if fits else f"{name}.{_BROKEN}")
    shutil.rmtree(place, ignore_errors=True)
    journal.folder.rename(place)


def frames(journal: Journal) -> int:
    """How many frames are finished in parts."""
    parts = (Journal.at(folder) for folder in _whole(journal))
    return sum(len(segment.times) for part in parts if part is not None for segment in part.segments)


def gather(journal: Journal) -> None:
    """Put the whole parts that follow on a journal's end behind it, and forget what cannot be put there any more."""
    room = _room(journal.folder)
    while not journal.complete and room.is_dir():
        places = [room / f"{journal.frames:08d}", room / f"{journal.frames:08d}.{_BROKEN}"]
        place = next((place for place in places if place.is_dir()), None)
        if place is None:
            break
        part = Journal.at(place)
        if part is not None and part.job.get("of") == dict(journal.job):
            _move(part, journal)
        shutil.rmtree(place)
        if part is None or not part.segments:
            break
        if place == places[1]:
            shutil.rmtree(room)
    with contextlib.suppress(OSError):
        room.rmdir()


def tidy(target: Path) -> int:
    """Forget the parts that are not whole, and everything where nothing is finished; returns the finished frames."""
    journal = Journal.read(target)
    if journal is None:
        return 0
    gather(journal)
    whole = set(_whole(journal))
    for folder in _room(journal.folder).glob("*"):
        if folder not in whole:
            shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        _room(journal.folder).rmdir()
    return journal.frames + frames(journal)


def _whole(journal: Journal) -> list[Path]:
    return [folder for folder in _room(journal.folder).glob("*") if "." not in folder.name]


def _move(part: Journal, journal: Journal) -> None:
    state = part.state()
    for segment in part.segments:
        number = len(journal.segments)
        part.path(segment.number).replace(journal.path(number))
        last = segment is part.segments[-1]
        journal.add(replace(segment, number=number, state=None), state if last else {})
