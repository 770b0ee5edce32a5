"""The last step of a job: closed segments and the source's other streams become one file, packet by packet."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from imgfix.errors import OutputError
from imgfix.media.files import raise_output_error
from imgfix.media.video import header as headers
from imgfix.media.video import streams as others
from imgfix.media.video.colour import Colour
from imgfix.media.video.encoding import Encoding
from imgfix.media.video.header import Header
from imgfix.media.video.opening import address, reading
from imgfix.media.video.reader import TimeRange
from imgfix.media.video.segments import Journal, packets_of
from imgfix.media.video.streams import Carried, Streams

_ATTACHED = 0x400
_OWN_CLOCK = ("mp4", "mov", "matroska", "webm", "3gp")
"""Containers that note when each stream begins; in them nothing is moved to begin at zero."""


@dataclass(frozen=True)
class Finished:
    """What the result is made of besides its packets."""

    header: Header
    encoding: Encoding
    colour: Colour
    streams: Streams
    time_range: TimeRange
    shift: float
    """Seconds by which everything moves towards zero."""
    time_base: Fraction
    rate: Fraction
    """Frames a second."""
    aspect: Fraction
    turned: bool
    """The pictures were set upright, so that the result has no display matrix."""
    record: Mapping[str, str]
    """Tags to add."""


def join(target: Path, journal: Journal, finished: Finished) -> None:
    """Write the result. Raises OutputError when it cannot be written."""
    options: dict[str, str] = {}
    container = finished.encoding.container
    if container in _OWN_CLOCK:
        options["avoid_negative_ts"] = "disabled"
    if container in ("matroska", "webm"):
        options["fflags"] = "+bitexact"  # else it gives the file and its tracks random numbers
    try:
        with headers.opened(finished.header.path) as source:
            tags = others.tags(source.metadata)
            for key, value in finished.record.items():
                tags.setdefault(key, value)
            if container in ("mp4", "mov", "3gp"):
                flags = "+faststart" if others.are_common(tags) else "+faststart+use_metadata_tags"
                options["movflags"] = flags
            with av.open(address(target), "w", format=container, container_options=options) as out:
                out.metadata.update(tags)
                _Joiner(out, source, journal, finished).run()
    except OSError as error:
        raise_output_error(error, target)
        if isinstance(error, av.FFmpegError):
            raise OutputError(
                f"{target}: the parts cannot be joined ({error.strerror or error})",
                hint="write to another container, such as `output` NAME.mkv, with `resume`: the pictures are finished",
            ) from error
        raise
    except (av.FFmpegError, ValueError) as error:
        raise OutputError(
            f"{target}: the parts cannot be joined ({error})",
            hint="write to another container, such as `output` NAME.mkv",
        ) from error


class _Joiner:
    def __init__(self, out: Any, source: Any, journal: Journal, finished: Finished) -> None:
        self.out, self.source, self.journal, self.finished = out, source, journal, finished
        self.last: dict[int, int] = {}

    def run(self) -> None:
        with reading(self.journal.path(0)) as first:
            video = self._video(first.streams.video[0])
            carried = [(each, self.source.streams[each.info.index]) for each in self.finished.streams.carried]
            copies = {stream.index: self._stream(each, stream) for each, stream in carried if each.way != "attach"}
            for each, stream in carried:
                if each.way == "attach":
                    self._attach(each, stream)
            self._chapters()
            self.out.start_encoding()
            self._merge(video, copies)

    def _video(self, template: Any) -> Any:
        finished = self.finished
        stream = self.out.add_stream_from_template(template, opaque=True)
        codec = stream.codec_context
        if finished.encoding.encoder.family == "prores":  # here the tag says which of its kinds it is
            codec.codec_tag = template.codec_context.codec_tag
        codec.framerate = finished.rate
        codec.sample_aspect_ratio = finished.aspect
        if finished.colour.matrix:
            codec.colorspace = finished.colour.matrix
        codec.color_range = 2 if finished.colour.full else 1
        codec.color_primaries, codec.color_trc = finished.colour.primaries, finished.colour.transfer
        original = self.source.streams[finished.header.stream]
        stream.time_base = self._clock(codec.framerate)
        stream.metadata.update(others.tags(original.metadata) | others.timecode(self.source, original.index))
        for key in [key for key in stream.metadata if key.lower() == "alpha_mode"]:
            del stream.metadata[key]
        if finished.encoding.pixels.alpha and finished.encoding.encoder.family == "vp9":
            stream.metadata["alpha_mode"] = "1"  # by which readers of Matroska know that there is any
        stream.disposition = int(original.disposition)
        if finished.header.matrix is not None and not finished.turned:
            stream.set_display_matrix(finished.header.matrix)
        return stream

    def _clock(self, rate: Fraction) -> Fraction:
        """The unit of the pictures' times in the result."""
        base = self.finished.time_base
        if self.finished.encoding.container != "avi":
            return base
        # AVI counts frames, and fills every place without one: evenly spaced frames get one place each.
        times = [time for segment in self.journal.segments for time in segment.times]
        even = all(abs((time - times[0]) * base * rate - number) < Fraction(1, 2) for number, time in enumerate(times))
        return 1 / rate if even else base

    def _stream(self, carried: Carried, template: Any) -> tuple[Carried, Any]:
        if carried.way == "copy":
            stream = self.out.add_stream_from_template(template, opaque=True)
            if template.type != "data":
                stream.time_base = template.time_base
        elif carried.info.kind == "audio":
            codec = template.codec_context
            stream = self.out.add_stream(carried.codec, rate=_sound_rate(carried.codec, codec.sample_rate))
            layout = codec.layout.name if codec.layout.nb_channels else "stereo"
            stream.codec_context.layout = layout
            stream.codec_context.bit_rate = 64000 * max(1, codec.layout.nb_channels) + 32000
        else:
            stream = self.out.add_stream(carried.codec)
            stream.codec_context.subtitle_header = template.codec_context.subtitle_header or _PLAIN_STYLE
            stream.time_base = Fraction(1, 1000)
        stream.metadata.update(others.tags(template.metadata))
        stream.disposition = int(template.disposition)
        return carried, stream

    def _attach(self, carried: Carried, stream: Any) -> None:
        if carried.info.kind == "attachment":
            added = self.out.add_attachment(stream.name, stream.mimetype or "application/octet-stream", stream.data)
            added.metadata.update(others.tags(stream.metadata))
            return
        kind = "png" if carried.info.codec == "png" else "jpeg"
        with headers.opened(self.finished.header.path) as again:
            data = next((bytes(packet) for packet in again.demux(again.streams[stream.index]) if packet.size), b"")
        if data:
            name = stream.metadata.get("filename") or f"cover.{'png' if kind == 'png' else 'jpg'}"
            self.out.add_attachment(name, f"image/{kind}", data)

    def _chapters(self) -> None:
        if not self.finished.streams.chapters:
            return
        shift, end = self.finished.shift, self._end()
        kept = []
        for chapter in self.source.chapters():
            base = Fraction(chapter["time_base"])
            first, last = (float(chapter[key] * base) - shift for key in ("start", "end"))
            if last <= 0 or first >= end:
                continue
            moved = {"start": round(max(0.0, first) / base), "end": round(min(last, end) / base)}
            kept.append({**chapter, **moved})
        if kept:
            self.out.set_chapters(kept)

    def _end(self) -> float:
        """Seconds on the result's clock at which the part ends."""
        time_range = self.finished.time_range
        if time_range.end is None:
            return math.inf
        return self.finished.header.start + time_range.end - self.finished.shift

    # -- packets -------------------------------------------------------------------------------------------------------

    def _merge(self, video: Any, copies: dict[int, tuple[Carried, Any]]) -> None:
        """Write pictures and everything else in the order of their times, so that little has to be held."""
        pictures = self._pictures(video)
        waiting = next(pictures, None)
        for seconds, packet in self._sounds(copies):
            while waiting is not None and waiting[0] <= seconds:
                self.out.mux(waiting[1])
                waiting = next(pictures, None)
            self._write(packet)
        while waiting is not None:
            self.out.mux(waiting[1])
            waiting = next(pictures, None)

    def _pictures(self, video: Any) -> Iterator[tuple[float, Any]]:
        """The pictures' packets with the clip's own times."""
        segments = self.journal.segments
        base = self.finished.time_base
        times = [time for segment in segments for time in segment.times]
        ends = [*times[1:], times[-1] + segments[-1].last_duration]
        delay = max(segment.delay for segment in segments)
        usual = max(1, (ends[-1] - times[0]) // len(times))
        decoded = _decoding_times(times, delay, usual)
        number = 0
        for segment in segments:
            for packet, shown in packets_of(self.journal.path(segment.number)):
                index = segment.first + shown
                packet.time_base = base
                packet.pts = times[index]
                packet.dts = decoded[number]
                packet.duration = ends[index] - times[index]
                packet.stream = video
                number += 1
                yield float(packet.dts * base), packet

    def _sounds(self, copies: dict[int, tuple[Carried, Any]]) -> Iterator[tuple[float, Any]]:
        """The packets of all other streams, copied or made anew, on the result's clock."""
        if not copies:
            return
        wanted = [self.source.streams[index] for index in copies]
        end = self._end()
        decoded = {stream.index: self._decoded(stream) for stream in wanted if self._is_moving(copies, stream)}
        covered: set[int] = set()
        cut_start = self.finished.time_range.start is not None
        with contextlib.suppress(av.FFmpegError):  # a file that is cut off: what could be read is carried
            for packet in self.source.demux(wanted):
                carried, stream = copies[packet.stream.index]
                if not packet.size:
                    if carried.way == "convert" and packet.pts is None and carried.info.kind == "audio":
                        yield from self._recoded(None, packet.stream.index, stream)
                    continue
                if carried.info.kind == "cover":
                    if packet.stream.index not in covered:
                        covered.add(packet.stream.index)
                        packet.pts = packet.dts = 0
                        packet.stream = stream
                        yield -math.inf, packet
                    continue
                if packet.stream.index in decoded:
                    packet.dts = next(decoded[packet.stream.index], None)
                base = packet.time_base
                moved = round(self.finished.shift / base)
                at = packet.pts if packet.pts is not None else packet.dts
                if at is None:
                    continue
                if carried.codec == "mov_text" and packet.size <= 2 and carried.way == "copy":
                    continue  # the muxer itself fills the gaps between texts
                seconds = float((at - moved) * base)
                length = float((packet.duration or 0) * base)
                if self.finished.encoding.container not in _OWN_CLOCK and seconds < 0 and seconds + length < 1e-3:
                    continue  # what a decoder swallows before the sound begins; here it would move everything
                if seconds >= end or (cut_start and seconds < 0 and not self._reaches(carried, seconds, length)):
                    continue
                if packet.pts is None:
                    packet.pts = at
                packet.pts = packet.pts - moved
                packet.dts = packet.dts - moved if packet.dts is not None else packet.pts
                if cut_start and packet.pts < 0:  # a subtitle that is still shown when the part begins
                    packet.duration = max(1, packet.duration + packet.pts)
                    packet.pts = packet.dts = 0
                if carried.way == "copy":
                    packet.stream = stream
                    yield seconds, packet
                else:
                    yield from self._recoded(packet, packet.stream.index, stream)

    def _is_moving(self, copies: dict[int, tuple[Carried, Any]], stream: Any) -> bool:
        carried, _ = copies[stream.index]
        return carried.way == "copy" and carried.info.kind == "video"

    def _decoded(self, stream: Any) -> Iterator[int | None]:
        """Times of decoding of further pictures, in the order of the packets: Matroska notes only those of showing."""
        shown: list[int] = []
        given: list[int | None] = []
        with contextlib.suppress(av.FFmpegError), headers.opened(self.finished.header.path) as again:
            for packet in again.demux(again.streams[stream.index]):
                if packet.size:
                    shown.append(packet.pts if packet.pts is not None else packet.dts or 0)
                    given.append(packet.dts)
        if None not in given or not shown:
            return iter(given)
        order = sorted(range(len(shown)), key=shown.__getitem__)
        delay = max(number - place for place, number in enumerate(order))
        times = sorted(shown)
        return iter(_decoding_times(times, delay, max(1, (times[-1] - times[0]) // len(times))))

    def _reaches(self, carried: Carried, seconds: float, length: float) -> bool:
        return carried.info.kind == "subtitle" and seconds + length > 0

    def _recoded(self, packet: Any, index: int, stream: Any) -> Iterator[tuple[float, Any]]:
        """Sound or text in another codec."""
        decoder = self.source.streams[index].codec_context
        if stream.type == "subtitle":
            text = decoder.decode2(packet)
            if text is None:
                return
            made = stream.codec_context.encode_subtitle(text)
            made.time_base = packet.time_base
            made.pts, made.dts, made.duration = packet.pts, packet.pts, packet.duration
            made.stream = stream
            yield float(packet.pts * packet.time_base), made
            return
        for frame in decoder.decode(packet):
            for made in stream.encode(frame):
                yield float(made.dts * made.time_base), made
        if packet is None:
            for made in stream.encode(None):
                yield float(made.dts * made.time_base), made

    def _write(self, packet: Any) -> None:
        """Mux, with times of decoding that grow, whatever the source says."""
        index = packet.stream.index
        last = self.last.get(index)
        if packet.dts is not None:
            if last is not None and packet.dts <= last:
                packet.dts = last + 1
                packet.pts = max(packet.pts, packet.dts)
            self.last[index] = packet.dts
        self.out.mux(packet)


def _decoding_times(shown: list[int], delay: int, usual: int) -> list[int]:
    """Times of decoding of packets, from the times at which they are shown in the order of showing.

    A packet is decoded `delay` packets before it is shown at the latest, so that shown times in their order, moved
    back by that many, are times of decoding that never decrease and never come after the time of showing. Those of the
    first packets, before anything is shown, are `usual` apart.
    """
    before = [shown[0] + (number - delay) * usual for number in range(min(delay, len(shown)))]
    return [*before, *shown[: len(shown) - len(before)]]


_PLAIN_STYLE = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\r\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0"
    b"\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def _sound_rate(codec: str, rate: int) -> int:
    return 48000 if codec == "libopus" else rate
