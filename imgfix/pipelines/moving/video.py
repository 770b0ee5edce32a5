"""A video file as something that moves; the work on it is done by `imgfix.pipelines.moving.clip`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.pipelines import pictures
from imgfix.pipelines.moving.clip import CUT_OFF_HINT, Clip
from imgfix.pipelines.moving.moving import Done, Say
from imgfix.pipelines.options import ClipOptions, Saving
from imgfix.pipelines.result import ClipFacts, FileFacts, Progress, StreamFacts
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Estimate, SequenceTask
from imgfix.tasks.smooth import Smooth


class VideoFile:
    """A video file and its target. Raises InputError, OutputError, UsageError."""

    def __init__(self, source: Path, target: Path, options: ClipOptions, saving: Saving) -> None:
        self.clip = Clip(source, target, options.settings(saving.overwrite))
        self.source, self.target, self.name = source, target, str(source)
        self.size, self.shown = self.clip.size, self.clip.reader.shown
        self.multiple, self.time_range = self.clip.encoding.multiple, self.clip.settings.time_range
        self.ignored: tuple[str, ...] = ()
        if saving.quality is not None:
            self.ignored = ("`quality` is for pictures; the quality of a clip is `crf`",)

    @property
    def count(self) -> int:
        """See `Moving.count`."""
        return self.clip.count

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Moving.notes`."""
        return self.clip.notes

    @property
    def details(self) -> ClipFacts:
        """See `Moving.details`."""
        streams, encoding = self.clip.streams, self.clip.encoding
        return ClipFacts(
            tuple(
                StreamFacts(each.info.kind, each.codec, each.info.language, each.way) for each in streams.carried
            ),
            streams.chapters,
            tuple(streams.dropped),
            f"{encoding.encoder.name} {encoding.pixels.name}" + (f" with {streams.words}" if streams.words else ""),
        )  # fmt: skip

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        return (frame.pixels for frame in self.clip.reader.frames())

    def rough(self) -> Iterator[np.ndarray]:
        """See `Moving.rough`."""
        return self.frames()

    def lay(self, picture: np.ndarray) -> np.ndarray:
        """See `Moving.lay`."""
        return self.clip.reader.laid(picture)

    def files(self) -> list[tuple[Path, Path]]:
        """See `Moving.files`."""
        return [(self.source, self.target)]

    def input(self) -> FileFacts:
        """See `Moving.input`."""
        head = self.clip.header
        return FileFacts(
            *self.size, format=head.container, codec=head.codec, pixels=head.pixels.name,
            rate=round(float(head.rate), 3), duration=round(head.seconds, 3),
        )  # fmt: skip

    def output(self, size: tuple[int, int]) -> FileFacts:
        """See `Moving.output`."""
        made = self.clip.encoding
        return FileFacts(
            *size, format=made.container, codec=made.encoder.family, encoder=made.encoder.name, pixels=made.pixels.name,
            bytes=pictures.bytes_written(self.target),
        )  # fmt: skip

    def check(self, size: tuple[int, int]) -> None:
        """See `Moving.check`."""
        self.clip.rehearse(*size)

    def check_end(self) -> None:
        """See `Moving.check_end`; nothing is decoded."""
        reason = self.clip.reader.ends_early()
        if reason is not None:
            raise InputError(f"{self.source} is cut off ({reason})", hint=CUT_OFF_HINT)

    def whole(self, task: SequenceTask, between: Between | None = None) -> Estimate | None:
        """See `Moving.whole`."""
        if between is not None:
            task = Smooth(task, between, lambda number: (), self.clip.each)
        frame = task.estimate(*self.size)
        if frame is None:
            return None
        width, height = task.size(*self.size)
        deep = 2 if self.clip.header.pixels.bits > 8 else 1
        held = (6 + task.held) * (width * height + self.size[0] * self.size[1]) * 3 * deep
        # The encoder looks some forty frames ahead.
        held += 40 * width * height * 3 // 2 * deep
        return replace(frame, seconds=frame.seconds * self.clip.reader.count, host_bytes=frame.host_bytes + held)

    def run(
        self,
        task: SequenceTask,
        job: Mapping[str, object],
        record: Mapping[str, object] | None,
        progress: Progress,
        say: Say,
        between: Between | None = None,
    ) -> Done:
        """See `Moving.run`."""
        done = self.clip.run(task, job, record=self._tags(record), progress=progress, say=say, between=between)
        return Done(done.frames, done.size, done.notes, done.resumed)

    def _tags(self, record: Mapping[str, object] | None) -> dict[str, str]:
        """The record as a container holds it."""
        if record is None:
            return {}
        hashed = f", sha256 {record['sha256']}" if "sha256" in record else ""
        key = "IMGFIX" if self.clip.encoding.container in ("matroska", "webm") else "comment"
        steps = record.get("steps")
        made = "; ".join(str(step["command"]) for step in steps) + "; " if isinstance(steps, list) else ""
        return {key: f"{record['command']} ({made}imgfix {record['version']}{hashed})"}
