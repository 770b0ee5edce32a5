"""The picture formats: one file for each, and one row here.

A format's file says how its files begin, reads their header and content, writes them, and ends with a `FORMAT` that
joins this to the facts (extensions, depths, sizes it can hold).
"""

from __future__ import annotations

from pathlib import Path

from imgfix.errors import OutputError, UsageError
from imgfix.media.formats import avif, bmp, gif, heif, ico, jp2, jpeg, jxl, png, pnm, raw, tga, tiff, webp
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest

__all__ = ["FORMATS", "IMAGE_EXTENSIONS", "Decoded", "Format", "Sink", "WriteRequest", "by_content", "by_extension"]
__all__ += ["check_size", "extension_for_result", "find", "for_target"]

FORMATS: tuple[Format, ...] = (
    png.FORMAT,
    jpeg.FORMAT,
    webp.FORMAT,
    raw.FORMAT,
    tiff.FORMAT,
    bmp.FORMAT,
    avif.FORMAT,
    gif.FORMAT,
    heif.FORMAT,
    jxl.FORMAT,
    pnm.FORMAT,
    jp2.FORMAT,
    ico.FORMAT,
    tga.FORMAT,
)
"""In the order in which a file is tried: AVIF before HEIF, whose brands it may name, RAW before TIFF, as some begin;
TGA, which has no signature, comes last."""

_BY_NAME = {name: form for form in FORMATS for name in (form.name, *form.aliases)}
_BY_EXTENSION = {extension: form for form in FORMATS for extension in form.extensions}

IMAGE_EXTENSIONS = frozenset(_BY_EXTENSION)


def by_content(start: bytes) -> Format | None:
    """Return the format of a file by its first 64 bytes, or None."""
    return next((form for form in FORMATS if form.matches(start[:64])), None)


def find(name: str) -> Format:
    """Return the format of a name ('PNG', 'jpg', '.tif'). Raises `UsageError` for an unknown one."""
    key = name.lstrip(".")
    form = _BY_NAME.get(key.upper()) or _BY_EXTENSION.get("." + key.lower())
    if form is None:
        known = ", ".join(form.name for form in FORMATS)
        raise UsageError(f"unknown picture format '{name}'", hint=f"known formats: {known}")
    return form


def by_extension(path: Path | str) -> Format | None:
    """Return the format that a file name asks for, or None for an unknown extension."""
    return _BY_EXTENSION.get(Path(path).suffix.lower())


def for_target(target: Path | str | None, source_format: str, wanted: str | None = None) -> Format:
    """Decide the format to write: the wanted one, else the target's extension, else the source's own.

    Raises `UsageError` when the target has an extension that we cannot write.
    """
    if wanted is not None:
        return _writable(find(wanted), f"'{wanted}'")
    suffix = Path(target).suffix if target is not None else ""
    if not suffix or target is None:
        form = find(source_format)
        return find(form.written_as) if form.written_as else form
    return _writable(by_extension(target), f"{target}: '{suffix}'")


def _writable(form: Format | None, asked: str) -> Format:
    if form is None or form.sink is None:
        known = " ".join(known.extensions[0] for known in FORMATS if known.sink is not None)
        raise UsageError(f"{asked} is not a picture format that can be written", hint=f"use one of {known}")
    return form


def extension_for_result(suffix: str) -> str:
    """The extension of a result whose source has this one: the same, but for formats that are only read."""
    form = _BY_EXTENSION.get(suffix.lower())
    return find(form.written_as).extensions[0] if form is not None and form.written_as else suffix


def check_size(format_name: str, width: int, height: int, target: Path | str | None = None) -> None:
    """Raise `OutputError` when a format cannot hold a picture of this size (pixels); call it before the work."""
    form = find(format_name)
    too_long = max(width, height) > form.max_side
    too_big = form.max_pixels is not None and width * height > form.max_pixels
    if not (too_long or too_big):
        return
    limit = f"{form.max_side} pixels a side" if too_long else f"{form.max_pixels} pixels"
    where = f"{target}: " if target is not None else ""
    raise OutputError(
        f"{where}{form.name} holds at most {limit}, and the result would be {width} x {height}",
        hint="write PNG or TIFF instead (`format` png), or choose a smaller scale",
    )
