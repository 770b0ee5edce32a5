"""Media files are opened as files, whatever they are called and whatever they claim to be.

FFmpeg takes `12:30.mp4` or `http:a.mp4` for addresses with a protocol, and follows texts that name other files
(ffconcat, playlists), whatever their extension.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

_BUFFER = 1 << 18
_ALONE = {"protocol_whitelist": ""}  # nothing that the file names is opened


@contextlib.contextmanager
def reading(path: Path, **how: Any) -> Iterator[Any]:
    """A file open for reading, its content read through Python; `how` goes to `av.open`.

    Raises OSError and av.FFmpegError.
    """
    with (
        path.open("rb") as stream,
        av.open(stream, "r", container_options=_ALONE, buffer_size=_BUFFER, **how) as container,
    ):
        yield container


def address(path: Path) -> str:
    """The name of a file to be written, for FFmpeg; with it a muxer can open the file again, as that of MP4 does."""
    return f"file:{path.absolute()}"
