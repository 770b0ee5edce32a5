"""The picture formats: their extensions, what they can hold and how large they may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import OutputError, UsageError


@dataclass(frozen=True)
class Format:
    """One picture format."""

    name: str
    extensions: tuple[str, ...]  # the first is the usual one
    bits: int  # most bits a channel that we write
    max_side: int  # pixels
    max_pixels: int | None = None
    alpha: bool = True
    grey: bool = True
    cmyk: bool = False
    icc: bool = True
    tags: bool = True  # EXIF and XMP
    lossy: bool = False  # has a quality setting
    extra: str | None = None  # the optional dependency that brings it


FORMATS: tuple[Format, ...] = (
    Format("PNG", (".png",), bits=16, max_side=2**31 - 1),
    # libjpeg stops a little before the 65535 of the file format.
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), bits=8, max_side=65500, alpha=False, cmyk=True, lossy=True),
    Format("WEBP", (".webp",), bits=8, max_side=16383, grey=False, lossy=True),
    Format("TIFF", (".tif", ".tiff"), bits=16, max_side=2**31 - 1, cmyk=True),
    Format("BMP", (".bmp", ".dib"), bits=8, max_side=2**31 - 1, max_pixels=10**9, icc=False, tags=False),
    # The sizes that libavif agrees to read back by default.
    Format("AVIF", (".avif",), bits=8, max_side=32768, max_pixels=16384 * 16384, grey=False, lossy=True),
    Format("GIF", (".gif",), bits=8, max_side=65535, icc=False, tags=False),
    Format("HEIF", (".heic", ".heif", ".hif"), bits=8, max_side=16384, grey=False, lossy=True, extra="heif"),
    Format("JXL", (".jxl",), bits=8, max_side=2**30, icc=False, lossy=True, extra="jxl"),
)
_BY_NAME = {form.name: form for form in FORMATS}
_BY_EXTENSION = {extension: form for form in FORMATS for extension in form.extensions}
_ALIASES = {"JPG": "JPEG", "TIF": "TIFF", "HEIC": "HEIF", "MPO": "JPEG", "DIB": "BMP", "JPEGXL": "JXL"}

IMAGE_EXTENSIONS = frozenset(_BY_EXTENSION)


def find(name: str) -> Format:
    """Return the format of a name ('PNG', 'jpg', '.tif'). Raises `UsageError` for an unknown one."""
    key = name.lstrip(".").upper()
    key = _ALIASES.get(key, key)
    form = _BY_NAME.get(key) or _BY_EXTENSION.get("." + key.lower())
    if form is None:
        known = ", ".join(_BY_NAME)
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
        return find(wanted)
    suffix = Path(target).suffix if target is not None else ""
    if not suffix or target is None:
        return find(source_format)
    form = by_extension(target)
    if form is None:
        known = " ".join(extension.extensions[0] for extension in FORMATS)
        raise UsageError(
            f"{target}: '{suffix}' is not a picture format that can be written", hint=f"use one of {known}"
        )
    return form


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
        hint="write PNG or TIFF instead (--format png), or choose a smaller scale",
    )
