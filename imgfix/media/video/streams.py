"""What becomes of everything in a file but its pictures: sound, subtitles, cover, attachments, chapters, tags."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av

from imgfix.media.video import header as headers
from imgfix.media.video.containers import CONTAINERS, with_article
from imgfix.media.video.encoding import Nowhere
from imgfix.media.video.header import Header, StreamInfo

_SOUND = ("aac", "libopus", "libmp3lame", "ac3", "mp2")
_TEXT = {"subrip", "ass", "ssa", "mov_text", "webvtt", "text"}
_TEXT_ENCODERS = ("mov_text", "subrip", "ass", "webvtt")
_SYNC = 0.05  # seconds by which sound may be off before anyone notices
_HOLD_DATA = ("mp4", "mov", "mpegts")
_LOOKED_AT = 400  # packets among which the first of every stream is looked for
_TIMECODE = "timecode"
_HOLD_TIMECODE = ("mp4", "mov", "matroska", "webm")
"""Containers whose muxer makes a timecode stream, or a tag, out of the tag of the pictures."""
# What describes the old file's bytes and not its content.
_TECHNICAL = {
    *("encoder", "major_brand", "minor_version", "compatible_brands", "duration", "bps", "number_of_frames"),
    *("number_of_bytes", "rotate", "vendor_id", "filename", "mimetype", "_statistics_tags"),
    *("_statistics_writing_app", "_statistics_writing_date_utc", "source_id", "software", "encoding_time"),
}
_COMMON_TAGS = {
    *("title", "artist", "album_artist", "album", "composer", "genre", "comment", "date", "copyright", "description"),
    *("synopsis", "show", "episode_id", "network", "lyrics", "grouping", "track", "disc", "creation_time", "language"),
    *("media_type", "keywords", "location", "location-eng", "author", "hd_video", "gapless_playback", "encoded_by"),
    *("performer", "year", "make", "model", "handler_name", "timecode", "sort_name", "sort_artist", "compilation"),
}


@dataclass(frozen=True)
class Carried:
    """One stream that the result has as well."""

    info: StreamInfo
    way: Literal["copy", "convert", "attach"]
    codec: str
    """Of the result."""


@dataclass(frozen=True)
class Streams:
    """What the result has besides its pictures."""

    carried: tuple[Carried, ...]
    dropped: tuple[str, ...]
    converted: tuple[str, ...]
    chapters: int

    @property
    def words(self) -> str:
        """For a line of text: `2 audio, 1 subtitle, 3 chapters`."""
        counts: dict[str, int] = {}
        for each in self.carried:
            counts[each.info.kind] = counts.get(each.info.kind, 0) + 1
        if self.chapters:
            counts["chapters"] = self.chapters
        return ", ".join(f"{count} {kind}" for kind, count in counts.items())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or lost, one sentence each."""
        found = [f"converted: {'; '.join(self.converted)}"] if self.converted else []
        return (*found, *([f"dropped: {'; '.join(self.dropped)}"] if self.dropped else []))


def plan(header: Header, container: str, audio: bool = True) -> Streams:
    """Settle what becomes of each stream of a file, by asking the muxer. Raises InputError."""
    carried: list[Carried] = []
    dropped: list[str] = []
    converted: list[str] = []
    with headers.opened(header.path) as source:
        first = _first_packets(source)
        for info in header.others:
            stream = source.streams[info.index]
            if info.kind == "audio" and not audio:
                continue
            if info.kind == "data" and _is_hidden(stream):
                continue
            if info.kind == "data" and _TIMECODE in stream.metadata:
                if container not in _HOLD_TIMECODE:
                    dropped.append(f"the timecode ({with_article(container)} file does not hold it)")
                continue
            found = _way(info, stream, container, first.get(info.index))
            if found is None:
                dropped.append(f"{info} ({with_article(container)} file does not hold it)")
                continue
            carried.append(found)
            if found.way == "convert":
                converted.append(f"{info} to {found.codec}")
            late = _late(stream, source.streams[header.stream])
            if container == "avi" and late > _SYNC:
                dropped.append(f"the {late:.2f} s before {info} begins (an avi file does not note them)")
    chapters = header.chapters if container in ("mp4", "mov", "matroska", "webm", "3gp") else 0
    if header.chapters and not chapters:
        dropped.append(f"{header.chapters} chapters ({with_article(container)} file does not hold them)")
    return Streams(tuple(carried), tuple(dropped), tuple(converted), chapters)


def timecode(source: Any, stream: int) -> dict[str, str]:
    """The tag of the pictures that tells the time of the first frame, of theirs or of the file's timecode stream."""
    own = source.streams[stream].metadata.get(_TIMECODE)
    others = (each.metadata.get(_TIMECODE) for each in source.streams if each.type == "data")
    found = own or next((text for text in others if text), None)
    return {_TIMECODE: found} if found else {}


def _first_packets(source: Any) -> dict[int, Any]:
    """The first packet of each stream, of those that have one soon."""
    found: dict[int, Any] = {}
    with contextlib.suppress(av.FFmpegError):
        for packet in islice(source.demux(), _LOOKED_AT):
            if packet.size:
                found.setdefault(packet.stream.index, packet)
    return found


def _way(info: StreamInfo, stream: Any, container: str, packet: Any) -> Carried | None:
    if info.kind == "attachment":
        return Carried(info, "attach", info.codec) if container == "matroska" else None
    if info.kind == "cover":
        if container == "matroska":  # covers are attachments there
            return Carried(info, "attach", info.codec)
        return Carried(info, "copy", info.codec) if container == "mp4" else None
    if info.kind == "data" and (container not in _HOLD_DATA or stream.name is None):
        return None  # of a kind that FFmpeg has no name for, nothing but its packets would arrive
    if taken(container, stream, packet):
        return Carried(info, "copy", info.codec)
    if stream.codec_context is None:  # there is no decoder for it
        return None
    if info.kind == "audio":
        supported = _supported(container)
        codec = next((name for name in _SOUND if name in supported and name in av.codecs_available), None)
        return Carried(info, "convert", codec) if codec else None
    if info.kind == "subtitle" and info.codec in _TEXT:
        supported = _supported(container)
        codec = next((name for name in _TEXT_ENCODERS if name in supported), None)
        return Carried(info, "convert", codec) if codec else None
    return None


def _late(stream: Any, pictures: Any) -> float:
    """Seconds by which a stream begins after the pictures."""
    if stream.start_time is None or stream.type != "audio":
        return 0.0
    return float(stream.start_time * stream.time_base) - float((pictures.start_time or 0) * pictures.time_base)


def _is_hidden(stream: Any) -> bool:
    """Whether a stream is only a part of the file's structure, such as the titles of chapters in MP4."""
    return str(getattr(stream.discard, "name", "")) == "all"


def taken(container: str, stream: Any, packet: Any = None) -> bool:
    """Whether a container holds packets of this stream as they are: header and one packet are written, to nowhere."""
    if stream.codec_context is None and stream.type not in ("attachment", "data"):
        return False
    try:
        with av.open(Nowhere(), "w", format=container) as out:
            copy = out.add_stream_from_template(stream, opaque=True)
            out.start_encoding()
            if packet is not None and packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def _supported(container: str) -> set[str]:
    with av.open(Nowhere(), "w", format=container) as out:
        return set(out.supported_codecs)


def tags(given: Mapping[str, str]) -> dict[str, str]:
    """The tags of a file or stream that are about its content."""
    return {
        key: value
        for key, value in given.items()
        if key.lower() not in _TECHNICAL
        and not key.lower().startswith(("_statistics", "duration-", "bps-", "number_of"))
    }


def are_common(given: Mapping[str, str]) -> bool:
    """Whether MP4's classic tags hold all of these."""
    return all(key.lower() in _COMMON_TAGS for key in given)


def keeps_rotation(target: Path) -> bool:
    """Whether a container notes how its pictures are turned."""
    return CONTAINERS.get(target.suffix.lower()) in ("mp4", "mov", "3gp", "matroska")
