"""Files that come in: what they are by their content, within the limits, under a name that is no path."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from imgfix.errors import InputError
from imgfix.media import formats, image, sniff
from imgfix.media.jobs import VIDEO_EXTENSIONS
from imgfix.media.names import printable
from imgfix.server.answers import Refused
from imgfix.server.settings import Settings
from imgfix.server.store import FileRow, Store, new_identifier

_VIDEO_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
    ".webm": "video/webm", ".avi": "video/x-msvideo", ".ts": "video/mp2t", ".mpg": "video/mpeg", ".mpeg": "video/mpeg",
}  # fmt: skip
_IMAGE_TYPES = {"JPEG2000": "image/jp2", "ICO": "image/x-icon", "PNM": "image/x-portable-anymap", "RAW": "image/x-raw"}
_SOUND = {b"fLaC": ".flac", b"ID3": ".mp3", b"\xff\xfb": ".mp3", b"\xff\xf3": ".mp3", b"OggS": ".ogg"}
_LONGEST_NAME = 120
_FRAMES_PIXELS = 50
"""An animated picture may have as many times the pixels of the largest single picture, in all its frames together."""
_START = 1024
"""Bytes that tell what a file is."""


def name_from(given: str | None, suffix: str = "") -> str:
    """What a file is called from now on: the last part of what the caller says, printable and short."""
    last = re.split(r"[/\\]", given or "")[-1].strip().lstrip(".-")
    name = re.sub(r"\s+", " ", printable(last)) or "file"
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem:
        stem, ending = name, suffix.lstrip(".")
    return f"{stem[: _LONGEST_NAME - len(ending)]}.{ending[:16]}" if ending else stem[:_LONGEST_NAME]


def take(store: Store, settings: Settings, path: Path, given: str | None) -> FileRow:
    """Keep a file that came in whole, which is moved.

    Raises Refused: it is of no kind that is worked on, or too large; InputError.
    """
    with path.open("rb") as stream:
        start = stream.read(_START)
    if not start:
        raise Refused(415, "unsupported", "the file is empty", "send a picture or a clip")
    facts = _facts(path, start, Path(name_from(given)).suffix.lower(), settings)
    row = FileRow(
        id=new_identifier(),
        name=name_from(given, facts["suffix"]),
        bytes=path.stat().st_size,
        made=time.time(),
        **facts,
    )
    return store.add_file(path, row)


def facts_of(path: Path) -> dict[str, Any]:
    """Kind, size and bytes of a picture, a clip or a sound that lies on this machine. Raises Refused, InputError."""
    with path.open("rb") as stream:
        start = stream.read(_START)
    found = _facts(path, start, path.suffix.lower(), Settings(path.parent, max_pixels=1 << 40))
    del found["suffix"]
    return {name: value for name, value in found.items() if value is not None} | {"bytes": path.stat().st_size}


def _facts(path: Path, start: bytes, suffix: str, settings: Settings) -> dict[str, Any]:
    """Kind, type and size of a file by what is in it."""
    form = formats.by_content(start[:64])
    if form is not None:
        header = image.inspect(path, name="the picture")
        moves = header.frames > 1 and form.animated
        _check_pixels(header.width, header.height, header.frames if moves else 1, settings)
        return {
            "kind": "animation" if moves else "image", "width": header.width, "height": header.height,
            "media_type": _IMAGE_TYPES.get(form.name, f"image/{form.name.lower()}"),
            "frames": header.frames if moves else None, "duration": None,
            "suffix": suffix if suffix in form.extensions else form.extensions[0],
        }  # fmt: skip
    if sniff.is_video(start):
        try:
            return _clip(path, start, suffix, settings)
        except InputError:
            if not start.startswith(b"OggS"):  # a container that holds sound alone as often
                raise
    kind = _sound(start)
    if kind is None:
        raise Refused(
            415, "unsupported", f"the file is no picture and no clip: {sniff.what_else(start)}",
            "send PNG, JPEG, WebP, TIFF, AVIF, GIF, MP4, MKV, WebM ...",
        )  # fmt: skip
    return {
        "kind": "sound", "width": 0, "height": 0, "media_type": f"audio/{kind.lstrip('.')}", "frames": None,
        "duration": None, "suffix": kind,
    }  # fmt: skip


def _clip(path: Path, start: bytes, suffix: str, settings: Settings) -> dict[str, Any]:
    from imgfix.media.video.reader import Reader

    reader = Reader(path)
    width, height = reader.shown
    _check_pixels(width, height, 1, settings)
    usual = ".mkv" if start.startswith(b"\x1aE\xdf\xa3") else ".avi" if start.startswith(b"RIFF") else ".mp4"
    ending = suffix if suffix in VIDEO_EXTENSIONS else usual
    return {
        "kind": "video", "width": width, "height": height, "media_type": _VIDEO_TYPES.get(ending, "video/x-other"),
        "frames": reader.count or None, "duration": round(reader.header.seconds, 3) or None, "suffix": ending,
    }  # fmt: skip


def _sound(start: bytes) -> str | None:
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return ".wav"
    return next((suffix for mark, suffix in _SOUND.items() if start.startswith(mark)), None)


def _check_pixels(width: int, height: int, frames: int, settings: Settings) -> None:
    most = settings.max_pixels
    if width * height > most or width * height * frames > _FRAMES_PIXELS * most:
        many = f", {frames} times" if frames > 1 else ""
        raise Refused(
            413, "too_large",
            f"the picture has {width} x {height} pixels{many}; this server takes {most / 1e6:g} megapixels",
            "send a smaller one, or start the server with a higher limit",
        )  # fmt: skip
