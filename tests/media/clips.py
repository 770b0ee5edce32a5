"""Small video files made on the spot, with everything that has to survive in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

EVEN = tuple(i / 25 for i in range(24))
UNEVEN = (0.0, 0.04, 0.05, 0.13, 0.21, 0.22, 0.5, 0.54, 0.58, 0.92, 0.96, 1.0)
"""Seconds at which frames are shown."""


@dataclass(frozen=True)
class Sound:
    """A tone."""

    codec: str = "aac"
    start: float = 0.0
    seconds: float = 1.0
    layout: str = "stereo"
    rate: int = 48000
    language: str = "eng"


@dataclass(frozen=True)
class Recipe:
    """What a clip is made of."""

    times: Sequence[float] = EVEN
    size: tuple[int, int] = (48, 32)
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    time_base: Fraction = Fraction(1, 12800)
    sounds: Sequence[Sound] = ()
    subtitles: Sequence[tuple[float, float, str]] = ()
    subtitle_codec: str = "mov_text"
    chapters: Sequence[tuple[float, float, str]] = ()
    attachment: tuple[str, str, bytes] | None = None
    cover: bytes | None = None
    rotation: int = 0
    flip: bool = False
    aspect: Fraction = Fraction(1)
    matrix: int | None = None
    full: bool = False
    primaries: int = 2
    transfer: int = 2
    tags: dict[str, str] = field(default_factory=dict)
    pictures: Sequence[np.ndarray] | None = None
    last: float = 0.04


def picture(number: int, size: tuple[int, int] = (48, 32)) -> np.ndarray:
    """A frame that differs from every other: (H, W, 3) uint8."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    planes = [
        127 + 90 * np.sin(x / 7 + number / 3),
        127 + 90 * np.cos(y / 5 - number / 4),
        40 + 8 * (number % 24) + 0 * x,
    ]
    return np.stack(planes, -1).round().clip(0, 255).astype(np.uint8)


def combed(number: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A soft bar that walks, in two fields: (H, W, 3) uint8, the odd lines half a frame later."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    place = 12 + 6 * number + 3 * (y % 2)
    bar = 40 + 180 / (1 + np.exp(np.abs(x - place - 8) - 8.0))
    return np.repeat(bar[..., None], 3, axis=2).round().astype(np.uint8)


def interlaced(count: int, codec: str = "mpeg2video", marked: bool = True) -> Recipe:
    """A clip of such frames, top field first; `marked`: the file says that it is interlaced."""
    options = {"mpeg2video": {"qmin": "1", "qmax": "2"}, "libx264": {"crf": "5", "x264-params": "tff=1"}}.get(codec, {})
    if marked and codec == "mpeg2video":
        options |= {"flags": "+ildct+ilme", "top": "1"}
    return Recipe(
        times=EVEN[:count], size=(96, 64), codec=codec, options=options, time_base=Fraction(1, 25),
        pictures=[combed(number) for number in range(count)],
    )  # fmt: skip


def make(path: Path, recipe: Recipe = Recipe()) -> Path:
    """Write a clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(f"file:{path.absolute()}", "w") as out:
        out.metadata.update(recipe.tags)
        video = out.add_stream(recipe.codec, rate=25, options=dict(recipe.options))
        video.width, video.height = recipe.size
        video.pix_fmt = recipe.pixels
        video.time_base = video.codec_context.time_base = recipe.time_base
        video.codec_context.sample_aspect_ratio = recipe.aspect
        if recipe.matrix is not None:
            video.codec_context.colorspace = recipe.matrix
            video.codec_context.color_range = 2 if recipe.full else 1
        video.codec_context.color_primaries, video.codec_context.color_trc = recipe.primaries, recipe.transfer
        if recipe.rotation or recipe.flip:
            video.set_display_rotation(recipe.rotation, hflip=recipe.flip)
        sounds = [_sound_stream(out, sound) for sound in recipe.sounds]
        texts = out.add_stream(recipe.subtitle_codec) if recipe.subtitles else None
        if texts is not None:
            texts.codec_context.subtitle_header = STYLE
            texts.time_base = Fraction(1, 1000)
            texts.metadata["language"] = "deu"
        if recipe.attachment:
            out.add_attachment(*recipe.attachment)
        if recipe.chapters:
            out.set_chapters([
                {"id": n, "start": round(a * 1000), "end": round(b * 1000), "time_base": Fraction(1, 1000),
                 "metadata": {"title": title}}
                for n, (a, b, title) in enumerate(recipe.chapters)
            ])  # fmt: skip
        cover = None
        if recipe.cover is not None:
            cover = out.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
            cover.disposition = 0x400
        packets: list[Any] = []
        for number, seconds in enumerate(recipe.times):
            following = [*recipe.times[1:], recipe.times[-1] + recipe.last][number]
            frame = _frame(recipe, number)
            frame.pts = round(seconds / recipe.time_base)
            frame.duration = round((following - seconds) / recipe.time_base)
            frame.time_base = recipe.time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        for sound, stream in zip(recipe.sounds, sounds, strict=True):
            packets += _tone(sound, stream)
        for begin, end, text in recipe.subtitles:
            packets.append(_text(texts, begin, end, text))
        if cover is not None:
            packet = av.Packet(recipe.cover)
            packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 1000)
            packet.is_keyframe = True
            packets.append(packet)
        for packet in sorted(packets, key=lambda each: float((each.dts or 0) * each.time_base)):
            out.mux(packet)
    return path


def _frame(recipe: Recipe, number: int) -> Any:
    array = recipe.pictures[number] if recipe.pictures is not None else picture(number, recipe.size)
    name = {1: "ITU709", 9: "BT2020"}.get(recipe.matrix or 6, "ITU601")
    frame = av.VideoFrame.from_ndarray(array, format="rgb48le" if array.dtype == np.uint16 else "rgb24")
    frame = frame.reformat(
        format=recipe.pixels, dst_colorspace=Colorspace[name], src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if recipe.full else ColorRange.MPEG,
    )  # fmt: skip
    if recipe.matrix is not None:
        frame.colorspace = recipe.matrix
    frame.color_primaries, frame.color_trc = recipe.primaries, recipe.transfer
    return frame


def _sound_stream(out: Any, sound: Sound) -> Any:
    stream = out.add_stream(sound.codec, rate=sound.rate)
    stream.codec_context.layout = sound.layout
    stream.metadata["language"] = sound.language
    return stream


def _tone(sound: Sound, stream: Any) -> list[Any]:
    packets: list[Any] = []
    size = 1024
    for number in range(int(sound.seconds * sound.rate / size)):
        channels = av.AudioLayout(sound.layout).nb_channels
        wave = np.sin(np.arange(number * size, (number + 1) * size) * 440 * 2 * np.pi / sound.rate) * 0.2
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave[None].astype(np.float32), channels, 0), format="fltp", layout=sound.layout
        )
        frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
        frame.pts = round(sound.start * sound.rate) + number * size
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


def _text(stream: Any, begin: float, end: float, text: str) -> Any:
    data = text.encode()
    if stream.codec_context.name == "mov_text":
        data = len(data).to_bytes(2, "big") + data
    elif stream.codec_context.name == "ass":
        data = b"0,0,Default,,0,0,0,," + data
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = round(begin * 1000)
    packet.duration = round((end - begin) * 1000)
    packet.is_keyframe = True
    return packet


STYLE = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, PrimaryColour, "
    b"SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
    b"BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\nStyle: Default,Arial,16,&Hffffff,"
    b"&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, "
    b"Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


@dataclass(frozen=True)
class Seen:
    """What a file holds, read back packet by packet."""

    kinds: list[str]
    codecs: list[str]
    starts: list[float | None]
    ends: list[float]
    counts: list[int]
    languages: list[str | None]
    times: list[float]
    """When each frame is shown."""
    texts: list[tuple[float, float, str]]
    chapters: list[tuple[float, float, str]]
    tags: dict[str, str]
    attachments: list[tuple[str, bytes]]
    frames: list[Any]
    """Decoded frames of PyAV."""


def look(path: Path) -> Seen:
    """Read a file back."""
    with av.open(f"file:{path.absolute()}") as container:
        streams = list(container.streams)
        starts: list[float | None] = [None] * len(streams)
        ends, counts = [0.0] * len(streams), [0] * len(streams)
        texts, frames, places = [], [], []
        for packet in container.demux([stream for stream in streams if stream.type != "attachment"]):
            index = packet.stream.index
            is_cover = int(packet.stream.disposition) & 0x400
            if packet.size and packet.pts is not None and not packet.is_discard:
                at = float(packet.pts * packet.time_base)
                length = float((packet.duration or 0) * packet.time_base)
                known = starts[index]
                starts[index] = at if known is None else min(known, at)
                ends[index] = max(ends[index], at + length)
                counts[index] += 1
                if packet.stream.type == "subtitle":
                    text = _plain(packet)
                    if text:
                        texts.append((round(at, 3), round(at + length, 3), text))
            if packet.stream.type == "video" and not is_cover and packet.size and packet.dts is not None:
                places.append(round(float(packet.dts * packet.time_base), 4))
            if packet.stream.type == "video" and not is_cover:
                frames += packet.decode()
        times = [round(float(frame.pts * frame.time_base), 4) for frame in frames]
        if path.suffix == ".avi":  # frames are shown at the places of the packets
            times = sorted(places)
        return Seen(
            kinds=["cover" if int(stream.disposition) & 0x400 else stream.type for stream in streams],
            codecs=[stream.codec_context.codec.canonical_name if stream.codec_context else "" for stream in streams],
            starts=starts,
            ends=ends,
            counts=counts,
            languages=[stream.metadata.get("language") for stream in streams],
            times=times,
            texts=texts,
            chapters=[
                (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"].get("title", ""))
                for c in container.chapters()
            ],
            tags=dict(container.metadata),
            attachments=[(stream.name, stream.data) for stream in streams if stream.type == "attachment"],
            frames=frames,
        )


def _plain(packet: Any) -> str:
    data, name = bytes(packet), packet.stream.codec_context.name
    if name == "mov_text":
        return data[2 : 2 + int.from_bytes(data[:2], "big")].decode()
    if name in ("ass", "ssa"):
        return data.decode().split(",", 8)[8]
    return data.decode().strip()
