"""TIFF: what its directory says, and strips written as the rows come (TIFF 6.0, Adobe 1992; BigTIFF, 2007)."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np

from imgfix.media import exif as exif_block
from imgfix.media.exif import Folders, Tag
from imgfix.media.jpeg import estimated_quality
from imgfix.media.tiff_pixels import number, numbers

COMPRESSIONS = {
    1: "none",
    2: "ccitt",
    3: "group3",
    4: "group4",
    5: "lzw",
    6: "old-jpeg",
    7: "jpeg",
    8: "deflate",
    32946: "deflate",
    32773: "packbits",
    34925: "lzma",
    50000: "zstd",
    50001: "webp",
}
_CODES = {"none": 1, "lzw": 5, "jpeg": 7, "deflate": 8, "packbits": 32773, "lzma": 34925, "zstd": 50000}
_PILLOW_NAMES = {"lzw": "tiff_lzw", "packbits": "packbits", "lzma": "lzma", "zstd": "zstd"}
# Tags that describe how these very pixels are stored; everything else in the first directory is about the picture.
_STRUCTURE = frozenset(
    (
        *(*range(254, 260), *range(262, 267), *range(273, 285), *range(290, 294), 296, 297, 301, *range(317, 331)),
        *(*range(332, 348), *range(512, 522), *range(529, 533), *range(32995, 32999)),
        *(700, 33421, 33422, 33723, 34377, 34675, 37724),
    )
)
_STRIP_BYTES = 1 << 20
_CLASSIC_LIMIT = 2**32


def description(data: bytes | memoryview) -> tuple[bytes | None, dict[int, Tag]]:
    """Return what the first directory says: an EXIF block of its descriptive tags (or None), and all tags by number."""
    found = exif_block.folders(data)
    tags = {tag[0]: tag for tag in found["main"]}
    kept: Folders = {name: list(folder) for name, folder in found.items() if name != "main"}
    kept["main"] = [tag for tag in found["main"] if tag[0] not in _STRUCTURE]
    if not any(kept.values()):
        return None, tags
    kept["main"] += [tags[number] for number in (282, 283, 296) if number in tags]
    return exif_block.build(kept), tags


def page_directories(data: Any) -> list[int]:
    """The offsets of the full pages; reduced copies and masks (NewSubfileType) are not pages of their own."""
    block = exif_block.Block(data, patch=False)
    offset, found, seen = block.first, list[int](), set[int]()
    while offset and offset not in seen:
        seen.add(offset)
        try:
            folder = block.directory(offset)
            kind = block.number(folder.entries[254]) if 254 in folder.entries else 0
        except exif_block.BrokenExifError:
            break
        if not kind & 5:
            found.append(offset)
        offset = folder.next_offset
    return found


def pages(data: Any) -> int:
    """Count the full pages."""
    return max(1, len(page_directories(data)))


def without_orientation(data: bytes) -> bytes:
    """Copy a TIFF file with its orientation tag set to 1 and its XMP packet hidden, for decoders that turn pictures."""
    block = exif_block.Block(data, patch=False)
    entries = block.directory(block.first).entries
    turned, packet = entries.get(exif_block.ORIENTATION), entries.get(700)
    if turned is None and packet is None:
        return data
    copy = bytearray(data)
    if turned is not None and turned.type == 3:
        struct.pack_into(block.order + "H", copy, turned.value_position, 1)
    if packet is not None:
        struct.pack_into(block.order + "H", copy, packet.position, 701)  # a number that means nothing
    return bytes(copy)


class TiffWriter:
    """Write a TIFF strip by strip to a seekable binary stream.

    rows: (h, W, S) uint8 or uint16; S = colours (1, 3, 4 = CMYK) plus one if there is alpha (not premultiplied).
    compression: 'none', 'lzw', 'deflate', 'packbits', 'lzma', 'zstd', or 'jpeg' (8 bits without alpha; anything else
    becomes deflate). dtype: of samples that are no unsigned 8 or 16 bits ('f4'). tags: directories to take along.
    jpeg: quality and chroma subsampling ('4:2:0' or '4:4:4').
    Compression runs in a few threads; the bytes do not depend on their number nor on how the rows arrive.
    """

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        colours: int,
        alpha: bool,
        bits: int,
        compression: str = "deflate",
        tags: Folders | None = None,
        jpeg: tuple[int, str] = (90, "4:2:0"),
        dtype: str | None = None,
    ) -> None:
        self._stream, self._width, self._height = stream, width, height
        bits = 8 * np.dtype(dtype).itemsize if dtype else bits
        self._colours, self._alpha, self._bits = colours, alpha, bits
        self._kind = {"u": 1, "i": 2, "f": 3}[dtype[0] if dtype else "u"]
        self._samples = colours + alpha
        possible = compression in _CODES and (compression != "jpeg" or (bits == 8 and not alpha))
        self._compression = compression if possible else "deflate"
        self._jpeg = jpeg if colours == 3 else (jpeg[0], "4:4:4")
        self._tags: Folders = tags or {}
        self._type = np.dtype("<" + dtype) if dtype else np.dtype("<u2") if bits == 16 else np.dtype("u1")
        row_bytes = width * self._samples * bits // 8
        self._strip_rows = max(1, min(height, _STRIP_BYTES // row_bytes))
        if self._compression == "jpeg":  # whole blocks of subsampled chroma
            self._strip_rows = min(height, -(-self._strip_rows // 16) * 16)
        self._strip = np.empty((self._strip_rows, width, self._samples), self._type)
        self._filled = 0
        # Offsets have 32 bits in a classic TIFF; a strip that does not compress grows a little.
        self._big = row_bytes * height * 1.02 + (64 << 20) > _CLASSIC_LIMIT
        self._offsets: list[int] = []
        self._counts: list[int] = []
        self._workers = max(1, min(8, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="tiff")
        self._pending: deque[Future[bytes]] = deque()
        self._start = stream.tell()
        header = b"II+\x00\x08\x00\x00\x00" + bytes(8) if self._big else b"II*\x00" + bytes(4)
        stream.write(header)
        self._at = len(header)

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        at = 0
        while at < len(rows):
            count = min(len(rows) - at, self._strip_rows - self._filled)
            self._strip[self._filled : self._filled + count] = rows[at : at + count]
            self._filled += count
            at += count
            if self._filled == self._strip_rows:
                self._submit()

    def finish(self) -> None:
        """Write what is pending, then the directory."""
        if self._filled:
            self._submit()
        while self._pending:
            self._drain()
        self._pool.shutdown()
        if self._at % 2:
            self._put(b"\0")
        directory = self._at
        self._put((big_place_folders if self._big else exif_block.place_folders)(self._folders(), directory))
        self._stream.seek(self._start + (8 if self._big else 4))
        self._stream.write(struct.pack("<Q" if self._big else "<I", directory))
        self._stream.seek(0, os.SEEK_END)

    def abort(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self) -> None:
        self._pending.append(
            self._pool.submit(_pack, self._strip[: self._filled], self._compression, self._jpeg, self._kind == 1)
        )
        self._strip = np.empty_like(self._strip)
        self._filled = 0
        if len(self._pending) > self._workers + 1:
            self._drain()

    def _drain(self) -> None:
        packed = self._pending.popleft().result()
        self._offsets.append(self._at)
        self._counts.append(len(packed))
        self._put(packed)

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self._at += len(data)

    def _folders(self) -> Folders:
        photometric = {1: 1, 3: 2, 4: 5}[self._colours]
        wide = 16 if self._big else 4
        own: list[Tag] = [
            _longs(256, [self._width]),
            _longs(257, [self._height]),
            _shorts(258, [self._bits] * self._samples),
            _shorts(259, [_CODES[self._compression]]),
            _shorts(262, [photometric]),
            _longs(273, self._offsets, wide),
            _shorts(277, [self._samples]),
            _longs(278, [self._strip_rows]),
            _longs(279, self._counts, wide),
            _shorts(284, [1]),
        ]
        if self._kind != 1:
            own.append(_shorts(339, [self._kind] * self._samples))
        elif _has_predictor(self._compression):
            own.append(_shorts(317, [2]))
        if self._compression == "jpeg" and self._colours == 3:
            half = 2 if self._jpeg[1] == "4:2:0" else 1
            own[4:5] = [_shorts(262, [6])]
            own += [_shorts(530, [half, half]), _shorts(531, [1])]
            own.append((532, 5, 6, struct.pack("<12I", 0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1)))
        if self._alpha:
            own.append(_shorts(338, [2]))
        taken = {tag[0] for tag in own}
        folders = dict(self._tags)
        folders["main"] = own + [tag for tag in self._tags.get("main", []) if tag[0] not in taken]
        return folders


def big_place_folders(folders: Folders, start: int) -> bytes:
    """Lay out directories for BigTIFF (64-bit counts and offsets), to stand at an offset."""
    out = b""
    pointers: list[Tag] = []
    for name, pointer in (("exif", exif_block.EXIF_FOLDER), ("gps", exif_block.GPS_FOLDER)):
        if folders.get(name):
            pointers.append((pointer, 13, 1, struct.pack("<I", 0)))
    main = sorted([*folders["main"], *pointers])
    below = start + _big_size(main)
    for name, pointer in (("exif", exif_block.EXIF_FOLDER), ("gps", exif_block.GPS_FOLDER)):
        if folders.get(name):
            piece = _big_place(sorted(folders[name]), below + len(out))
            main = [
                (t, 16, 1, struct.pack("<Q", below + len(out))) if t == pointer else (t, k, c, v) for t, k, c, v in main
            ]
            out += piece
    return _big_place(main, start) + out


def _big_size(tags: list[Tag]) -> int:
    return 8 + 20 * len(tags) + 8 + sum(len(value) + len(value) % 2 for *_, value in tags if len(value) > 8)


def _big_place(tags: list[Tag], offset: int) -> bytes:
    entries, values = [struct.pack("<Q", len(tags))], b""
    values_at = offset + 8 + 20 * len(tags) + 8
    for tag, kind, count, value in tags:
        entries.append(struct.pack("<HHQ", tag, kind, count))
        if len(value) <= 8:
            entries.append(value.ljust(8, b"\0"))
        else:
            entries.append(struct.pack("<Q", values_at + len(values)))
            values += value + b"\0" * (len(value) % 2)
    return b"".join(entries) + bytes(8) + values


def _shorts(tag: int, values: list[int]) -> Tag:
    return tag, 3, len(values), struct.pack(f"<{len(values)}H", *values)


def _longs(tag: int, values: list[int], kind: int = 4) -> Tag:
    return tag, kind, len(values), struct.pack(f"<{len(values)}{'Q' if kind == 16 else 'I'}", *values)


def ascii_tag(tag: int, text: str) -> Tag:
    """Make a text tag."""
    value = text.encode("utf-8") + b"\0"
    return tag, 2, len(value), value


def bytes_tag(tag: int, value: bytes, kind: int = 7) -> Tag:
    """Make a tag of raw bytes (7 undefined, 1 byte)."""
    return tag, kind, len(value), value


def rational_tag(tag: int, value: float) -> Tag:
    """Make a tag of one positive fraction."""
    bottom = 1 if value == int(value) else 10000
    return tag, 5, 1, struct.pack("<II", round(value * bottom), bottom)


def short_tag(tag: int, value: int) -> Tag:
    """Make a tag of one short number."""
    return _shorts(tag, [value])


def descriptive(exif: bytes | None) -> Folders:
    """Take from an EXIF block what a TIFF file keeps in its own directories; empty when it cannot be parsed."""
    if not exif:
        return {}
    try:
        found = exif_block.folders(exif)
    except (exif_block.BrokenExifError, struct.error):
        return {}
    found["main"] = [tag for tag in found["main"] if tag[0] not in _STRUCTURE]
    return found


def _has_predictor(compression: str) -> bool:
    return compression in ("lzw", "deflate", "zstd", "lzma")


def _pack(strip: np.ndarray, compression: str, jpeg: tuple[int, str], predict: bool) -> bytes:
    if compression == "jpeg":
        return _packed_as_jpeg(strip, *jpeg)
    if predict and _has_predictor(compression):
        strip = strip.copy()
        strip[:, 1:] -= strip[:, :-1].copy()
    if compression == "none":
        return strip.tobytes()
    if compression == "deflate":
        return zlib.compress(strip.data, 4)
    return _packed_by_libtiff(strip.reshape(len(strip), -1).view(np.uint8), compression)


def _packed_as_jpeg(strip: np.ndarray, quality: int, subsampling: str) -> bytes:
    """Pack a strip as a JPEG of its own (TIFF Technical Note 2)."""
    from PIL import Image

    file = io.BytesIO()
    if strip.shape[2] == 4:
        # Pillow inverts the inks, as Adobe's JPEG files want it; a TIFF holds them as they are.
        Image.fromarray(255 - strip, "CMYK").save(file, "JPEG", quality=quality)
    else:
        Image.fromarray(strip[..., 0] if strip.shape[2] == 1 else strip).save(
            file, "JPEG", quality=quality, subsampling=subsampling
        )
    return file.getvalue()


def jpeg_settings(tags: dict[int, Tag]) -> tuple[int, str]:
    """Estimate quality and chroma subsampling of a JPEG-compressed TIFF from its directory."""
    half = numbers(tags, 530, (2, 2))
    quality = 90
    if 347 in tags:  # the shared tables: markers, each with its length
        table = tags[347][3]
        at = table.find(b"\xff\xdb")
        if at >= 0 and at + 69 <= len(table) and table[at + 4] < 16:
            quality = estimated_quality(table[at + 5 : at + 69])
    return quality, "4:2:0" if half[0] > 1 else "4:4:4"


def _packed_by_libtiff(raw: np.ndarray, compression: str) -> bytes:
    """Pack a strip (rows, bytes) by letting Pillow write it as a grey one-strip TIFF and taking the strip out again."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(raw).save(file, "TIFF", compression=_PILLOW_NAMES[compression], strip_size=2**31 - 1)
    view = file.getbuffer()
    tags = {tag[0]: tag for tag in exif_block.folders(view)["main"]}
    start, length = number(tags, 273, 0), number(tags, 279, 0)
    assert tags[273][2] == 1
    return bytes(view[start : start + length])
