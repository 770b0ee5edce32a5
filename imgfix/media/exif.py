"""EXIF blocks, changed in place.

Rewriting an EXIF block moves its parts about, and the maker notes of most cameras hold absolute offsets that break when
they move. So the few values that we must change (orientation, size, thumbnail) are patched where they stand.
An EXIF block is a small TIFF file: a header, then directories of 12-byte entries (EXIF 2.32, CIPA DC-008; TIFF 6.0).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

ORIENTATION = 0x0112
EXIF_FOLDER = 0x8769
GPS_FOLDER = 0x8825
INTEROP_FOLDER = 0xA005
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_PREFIX = b"Exif\x00\x00"


class BrokenExifError(ValueError):
    """An EXIF block whose directories cannot be followed."""


@dataclass(frozen=True)
class Entry:
    """One tag: where its entry stands, its TIFF type, count and raw little- or big-endian value bytes."""

    tag: int
    type: int
    count: int
    value: bytes
    position: int  # of the entry's first byte
    value_position: int


@dataclass(frozen=True)
class Directory:
    """One image file directory and the position of the pointer to the next."""

    entries: dict[int, Entry]
    next_position: int
    next_offset: int


def strip_prefix(exif: bytes) -> bytes:
    """Remove the `Exif` marker that JPEG puts before the block, if it is there."""
    return exif[len(_PREFIX) :] if exif.startswith(_PREFIX) else exif


def with_prefix(exif: bytes) -> bytes:
    """Put the `Exif` marker that JPEG wants before the block."""
    return _PREFIX + strip_prefix(exif)


class Block:
    """A TIFF structure in memory: an EXIF block, which can be patched, or a whole TIFF or BigTIFF file to look into.

    Raises `BrokenExifError` when a directory points outside the block.
    """

    def __init__(self, data: bytes | memoryview, *, patch: bool = True) -> None:
        self.data: bytearray | memoryview = bytearray(strip_prefix(bytes(data))) if patch else memoryview(data)
        if len(self.data) < 8 or bytes(self.data[:2]) not in (b"II", b"MM"):
            raise BrokenExifError("no TIFF header")
        self.order = "<" if self.data[0] == ord("I") else ">"
        magic, self.first = struct.unpack_from(self.order + "HI", self.data, 2)
        self._big = magic == 43 and not patch and len(self.data) >= 16
        if self._big:
            (self.first,) = struct.unpack_from(self.order + "Q", self.data, 8)
        elif magic != 42:
            raise BrokenExifError("no TIFF magic number")

    def directory(self, offset: int) -> Directory:
        """Read the directory at an offset; entries whose value lies outside are left out."""
        counter, entry_code, pointer = ("Q", "HHQ", "Q") if self._big else ("H", "HHI", "I")
        head, room = struct.calcsize("<" + counter), struct.calcsize("<" + pointer)
        entry_bytes = struct.calcsize("<" + entry_code) + room
        if offset < 8 or offset + head > len(self.data):
            raise BrokenExifError(f"directory at {offset} is outside the block")
        (count,) = struct.unpack_from(self.order + counter, self.data, offset)
        end = offset + head + entry_bytes * count
        if end > len(self.data):
            raise BrokenExifError(f"directory at {offset} is cut off")
        entries: dict[int, Entry] = {}
        for position in range(offset + head, end, entry_bytes):
            tag, kind, number = struct.unpack_from(self.order + entry_code, self.data, position)
            size = _SIZES.get(kind, 0) * number
            at = position + entry_bytes - room
            if size > room:
                (at,) = struct.unpack_from(self.order + pointer, self.data, at)
            if size == 0 or at + size > len(self.data):
                continue
            entries.setdefault(tag, Entry(tag, kind, number, bytes(self.data[at : at + size]), position, at))
        following = 0
        if end + room <= len(self.data):
            (following,) = struct.unpack_from(self.order + pointer, self.data, end)
        return Directory(entries, end, following)

    def number(self, entry: Entry) -> int:
        """Read an entry of whole numbers as its first value."""
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(entry.type)
        if code is None:
            raise BrokenExifError(f"tag {entry.tag} is not a whole number")
        return int(struct.unpack_from(self.order + code, entry.value)[0])

    def set_number(self, entry: Entry, value: int) -> None:
        """Replace an entry of a classic block by one whole number; it always fits into the entry itself."""
        assert isinstance(self.data, bytearray)
        if value < 65536 and entry.type != 4:
            struct.pack_into(self.order + "HHIHH", self.data, entry.position, entry.tag, 3, 1, value, 0)
        else:
            struct.pack_into(self.order + "HHII", self.data, entry.position, entry.tag, 4, 1, value)

    def subdirectory(self, parent: Directory, tag: int) -> Directory | None:
        """Follow a tag that points to another directory; None when it is missing or broken."""
        entry = parent.entries.get(tag)
        if entry is None:
            return None
        try:
            return self.directory(self.number(entry))
        except BrokenExifError:
            return None


def orientation(exif: bytes | None) -> int:
    """Read the orientation (1-8); a missing or broken one is 1."""
    if not exif:
        return 1
    try:
        block = Block(exif)
        entry = block.directory(block.first).entries.get(ORIENTATION)
        value = block.number(entry) if entry else 1
    except (BrokenExifError, struct.error):
        return 1
    return value if 1 <= value <= 8 else 1


def resolution(exif: bytes | None) -> tuple[float, float] | None:
    """Read the resolution in dots per inch, or None."""
    if not exif:
        return None
    try:
        block = Block(exif)
        entries = block.directory(block.first).entries
        x, y = (_fraction(block, entries[tag]) for tag in (0x011A, 0x011B))
        unit = block.number(entries[0x0128]) if 0x0128 in entries else 2
    except (BrokenExifError, struct.error, KeyError, ZeroDivisionError):
        return None
    if not (x > 0 and y > 0) or unit not in (2, 3):
        return None
    return (x, y) if unit == 2 else (x * 2.54, y * 2.54)


def ratio(x: Tag | None, y: Tag | None) -> tuple[int, int] | None:
    """Two fractions as whole numbers of the same ratio, or None."""
    if x is None or y is None or (x[1], y[1]) != (5, 5):
        return None
    (a, b), (c, d) = struct.unpack_from("<II", x[3]), struct.unpack_from("<II", y[3])
    across, down = a * d, c * b
    if not (across and down and b and d):
        return None
    common = math.gcd(across, down)
    across, down = across // common, down // common
    return (across, down) if max(across, down) < 65536 else None


def updated(exif: bytes, width: int, height: int) -> bytes:
    """Set orientation to 1, the size tags (where they exist) to a new size, and remove the thumbnail.

    The thumbnail shows the picture as it was: after an object was removed it would still show the object.
    A block that cannot be parsed is returned as it is.
    """
    try:
        block = Block(exif)
        main = block.directory(block.first)
    except (BrokenExifError, struct.error):
        return strip_prefix(exif)
    for tag, value in ((ORIENTATION, 1), (0x0100, width), (0x0101, height)):
        if tag in main.entries:
            block.set_number(main.entries[tag], value)
    camera = block.subdirectory(main, EXIF_FOLDER)
    for tag, value in ((0xA002, width), (0xA003, height)):
        if camera is not None and tag in camera.entries:
            block.set_number(camera.entries[tag], value)
    _remove_thumbnail(block, main)
    return bytes(block.data)


def without_orientation(exif: bytes) -> bytes:
    """Take the orientation entry out; everything that offsets point to stays where it is."""
    try:
        block = Block(exif)
        main = block.directory(block.first)
    except (BrokenExifError, struct.error):
        return strip_prefix(exif)
    if ORIENTATION not in main.entries:
        return bytes(block.data)
    assert isinstance(block.data, bytearray)
    (count,) = struct.unpack_from(block.order + "H", block.data, block.first)
    at, end = main.entries[ORIENTATION].position, main.next_position + 4
    block.data[at:end] = block.data[at + 12 : end] + bytes(12)
    struct.pack_into(block.order + "H", block.data, block.first, count - 1)
    return bytes(block.data)


def of_resolution(dpi: tuple[float, float]) -> bytes:
    """Build an EXIF block that holds nothing but a resolution in dots per inch."""
    x, y = (struct.pack("<II", round(value * 1000), 1000) for value in dpi)
    return build({"main": [(0x011A, 5, 1, x), (0x011B, 5, 1, y), (0x0128, 3, 1, b"\2\0")]})


Tag = tuple[int, int, int, bytes]  # tag, TIFF type, count, value bytes in little-endian order
Folders = dict[str, list[Tag]]  # 'main', 'exif', 'gps', 'interop'


def folders(data: bytes | memoryview) -> Folders:
    """Read all tags of an EXIF block or of the first directory of a TIFF file, values in little-endian order.

    Pointers to the folders are left out. Raises `BrokenExifError`.
    """
    block = Block(data if bytes(data[:6]) != _PREFIX else data[6:], patch=False)
    main = block.directory(block.first)
    camera = block.subdirectory(main, EXIF_FOLDER)
    found = {
        "main": main,
        "exif": camera,
        "gps": block.subdirectory(main, GPS_FOLDER),
        "interop": block.subdirectory(camera, INTEROP_FOLDER) if camera else None,
    }
    return {
        name: [
            (entry.tag, entry.type, entry.count, _little_endian(entry, block.order))
            for entry in folder.entries.values()
            if entry.tag not in (EXIF_FOLDER, GPS_FOLDER, INTEROP_FOLDER)
        ]
        for name, folder in found.items()
        if folder is not None
    }


def build(tags: Folders) -> bytes:
    """Build an EXIF block (little-endian) from tags."""
    return b"II*\x00\x08\x00\x00\x00" + place_folders(tags, 8)


def place_folders(tags: Folders, offset: int) -> bytes:
    """Lay out the main directory and those below it for a classic TIFF structure, to stand at an offset."""
    camera = sorted(tags.get("exif", []))
    interop, gps = sorted(tags.get("interop", [])), sorted(tags.get("gps", []))
    main = sorted(tags.get("main", []))
    pointers = [
        (tag, 4, 1, b"\0\0\0\0") for tag, wanted in ((EXIF_FOLDER, camera or interop), (GPS_FOLDER, gps)) if wanted
    ]
    # Sizes do not depend on the offsets, so the folders can be placed one after another.
    main_size = directory_size([*main, *pointers])
    camera_full = sorted([*camera, (INTEROP_FOLDER, 4, 1, b"\0\0\0\0")]) if interop else camera
    camera_at = offset + main_size
    interop_at = camera_at + (directory_size(camera_full) if camera_full else 0)
    gps_at = interop_at + (directory_size(interop) if interop else 0)
    places = {EXIF_FOLDER: camera_at, GPS_FOLDER: gps_at, INTEROP_FOLDER: interop_at}
    out = place_directory(sorted([*main, *pointers]), offset, places)
    if camera_full:
        out += place_directory(camera_full, camera_at, places)
    if interop:
        out += place_directory(interop, interop_at)
    if gps:
        out += place_directory(gps, gps_at)
    return out


def directory_size(tags: list[Tag]) -> int:
    """Count the bytes of a classic directory with its values."""
    return 2 + 12 * len(tags) + 4 + sum(len(value) + len(value) % 2 for *_, value in tags if len(value) > 4)


def place_directory(tags: list[Tag], offset: int, pointers: dict[int, int] | None = None) -> bytes:
    """Lay out one classic little-endian directory and its values, to stand at an even offset."""
    entries, values = [struct.pack("<H", len(tags))], b""
    values_at = offset + 2 + 12 * len(tags) + 4
    for tag, kind, count, value in tags:
        if pointers and tag in pointers:
            value = struct.pack("<I", pointers[tag])
        if len(value) <= 4:
            entries.append(struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0"))
        else:
            entries.append(struct.pack("<HHII", tag, kind, count, values_at + len(values)))
            values += value + b"\0" * (len(value) % 2)
    return b"".join(entries) + b"\0\0\0\0" + values


def _little_endian(entry: Entry, order: str) -> bytes:
    if order == "<":
        return entry.value
    step = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8, 16: 8, 17: 8, 18: 8}.get(entry.type, 1)
    value = entry.value
    return b"".join(value[at : at + step][::-1] for at in range(0, len(value), step)) if step > 1 else value


def _fraction(block: Block, entry: Entry) -> float:
    if entry.type != 5:
        return float(block.number(entry))
    top, bottom = struct.unpack_from(block.order + "II", entry.value)
    return float(top) / float(bottom)


def _remove_thumbnail(block: Block, main: Directory) -> None:
    if not main.next_offset:
        return
    offset = main.next_offset
    assert isinstance(block.data, bytearray)
    struct.pack_into(block.order + "I", block.data, main.next_position, 0)
    try:
        second = block.directory(offset)
        start, length = (block.number(second.entries[tag]) for tag in (0x0201, 0x0202))
    except (BrokenExifError, struct.error, KeyError):
        return
    end = start + length
    if start < 8 or end > len(block.data):
        return
    if end >= len(block.data) - 1:  # the usual place; anywhere else other offsets must stay true
        del block.data[start:]
    else:
        block.data[start:end] = bytes(length)
