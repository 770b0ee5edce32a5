"""Multi-page TIFF files: a page taken out as a file of its own, and such files put together again."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np

from imgfix.media import exif as exif_block
from imgfix.media import tiff
from imgfix.media.exif import Folders, Tag

_CLASSIC_LIMIT = 2**32 - (1 << 20)
_POINTERS = {330, 513}  # to what is not carried along: further directories, old JPEG streams


def page(data: bytes, number: int) -> bytes:
    """A TIFF whose only directory is that of one page; what the other pages hold stays in it unused.

    Raises `ValueError` where there is no such page.
    """
    places = tiff.page_directories(data)
    if number >= len(places):
        raise ValueError(f"the file has only {len(places)} pages")
    block = exif_block.Block(data, patch=False)
    following = block.directory(places[number]).next_position
    big = struct.unpack_from(block.order + "H", data, 2)[0] == 43
    out = bytearray(data)
    struct.pack_into(block.order + ("Q" if big else "I"), out, 8 if big else 4, places[number])
    struct.pack_into(block.order + ("Q" if big else "I"), out, following, 0)
    return bytes(out)


class PageJoiner:
    """Puts single pages together as one TIFF on a seekable stream; a BigTIFF where it grows beyond 4 GB.

    count: how many pages will come.
    """

    def __init__(self, stream: BinaryIO, count: int) -> None:
        self._stream, self._count = stream, count
        self._pages: list[Folders] = []
        self._start = stream.tell()
        self._at = 16  # room for either header
        stream.write(bytes(16))

    def add(self, data: bytes | memoryview) -> None:
        """Take the first page of a TIFF file. One that is not little-endian is decoded and packed anew."""
        if bytes(data[:2]) != b"II":
            data = _packed_anew(bytes(data))
        folders = exif_block.folders(data)
        main = {tag[0]: tag for tag in folders["main"] if tag[0] not in _POINTERS}
        for starts, lengths in ((273, 279), (324, 325)):
            if starts in main:
                places = [
                    self._copied(data, start, length)
                    for start, length in zip(_values(main[starts]), _values(main[lengths]), strict=True)
                ]
                main[starts] = (starts, 16, len(places), struct.pack(f"<{len(places)}Q", *places))
        if self._count > 1:
            main[254] = (254, 4, 1, struct.pack("<I", 2))
            main[297] = (297, 3, 2, struct.pack("<HH", min(65535, len(self._pages)), min(65535, self._count)))
        self._pages.append({**folders, "main": sorted(main.values())})

    def finish(self) -> None:
        """Write the directories and the header."""
        self._pad()
        room = sum(len(value) + 64 for folders in self._pages for tags in folders.values() for *_, value in tags)
        big = self._at + room > _CLASSIC_LIMIT
        pointer, step = ("<Q", 20) if big else ("<I", 12)
        first, waiting = self._at, 0
        for folders in self._pages:
            at = self._at
            if not big:
                folders = {**folders, "main": [_narrowed(tag) for tag in folders["main"]]}
            self._put((tiff.big_place_folders if big else exif_block.place_folders)(folders, at))
            self._pad()
            if waiting:
                self._patch(waiting, struct.pack(pointer, at))
            camera = folders.get("exif") or (folders.get("interop") and not big)
            entries = len(folders["main"]) + bool(camera) + bool(folders.get("gps"))
            waiting = at + (8 if big else 2) + step * entries
        self._patch(0, b"II+\0\x08\0\0\0" + struct.pack("<Q", first) if big else b"II*\0" + struct.pack("<I", first))
        self._stream.seek(0, io.SEEK_END)

    def _copied(self, data: bytes | memoryview, start: int, length: int) -> int:
        piece = memoryview(data)[start : start + length]
        if len(piece) < length:
            raise ValueError("the file is truncated")
        self._pad()
        at = self._at
        self._put(piece)
        return at

    def _put(self, data: bytes | memoryview) -> None:
        self._stream.write(data)
        self._at += len(data)

    def _pad(self) -> None:
        if self._at % 2:
            self._put(b"\0")

    def _patch(self, at: int, data: bytes) -> None:
        self._stream.seek(self._start + at)
        self._stream.write(data)
        self._stream.seek(0, io.SEEK_END)


def _packed_anew(data: bytes) -> bytes:
    from imgfix.media import image

    stream = io.BytesIO()
    image.write(stream, image.read(data, max_pixels=None), format="tiff")
    return stream.getvalue()


def _values(tag: Tag) -> list[int]:
    code = {3: "u2", 4: "u4", 13: "u4", 16: "u8"}[tag[1]]
    return [int(value) for value in np.frombuffer(tag[3], "<" + code, tag[2])]


def _narrowed(tag: Tag) -> Tag:
    """Places of 64 bits as the 32 bits of a classic TIFF."""
    number, kind, count, value = tag
    if kind != 16:
        return tag
    return number, 4, count, np.frombuffer(value, "<u8", count).astype("<u4").tobytes()
