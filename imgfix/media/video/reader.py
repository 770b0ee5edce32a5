"""The frames of a video file, one after the other, each with its time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from imgfix.errors import InputError
from imgfix.media.video import header as headers
from imgfix.media.video.colour import ToRgb
from imgfix.media.video.deinterlace import Deinterlacer
from imgfix.media.video.header import Header

_MOST_TOLD = 3  # broken places that are named one by one


@dataclass(frozen=True)
class Frame:
    """One frame and when it is shown."""

    pixels: np.ndarray
    """(H, W, 3) or (H, W, 4), uint8 or uint16; the same object as the frame's before where it is repeated."""
    time: int
    """In units of the reader's time base."""
    duration: int
    """In the same units, at least 1."""


@dataclass(frozen=True)
class TimeRange:
    """Which part of a clip is wanted, and at which rate."""

    start: float | None = None
    """Seconds from where the clip begins."""
    end: float | None = None
    rate: Fraction | None = None
    """Frames a second, evenly spaced: frames are repeated or left out; `None` keeps them as they are."""


_TAIL_SECONDS = 2.0
"""How far before its end a file is looked at to see whether it is whole."""


@dataclass
class Reader:
    """Decodes the pictures of a file as a stream.

    After the last frame, `problems` tells what was bridged and `cut_off` that the file ends before it should.
    """

    path: Path
    time_range: TimeRange = field(default_factory=TimeRange)
    upright: bool = False
    """Apply the display matrix (multiples of 90 degrees) instead of leaving it to the player."""
    deinterlace: str = "off"
    """`auto`: frames that are marked as interlaced, `on`: all, `off`: none."""
    header: Header = field(init=False)
    problems: list[str] = field(init=False, default_factory=list)
    cut_off: str | None = field(init=False, default=None)
    bridged: int = field(init=False, default=0)
    _near: float | None = field(init=False, default=None)
    deinterlaced: int = field(init=False, default=0)
    """Frames of the last run over them that were interlaced and are not any more."""

    def __post_init__(self) -> None:
        self.header = headers.inspect(self.path)
        self.header.colour.check(self.path)
        length = self.header.seconds
        if length and self.time_range.start is not None and self.time_range.start >= length:
            raise InputError(
                f"{self.path} is {length:.2f} seconds long, and `start` {self.time_range.start:g} is beyond its end",
                hint="choose an earlier `start`",
            )

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of a frame's time."""
        return 1 / self.time_range.rate if self.time_range.rate else self.header.time_base

    @property
    def shift(self) -> float:
        """Seconds by which every stream moves towards zero, so that a part begins at its beginning."""
        return self.header.start + self.time_range.start if self.time_range.start is not None else 0.0

    @property
    def count(self) -> int:
        """How many frames will come, as far as can be told beforehand; 0: not known."""
        head = self.header
        if not head.frames:
            return 0
        if self.time_range.start is None and self.time_range.end is None and self.time_range.rate is None:
            return head.frames
        end = min(head.seconds, self.time_range.end if self.time_range.end is not None else math.inf)
        return max(1, round((end - (self.time_range.start or 0)) * (self.time_range.rate or head.rate)))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames that come."""
        return self.shown if self.upright else (self.header.width, self.header.height)

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as a player shows them, turned upright."""
        head = self.header
        return (head.height, head.width) if _quarter_turns(head) % 2 else (head.width, head.height)

    def laid(self, upright: np.ndarray) -> np.ndarray:
        """A picture (H, W, ...) as a player shows it -> the same as the frames that come lie."""
        if self.upright or self.header.matrix is None:
            return upright
        turned = np.rot90(upright, -_quarter_turns(self.header))
        return np.ascontiguousarray(turned[:, ::-1] if _mirrored(self.header) else turned)

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the frames in the order in which they are shown, all but the first `skip`.

        Raises InputError when not one can be decoded, or when the size changes on the way.
        """
        return self._frames(lambda number, time: number >= skip)

    def later(self, near: float, time: int) -> Iterator[Frame]:
        """The frames from the one on that is shown at a time, by the file's index: what is before it is not decoded.

        Of a damaged file they need not be what `frames` gives. near: the time in seconds on the file's clock, or
        before. time: in units of the time base. Raises as `frames`.
        """
        return replace(self)._frames(lambda number, shown: shown >= time, near)

    def _frames(self, wanted: Callable[[int, int], bool], near: float | None = None) -> Iterator[Frame]:
        """Those of which a function of number and time says that they are wanted; near: where to begin to decode."""
        self._near = near
        self.problems, self.cut_off, self.bridged, self.deinterlaced = [], None, 0, 0
        convert = ToRgb(self.header.colour, self.header.pixels.bits, self.header.pixels.alpha)
        kept: tuple[Any, np.ndarray] | None = None
        number = -1
        for raw, time, duration in self._timed():
            number += 1
            if not wanted(number, time):
                continue
            if kept is None or kept[0] is not raw:
                self._check_size(raw, number)
                kept = raw, self._turned(convert(raw))
            yield Frame(kept[1], time, duration)
        if number < 0:
            raise InputError(f"{self.path} holds no frames in that part", hint="choose another `start` and `end`")

    # -- times ---------------------------------------------------------------------------------------------------------

    def _timed(self) -> Iterator[tuple[Any, int, int]]:
        frames = self._wanted()
        if self.deinterlace != "off":
            frames = self._whole(frames)
        return self._even(frames, self.time_range.rate) if self.time_range.rate else frames

    def _whole(self, frames: Iterator[tuple[Any, int, int]]) -> Iterator[tuple[Any, int, int]]:
        work = Deinterlacer(every=self.deinterlace == "on")
        for each in work.over(frames):
            self.deinterlaced = work.touched
            yield each

    def _wanted(self) -> Iterator[tuple[Any, int, int]]:
        """Decoded frames inside the part, their times moved by `shift`; durations are those to the next frame."""
        base = self.header.time_base
        usual = max(1, round(1 / (self.header.rate * base)))
        origin = self.header.start
        start = -math.inf if self.time_range.start is None else origin + self.time_range.start
        end = math.inf if self.time_range.end is None else origin + self.time_range.end
        shift = round(self.shift / base) if self.time_range.start is not None else 0
        before: tuple[Any, int, int] | None = None
        half = float(usual * base) / 2
        for raw, time, own in self._decoded(usual):
            seconds = float(time * base)
            if seconds >= end - 1e-9:
                break
            if seconds < start - min(half, 1e-3):
                continue
            time = max(time - shift, 0 if self.time_range.start is not None else time - shift)
            if before is not None:
                yield before[0], before[1], max(1, time - before[1])
            before = raw, time, own
        if before is not None:
            yield before

    def _even(self, frames: Iterator[tuple[Any, int, int]], rate: Fraction) -> Iterator[tuple[Any, int, int]]:
        """Frames at evenly spaced times: each moment shows what the clip shows then."""
        base = self.header.time_base
        first: int | None = None
        number = 0
        for raw, time, duration in frames:
            if first is None:
                first = math.floor(time * base * rate + Fraction(1, 2))
            until = (time + duration) * base * rate
            while first + number + Fraction(1, 2) <= until:
                yield raw, first + number, 1
                number += 1

    def _decoded(self, usual: int) -> Iterator[tuple[Any, int, int]]:
        """Every frame that is shown, with a time that only grows; what cannot be decoded is bridged."""
        last: int | None = None
        shown: Any = None
        count = 0
        for raw, time in self._packets():
            if raw is None:  # a frame that is broken: the one before it stays in view
                if shown is None or time is None or (last is not None and time <= last):
                    continue
                raw = shown
                self.bridged += 1
            if time is None:
                time = last + usual if last is not None else 0
            if last is not None and time <= last:
                time = last + 1
            last, shown = time, raw
            count += 1
            yield raw, time, max(1, int(raw.duration or usual))
        self._judge(count, last, usual)

    def _packets(self) -> Iterator[tuple[Any, int | None]]:
        """Frames as they are decoded; (None, time) for one that was announced and never came."""
        if self.time_range.start or self._near is not None:
            target = self.header.start + (self.time_range.start or 0.0) if self._near is None else self._near
            found = self._packets_from(target)
            head = next(found, None)
            if head is not None and head[1] is not None and float(head[1] * self.header.time_base) <= target:
                yield head
                yield from found
                return
            # Seeking in files without an index can land behind the place: then all is decoded from the beginning.
            found.close()
            self.problems, self.cut_off = [], None
        yield from self._packets_from(None)

    def _packets_from(self, target: float | None) -> Generator[tuple[Any, int | None], None, None]:
        with headers.opened(self.path) as container:
            stream = headers.main_stream(self.path, container)
            stream.thread_type = "AUTO"
            decoder = headers.decoder_of(stream)
            base = stream.time_base
            if target is not None:
                container.seek(int(target / base), stream=stream, backward=True)
            pending = _Pending(container.format.name == "avi")
            for packet in self._demuxed(container, stream):
                if packet is None:
                    break
                pending.announce(packet)
                try:
                    decoded = decoder.decode(packet)
                except av.EOFError:
                    break
                except (av.FFmpegError, ValueError):
                    pending.fail(packet)
                    self._tell("broken; the one before it is shown in its place", packet.pts or packet.dts, base)
                    continue
                for frame in decoded:
                    missing, time = pending.take(frame)
                    if frame.is_corrupt:
                        self._tell("damaged; what the decoder made of it was used", time, base)
                    for lost in missing:
                        yield None, lost
                    yield frame, time
            # Frames that are still inside the decoder; a flush of one that broke off can fail as well.
            try:
                rest = decoder.decode(None) if not decoder.is_hwaccel else []
            except (av.FFmpegError, ValueError):
                rest = []
            for frame in rest:
                yield frame, pending.take(frame)[1]

    def _demuxed(self, container: Any, stream: Any) -> Iterator[Any]:
        try:
            yield from container.demux(stream)
        except av.FFmpegError as error:
            self.cut_off = f"reading stopped: {error.strerror or error}".lower()
            yield None

    # -- what went wrong -----------------------------------------------------------------------------------------------

    def _tell(self, what: str, time: int | None, base: Fraction) -> None:
        where = f" at {float(time * base):.2f} s" if time is not None else ""
        self.problems.append(f"a frame{where} is {what}")

    @property
    def notes(self) -> tuple[str, ...]:
        """The problems, shortened when there are many."""
        if len(self.problems) <= _MOST_TOLD:
            return tuple(self.problems)
        return (*self.problems[:_MOST_TOLD], f"and {len(self.problems) - _MOST_TOLD} more broken frames like these")

    def _judge(self, count: int, last: int | None, usual: int) -> None:
        """Whether the file ended before the end that it announces."""
        if self.cut_off is None and last is not None:
            self.cut_off = self._missing(count, last, usual)

    def _missing(self, count: int, last: int, usual: int) -> str | None:
        """How long the file says it is, where its last frame (of `count`) is shown too early for that."""
        head = self.header
        length = head.seconds
        if "avi" in head.container:  # a length told by the bytes that are left would fit whatever is left
            length = max(length, head.frames / float(head.rate))
        end = float((last + usual) * head.time_base) - head.start
        lost = length - end
        announced = any(name in head.container for name in ("mov", "avi", "matroska"))
        least = max(3 * float(usual * head.time_base), min(0.5, length / 10))
        if announced and lost > least and count < head.frames:
            return f"{length:.2f} seconds are announced"
        return None

    def ends_early(self) -> str | None:
        """Why the frames will end before the time range does, None if they will not.

        Told by the last packets alone, found by the index; only where these are missing, all packets are read. Nothing
        is decoded. Raises InputError: the file cannot be opened.
        """
        head, end = self.header, self.time_range.end
        if not head.seconds:
            return None
        usual = max(1, round(1 / (head.rate * head.time_base)))
        if self._packets_miss(usual, end, head.start + max(0.0, head.seconds - _TAIL_SECONDS)) is None:
            return None
        return self._packets_miss(usual, end, None)

    def _packets_miss(self, usual: int, end: float | None, start: float | None) -> str | None:
        """Why frames will be missing at the end, by the packets from `start` on, a time of the file's clock."""
        head = self.header
        count, last, stopped = 0, None, None
        with headers.opened(self.path) as container:
            stream = headers.main_stream(self.path, container)
            try:
                if start is not None:
                    container.seek(int(start / stream.time_base), stream=stream, backward=True)
                for packet in container.demux(stream):
                    time = packet.pts if packet.pts is not None else packet.dts
                    if packet.size and not packet.is_discard and time is not None:
                        count, last = count + 1, time if last is None else max(last, time)
            except av.FFmpegError as error:
                stopped = f"reading stopped: {error.strerror or error}".lower()
        if last is not None and end is not None and float((last + usual) * head.time_base) - head.start >= end:
            return None
        if stopped is not None or last is None:
            return stopped or "its end is missing"
        return self._missing(count, last, usual)

    def _check_size(self, raw: Any, number: int) -> None:
        if (raw.width, raw.height) != (self.header.width, self.header.height):
            raise InputError(
                f"{self.path}: the picture changes from {self.header.width}x{self.header.height} to "
                f"{raw.width}x{raw.height} at frame {number}",
                hint="cut the clip there with `start` and `end`",
            )

    def _turned(self, pixels: np.ndarray) -> np.ndarray:
        if not self.upright or self.header.matrix is None:
            return pixels
        if _mirrored(self.header):
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(np.rot90(pixels, _quarter_turns(self.header)))


class _Pending:
    """Packets whose frames have not come out of the decoder yet: which are missing, and when is each shown.

    A decoder gives frames in the order in which they are shown. So a packet with an earlier time than the frame that
    comes has no frame any more; whether that is a fault or a packet without a picture is told by errors before it.
    AVI stores no times of showing: there the nth frame is shown at the place of the nth packet.
    """

    def __init__(self, by_place: bool) -> None:
        self._by_place = by_place
        self._times: set[int] = set()
        self._places: deque[int] = deque()
        self._failed: set[int] = set()
        self._errors = 0

    def announce(self, packet: Any) -> None:
        """A packet goes into the decoder."""
        if not packet.size or packet.is_discard:
            return
        if packet.pts is not None and not self._by_place:
            self._times.add(packet.pts)
        elif packet.dts is not None:
            self._places.append(packet.dts)

    def fail(self, packet: Any) -> None:
        """The decoder gave an error at this packet; the fault may lie in one before it."""
        self._errors += 1
        if (packet.pts is None or self._by_place) and packet.dts is not None:
            self._failed.add(packet.dts)

    def take(self, frame: Any) -> tuple[list[int], int | None]:
        """A frame has come: the times of those before it that are missing, and its own."""
        if self._places and (frame.pts is None or self._by_place):
            missing = []
            time = self._places.popleft()
            while time in self._failed and self._places:
                missing.append(time)
                time = self._places.popleft()
            return missing, time
        time = frame.pts if frame.pts is not None else frame.dts
        if time is None:
            return [], None
        late = sorted(each for each in self._times if each < time)
        self._times.difference_update((*late, time))
        missing = late[-self._errors :] if self._errors else []
        self._errors = max(0, self._errors - len(late))
        return missing, time


def _quarter_turns(header: Header) -> int:
    """Counter-clockwise turns of 90 degrees that set the picture upright (after mirroring it, where it is)."""
    if header.matrix is None:
        return 0
    a, b = header.matrix[0], header.matrix[1]
    if _mirrored(header):
        a, b = -a, -b
    return round(math.degrees(math.atan2(-b, a)) / 90) % 4


def _mirrored(header: Header) -> bool:
    if header.matrix is None:
        return False
    a, b, _, c, d = header.matrix[:5]
    return a * d - b * c < 0
