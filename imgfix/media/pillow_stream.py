"""Streams as Pillow's encoders need them."""

from __future__ import annotations

import io
from typing import Any, BinaryIO


class Unnamed(io.RawIOBase):
    """A stream without a file number: Pillow then writes through Python, and a full disk says what it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return seekable(self._stream)

    def write(self, data: Any) -> int:
        return self._stream.write(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


def seekable(stream: BinaryIO) -> bool:
    """Whether one can go back in a stream."""
    try:
        return stream.seekable()
    except (AttributeError, ValueError):
        return False
