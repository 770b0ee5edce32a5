"""Animated GIF, WebP, PNG and AVIF: frames in and out, with their times, the loop count and transparency.

Every frame that comes is the whole picture: those of GIF and PNG are put together here, after their specifications, and
those of the others by their libraries. Frames are written whole as well; Pillow stores of each only what changed, and
joins frames that are the same.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image

from imgfix.errors import InputError
from imgfix.media import apng, apng_parts, decode, formats, gif_parts, png, xmp
from imgfix.media.canvas import composed
from imgfix.media.formats import png as png_format
from imgfix.media.formats.by_pillow import open_as
from imgfix.media.names import json_text
from imgfix.media.pillow_stream import Unnamed
from imgfix.media.sniff import sniff

ANIMATED = tuple(form.name for form in formats.FORMATS if form.animated)
"""Formats that can move."""
_USUAL_QUALITY = 90
_FRAMES = 20  # times the limit of one picture that all frames together may have
_SLOWEST = 65535 * 10  # milliseconds that GIF can count


@dataclass(frozen=True)
class Animation:
    """What an animated picture holds besides the pixels of its frames."""

    path: Path
    format: str
    width: int
    height: int
    durations: tuple[int, ...]
    """Milliseconds that each frame is shown."""
    loop: int | None
    """How often it plays, 0 for ever; None: once, or what the viewer does by itself."""
    alpha: bool
    """Some pixel of some frame is not opaque."""
    lossless: bool
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None
    comment: bytes | None
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return sum(self.durations) / 1000


def is_animated(path: Path) -> bool:
    """Whether a file is a picture with more than one frame; False for what cannot be read."""
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
        return sniff(start) in ANIMATED and decode.inspect(path).frames > 1
    except (OSError, InputError):
        return False


def inspect(path: Path, max_pixels: int | None = decode.DEFAULT_MAX_PIXELS) -> Animation:
    """Look through an animated picture once, for times and transparency. Raises InputError."""
    opened = _open(path, max_pixels)
    durations: list[int] = []
    notes: list[str] = []
    alpha = False
    for frame, duration in opened.frames(notes):
        durations.append(duration)
        alpha = alpha or frame[..., 3].min() != 255
    if opened.cut_off:
        notes.append(f"the file is cut off: frame {len(durations)} and all behind it are left out")
    if opened.has_poster:
        notes.append("its still picture for old viewers is left out")
    data = path.read_bytes() if opened.format == "WEBP" else b""
    info = opened.info
    return Animation(
        path=path,
        format=opened.format,
        width=opened.width,
        height=opened.height,
        durations=tuple(durations),
        loop=opened.loop,
        alpha=bool(alpha),
        lossless=opened.format in ("GIF", "PNG") or (b"VP8L" in data and b"VP8 " not in data),
        icc=info.get("icc_profile"),
        exif=info.get("exif") or None,
        xmp=info.get("xmp") or None,
        comment=info.get("comment") if isinstance(info.get("comment"), bytes) else None,
        notes=tuple(notes),
    )


def frames(animation: Animation, first: int = 0, last: int | None = None) -> Iterator[np.ndarray]:
    """Yield the frames from `first` to before `last`: (H, W, 3) uint8, or (H, W, 4) when any is transparent."""
    samples = 4 if animation.alpha else 3
    opened = _open(animation.path, None)
    for number, (frame, _) in enumerate(opened.frames([])):
        if number >= len(animation.durations) or (last is not None and number >= last):
            return
        if number >= first:
            yield np.ascontiguousarray(frame[..., :samples])


def write(
    stream: BinaryIO,
    format: str,
    pictures: Iterator[np.ndarray],
    like: Animation,
    durations: Sequence[int],
    quality: int | None = None,
    record: Mapping[str, object] | None = None,
) -> None:
    """Write frames as an animated picture; they are drawn one by one.

    pictures: as `frames` gives them. like: whose loop count, profile and settings are kept. record: how it was made.
    """
    noted = dict(record) if record else None
    if format == "PNG":
        apng.write(stream, pictures, durations, like.loop if like.loop is not None else 1, _chunks(like, noted))
        return
    options = _options(format, like, list(durations), quality, noted)
    prepared = (_prepared(picture, format) for picture in pictures)
    first = next(prepared)
    first.save(cast(BinaryIO, Unnamed(stream)), format, save_all=True, append_images=prepared, **options)
    if format == "WEBP" and like.alpha:
        _mark_transparent(stream)


def form_for(target: Path | None, like: str, wanted: str | None) -> str | None:
    """The format to write, or None when it is one that does not move. Raises UsageError."""
    name = formats.for_target(target, like, wanted).name
    return name if name in ANIMATED else None


def _mark_transparent(stream: BinaryIO) -> None:
    """Set the flag that says there is transparency.

    libwebp crops a frame to what is opaque and then sees no alpha in any; viewers would show black around it.
    """
    stream.seek(0)
    head = stream.read(21)
    if head[12:16] == b"VP8X":
        stream.seek(20)
        stream.write(bytes([head[20] | 0x10]))


@dataclass(frozen=True)
class _Opened:
    """A file whose header was read."""

    path: Path
    format: str
    width: int
    height: int
    loop: int | None
    info: dict[str, Any]
    """Profile, EXIF, XMP and comment."""
    source: Callable[[], Iterator[tuple[np.ndarray, int]]]
    """Decodes: (H, W, 4) uint8 and milliseconds of each frame."""
    count: int
    """Frames, as far as is known before they are decoded."""
    has_poster: bool = False
    cut_off: bool = False

    def frames(self, notes: list[str]) -> Iterator[tuple[np.ndarray, int]]:
        """Decode; a broken frame ends it, with a note. Raises InputError: the first one is broken."""
        source, number = self.source(), 0
        while True:
            try:
                with decode.without_pillow_limit():
                    frame = next(source)
            except StopIteration:
                return
            except (OSError, EOFError, ValueError, SyntaxError, struct.error, zlib.error) as error:
                if number == 0:
                    raise InputError(
                        f"{self.path}: its first frame is broken{decode.in_words(error)}", hint="copy it again"
                    ) from error
                notes.append(f"frame {number} and all behind it are broken and left out")
                return
            yield frame
            number += 1


def _open(path: Path, max_pixels: int | None) -> _Opened:
    data, name = decode.load(path)
    kind = sniff(data)
    if kind not in ANIMATED:
        raise InputError(f"{path} is not an animated picture", hint="give a GIF, WebP, PNG or AVIF")
    with decode.input_errors(name):
        if kind == "GIF":
            gif = gif_parts.open_parts(data)
            info: dict[str, Any] = {"comment": gif.comment}
            opened = _Opened(
                path, kind, gif.width, gif.height, gif.loop, info, lambda: composed(gif), len(gif.images),
                cut_off=gif.cut_off,
            )  # fmt: skip
        elif kind == "PNG":
            moving = apng_parts.open_parts(data)
            found = png_format.read_beside(data)
            info = {"icc_profile": found.icc, "exif": found.exif, "xmp": found.xmp}
            opened = _Opened(
                path, kind, moving.width, moving.height, moving.loop, info, lambda: composed(moving),
                data.count(b"fcTL"), moving.has_poster,
            )  # fmt: skip
        else:
            decode.inspect(data)  # what is impossible is refused before the first frame
            with open_as(io.BytesIO(data), kind) as image:
                info = {str(key): value for key, value in image.info.items()}
                (width, height), count = image.size, int(getattr(image, "n_frames", 1))
            loop = int(info["loop"]) if "loop" in info else None
            opened = _Opened(path, kind, width, height, loop, info, lambda: _by_pillow(data, kind), count)
    decode.check_pixels(name, opened.width, opened.height, max_pixels)
    _check_work(name, opened, max_pixels)
    return opened


def _check_work(name: str, opened: _Opened, max_pixels: int | None) -> None:
    """Raise `InputError` for frames that are tiny in the file, many, and each put on a large canvas."""
    work = opened.width * opened.height * opened.count
    if max_pixels is not None and work > _FRAMES * max_pixels:
        raise InputError(
            f"{name} has {opened.count} frames of {opened.width} x {opened.height} pixels, in all more than {_FRAMES} "
            f"times the limit of {max_pixels / 1e6:g} megapixels",
            hint=f"if you trust the file, raise the limit with `max_pixels` {-(-work // _FRAMES)}",
        )


def _by_pillow(data: bytes, kind: str) -> Iterator[tuple[np.ndarray, int]]:
    with open_as(io.BytesIO(data), kind) as image:
        for number in range(int(getattr(image, "n_frames", 1))):
            image.seek(number)
            image.load()
            duration = max(0, round(float(image.info.get("duration", 0) or 0)))
            yield np.array(image.convert("RGBA")), duration


def _prepared(picture: np.ndarray, format: str) -> Image.Image:
    image = Image.fromarray(picture)
    if format != "GIF":
        return image
    if image.mode == "RGB":
        palette = image.quantize(256, Image.Quantize.MEDIANCUT)
        return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    colours = image.convert("RGB")
    palette = colours.quantize(255, Image.Quantize.MEDIANCUT)
    reduced = colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
    reduced.paste(255, mask=image.getchannel("A").point(lambda value: 255 if value < 128 else 0))
    reduced.info["transparency"] = 255
    return reduced


def _options(
    format: str, like: Animation, durations: list[int], quality: int | None, record: dict[str, object] | None
) -> dict[str, Any]:
    options: dict[str, Any] = {"duration": durations}
    if format == "GIF":
        options["duration"] = [min(_SLOWEST, duration) for duration in durations]
        options["optimize"] = False
        # With transparency each frame has to clear the one before, or what vanished would stay.
        options["disposal"] = 2 if like.alpha else 1
        if like.loop is not None:
            options["loop"] = like.loop
        comment = like.comment or (json.dumps(record).encode() if record else None)
        if comment:
            options["comment"] = comment
        return options
    # Of the other formats, 0 is "for ever" and there is no "not said": a GIF without a count plays once.
    options["loop"] = like.loop if like.loop is not None else 1
    if like.exif:
        options["exif"] = like.exif
    packet = xmp.with_record(like.xmp, record) if record else like.xmp
    if packet:
        options["xmp"] = packet
    if format == "WEBP":
        lossless = like.lossless and quality is None
        options |= {"lossless": lossless, "method": 4, "quality": quality or (75 if lossless else _USUAL_QUALITY)}
    else:
        options["quality"] = quality or _USUAL_QUALITY
        del options["loop"]
    if like.icc:
        options["icc_profile"] = like.icc
    return options


def _chunks(like: Animation, record: dict[str, object] | None) -> list[bytes]:
    """The chunks of a PNG that are about the whole of it."""
    found = []
    if like.icc:
        found.append(png.chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(like.icc)))
    if like.exif:
        found.append(png.chunk(b"eXIf", like.exif.removeprefix(b"Exif\x00\x00")))
    if like.xmp:
        found.append(png.text_chunk("XML:com.adobe.xmp", like.xmp.decode("utf-8", "replace")))
    if record:
        found.append(png.text_chunk("imgfix", json_text(record)))
    return found
