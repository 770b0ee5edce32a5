"""Names of video containers; separate from the rest so that picture work never loads PyAV."""

from __future__ import annotations

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".ts": "mpegts",
    ".m2ts": "mpegts", ".mts": "mpegts", ".mpg": "mpeg", ".mpeg": "mpeg", ".vob": "vob", ".wmv": "asf", ".flv": "flv",
    ".3gp": "3gp",
}  # fmt: skip
"""What can be written: extension -> muxer."""
REPLACED = {".ogv": ".mkv", ".y4m": ".mkv", ".mxf": ".mov"}
"""Extensions that are read and not written, and what is written instead."""


def with_article(container: str) -> str:
    """For messages: `an mp4`, `a webm`."""
    return f"an {container}" if container[:1] in "amf" and container != "matroska" else f"a {container}"


def extension(suffix: str) -> str:
    """The extension of a result whose source has this one."""
    return REPLACED.get(suffix.lower(), suffix)
