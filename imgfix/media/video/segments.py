"""The encoded pictures of a job that is not finished: closed segments and a journal, in a folder beside the target.

Every segment has an encoder of its own, so that it does not depend on what came before it: a job that is taken up at a
segment's beginning gives the same bytes as one that never stopped. A segment that was not closed is thrown away.

    clip_x4.mp4.unfinished/
        journal.jsonl    one object a line: what the job is, then one line a closed segment
        00000.seg        packets of frames 0, 1, 2 ...; their times in it only count them
        lock             held by the process that is at work
        00001.npz        what the model remembers when segment 1 begins, where it remembers anything
        parts/           what several processes make at once (see `imgfix.media.video.parts`)
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from imgfix.errors import OutputError
from imgfix.media.files import output_errors, write_atomic
from imgfix.media.video.colour import Colour, FromRgb
from imgfix.media.video.encoding import Encoding
from imgfix.media.video.opening import address, reading

LENGTH = 60
"""Frames of a segment at least: what an interruption can cost, and the distance of key frames."""
SHORTEST = 15
"""Frames of a scene from which on a segment begins with the next scene, however short it is then itself."""
SUFFIX = ".unfinished"
_JOURNAL = "journal.jsonl"
_LOCK = "lock"
_FARTHEST = 64  # frames by which an encoder may take them out of order
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Segment:
    """One closed segment."""

    number: int
    first: int
    """Number of its first frame in the clip."""
    times: tuple[int, ...]
    """When each of its frames is shown, in units of the clip's time base."""
    last_duration: int
    """How long its last frame is shown."""
    delay: int
    """How many packets the encoder's order is behind the order of showing, at most."""
    next_input: int | None
    """Number of the frame to feed first when work goes on behind this segment; None: it is the last."""
    state: str | None = None
    """Name of the file with what the model remembers there."""
    scene: int = 0
    """Number of the frame behind it or before, with which a scene began the last time."""

    @property
    def end(self) -> int:
        """Number of the frame after its last."""
        return self.first + len(self.times)


def folder_of(target: Path) -> Path:
    """Where the parts of an unfinished result are kept."""
    return target.with_name(target.name + SUFFIX)


def identity(source: Path) -> dict[str, Any]:
    """What tells whether a source is still the same file: size, time of change, hash of its first megabyte."""
    facts = source.stat()
    with source.open("rb") as stream:
        head = hashlib.sha256(stream.read(_HEAD_BYTES)).hexdigest()
    return {"bytes": facts.st_size, "changed": facts.st_mtime_ns, "head": head}


@dataclass
class Journal:
    """What an unfinished job has done so far."""

    folder: Path
    job: Mapping[str, Any]
    """Everything that the result depends on; another value is another job."""
    segments: list[Segment] = field(default_factory=list)

    @classmethod
    def read(cls, target: Path) -> Journal | None:
        """The journal beside a target, or None. Lines that a crash left half-written are ignored."""
        return cls.at(folder_of(target))

    @classmethod
    def at(cls, folder: Path) -> Journal | None:
        """The journal in a folder, or None."""
        try:
            lines = (folder / _JOURNAL).read_text(encoding="utf-8").splitlines()
            job = _checked(lines[0])
        except (OSError, ValueError, IndexError, RecursionError):
            return None
        found = cls(folder, job)
        for line in lines[1:]:
            try:
                row = _checked(line)
                segment = Segment(**{**row, "times": tuple(row["times"])})
            except (ValueError, TypeError, KeyError, RecursionError):
                break
            if segment.number != len(found.segments) or not found.path(segment.number).is_file():
                break
            found.segments.append(segment)
        return found

    @classmethod
    def begin(cls, target: Path, job: Mapping[str, Any]) -> Journal:
        """A new journal; what was there is removed. Raises OutputError when the folder cannot be written."""
        folder = folder_of(target)
        with output_errors(target):
            for old in folder.iterdir() if folder.is_dir() else ():
                if old.is_dir():
                    shutil.rmtree(old)
                elif old.name != _LOCK:
                    old.unlink()
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / _JOURNAL, _line(job))
        return cls(folder, dict(job))

    @property
    def frames(self) -> int:
        """How many frames are finished."""
        return self.segments[-1].end if self.segments else 0

    @property
    def complete(self) -> bool:
        """Whether all frames are finished, and only the joining is left."""
        return bool(self.segments) and self.segments[-1].next_input is None

    def path(self, number: int) -> Path:
        """The file of a segment."""
        return self.folder / f"{number:05d}.seg"

    def state(self) -> dict[str, np.ndarray]:
        """What the model remembers at the end of what is finished. Raises OSError or ValueError when it is damaged."""
        if not self.segments or self.segments[-1].state is None:
            return {}
        with np.load(self.folder / self.segments[-1].state, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def add(self, segment: Segment, state: Mapping[str, np.ndarray]) -> None:
        """Note a segment that is closed and on disk, and what the model remembers behind it."""
        if state:
            data = io.BytesIO()
            np.savez(data, allow_pickle=False, **dict(state))
            segment = Segment(**{**asdict(segment), "state": f"{segment.number + 1:05d}.npz"})
            write_atomic(self.folder / str(segment.state), data.getvalue())
        with (self.folder / _JOURNAL).open("ab") as stream:
            stream.write(_line(asdict(segment)).encode())
            stream.flush()
            os.fsync(stream.fileno())
        before = self.segments[-1].state if self.segments else None
        self.segments.append(segment)
        if before is not None:
            with contextlib.suppress(OSError):
                (self.folder / before).unlink()

    def cut_loose(self) -> None:
        """Remove segments that were begun and not closed, and lines that a crash left half-written."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        lines = [dict(self.job), *(asdict(segment) for segment in self.segments)]
        write_atomic(self.folder / _JOURNAL, "".join(map(_line, lines)))


def _line(values: Mapping[str, Any]) -> str:
    """A line of the journal, with a checksum behind its values."""
    plain = json.dumps(dict(values), ensure_ascii=True)
    return json.dumps({**values, "crc": zlib.crc32(plain.encode())}, ensure_ascii=True) + "\n"


def _checked(line: str) -> dict[str, Any]:
    """The values of a line. Raises ValueError: it is not as it was written, and what it says cannot be built upon."""
    values = json.loads(line)
    if not isinstance(values, dict) or values.pop("crc", None) != zlib.crc32(json.dumps(values).encode()):
        raise ValueError("a line of the journal is damaged")
    return values


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """Keep other processes from the parts of an unfinished result; the system lets go however this one ends.

    Raises OutputError: another one is at work on it, or the folder cannot be written.
    """
    lock = None
    with output_errors(target):
        while lock is None:
            folder_of(target).mkdir(parents=True, exist_ok=True)
            lock = _locked(folder_of(target) / _LOCK, target)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not any(path.name != _LOCK for path in folder_of(target).iterdir()):
                remove(target)
        lock.close()


def _locked(path: Path, target: Path) -> BinaryIO | None:
    """The lock, held as long as it is open; None: it went away in this moment, with the process that held it."""
    try:
        stream = path.open("wb")
    except FileNotFoundError:
        return None
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
            return stream
    except ImportError:  # Windows: the user is trusted not to write one file twice at a time
        return stream
    except BlockingIOError:
        stream.close()
        raise OutputError(
            f"{target} is being written by another process", hint="wait for it, or choose another `output`"
        ) from None
    except FileNotFoundError:
        pass
    except OSError:  # a file system without locks
        return stream
    stream.close()
    return None


def remove(target: Path) -> None:
    """Remove the parts of an unfinished result."""
    folder = folder_of(target)
    if folder.is_dir():
        shutil.rmtree(folder)


class SegmentWriter:
    """Encodes frames into one segment.

    Args:
        path: of the segment; it appears when it is closed.
        encoding, colour: how.
        size: width and height of the frames.
        rate, aspect: of the clip.
        threads: of the encoder; its output may depend on them.
    """

    def __init__(
        self,
        path: Path,
        encoding: Encoding,
        colour: Colour,
        size: tuple[int, int],
        rate: Fraction,
        aspect: Fraction,
        threads: int,
    ) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._size = size
        width, height = size
        across, down = encoding.multiple
        self._pad = (-width % across, -height % down)
        width, height = width + self._pad[0], height + self._pad[1]
        # The clip's own times are put on at the end: the encoder only counts, whatever the frame rate does.
        self._rate = rate
        self._convert = FromRgb(colour, encoding.pixels.name)
        self._container = av.open(address(self._part), "w", format=encoding.segment_container)
        self._stream = encoding.stream(self._container, width, height, self._rate, aspect, colour, threads)
        self.times: list[int] = []
        self.last_duration = 1
        self._written = 0
        self._delay = 0

    def write(self, pixels: np.ndarray, time: int, duration: int) -> None:
        """Encode the next frame."""
        if pixels.shape[:2] != self._size[::-1]:
            raise ValueError(f"a frame of {pixels.shape[1]}x{pixels.shape[0]} where {self._size} was announced")
        right, below = self._pad
        if right or below:
            pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = self._convert(pixels)
        frame.pts = len(self.times)
        frame.time_base = 1 / self._rate
        self.times.append(time)
        self.last_duration = duration
        self._mux(self._stream.encode(frame))

    def close(self, number: int, first: int, next_input: int | None, scene: int = 0) -> Segment:
        """Finish the segment; it is on disk when this returns. scene: as of `Segment`."""
        self._mux(self._stream.encode(None))
        self._container.close()
        handle = os.open(self._part, os.O_RDWR | getattr(os, "O_BINARY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        self._part.replace(self._path)
        if self._written != len(self.times):
            raise OutputError(
                f"{self._path}: the encoder made {self._written} packets of {len(self.times)} frames",
                hint="choose another `codec`",
            )
        return Segment(number, first, tuple(self.times), self.last_duration, self._delay, next_input, scene=scene)

    def abandon(self) -> None:
        """Throw the segment away."""
        with contextlib.suppress(Exception):
            self._container.close()
        with contextlib.suppress(OSError):
            self._part.unlink()

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            shown = round(packet.pts * packet.time_base * self._rate)
            decoded = _decoding_time(packet.pts, packet.dts, _FARTHEST / (packet.time_base * self._rate))
            if decoded != packet.dts:
                packet.dts = decoded
            self._delay = max(self._delay, self._written - shown)
            self._written += 1
            self._container.mux(packet)


def _decoding_time(pts: int, dts: int | None, farthest: float) -> int:
    """The decoding time of a packet, or when it is shown where the encoder gives none that can be.

    libx265 leaves that of clips of one or two frames to what its memory held; those are in the order they are shown.
    """
    return dts if dts is not None and pts - farthest <= dts <= pts else pts


def packets_of(path: Path) -> Iterator[tuple[Any, int]]:
    """The packets of a segment in the encoder's order, each with the number of its frame in the segment."""
    # Twice through the file: a segment of a lossless codec may be too large to hold.
    shown = {time: number for number, time in enumerate(sorted(packet.pts for packet in _packets(path)))}
    for packet in _packets(path):
        yield packet, shown[packet.pts]


def _packets(path: Path) -> Iterator[Any]:
    with reading(path) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                yield packet
