"""A clip divided among processes, so that together they make the file that one would make.

One process reads the clip once, finds its scene cuts, and says where parts begin (`divided`): where one process would
begin a segment of the result, and where nothing has to be remembered (`imgfix.tasks.sequence.Division`). Others make
the parts. Where cuts are found in frames that a network made, whoever makes a part also makes the first frame behind
it and says whether all was as foreseen; if not, what follows is made by one process.
"""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from imgfix.media.video import segments
from imgfix.media.video.reader import Frame, Reader, TimeRange
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks.sequence import Division, Restart

_LOOK_BACK = 10.0
"""Seconds before a place from which it is looked for again, where decoding from its key frame on gave other pixels."""
_PATIENCE = 60.0
"""Seconds that decoding a frame may take to end."""
_REMEMBERED = 256
"""Frames before a part whose checksums are at hand; more than any task has to see first."""


@dataclass(frozen=True)
class Seen:
    """What who divided a clip saw of it, for who finishes what others made."""

    problems: tuple[str, ...] = ()
    cut_off: str | None = None
    deinterlaced: int = 0
    resumed: int = 0
    """Frames that were finished before."""


class OtherFramesError(Exception):
    """What was decoded from the middle of a file on is not what was decoded from its beginning on."""


@dataclass(frozen=True)
class Opening:
    """What has to be known of a clip to divide it."""

    path: Path
    time_range: TimeRange
    upright: bool
    deinterlace: str
    division: Division
    each: int
    """Frames that are made of each."""
    resumed: int
    """Frames of the result that are finished."""
    first: int
    """The frame of the clip to begin with, and the one to feed first, where some are finished."""
    first_input: int
    made: tuple[Path, ...]
    """Folders that were made for the result, innermost first."""

    def reader(self) -> Reader:
        """The clip, to be read."""
        return Reader(self.path, self.time_range, self.upright, self.deinterlace)


@dataclass(frozen=True)
class Part:
    """Some frames of a clip, by their numbers in it."""

    first: int
    scene: int
    """With which its scene began."""
    end: int | None
    """Behind its last one; None: to the end of the clip."""
    end_scene: int
    """The same as `scene`, of the frame behind its last one."""
    cuts: tuple[int, ...]
    """Frames with which scenes begin, behind the first up to `end`."""
    resumed: bool
    """It begins where an earlier run ended, with what that one remembered."""
    seen_from: int
    """The frame that is looked for in the file: the first, or one that has to be seen before it."""
    time: int
    """When that is shown, in units of the reader's time base."""
    near: float | None
    """The same in seconds on the file's clock; None: it has to be counted from the beginning."""
    sums: tuple[int, ...] = field(repr=False, default=())
    """Checksums of the frames from that one on."""

    def fits(self, number: int, frame: Frame) -> bool:
        """Whether a frame is the one of this number."""
        place = number - self.seen_from
        return place >= len(self.sums) or _checksum(frame) == self.sums[place]

    def fed(self, reader: Reader, skip: int) -> Iterator[Frame]:
        """The frames of the clip from number `skip` on. Raises OtherFramesError, and errors of the reader."""
        tries = [] if self.near is None else [self.near, self.near - _LOOK_BACK]
        for near in (*tries, None):
            frames = reader.frames(self.seen_from) if near is None else reader.later(near, self.time)
            first = next(frames, None)
            if first is None or near is None or self.fits(self.seen_from, first):
                break
        for number, frame in enumerate(chain(() if first is None else (first,), frames), start=self.seen_from):
            if near is not None and not self.fits(number, frame):
                raise OtherFramesError
            if number >= skip:
                yield frame


@dataclass(frozen=True)
class Course:
    """A part on its way: whether all is as it was foreseen, and where it ends."""

    part: Part
    division: Division
    each: int
    """Frames that are made of each."""
    start: Restart
    scene: int
    """Number of the frame of the result with which its scene began."""

    @property
    def end(self) -> int | None:
        """Number of the frame of the result behind its last one."""
        return None if self.part.end is None else self.part.end * self.each

    @property
    def end_scene(self) -> int:
        """The same as `scene`, behind its last frame."""
        return self.part.end_scene * self.each

    def agrees(self, number: int, scene: frozenset[bool], ends: bool) -> bool:
        """Whether a frame of the result begins a scene, and behind the part a segment, where that was foreseen."""
        if self.division.sure:
            return True
        return (not scene or scene == {number // self.each in self.part.cuts}) and (ends or number != self.end)

    def behind(self, number: int) -> Restart | None:
        """Where work begins behind so many frames of the result, once all of the part are made; None: not yet.

        Or None because the frame behind has to be seen for it.
        """
        if not self.division.sure or self.part.end is None or number != self.end:
            return None
        return self.division.begin(self.part.end, self.part.end_scene)


class Dividing:
    """Divides a clip in a thread of its own.

    pieces: into how many parts, about, where it is long enough.
    """

    def __init__(self, opening: Opening, pieces: int) -> None:
        self._opening, self._pieces = opening, pieces
        self._reader = opening.reader()
        self._found: deque[Part] = deque()
        self._stopped = threading.Event()
        self.failed = False
        """It could not be read to its end."""
        self._thread = threading.Thread(target=self._run, name="imgfix-dividing", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether all parts were found."""
        return not self._thread.is_alive()

    @property
    def seen(self) -> Seen:
        """What was wrong with the clip; once all parts were found."""
        reader = self._reader
        return Seen(tuple(reader.problems), reader.cut_off, reader.deinterlaced, self._opening.resumed)

    def next(self) -> Part | None:
        """The next part, if it was found already."""
        return self._found.popleft() if self._found else None

    def stop(self) -> None:
        """Find no more."""
        self._stopped.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            least = max(segments.LENGTH, self._reader.count * self._opening.each // self._pieces)
            for part in divided(self._opening, self._reader, least, self._stopped.is_set):
                self._found.append(part)
        except Exception:  # whoever finishes it finds the same, and says so
            self.failed = True


def divided(
    opening: Opening, reader: Reader, least: int, stopped: Callable[[], bool] = lambda: False
) -> Iterator[Part]:
    """The parts of a clip, in order; the last reaches to its end.

    opening: of the clip. reader: reads it, and knows afterwards what was wrong with it. least: frames of the result
    that a part has at least. stopped: whether no more are wanted. Raises InputError: it cannot be read.
    """
    division, each = opening.division, opening.each
    known: deque[_Seen] = deque(maxlen=_REMEMBERED)
    scene = started = 0
    begun: _Begun | None = None
    for frame, following in _with_following(_looked_at(reader, division, stopped), division.left - 1):
        known.append(frame)
        number, before = frame.number, scene
        scene = number if frame.cut else scene
        if number < opening.first:
            continue
        if begun is None:
            begun, started = _Begun(number, scene, opening.resumed > 0), number
            begun.see(known, opening.first_input if begun.resumed else number)
            continue
        begun.cuts += [number] if frame.cut else []
        lasts = len(following) == division.left - 1 and not any(each.cut for each in following)
        place = number == scene or (lasts and (number - scene) % division.places == 0)
        if (frame.cut and (number - before) * each >= segments.SHORTEST) or (
            place and (number - started) * each >= segments.LENGTH
        ):
            started = number
            fresh = frame.cut or (division.fresh is not None and (number - scene) % division.fresh == 0)
            if fresh and (number - begun.first) * each >= least:
                yield begun.part(number, scene, reader)
                begun = _Begun(number, scene, False)
                begun.see(known, division.begin(number, scene).first_input)
                continue
        begun.sums.append(frame.sum)
    if begun is not None and not stopped():
        yield begun.part(None, scene, reader)


def _looked_at(reader: Reader, division: Division, stopped: Callable[[], bool]) -> Iterator[_Seen]:
    finder = CutFinder()
    for number, frame in enumerate(reader.frames()):
        if stopped():
            return
        cut = division.scenes and finder.is_cut(frame.pixels)
        yield _Seen(number, frame.time, _checksum(frame), cut)


def _with_following(frames: Iterator[_Seen], count: int) -> Iterator[tuple[_Seen, list[_Seen]]]:
    """Each frame with so many that follow, or as many as there are."""
    waiting: deque[_Seen] = deque()
    for frame in frames:
        waiting.append(frame)
        if len(waiting) > count:
            first = waiting.popleft()
            yield first, list(waiting)
    while waiting:
        first = waiting.popleft()
        yield first, list(waiting)


@dataclass(frozen=True)
class _Seen:
    """What is remembered of a frame."""

    number: int
    time: int
    sum: int
    cut: bool


@dataclass
class _Begun:
    """A part whose end is not known yet."""

    first: int
    scene: int
    resumed: bool
    cuts: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    seen_from: int = 0
    time: int = 0

    def see(self, known: deque[_Seen], first_input: int) -> None:
        """Note the last frames from one on."""
        seen = [each for each in known if each.number >= first_input]
        self.seen_from, self.time = seen[0].number, seen[0].time
        self.sums = [each.sum for each in seen]

    def part(self, end: int | None, end_scene: int, reader: Reader) -> Part:
        """The whole of it."""
        seeks = reader.time_range.rate is None and not reader.deinterlaced
        near = float(self.time * reader.time_base) + reader.shift + 1e-6 if seeks and self.seen_from else None
        return Part(
            self.first, self.scene, end, end_scene, tuple(self.cuts), self.resumed, self.seen_from, self.time, near,
            tuple(self.sums),
        )  # fmt: skip


def _checksum(frame: Frame) -> int:
    """Of pixels and time."""
    return zlib.crc32(np.ascontiguousarray(frame.pixels).data, frame.time & 0xFFFFFFFF)
