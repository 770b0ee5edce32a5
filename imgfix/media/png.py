"""PNG: chunks read in a walk, rows written as they come (PNG specification, W3C, third edition).

Decoding pixels is left to Pillow and OpenCV; what they lose (16-bit colour, odd transparency, broken text chunks) is
avoided by handing them a lean file of nothing but the pixels. Writing is our own because no library takes the rows of a
16-bit picture one band after another.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

import cv2
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_CHUNKS = (b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI")
_COLOUR_TYPES = {(1, False): 0, (3, False): 2, (1, True): 4, (3, True): 6}
_BLOCK_BYTES = 2 << 20  # compressed on their own, in any of the threads
_SLICE_BYTES = 1 << 17  # filtered at a time: small enough for the processor's cache


class DamagedPngError(ValueError):
    """A PNG that is cut off or whose checksums do not hold."""


def chunks(data: bytes | memoryview) -> Iterator[tuple[bytes, memoryview, int]]:
    """Go through the chunks as (type, body, position of the chunk).

    Raises `DamagedPngError` when the file ends before the IEND chunk.
    """
    view = memoryview(data)
    at = len(SIGNATURE)
    while True:
        if at + 12 > len(view):
            raise DamagedPngError("the file ends too early")
        length, kind = struct.unpack_from(">I4s", view, at)
        if at + 12 + length > len(view):
            raise DamagedPngError("the file ends too early")
        yield kind, view[at + 8 : at + 8 + length], at
        if kind == b"IEND":
            return
        at += 12 + length


def chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    """Pack one chunk: length, type, body, checksum."""
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def lean(data: bytes, keep: tuple[bytes, ...]) -> bytes:
    """Copy a PNG with only its pixels and the named chunks, checking the checksum of what is copied.

    Raises `DamagedPngError`.
    """
    view = memoryview(data)
    parts: list[bytes | memoryview] = [SIGNATURE]
    for kind, body, at in chunks(data):
        if kind in (b"IHDR", b"IDAT", b"IEND", *keep):
            (checksum,) = struct.unpack_from(">I", view, at + 8 + len(body))
            if checksum != zlib.crc32(body, zlib.crc32(kind)):
                raise DamagedPngError(f"the checksum of its {kind.decode('latin-1')} data is wrong")
            parts.append(view[at : at + 12 + len(body)])
    return b"".join(parts)


def text_chunk(keyword: str, text: str) -> bytes:
    """Pack a text entry: tEXt when Latin-1 holds it, else iTXt (UTF-8, compressed when long)."""
    key = keyword.strip()[:79].encode("latin-1", "replace") or b"Comment"
    try:
        if keyword not in ("imgfix", "XML:com.adobe.xmp"):
            return chunk(b"tEXt", key + b"\x00" + text.encode("latin-1"))
    except UnicodeEncodeError:
        pass
    body = text.encode("utf-8")
    packed = zlib.compress(body, 9) if len(body) > 1024 and keyword != "XML:com.adobe.xmp" else None
    flag = b"\x01\x00" if packed is not None else b"\x00\x00"
    return chunk(b"iTXt", key + b"\x00" + flag + b"\x00\x00" + (body if packed is None else packed))


def read_text(kind: bytes, body: bytes, limit: int = 64 << 20) -> tuple[str, str] | None:
    """Unpack a tEXt, zTXt or iTXt chunk as (keyword, text); None when it is broken or unreasonably large."""
    keyword, _, rest = body.partition(b"\x00")
    try:
        if kind == b"tEXt":
            return keyword.decode("latin-1"), rest.decode("latin-1")
        if kind == b"zTXt":
            return keyword.decode("latin-1"), inflate(rest[1:], limit).decode("latin-1")
        packed, (_, _, content) = rest[0], rest[2:].split(b"\x00", 2)
        return keyword.decode("latin-1"), (inflate(content, limit) if packed else content).decode("utf-8")
    except (zlib.error, ValueError, IndexError):
        return None


def inflate(data: bytes | memoryview, limit: int = 64 << 20) -> bytes:
    """Unpack zlib data of at most `limit` bytes. Raises `ValueError` beyond it and `zlib.error` when damaged."""
    unpacker = zlib.decompressobj()
    out = unpacker.decompress(data, limit)
    if unpacker.unconsumed_tail:
        raise ValueError("unpacks to too much")
    return out


class PngWriter:
    """Write a PNG row by row to a binary stream; needs no seeking.

    rows: (h, W, S) uint8 or uint16, S samples a pixel (1 grey, 2 grey + alpha, 3 RGB, 4 RGBA), top to bottom.
    Filtering and compression run in a few threads on blocks of rows; the bytes do not depend on the number of threads
    nor on how the rows arrive.
    """

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        samples: int,
        bits: int,
        ancillary: tuple[bytes, ...] = (),
        level: int = 4,
    ) -> None:
        self._stream = stream
        self._row_bytes = width * samples * bits // 8
        self._pixel_bytes = samples * bits // 8
        self._level = level
        self._type = np.dtype(">u2") if bits == 16 else np.dtype("u1")
        colour_type = _COLOUR_TYPES[1 if samples < 3 else 3, samples in (2, 4)]
        self._block_rows = max(1, _BLOCK_BYTES // self._row_bytes)
        self._block = np.empty((self._block_rows + 1, self._row_bytes), np.uint8)
        self._block[0] = 0  # the row above the picture counts as zero
        self._filled = 0
        self._workers = max(1, min(8, os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="png")
        self._pending: deque[Future[tuple[bytes, int, int]]] = deque()
        self._adler = 1
        stream.write(SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)))
        for piece in ancillary:
            stream.write(piece)
        self._lead = b"\x78\x9c"

    def write(self, rows: np.ndarray) -> None:
        """Take the next rows."""
        raw = np.ascontiguousarray(rows, self._type).view(np.uint8).reshape(len(rows), self._row_bytes)
        at = 0
        while at < len(raw):
            count = min(len(raw) - at, self._block_rows - self._filled)
            self._block[1 + self._filled : 1 + self._filled + count] = raw[at : at + count]
            self._filled += count
            at += count
            if self._filled == self._block_rows:
                self._submit()

    def finish(self) -> None:
        """Write what is pending and the end of the file."""
        if self._filled:
            self._submit()
        while self._pending:
            self._drain()
        self._emit(b"\x03\x00" + struct.pack(">I", self._adler))  # an empty last block, then the checksum
        self._stream.write(chunk(b"IEND", b""))
        self._pool.shutdown()

    def abort(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self) -> None:
        block = self._block[: self._filled + 1]
        self._pending.append(self._pool.submit(_pack, block, self._pixel_bytes, self._level))
        # Each block starts with the last row of the one before, which its filters look up to.
        self._block = np.empty_like(self._block)
        self._block[0] = block[-1]
        self._filled = 0
        if len(self._pending) > self._workers + 1:
            self._drain()

    def _drain(self) -> None:
        packed, adler, length = self._pending.popleft().result()
        self._adler = _adler_combined(self._adler, adler, length)
        self._emit(packed)

    def _emit(self, packed: bytes) -> None:
        self._stream.write(chunk(b"IDAT", self._lead + packed))
        self._lead = b""


def _pack(block: np.ndarray, pixel_bytes: int, level: int) -> tuple[bytes, int, int]:
    filtered = filter_rows(block, pixel_bytes)
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, zlib.Z_FILTERED)
    packed = packer.compress(filtered.data) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed, zlib.adler32(filtered.data), filtered.size


def filter_rows(block: np.ndarray, pixel_bytes: int) -> np.ndarray:
    """Filter rows of bytes, each with the filter that leaves the smallest sum of differences (PNG, 9 and 12.8).

    block: (rows + 1, row bytes) uint8, the first being the row above. Returns (rows, 1 + row bytes), filter type first.
    """
    rows, length = block.shape[0] - 1, block.shape[1]
    out = np.empty((rows, 1 + length), np.uint8)
    step = max(1, _SLICE_BYTES // length)
    for top in range(0, rows, step):
        _filter_slice(block[top : top + step + 1], pixel_bytes, out[top : top + step])
    return out


def _filter_slice(block: np.ndarray, pixel_bytes: int, out: np.ndarray) -> None:
    best = np.full(len(out), np.iinfo(np.int64).max)
    here, above = block[1:], block[:-1]
    left, above_left = (np.empty_like(here) for _ in range(2))
    for shifted, source in ((left, here), (above_left, above)):
        shifted[:, :pixel_bytes] = 0
        shifted[:, pixel_bytes:] = source[:, :-pixel_bytes]
    for kind, predicted in enumerate(_predictions(left, above, above_left)):
        candidate = here if predicted is None else here - predicted
        cost = _cost(candidate)
        better = cost < best
        best[better] = cost[better]
        out[better, 0] = kind
        out[better, 1:] = candidate[better]


def _predictions(left: np.ndarray, above: np.ndarray, above_left: np.ndarray) -> Iterator[np.ndarray | None]:
    """What each of the five filter types expects: nothing, left, above, the mean of both, Paeth's choice."""
    yield None
    yield left
    yield above
    yield (left & above) + ((left ^ above) >> 1)  # the mean without a ninth bit
    yield _paeth(left, above, above_left)


def _cost(candidate: np.ndarray) -> np.ndarray:
    # Bytes stand for differences of -128..127; their size is the smaller of x and 256 - x.
    return np.minimum(candidate, -candidate).sum(axis=1, dtype=np.int64)


def _paeth(left: np.ndarray, above: np.ndarray, above_left: np.ndarray) -> np.ndarray:
    """Predict by the neighbour nearest to left + above - above_left, all in bytes.

    The third distance can exceed a byte; saturating it at 255 changes no comparison, as the others never exceed it.
    """
    to_left, to_above = cv2.absdiff(above, above_left), cv2.absdiff(left, above_left)
    same_side = (above >= above_left) == (left >= above_left)
    to_corner = np.where(same_side, cv2.add(to_left, to_above), cv2.absdiff(to_left, to_above))
    return np.where(
        (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, above_left)
    )


def _adler_combined(first: int, second: int, length: int) -> int:
    """Join the Adler-32 checksums of two pieces, the second of `length` bytes (as zlib's adler32_combine does)."""
    base = 65521
    low = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % base
    high = ((first >> 16) + (second >> 16) + length % base * ((first & 0xFFFF) - 1)) % base
    return high << 16 | low
