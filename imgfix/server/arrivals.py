"""Files that arrive in a folder: which are whole, and when there is something to look at."""

from __future__ import annotations

import importlib.util
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import InputError, UsageError
from imgfix.media import formats
from imgfix.media.files import Stamp, stamp
from imgfix.media.jobs import VIDEO_EXTENSIONS, natural_key

EXTENSIONS = formats.IMAGE_EXTENSIONS | VIDEO_EXTENSIONS
PATIENCE = 10
"""Settle times that a file which does not open is given, in case whoever writes it has paused."""
_LONGEST = 30.0
"""Seconds after which a folder is looked at although nothing was reported, as for files that another machine writes."""


@dataclass
class _Seen:
    stamp: Stamp
    since: float
    """When this stamp was first seen."""
    looked: float
    """When it may be tried to open next."""
    given: bool = False


class Arrivals:
    """The files of a folder, each given out once when it is whole, and again when it is replaced.

    A file is whole when size and time of change stayed the same for the settle time and it opens. One that does not
    open is given out after so many settle times all the same, so that what is wrong with it is said. Names are the
    only other thing that counts: hidden files are passed over, as are all whose extension is not one of a picture or
    a video, so that `photo.jpg.part` is seen when it is renamed.

    Args:
        folder: where files arrive.
        recursive: also in its subfolders; symbolic links to folders are not followed.
        settle: seconds.
        opens: whether a file can be opened; it may raise InputError instead of giving False.
        patience: settle times that a file is given to become one that opens.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        folder: Path,
        recursive: bool,
        settle: float,
        opens: Callable[[Path], bool],
        patience: int = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._recursive, self._settle, self._opens, self._clock = folder, recursive, settle, opens, clock
        self._patience = patience
        self._seen: dict[Path, _Seen] = {}

    @property
    def waiting(self) -> int:
        """Files that are not whole yet."""
        return sum(not seen.given for seen in self._seen.values())

    def look(self) -> Iterator[Path]:
        """The files that are whole now and were not given out before, in natural order.

        Raises UsageError when the folder has gone.
        """
        found = {path: mark for path in _files(self._folder, self._recursive) if (mark := stamp(path)) is not None}
        now = self._clock()
        for path in [path for path in self._seen if path not in found]:
            del self._seen[path]
        for path, mark in found.items():
            seen = self._seen.get(path)
            if seen is None or seen.stamp != mark:
                self._seen[path] = _Seen(mark, now, now + self._settle)
        for path in sorted(found, key=natural_key):
            if self._is_whole(path):
                self._seen[path].given = True
                yield path

    def _is_whole(self, path: Path) -> bool:
        seen, now = self._seen[path], self._clock()
        if seen.given or now < seen.looked or stamp(path) != seen.stamp:
            return False
        if now - seen.since >= self._patience * self._settle or self._can_open(path):
            return True
        seen.looked = now + self._settle
        return False

    def _can_open(self, path: Path) -> bool:
        try:
            return self._opens(path)
        except (InputError, OSError):
            return False


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    """What may be a picture or a video. Raises UsageError when the folder cannot be listed."""
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry in listing if not entry.name.startswith(".")]
    except OSError as error:
        raise UsageError(f"{folder} cannot be listed: {error.strerror}", hint="check the path and its rights") from None
    for entry in entries:
        if Path(entry.name).suffix.lower() in EXTENSIONS and entry.is_file():
            yield folder / entry.name
        elif recursive and entry.is_dir(follow_symlinks=False):
            try:
                yield from _files(folder / entry.name, recursive)
            except UsageError:  # it has gone meanwhile, or is not ours to read
                continue


class Alarm(ABC):
    """Says when to look at a folder again."""

    @abstractmethod
    def wait(self, pending: bool) -> None:
        """Return when there may be something new; pending: some files have to be looked at again soon anyway."""


class Polling(Alarm):
    """Every so many seconds; works everywhere, network drives included."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wait(self, pending: bool) -> None:
        """See `Alarm.wait`."""
        time.sleep(self._seconds)


class Events(Alarm):
    """When the operating system reports a change (library: watchfiles), and every half minute in case it does not."""

    def __init__(self, folder: Path, recursive: bool, settle: float) -> None:
        from watchfiles import watch

        self._settle, self._ready = settle, False
        # One generator for all waits: what happens between two of them is kept.
        self._events = watch(
            folder, recursive=recursive, watch_filter=None, debounce=50, rust_timeout=500, yield_on_timeout=True
        )

    def wait(self, pending: bool) -> None:
        """See `Alarm.wait`."""
        if not self._ready:  # only now does it begin to listen; what came before has to be looked for
            next(self._events)
            self._ready = True
        elif pending:  # what is being written reports changes all the time; there is nothing to learn from them
            time.sleep(max(self._settle / 2, 0.05))
        else:
            end = time.monotonic() + _LONGEST
            while not next(self._events) and time.monotonic() < end:
                pass


def alarm(folder: Path, recursive: bool, settle: float, poll: float | None) -> Alarm:
    """Polling where it was asked for or the extra `watch` is missing, else events."""
    if poll is None and importlib.util.find_spec("watchfiles") is not None:
        return Events(folder, recursive, settle)
    return Polling(poll if poll is not None else max(settle / 2, 0.05))
