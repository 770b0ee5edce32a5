"""What every verb does with a picture: read it or its header, say where the result goes, see how large it became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from imgfix.media.picture import Header, Picture
    from imgfix.pipelines.result import Result

Target = Path | BinaryIO | None
"""A file, a stream, or nothing but memory."""
NAMELESS = "-"


class Stream(bytes):
    """A picture file that came as bytes: through a pipe, or from Python."""

    label: str = "standard input"
    """What errors call it."""
    path: Path | None = None
    """Of a named pipe."""

    @classmethod
    def of(cls, data: bytes, label: str, path: Path | None = None) -> Stream:
        """Bytes with what they are called."""
        made = cls(data)
        made.label, made.path = label, path
        return made


@dataclass(frozen=True)
class Carried:
    """A picture on its way from one step to the next of the same pass: decoded once, not encoded in between."""

    source: Path | bytes | Picture
    """What it was read from."""
    picture: Picture
    fresh: bool = True
    """As it was read: no step has changed it."""
    quality: int | None = None
    """At which a lossy format is to be written, so that what was won is kept; None: the file's own."""
    records: tuple[Mapping[str, Any], ...] = ()
    """How each step before made it."""

    def after(self, result: Result) -> Carried:
        """What a step gives to the next one."""
        made = result.picture
        assert made is not None
        return replace(
            self,
            picture=made,
            fresh=self.fresh and made is self.picture,
            quality=max(self.quality or 0, result.quality or 0) or None,
            records=(*self.records, *([result.record] if result.record is not None else [])),
        )


def origin(source: Any) -> Any:
    """What a source was read from at first: the same, or of a picture between two steps the source of the first."""
    return source.source if isinstance(source, Carried) else source


def name_of(place: object) -> str:
    """A source or a target as it is called in messages and records; `-` for what has no name."""
    place = origin(place)
    if isinstance(place, Stream):
        place = place.path
    return str(place) if isinstance(place, Path) else NAMELESS


def read(source: Path | bytes | Picture | Carried, max_pixels: int | None) -> Picture:
    """The picture of a source. Raises InputError."""
    from imgfix.media import image
    from imgfix.media.picture import Picture

    if isinstance(source, Carried):
        return source.picture
    if isinstance(source, Picture):
        return source
    return image.read(source, max_pixels=max_pixels, name=source.label if isinstance(source, Stream) else None)


def in_colour(picture: Picture) -> Picture:
    """A grey picture with three equal channels in sRGB, to be written as a file in colour; any other as it is."""
    import numpy as np

    from imgfix.media import colour

    if picture.channels != 1:
        return picture
    dtype = picture.pixels.dtype
    rgb = colour.transform(picture.metadata, 1).to_srgb(picture.pixels)
    pixels = colour.quantised(rgb, dtype)
    about = picture.metadata
    jpeg = replace(about.jpeg, tables=(), subsampling=None) if about.jpeg is not None else None
    metadata = replace(
        about, mode="RGB" if dtype == np.uint8 else "RGB;16", icc=None, icc_implied=False, jpeg=jpeg, subsampling=None,
        chunks=tuple(chunk for chunk in about.chunks if chunk[0] not in _OF_GREY),
    )  # fmt: skip
    return replace(picture, pixels=pixels, metadata=metadata)


_OF_GREY = (b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD", b"hIST", b"tRNS")
"""PNG chunks that tell how grey values are meant."""


def inspect(source: Path | bytes | Picture | Carried, max_pixels: int | None) -> Header:
    """The header of a source, with the same limit on its size as `read`. Raises InputError."""
    from imgfix.media import image
    from imgfix.media.picture import Header, Picture

    if isinstance(source, Carried):
        source = source.picture
    if isinstance(source, Picture):
        bits = 8 * source.pixels.dtype.itemsize
        return Header(
            source.width, source.height, source.channels, source.alpha is not None, bits, source.metadata.format
        )
    header = image.inspect(source, name=source.label if isinstance(source, Stream) else None)
    image.check_pixels(name_of(source), header.width, header.height, max_pixels)
    return header


def inspect_whole(source: Path | bytes | Picture | Carried, max_pixels: int | None) -> Header:
    """The header of a source, whose pixels are decoded too: what is damaged behind it is found. Raises InputError."""
    read(source, max_pixels)
    return inspect(source, max_pixels)


def check_size(target: object, header: Header, format: str | None, width: int, height: int) -> None:
    """Whether the format of a target holds a result of this size.

    Raises OutputError; UsageError for an extension that is no picture format.
    """
    from imgfix.media import image

    place = target if isinstance(target, Path) else None
    image.check_size(image.for_target(place, header.format, format).name, width, height, place)


def bytes_written(target: object) -> int | None:
    """Size of the result; None for what is no file."""
    return target.stat().st_size if isinstance(target, Path) and target.is_file() else None
