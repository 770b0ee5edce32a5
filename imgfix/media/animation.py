"""Animated GIF, WebP, PNG and AVIF: frames in and out, with their times, the loop count and transparency.

Pillow puts the frames together (disposal, partial frames), so that every frame that comes is the whole picture. Frames
are written whole as well; Pillow stores of each only what changed, and joins frames that are the same.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from imgfix.errors import InputError
from imgfix.media import apng, decode, formats, png, xmp
from imgfix.media.formats.by_pillow import open_as
from imgfix.media.names import json_text
from imgfix.media.pillow_stream import Unnamed
from imgfix.media.sniff import sniff

ANIMATED = tuple(form.name for form in formats.FORMATS if form.animated)
"""Formats that can move."""
_USUAL_QUALITY = 90
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
    durations: list[int] = []
    notes: list[str] = []
    alpha = False
    with _opened(path) as image:
        decode.check_pixels(str(path), image.width, image.height, max_pixels)
        kind = str(image.format)
        info = dict(image.info)
        for frame in _each(image, path, notes):
            durations.append(_duration(frame))
            alpha = alpha or _has_alpha(frame)
        width, height = image.size
    data = path.read_bytes() if kind == "WEBP" else b""
    if kind == "PNG" and info.get("default_image"):
        notes.append("its still picture for old viewers is left out")
    return Animation(
        path=path,
        format=kind,
        width=width,
        height=height,
        durations=tuple(durations),
        loop=int(info["loop"]) if "loop" in info else None,
        alpha=alpha,
        lossless=kind in ("GIF", "PNG") or (b"VP8L" in data and b"VP8 " not in data),
        icc=info.get("icc_profile"),
        exif=info.get("exif") or None,
        xmp=info.get("xmp") or None,
        comment=info.get("comment") if isinstance(info.get("comment"), bytes) else None,
        notes=tuple(notes),
    )


def frames(animation: Animation, first: int = 0, last: int | None = None) -> Iterator[np.ndarray]:
    """Yield the frames from `first` to before `last`: (H, W, 3) uint8, or (H, W, 4) when any is transparent."""
    mode = "RGBA" if animation.alpha else "RGB"
    with _opened(animation.path) as image:
        for number, frame in enumerate(_each(image, animation.path, [])):
            if number >= first and (last is None or number < last):
                yield np.array(frame.convert("RGBA").convert(mode))


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


def _opened(path: Path) -> Image.Image:
    with path.open("rb") as stream:
        start = stream.read(64)
    kind = sniff(start)
    if kind not in ANIMATED:
        raise InputError(f"{path} is not an animated picture", hint="give a GIF, WebP, PNG or AVIF")
    try:
        return open_as(path, kind)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="see whether a browser shows it") from error


def _each(image: Image.Image, path: Path, notes: list[str]) -> Iterator[Image.Image]:
    count = int(getattr(image, "n_frames", 1))
    first = 1 if image.format == "PNG" and image.info.get("default_image") else 0
    for number in range(first, count):
        try:
            image.seek(number)
            image.load()
        except (OSError, EOFError, ValueError, SyntaxError) as error:
            if number == first:
                raise InputError(f"{path}: its first frame is broken ({error})", hint="copy it again") from error
            notes.append(f"frame {number} and all behind it are broken and left out")
            return
        yield image


def _duration(frame: Image.Image) -> int:
    return max(0, round(float(frame.info.get("duration", 0) or 0)))


def _has_alpha(frame: Image.Image) -> bool:
    if frame.mode in ("RGB", "L") and "transparency" not in frame.info:
        return False
    return frame.convert("RGBA").getchannel("A").getextrema()[0] != 255


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
