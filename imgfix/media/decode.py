"""From the bytes of a file to a `Picture`: every format, mode and depth, upright, with what came along."""

from __future__ import annotations

import contextlib
import io
import mmap
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from imgfix.errors import ImgfixError, InputError, MemoryExhaustedError, out_of_memory
from imgfix.media import exif as exif_block
from imgfix.media import formats, implied, xmp
from imgfix.media.formats import Decoded, Format
from imgfix.media.icc import profile_channels
from imgfix.media.picture import Header, Metadata, Picture, SampleRange
from imgfix.media.sniff import what_else
from imgfix.media.tiff_pixels import UnsupportedTiffError

DEFAULT_MAX_PIXELS = 500_000_000


def read(
    source: Path | str | bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS, name: str | None = None
) -> Picture:
    """Read a picture from a file or from bytes.

    max_pixels: refuse larger pictures before decoding them (None: no limit). name: what errors call the bytes.
    Raises `InputError` (missing, empty, damaged, not a picture, too large, a layout we do not read) and
    `MissingExtraError` (HEIC and JPEG XL need optional packages).
    """
    data, name = load(source, name)
    form = _format_of(data, name)
    with input_errors(name):
        header = form.header(io.BytesIO(data), data)
        check_pixels(name, header.width, header.height, max_pixels)
        _check_effort(name, form, data, header, max_pixels)
        return _finish(form.read(data))


def _format_of(data: bytes, name: str) -> Format:
    form = formats.by_content(data)
    if form is None:
        raise InputError(f"{name} is not a picture that imgfix reads ({what_else(data)})", hint=_FORMATS_HINT)
    return form


def inspect(source: Path | str | bytes, *, name: str | None = None) -> Header:
    """Look at a file's header: size after orientation, channels, depth, frames. Raises as `read` does."""
    if not isinstance(source, bytes):
        path = Path(source)
        name = name or str(path)
        with _open_errors(path, name), path.open("rb") as stream:
            start = stream.read(64)
            form = formats.by_content(start)
            if form is not None:
                view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                try:
                    with input_errors(name):
                        stream.seek(0)
                        return form.header(stream, view)
                finally:
                    # What failed may still look into it, and that must not hide why; it is closed with the last look.
                    with contextlib.suppress(BufferError):
                        view.close()
    data, name = load(source, name)
    form = _format_of(data, name)
    with input_errors(name):
        return form.header(io.BytesIO(data), data)


def load(source: Path | str | bytes, name: str | None = None) -> tuple[bytes, str]:
    """Read a file's bytes with clear errors; bytes pass through. Returns (bytes, name for errors)."""
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), name or "standard input"
    else:
        path = Path(source)
        name = name or str(path)
        with _open_errors(path, name):
            data = path.read_bytes()
    if not data:
        raise InputError(f"{name} is empty (0 bytes)", hint="copy or download the file again")
    return data, name


def check_pixels(name: str, width: int, height: int, max_pixels: int | None) -> None:
    """Raise `InputError` when a picture is larger than the limit."""
    if max_pixels is not None and width * height > max_pixels:
        raise InputError(
            f"{name} has {width} x {height} pixels, more than the limit of {max_pixels / 1e6:g} megapixels",
            hint=f"if you trust the file, raise the limit with `max_pixels` {width * height}",
        )


def _check_effort(name: str, form: Format, data: bytes, header: Header, max_pixels: int | None) -> None:
    """Raise `InputError` for a file whose decoding is out of all proportion to its size."""
    if form.effort is None:
        return
    effort = form.effort(data, header)
    if max_pixels is not None and effort > max_pixels:
        raise InputError(
            f"{name} has {header.width} x {header.height} pixels, but takes the work of {effort / 1e6:.0f} megapixels, "
            f"more than the limit of {max_pixels / 1e6:g}",
            hint=f"if you trust the file, raise the limit with `max_pixels` {round(effort)}",
        )


_FORMATS_HINT = (
    "pictures can be PNG, JPEG, WebP, TIFF, BMP, AVIF, GIF, HEIC, JPEG XL, JPEG 2000, PPM, TGA, ICO or camera raw"
)


@contextlib.contextmanager
def _open_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if path.is_symlink():
            raise InputError(
                f"{name} is a link to a file that is not there", hint=f"it points to {path.readlink()}"
            ) from error
        raise InputError(f"{name}: no such file", hint="check the path; quote names with spaces") from error
    except IsADirectoryError as error:
        raise InputError(
            f"{name} is a folder, not a picture", hint="name the files in it, or use `recursive`"
        ) from error
    except PermissionError as error:
        if path.is_dir():  # what Windows says about folders
            raise InputError(f"{name} is a folder, not a picture", hint="name the files in it") from error
        raise InputError(f"{name}: no permission to read it", hint="check the rights of the file") from error
    except OSError as error:
        raise InputError(
            f"{name} cannot be read: {error.strerror or error}", hint="check the path and the disk"
        ) from error


@contextlib.contextmanager
def input_errors(name: str) -> Iterator[None]:
    """Turn whatever the decoders raise about a damaged file into one clear sentence."""
    try:
        with warnings.catch_warnings(), without_pillow_limit():
            warnings.simplefilter("ignore")
            yield
    except (ImgfixError, NameError, ImportError):  # ours, and slips of our own that must not look like a bad file
        raise
    except UnsupportedTiffError as error:
        raise InputError(
            f"{name} cannot be read: {error}", hint="convert it to an 8 or 16-bit RGB, grey or CMYK TIFF or PNG first"
        ) from error
    except Exception as error:
        if out_of_memory(error):
            raise MemoryExhaustedError(f"{name} does not fit into memory", hint="close other programs") from error
        if _CUT_OFF.search(str(error)):
            raise InputError(
                f"{name} is cut off: the file ends too early", hint="the file is incomplete; copy or download it again"
            ) from error
        raise InputError(
            f"{name} is damaged and cannot be decoded{in_words(error)}", hint="copy or download the file again"
        ) from error


_CUT_OFF = re.compile("truncated|too early|is cut off|Expected to read", re.IGNORECASE)
_OF_OURS = str(Path(__file__).parent)


def in_words(error: BaseException) -> str:
    """Why a file cannot be decoded, in brackets; nothing where a library says it in the words of its own inside."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OF_OURS)
    reason = str(error).strip().rstrip(".")
    # What is no ValueError of ours (struct.error, IndexError ...) was raised by a function of Python's, inside ours.
    if not ours or not isinstance(error, ValueError) or not reason or "buffer" in reason:
        return ""
    return f" ({reason})"


_limit_lock = threading.Lock()
_limit_depth = 0
_limit_before: int | None = None


@contextlib.contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Switch Pillow's own process-wide size limit off while we read; ours has an option and a clear error."""
    global _limit_depth, _limit_before
    with _limit_lock:
        if _limit_depth == 0:
            _limit_before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _limit_depth += 1
    try:
        yield
    finally:
        with _limit_lock:
            _limit_depth -= 1
            if _limit_depth == 0:
                Image.MAX_IMAGE_PIXELS = _limit_before


def _finish(found: Decoded) -> Picture:
    """Turn the pixels upright and set every orientation tag to 1."""
    pixels = upright(found.pixels, found.orientation)
    alpha = upright(found.alpha, found.orientation) if found.alpha is not None else None
    height, width = pixels.shape[:2]
    exif, packet = found.exif or None, found.xmp or None
    if exif is not None:
        exif = exif_block.strip_prefix(exif)
    dpi, aspect = found.dpi or exif_block.resolution(exif), found.aspect
    if aspect is not None:
        aspect = None if aspect[0] == aspect[1] else aspect[::-1] if found.orientation >= 5 else aspect
    if found.icc and profile_channels(found.icc) != pixels.shape[2]:
        found.icc = None
        found.notes.append("the colour profile is broken or of another kind of picture and was left out")
    implied_profile = found.icc is None
    if found.icc is None:
        _take_implied_colours(found)
    if found.orientation != 1:
        exif = exif_block.updated(exif, width, height) if exif else None
        packet = xmp.updated(packet, width, height, turned=True) if packet else None
        if dpi is not None and found.orientation >= 5:
            dpi = dpi[::-1]
    metadata = Metadata(
        format=found.format,
        width=width,
        height=height,
        mode=found.mode,
        orientation=found.orientation,
        icc=found.icc or None,
        icc_implied=implied_profile,
        exif=exif,
        xmp=packet,
        xmp_extension=found.xmp_extension,
        iptc=found.iptc,
        dpi=dpi,
        aspect=aspect,
        text=found.text,
        chunks=found.chunks,
        jpeg=found.jpeg,
        lossless=found.lossless,
        subsampling=found.subsampling,
        compression=found.compression,
        samples=_upright_samples(found),
        frames=found.frames,
        notes=tuple(found.notes),
    )
    return Picture(pixels, alpha, metadata)


def _upright_samples(found: Decoded) -> SampleRange | None:
    if found.samples is None or not isinstance(found.samples.stored, np.ndarray):
        return found.samples
    return replace(found.samples, stored=upright(found.samples.stored, found.orientation))


def _take_implied_colours(found: Decoded) -> None:
    channels = found.pixels.shape[2]
    gamma = dict(found.chunks).get(b"gAMA", b"")
    if channels == 4:
        return
    if found.code_points is None and len(gamma) == 4 and b"sRGB" not in dict(found.chunks):
        found.icc = implied.by_gamma(gamma, dict(found.chunks).get(b"cHRM"), channels)
    elif channels == 1:
        return
    elif found.code_points is not None:
        found.icc, note = implied.by_code_points(*found.code_points)
        if note:
            found.notes.append(note)
    else:
        found.icc = implied.by_exif(found.exif)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation (1-8) to (H, W) or (H, W, C); the result is C-contiguous."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
