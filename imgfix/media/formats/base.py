"""What a format is: the facts about it, and the functions that know its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import numpy as np

from imgfix.media import xmp
from imgfix.media.metadata_blocks import MetadataBlocks
from imgfix.media.picture import Header, JpegSettings, SampleRange


@dataclass
class Decoded:
    """The content of a file in the order of the file (not yet upright)."""

    format: str
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = ""
    orientation: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    xmp_extension: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    aspect: tuple[int, int] | None = None
    text: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    code_points: tuple[int, int] | None = None  # H.273 colour primaries and transfer
    jpeg: JpegSettings | None = None
    lossless: bool | None = None
    subsampling: str | None = None
    compression: str | None = None
    samples: SampleRange | None = None
    frames: int = 1
    notes: list[str] = field(default_factory=list)


class Sink(Protocol):
    """Takes the rows of one picture, (h, W, samples), from top to bottom."""

    def write(self, rows: np.ndarray) -> None: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(frozen=True)
class WriteRequest:
    """One picture to be written: where, of which shape, and with what beside the pixels."""

    stream: BinaryIO
    width: int
    height: int
    channels: int  # 1 grey, 3 RGB, 4 CMYK
    alpha: bool
    bits: int  # 8 or 16
    blocks: MetadataBlocks
    quality: int | None = None  # 1-100 for lossy formats; None: as the source, else the format's usual one

    @property
    def samples(self) -> int:
        """Channels with alpha."""
        return self.channels + self.alpha


@dataclass(frozen=True)
class Format:
    """One picture format."""

    name: str
    extensions: tuple[str, ...]  # the first is the usual one
    matches: Callable[[bytes], bool]  # by the first 64 bytes of a file
    header: Callable[[Any, Any], Header]  # (seekable stream, its bytes) -> size, depth, frames, without decoding
    read: Callable[[bytes], Decoded]
    sink: Callable[[WriteRequest], Sink] | None  # None: it is only read
    bits: int  # most bits a channel that we write
    max_side: int  # pixels
    max_pixels: int | None = None
    alpha: bool = True
    grey: bool = True
    cmyk: bool = False
    icc: bool = True
    tags: bool = True  # EXIF and XMP
    chunks: bool = False  # PNG colour chunks
    lossy: bool = False  # has a quality setting
    animated: bool = False  # can hold frames that are shown one after another
    seeks: bool = False  # the writer goes back to places written before
    effort: Callable[[Any, Header], float] | None = None
    """(bytes, header) -> the work of decoding in pixels, where it can be far more than the picture has; raises
    `ValueError` for a file that is too small for the size it claims."""
    written_as: str = ""  # the format of the results, where it is only read
    extra: str | None = None  # the optional dependency that brings it
    load: Callable[[str], None] | None = None
    """("reading" or "writing") -> nothing, where it needs an extra; raises `MissingExtraError` when it is not here."""
    aliases: tuple[str, ...] = ()  # further names for --format
    record_apart: bool = False  # the record has a place of its own, outside the XMP packet
    stored_record: Callable[[bytes], dict[str, object] | None] | None = None  # found without decoding the picture

    def check_writing(self) -> None:
        """Raise `MissingExtraError` where writing needs what is not installed."""
        if self.load is not None:
            self.load("writing")

    def record(self, data: bytes) -> dict[str, object] | None:
        """Read the record of how a file was made, or None."""
        if self.stored_record is not None:
            return self.stored_record(data)
        return xmp.record(self.read(data).xmp) if self.tags else None


def starts_with(*marks: bytes) -> Callable[[bytes], bool]:
    """A test for the first bytes of a file."""
    return lambda start: start.startswith(marks)


def has_brand(*brands: bytes) -> Callable[[bytes], bool]:
    """A test for the brands of a file made of ISO boxes (ISO/IEC 14496-12, 4.3)."""
    wanted = set(brands)

    def matches(start: bytes) -> bool:
        if start[4:8] != b"ftyp":
            return False
        size = min(int.from_bytes(start[:4], "big"), len(start))
        return bool(wanted & {start[8:12], *(start[at : at + 4] for at in range(16, size - 3, 4))})

    return matches
