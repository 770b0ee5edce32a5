"""One video file through a `SequenceTask`: decode | work | encode at once, in parts that survive an interruption.

The frames are decoded in one thread, worked on in another and encoded in the caller's (see
`imgfix.tasks.sequence.stages`); the queues between them are short, so that memory does not depend on the length. What
is encoded goes to closed segments beside the target (see `imgfix.media.video.segments`), and at the end everything is
joined into the target without encoding again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from imgfix.errors import ImgfixError, InputError, OutputError
from imgfix.media.files import atomic_path, check_writable, output_errors, raise_output_error, stamp
from imgfix.media.video import encoding, join, parts, segments, streams
from imgfix.media.video.colour import Colour
from imgfix.media.video.encoding import EncoderOptions, Encoding
from imgfix.media.video.pacing import Pacing, with_last
from imgfix.media.video.reader import Reader, TimeRange
from imgfix.media.video.segments import Journal, SegmentWriter
from imgfix.media.video.streams import Streams
from imgfix.pipelines.moving.parts import Course, Opening, OtherFramesError, Part, Seen
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Restart, SequenceTask, stages
from imgfix.tasks.smooth import Smooth, first_counted

Progress = Callable[[int, int], None]
CUT_OFF_HINT = "copy it again from where it came from, if there is more of it"
_FASTEST = 60000
"""Most frames a second that files are told of, and most seconds for one."""
_QUEUE = 2  # frames that wait between two stages


@dataclass(frozen=True)
class Settings:
    """How a clip is read and written, whatever is done to its frames."""

    time_range: TimeRange = field(default_factory=TimeRange)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    audio: bool = True
    deinterlace: str = "auto"
    """`auto`, `on` or `off`, as of `imgfix.media.video.reader.Reader`."""
    pacing: Pacing = field(default_factory=Pacing)
    """Which frames are made between frames."""
    resume: bool = False
    """Go on with what an interrupted run left; without it such parts are in the way."""
    overwrite: bool = False
    """Throw away what an interrupted run left, unless `resume`."""


@dataclass(frozen=True)
class Done:
    """What became of a clip."""

    frames: int
    resumed: int
    """Frames of an earlier, interrupted run among them."""
    size: tuple[int, int]
    encoding: Encoding
    streams: Streams
    notes: tuple[str, ...]


@dataclass
class Clip:
    """A clip and its target, looked at and planned; nothing is written before `run`.

    Raises InputError, OutputError, UsageError.
    """

    source: Path
    target: Path
    settings: Settings = field(default_factory=Settings)
    seen: Seen | None = None
    """Others have made parts of it, and who divided it keeps its lock."""

    def __post_init__(self) -> None:
        head = Reader(self.source, self.settings.time_range, deinterlace=self.settings.deinterlace)
        container = encoding.container_of(self.target)
        turn = head.header.matrix is not None and not streams.keeps_rotation(self.target)
        self.reader = replace(head, upright=True) if turn else head
        self.header = self.reader.header
        self.encoding = encoding.choose(self.header, container, self.settings.encoder)
        self.colour: Colour = encoding.as_written(self.header, self.encoding)
        self.streams = streams.plan(self.header, container, self.settings.audio)
        rate = self.settings.pacing.frame_rate(self.settings.time_range.rate or self.header.rate)
        # Frames have times of their own; damaged files claim one in a thousand years, or a million a second.
        self.rate = min(max(rate, Fraction(1, _FASTEST)), Fraction(_FASTEST))
        self.time_base = self.settings.pacing.time_base(self.reader.time_base)
        self.aspect = (
            1 / self.header.aspect
            if turn and self.reader.size != (self.header.width, self.header.height)
            else self.header.aspect
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames that are worked on."""
        return self.reader.size

    @property
    def each(self) -> float:
        """Frames that are made of each, on average."""
        return float(self.rate / (self.settings.time_range.rate or self.header.rate))

    @property
    def count(self) -> int:
        """How many frames will be made, as far as can be told beforehand; 0: not known."""
        return round(self.reader.count * self.each)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know before the work."""
        found = [*self.encoding.notes, *self.streams.notes]
        if self.header.interlaced:
            found.append(
                "its frames are interlaced: their comb lines are taken for picture; `deinterlace` on takes them away"
                if self.settings.deinterlace == "off"
                else "its interlaced frames are deinterlaced, one for one; `deinterlace` off leaves them"
            )
        if self.header.hdr:
            found.append(f"it is HDR ({self.header.hdr}): its values go through a model made for ordinary pictures")
        if self.header.dynamic:
            found.append(f"{self.header.dynamic} describes the old pictures and is left out")
        if self.header.hidden_alpha:
            found.append("its transparency cannot be read and is left out")
        if self.reader.upright:
            found.append("turned upright, for the result's container does not note how pictures are turned")
        return tuple(found)

    def rehearse(self, width: int, height: int) -> None:
        """Open the encoder once for frames of that size. Raises UsageError when it refuses the settings."""
        self.encoding.rehearse(width, height, self._encoder_rate, self.aspect, self.colour)

    @property
    def _encoder_rate(self) -> Fraction:
        return self.rate.limit_denominator(_FASTEST)

    def run(
        self,
        task: SequenceTask,
        job: Mapping[str, Any],
        record: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        say: Callable[[str], None] | None = None,
        between: Between | None = None,
    ) -> Done:
        """Do the work and write the target.

        Args:
            task: what is done to the frames.
            job: everything that the frames of the result depend on besides the source (options, hash of the model).
            record: tags to add to the result.
            progress: told (done, total) frames; total is 0 while it is not known.
            say: told in one sentence how the work begins, where an earlier run left something.
            between: makes the frames between frames, where the settings ask for any.

        Raises:
            InputError: the source ends too early; what could be read is in the target. Others of the family.
        """
        check_writable(self.target)
        before = stamp(self.target)
        facts = self._facts(task, job)
        made = _missing_folders(self.target)
        task, places = self._smoothed(task, between)
        with segments.alone(self.target) if self.seen is None else contextlib.nullcontext():
            journal = self._journal(facts, say or (lambda text: None))
            resumed = journal.frames
            if self.seen is not None:
                resumed = self.seen.resumed
                self.reader.problems, self.reader.cut_off = list(self.seen.problems), self.seen.cut_off
                self.reader.deinterlaced = self.seen.deinterlaced
            try:
                if not journal.complete:
                    self._work(task, places, journal, progress)
                with atomic_path(self.target) as temporary:
                    join.join(temporary, journal, self._finished(record or {}))
                segments.remove(self.target)
            except BaseException as error:
                if stamp(self.target) != before:  # Ctrl-C came when the target was in its place already
                    segments.remove(self.target)
                    raise
                told = self._left_behind(journal, error, made)
                if told is error:
                    raise
                raise told from error
        frames = journal.frames
        notes = (*self.notes, *self.reader.notes)
        if self.reader.deinterlaced and not self.header.interlaced and self.settings.deinterlace == "auto":
            notes += (f"{self.reader.deinterlaced} interlaced frames were deinterlaced",)
        done = Done(frames, resumed, task.size(*self.size), self.encoding, self.streams, notes)
        if self.reader.cut_off is not None:
            raise InputError(
                f"{self.source} is cut off after {frames} frames ({self.reader.cut_off}); "
                f"what could be read is in {self.target}",
                hint=CUT_OFF_HINT,
            )
        return done

    # -- divided among processes ---------------------------------------------------------------------------------------

    def open(
        self,
        task: SequenceTask,
        job: Mapping[str, Any],
        between: Between | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Opening | None:
        """Begin the result; then others can make parts of it. None: its frames cannot be divided.

        Arguments as of `run`. Raises OutputError, UsageError.
        """
        check_writable(self.target)
        facts, made = self._facts(task, job), _missing_folders(self.target)
        whole, _ = self._smoothed(task, between)
        division = whole.division(*self.size)
        if division is None or self.settings.pacing.rate is not None:
            return None
        with segments.alone(self.target):
            journal = self._journal(facts, say or (lambda text: None))
        first = first_input = 0
        if journal.segments and not journal.complete:
            restart = self._taken_up(journal)
            first, first_input = self._counted(whole, restart), restart.first_input
        return Opening(
            self.source, self.settings.time_range, self.reader.upright, self.settings.deinterlace, division,
            self.settings.pacing.factor, journal.frames, first, first_input, tuple(made),
        )  # fmt: skip

    def make(self, task: SequenceTask, part: Part, between: Between | None = None) -> bool:
        """Make a part of it; returns whether the next one can follow.

        Raises OutputError: the result was not begun, or another process took over. Others of the family.
        """
        journal = Journal.read(self.target)
        if journal is None:
            raise OutputError(f"{self.target} is not being written any more", hint="start it again, with `overwrite`")
        task, places = self._smoothed(task, between)
        division = task.division(*self.size)
        assert division is not None
        start, scene = division.begin(part.first, part.scene), part.scene * self.settings.pacing.factor
        if part.resumed:
            start, scene = self._taken_up(journal), journal.segments[-1].scene
        told = {"of": dict(journal.job), "part": _plain(vars(part))}
        if parts.is_made(self.target, start.index, told):
            return True
        with output_errors(self.target):
            mine = parts.begin(self.target, start.index, told)
            course = Course(part, division, self.settings.pacing.factor, start, scene)
            try:
                fits = self._work(task, places, mine, None, course)
            except OtherFramesError:
                mine = parts.begin(self.target, start.index, {**told, "counted": True})
                fits = self._work(task, places, mine, None, replace(course, part=replace(part, near=None)))
            parts.finish(mine, fits)
        return fits

    # -- parts of it ---------------------------------------------------------------------------------------------------

    def _facts(self, task: SequenceTask, job: Mapping[str, Any]) -> dict[str, Any]:
        return {"source": segments.identity(self.source), "job": _plain(job), "written": self._binding(task)}

    def _smoothed(self, task: SequenceTask, between: Between | None) -> tuple[SequenceTask, dict[int, list[Fraction]]]:
        """The task with the frames between frames, and where their places have to be put."""
        places: dict[int, list[Fraction]] = {}
        return (task if between is None else Smooth(task, between, places.pop, self.each)), places

    def _taken_up(self, journal: Journal) -> Restart:
        """The place behind what is finished."""
        last = journal.segments[-1]
        assert last.next_input is not None
        return Restart(last.end, last.next_input, journal.state())

    def _counted(self, task: SequenceTask, restart: Restart) -> int:
        """Number of the frame of the clip that is made first at a place."""
        return first_counted(restart) if isinstance(task, Smooth) else restart.index

    def _binding(self, task: SequenceTask) -> dict[str, Any]:
        time_range = self.settings.time_range
        return {
            "version": 3,
            "library": av.__version__,  # another encoder may give other bytes, which do not belong together
            "encoding": [self.encoding.encoder.name, self.encoding.pixels.name, *map(list, self.encoding.options)],
            "container": self.encoding.container,
            "size": list(task.size(*self.size)),
            "cut": [time_range.start, time_range.end, str(time_range.rate) if time_range.rate else None],
            "upright": self.reader.upright,
            "deinterlace": self.settings.deinterlace,
            "segment": segments.LENGTH,
            "pacing": [self.settings.pacing.factor, str(self.settings.pacing.rate)],
        }

    def _journal(self, facts: Mapping[str, Any], say: Callable[[str], None]) -> Journal:
        found = Journal.read(self.target)
        resume = self.settings.resume or self.seen is not None
        same = found is not None and {key: found.job.get(key) for key in facts} == dict(facts)
        if found is not None and same and (resume or not self.settings.overwrite):
            parts.gather(found)
        held = found.frames + parts.frames(found) if found is not None else 0
        if found is not None and (held > 0 or self.seen is not None) and (resume or not self.settings.overwrite):
            if not resume:
                raise OutputError(
                    f"{found.folder} holds {held} finished frames of an interrupted run",
                    hint="add `resume` to go on with it, or `overwrite` to begin anew",
                )
            if same and self._readable(found):
                found.cut_loose()
                if self.seen is None:
                    say(
                        f"going on after frame {found.frames}"
                        if found.frames == held
                        else f"going on with {held} frames"
                    )
                return found
            changed = "its state is damaged" if same else _changed(found.job, facts)
            say(f"beginning anew: what the interrupted run left does not fit any more, {changed}")
        # The encoder's bytes may depend on how many threads it has, so that number stays what it was.
        return Journal.begin(self.target, {**facts, "threads": min(16, os.cpu_count() or 1)})

    def _readable(self, journal: Journal) -> bool:
        try:
            journal.state()
        except (OSError, ValueError):
            return False
        return True

    def _work(
        self,
        task: SequenceTask,
        places: dict[int, list[Fraction]],
        journal: Journal,
        progress: Progress | None,
        course: Course | None = None,
    ) -> bool:
        """Make what is not finished, or of a part what is not finished of it; returns whether the next can follow.

        Raises OtherFramesError: see `Part.fed`.
        """
        restart = self._taken_up(journal) if journal.segments else course.start if course is not None else None
        scene = journal.segments[-1].scene if journal.segments else course.scene if course is not None else 0
        number = restart.index if restart is not None else 0
        skip = restart.first_input if restart is not None else 0
        frames = self.reader.frames(skip) if course is None else course.part.fed(self.reader, skip)
        times: deque[tuple[int, int]] = deque()
        total = self.count
        counted = 0 if restart is None else self._counted(task, restart)
        if progress is not None:
            progress(number, max(total, number))

        def pixels() -> Iterator[np.ndarray]:
            pacing, base = self.settings.pacing, self.reader.time_base
            for index, (frame, last) in enumerate(with_last(frames), start=skip):
                if index >= counted:
                    moments = pacing.moments(index, frame.time, frame.duration, base, last)
                    places[index] = [moment.place for moment in moments]
                    times.extend((moment.time, moment.duration) for moment in moments)
                yield frame.pixels

        taken_up = number
        segment = _Segment(self, journal, task.size(*self.size), number)
        try:
            with output_errors(self.target):
                for made in stages(task, pixels(), restart, _QUEUE):
                    begins = made.scene == {True}
                    ends = made.restart is not None and (
                        segment.count >= segments.LENGTH or (begins and number - scene >= segments.SHORTEST)
                    )
                    if course is not None and number > taken_up and not course.agrees(number, made.scene, ends):
                        return False
                    scene = number if begins else scene
                    if made.restart is not None and ends:
                        segment.close(made.restart, scene)
                    if course is not None and number == course.end:
                        return True
                    segment.write(made.frame, *times.popleft())
                    number += 1
                    if progress is not None:
                        progress(number, max(total, number))
                    behind = course.behind(number) if course is not None else None
                    if behind is not None:
                        segment.close(behind, course.end_scene if course is not None else 0)
                        return True
                segment.close(None, scene)
        finally:
            segment.abandon()
        return True

    def _finished(self, record: Mapping[str, str]) -> join.Finished:
        return join.Finished(
            header=self.header,
            encoding=self.encoding,
            colour=self.colour,
            streams=self.streams,
            time_range=self.settings.time_range,
            shift=self.reader.shift,
            time_base=self.time_base,
            rate=self.rate,
            aspect=self.aspect,
            turned=self.reader.upright,
            record=record,
        )

    def _left_behind(self, journal: Journal, error: BaseException, made: list[Path]) -> BaseException:
        """The error, with a word on what is kept; where nothing was finished yet, nothing is left behind."""
        if not journal.segments:
            segments.remove(self.target)
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return error
        kept = f"{journal.frames} frames are finished and kept in {journal.folder}; `resume` goes on with them"
        if isinstance(error, OSError) and not isinstance(error, ImgfixError):
            try:
                raise_output_error(error, self.target)
            except OutputError as told:
                error = told
        if isinstance(error, ImgfixError):
            error.add_hint(kept)
        else:
            error.add_note(kept)
        return error


class _Segment:
    """The segment that is being written, the next one after it, and so on.

    Args:
        clip: that they are of.
        journal: to which they are added.
        size: width and height of the frames.
        first: number of the first frame.
    """

    def __init__(self, clip: Clip, journal: Journal, size: tuple[int, int], first: int) -> None:
        self._clip, self._journal, self._size, self._first = clip, journal, size, first
        self._writer: SegmentWriter | None = None

    @property
    def count(self) -> int:
        """Frames in it."""
        return 0 if self._writer is None else len(self._writer.times)

    def write(self, pixels: np.ndarray, time: int, duration: int) -> None:
        """Encode the next frame."""
        if self._writer is None:
            clip, job = self._clip, self._journal.job
            self._writer = SegmentWriter(
                self._journal.path(len(self._journal.segments)), clip.encoding, clip.colour, self._size,
                clip._encoder_rate, clip.aspect, int(job.get("of", job).get("threads", 0)),
            )  # fmt: skip
        self._writer.write(pixels, time, duration)

    def close(self, behind: Restart | None, scene: int) -> None:
        """Finish it. behind: where work begins with the next one, None at the end of the clip. scene: see `Segment`."""
        if self._writer is None:
            return
        number = len(self._journal.segments)
        made = self._writer.close(number, self._first, behind.first_input if behind is not None else None, scene)
        self._writer, self._first = None, made.end
        self._journal.add(made, behind.state if behind is not None else {})

    def abandon(self) -> None:
        """Throw away what is not finished."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None


def _missing_folders(target: Path) -> list[Path]:
    """The folders that will be made for a target, innermost first."""
    return [folder for folder in target.absolute().parents if not folder.exists()]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    words = {"source": "the source", "job": "the options or the model", "written": "how the result is encoded"}
    return " and ".join(f"{words[key]} changed" for key in now if before.get(key) != now[key])
