"""Interlaced frames to whole ones, one for each, so that count and times of the frames stay.

By FFmpeg's bwdif, which takes what is still from the frame before and after, and interpolates what moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.filter import Graph

_Timed = tuple[Any, int, int]


class Deinterlacer:
    """Goes over the decoded frames of one clip.

    Args:
        every: also frames that are not marked as interlaced.
    """

    def __init__(self, every: bool) -> None:
        self._every = every
        self._weave: _Weave | None = None
        self.touched = 0
        """Frames that were interlaced."""

    def over(self, frames: Iterator[_Timed]) -> Iterator[_Timed]:
        """(frame, time, duration) -> the same with whole frames; they come one later from the first interlaced on."""
        for raw, time, duration in frames:
            marked = self._every or bool(raw.interlaced_frame)
            self.touched += marked
            if self._weave is None and not marked:
                yield raw, time, duration
                continue
            if self._weave is not None and not self._weave.takes(raw):
                yield from self._weave.rest()
                self._weave = None
            if self._weave is None:
                self._weave = _Weave(raw, self._every)
            yield from self._weave.push(raw, time, duration)
        if self._weave is not None:
            yield from self._weave.rest()


class _Weave:
    """One filter graph, for frames of one size and format."""

    def __init__(self, raw: Any, every: bool) -> None:
        self._like = _kind(raw)
        self._waiting: deque[tuple[int, int]] = deque()
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=raw.width, height=raw.height, format=raw.format, time_base=raw.time_base, name="in"
        )
        weave = self._graph.add("bwdif", f"mode=send_frame:parity=auto:deint={'all' if every else 'interlaced'}")
        sink = self._graph.add("buffersink")
        self._graph.link_nodes(source, weave, sink)
        self._graph.configure()

    def takes(self, raw: Any) -> bool:
        """Whether a frame is like those before."""
        return _kind(raw) == self._like

    def push(self, raw: Any, time: int, duration: int) -> Iterator[_Timed]:
        """A frame goes in; those that are finished come out."""
        self._waiting.append((time, duration))
        self._graph.push(raw)
        yield from self._finished()

    def rest(self) -> Iterator[_Timed]:
        """Those that are still inside."""
        self._graph.push(None)
        yield from self._finished()

    def _finished(self) -> Iterator[_Timed]:
        while self._waiting:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, av.EOFError):
                return
            yield frame, *self._waiting.popleft()


def _kind(raw: Any) -> tuple[int, int, str]:
    return raw.width, raw.height, raw.format.name
