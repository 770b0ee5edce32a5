"""A clip that several processes work on: opened by one, made in parts by all, finished by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imgfix.media.video import segments
from imgfix.pipelines.moving.clip import Clip
from imgfix.pipelines.moving.parts import Opening, Part
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import SequenceTask

WORTH_IT = 2
"""Segments of a result from which on it is divided."""


@dataclass(frozen=True)
class SharedClip:
    """The work on a video file, ready to be done in parts."""

    clip: Clip
    task: SequenceTask
    job: Mapping[str, Any]
    between: Between | None

    def open(self, say: Callable[[str], None]) -> Opening | None:
        """Begin the result; None: it is short, or cannot be divided, which is said. Raises as `Clip.open`."""
        if 0 < self.clip.count < WORTH_IT * segments.LENGTH:
            return None
        opening = self.clip.open(self.task, self.job, self.between, say)
        if opening is None:
            say("one worker makes all of it, for its frames depend on too many before them to be divided")
        return opening

    def make(self, part: Part) -> bool:
        """Make a part; returns whether the next one can follow. Raises as `Clip.make`."""
        return self.clip.make(self.task, part, self.between)
