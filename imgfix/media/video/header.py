"""A glance at a video file: size, times, colour, streams, without decoding more than its first frame."""

from __future__ import annotations

import contextlib
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.sidedata.sidedata import Type as SideData

from imgfix.errors import InputError
from imgfix.media.sniff import what_else
from imgfix.media.video.chroma import Siting
from imgfix.media.video.colour import Colour
from imgfix.media.video.opening import reading

_COVER = 0x400  # AV_DISPOSITION_ATTACHED_PIC
_UNTOUCHED = ((1 << 16), 0, 0, 0, (1 << 16), 0, 0, 0, (1 << 30))
_PQ, _HLG = 16, 18  # transfer characteristics of ITU-T H.273

_DYNAMIC = {
    SideData.DOVI_METADATA: "Dolby Vision",
    SideData.DOVI_RPU_BUFFER: "Dolby Vision",
    SideData.DYNAMIC_HDR_PLUS: "HDR10+",
    SideData.DYNAMIC_HDR_VIVID: "HDR Vivid",
}


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a file."""

    index: int
    kind: str
    """`video`, `audio`, `subtitle`, `attachment`, `data`, or `cover` for a picture that belongs to the file."""
    codec: str
    language: str | None = None

    def __str__(self) -> str:
        return " ".join(word for word in (self.kind, self.codec, self.language) if word and word != "und")


@dataclass(frozen=True)
class Pixels:
    """How samples are stored."""

    name: str
    """As FFmpeg calls it: `yuv420p10le`."""
    bits: int
    """Of a sample, at most."""
    chroma: str
    """`420`, `422`, `444` ..., `gray` or `rgb`."""
    alpha: bool

    @property
    def multiple(self) -> tuple[int, int]:
        """What width and height must be multiples of, for whole chroma samples."""
        return {"420": (2, 2), "422": (2, 1), "411": (4, 1), "410": (4, 4), "440": (1, 2)}.get(self.chroma, (1, 1))


@dataclass(frozen=True)
class Header:
    """What a file says of its pictures."""

    path: Path
    container: str
    """The demuxer's name: `mov,mp4,m4a,3gp,3g2,mj2`, `matroska,webm` ..."""
    stream: int
    """Index of the stream that is worked on: the first that is no cover."""
    codec: str
    width: int
    """As stored, before any rotation."""
    height: int
    pixels: Pixels
    colour: Colour
    """As tagged, with what is not tagged filled in as players do."""
    time_base: Fraction
    """Seconds per unit of a frame's time."""
    rate: Fraction
    """Frames a second, on average."""
    frames: int
    """How many there are, 0 when neither the file nor its length tells."""
    seconds: float
    """Length of the pictures, 0 when not known."""
    start: float
    """Where the file's clock begins, in seconds."""
    aspect: Fraction
    """Width of a pixel over its height."""
    matrix: tuple[int, ...] | None
    """The display matrix of a turned or mirrored picture, nine 16.16 (last column 2.30) fixed-point numbers."""
    interlaced: bool
    streams: tuple[StreamInfo, ...]
    chapters: int
    hdr: str | None
    """`PQ`, `HLG`, or None."""
    light: str | None
    """Mastering display and light levels, in the notation of x265, where the file has them."""
    dynamic: str | None = None
    """Metadata that change from frame to frame: `Dolby Vision`, `HDR10+`, `HDR Vivid`."""
    hidden_alpha: bool = False
    """WebM with transparency, which no decoder here sees."""

    @property
    def others(self) -> tuple[StreamInfo, ...]:
        """Every stream but the pictures that are worked on."""
        return tuple(info for info in self.streams if info.index != self.stream)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A file open for reading. Raises InputError that says what is wrong with it."""
    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(reading(path, metadata_errors="replace"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file", hint="check the path") from None
        except PermissionError:
            raise InputError(f"{path}: no permission to read it", hint="check its rights") from None
        except (av.FFmpegError, ValueError, OSError) as error:
            raise _unreadable(path, error) from error
        yield container


def _unreadable(path: Path, error: BaseException) -> InputError:
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError as failure:
        return InputError(f"{path}: {(failure.strerror or 'cannot be read').lower()}", hint="check the file")
    if not start:
        return InputError(f"{path} is empty", hint="copy it again from where it came from")
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") or start.startswith(b"\x1aE\xdf\xa3"):
        return InputError(
            f"{path}: its index is missing or damaged, as when a copy or a recording was cut off",
            hint="copy it again; nothing of it can be read as it is",
        )
    return InputError(f"{path} is not a video that can be read: {what_else(start)}", hint="see whether it plays")


def inspect(path: Path) -> Header:
    """What a file holds. Raises InputError: unreadable, no pictures, encrypted, a codec that cannot be decoded."""
    with opened(path) as container:
        return header_of(path, container)


def main_stream(path: Path, container: Any) -> Any:
    """The stream that is worked on. Raises InputError when there is none."""
    moving = [stream for stream in container.streams.video if not int(stream.disposition) & _COVER]
    if not moving:
        kinds = sorted({stream.type for stream in container.streams})
        words = f"only {' and '.join(kinds)}" if kinds else "nothing"
        raise InputError(f"{path} has no moving pictures: it holds {words}", hint="give a video")
    return max(moving, key=lambda stream: (bool(int(stream.disposition) & 1), -stream.index))


def header_of(path: Path, container: Any) -> Header:
    """What an open file holds; reads up to its first frame, so the file has to be rewound or opened again after it."""
    stream = main_stream(path, container)
    if stream.codec_context is None:
        raise InputError(f"{path}: the codec of its pictures is not known here", hint="convert it to H.264 first")
    codec = stream.codec_context
    start = (container.start_time or 0) / av.time_base
    rate = next((Fraction(r) for r in (stream.average_rate, stream.guessed_rate, stream.base_rate) if r), Fraction(25))
    seconds = float(stream.duration * stream.time_base) if stream.duration else _tagged_seconds(stream)
    if not seconds and container.duration:
        seconds = container.duration / av.time_base
    first = _first_frame(path, container, stream)
    width, height = first.width, first.height
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    colour = Colour.of(first, codec, width, height, _siting(stream))
    return Header(
        path=path,
        container=container.format.name,
        stream=stream.index,
        codec=_family(codec),
        width=width,
        height=height,
        pixels=pixels_of(first.format),
        colour=colour,
        time_base=Fraction(stream.time_base),
        rate=rate,
        frames=int(stream.frames) or round(seconds * rate),
        seconds=seconds,
        start=start,
        aspect=aspect if aspect > 0 else Fraction(1),
        matrix=_matrix(first),
        interlaced=bool(first.interlaced_frame),
        streams=tuple(_info(each) for each in container.streams),
        chapters=len(container.chapters()),
        hdr={_PQ: "PQ", _HLG: "HLG"}.get(colour.transfer),
        light=_light(first),
        dynamic=next((words for kind, words in _DYNAMIC.items() if first.side_data.get(kind) is not None), None),
        hidden_alpha=_has_alpha(stream) and not any(c.is_alpha for c in first.format.components),
    )


def decoder_of(stream: Any) -> Any:
    """What decodes a stream's packets: libvpx for WebM with transparency, which FFmpeg's own VP8 and VP9 leave out."""
    if not _has_alpha(stream):
        return stream.codec_context
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(_family(stream.codec_context))
    try:
        decoder = av.CodecContext.create(str(name), "r")
    except (av.FFmpegError, ValueError):  # this FFmpeg was built without it
        return stream.codec_context
    decoder.extradata = stream.codec_context.extradata
    decoder.thread_count = 0
    return decoder


def _has_alpha(stream: Any) -> bool:
    """Whether WebM says that there is transparency beside the pictures."""
    return any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())


def _first_frame(path: Path, container: Any, stream: Any) -> Any:
    decoder = decoder_of(stream)
    failure: Exception | None = None
    packets = 0
    try:
        for packet in container.demux(stream):
            packets += packet.size > 0
            if packet.has_sidedata("encryption_info"):
                raise InputError(f"{path} is encrypted", hint="only files without copy protection can be worked on")
            try:
                for frame in decoder.decode(packet):
                    return frame
            except av.FFmpegError as error:
                failure = error
            if packets > 500:
                break
    except av.FFmpegError as error:
        failure = error
    name = stream.codec_context.name
    if packets == 0:
        raise InputError(f"{path} holds no frames", hint="give another video")
    raise InputError(
        f"{path}: not one of its {packets} frames ({name}) can be decoded ({failure or 'the decoder gives nothing'})",
        hint="it is damaged or encrypted; see whether it plays",
    )


def _siting(stream: Any) -> str | None:
    """Where the stream's chroma samples lie, one of `chroma.SITINGS`.

    PyAV does not tell. But Matroska notes it in its header, so that one is written and looked into (RFC 9559,
    5.1.4.1.28.23 and 24: ChromaSitingHorz is 1 for samples on the left column, 2 between; ChromaSitingVert likewise).
    """
    written = io.BytesIO()
    try:
        with av.open(written, "w", format="matroska") as out:
            out.add_stream_from_template(stream, opaque=True)
            out.start_encoding()
    except (av.FFmpegError, ValueError):
        return None
    found = (re.search(re.escape(key) + rb"\x81([\x01\x02])", written.getvalue()) for key in (b"\x55\xb7", b"\x55\xb8"))
    across, down = (match is not None and match[1] for match in found)
    if not across or not down:
        return None
    return Siting(across == b"\x01", down == b"\x01").word


def _family(codec: Any) -> str:
    """`h264`, not the name of the decoder that happens to read it."""
    return str(codec.codec.canonical_name)


def _info(stream: Any) -> StreamInfo:
    kind = stream.type if stream.type in ("video", "audio", "subtitle", "attachment") else "data"
    if kind == "video" and int(stream.disposition) & _COVER:
        kind = "cover"
    codec = stream.codec_context
    name = (
        _family(codec)
        if codec is not None and codec.codec is not None
        else stream.name
        if kind in ("attachment", "data")
        else ""
    )
    return StreamInfo(stream.index, kind, str(name or "unknown"), stream.metadata.get("language"))


def pixels_of(format: Any) -> Pixels:
    """The layout of a pixel format of PyAV."""
    colours = [component for component in format.components if not component.is_alpha]
    if format.is_rgb or format.has_palette or format.name.startswith(("bgr", "rgb", "gbr", "pal8")):
        chroma = "rgb"
    elif len(colours) == 1:
        chroma = "gray"
    else:
        across, down = 64 // format.chroma_width(64), 64 // format.chroma_height(64)
        chroma = {(2, 2): "420", (2, 1): "422", (1, 1): "444", (4, 1): "411", (4, 4): "410", (1, 2): "440"}.get(
            (across, down), "420"
        )
    bits = max((component.bits for component in format.components), default=8)
    alpha = any(component.is_alpha for component in format.components) or format.name == "pal8"
    return Pixels(format.name, bits, chroma, alpha)


def _tagged_seconds(stream: Any) -> float:
    """The length that Matroska notes for each stream: `00:00:10.500000000`."""
    text = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _matrix(frame: Any) -> tuple[int, ...] | None:
    found = frame.side_data.get(SideData.DISPLAYMATRIX)
    if found is None:
        return None
    values = struct.unpack("=9i", bytes(found)[:36])
    return None if values == _UNTOUCHED else values


def _light(frame: Any) -> str | None:
    """Mastering display and content light level of HDR frames, as x265 wants them; units 1/50000 and 1/10000 cd/m2."""
    words = []
    display = frame.side_data.get(SideData.MASTERING_DISPLAY_METADATA)
    if display is not None:
        numbers = struct.unpack("=22i", bytes(display)[:88])  # ten fractions, then whether both halves are there
        ratios = [numbers[i] / numbers[i + 1] if numbers[i + 1] else 0.0 for i in range(0, 20, 2)]
        if numbers[20] and numbers[21]:
            red, green, blue, white = ([round(50000 * value) for value in ratios[i : i + 2]] for i in (0, 2, 4, 6))
            low, high = round(10000 * ratios[8]), round(10000 * ratios[9])
            points = "".join(f"{name}({x},{y})" for name, (x, y) in zip("GBR", (green, blue, red), strict=True))
            words.append(f"master-display={points}WP({white[0]},{white[1]})L({high},{low})")
    level = frame.side_data.get(SideData.CONTENT_LIGHT_LEVEL)
    if level is not None:
        most, mean = struct.unpack("=2I", bytes(level)[:8])
        words.append(f"max-cll={most},{mean}")
    return ":".join(words) or None
