"""From the bytes of a file to a `Picture`: every format, mode and depth, upright, with what came along."""

from __future__ import annotations

import contextlib
import io
import mmap
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgfix.errors import ImgfixError, InputError, MemoryExhaustedError, MissingExtraError
from imgfix.media import colour, jpeg, png, tiff, xmp
from imgfix.media import exif as exif_block
from imgfix.media.picture import Header, JpegSettings, Metadata, Picture
from imgfix.media.sniff import sniff, what_else
from imgfix.media.tiff_pixels import UnsupportedTiffError, can_split, number, read_pixels

DEFAULT_MAX_PIXELS = 500_000_000
_BAND = 512  # rows moved from Pillow to numpy at a time, so that there is no second full copy


@dataclass
class _Found:
    """What a decoder found, in the order of the file (not yet upright)."""

    format: str
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = ""
    orientation: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    jpeg: JpegSettings | None = None
    lossless: bool | None = None
    subsampling: str | None = None
    compression: str | None = None
    frames: int = 1
    notes: list[str] = field(default_factory=list)


def read(
    source: Path | str | bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS, name: str | None = None
) -> Picture:
    """Read a picture from a file or from bytes.

    max_pixels: refuse larger pictures before decoding them (None: no limit). name: what errors call the bytes.
    Raises `InputError` (missing, empty, damaged, not a picture, too large, a layout we do not read) and
    `MissingExtraError` (HEIC and JPEG XL need optional packages).
    """
    data, name = load(source, name)
    kind = sniff(data)
    if kind is None:
        raise InputError(f"{name} is not a picture that imgfix reads ({what_else(data)})", hint=_FORMATS_HINT)
    with _input_errors(name):
        header = _header(io.BytesIO(data), data, kind)
        check_pixels(name, header.width, header.height, max_pixels)
        found = _DECODERS[kind](data)
        return _finish(found)


def inspect(source: Path | str | bytes, *, name: str | None = None) -> Header:
    """Look at a file's header: size after orientation, channels, depth, frames. Raises as `read` does."""
    if not isinstance(source, bytes):
        path = Path(source)
        name = name or str(path)
        with _open_errors(path, name), path.open("rb") as stream:
            start = stream.read(64)
            kind = sniff(start)
            if kind is not None:
                with _input_errors(name), mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
                    stream.seek(0)
                    return _header(stream, view, kind)
    data, name = load(source, name)
    kind = sniff(data)
    if kind is None:
        raise InputError(f"{name} is not a picture that imgfix reads ({what_else(data)})", hint=_FORMATS_HINT)
    with _input_errors(name):
        return _header(io.BytesIO(data), data, kind)


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
            hint=f"if you trust the file, raise the limit with --max-pixels {width * height}",
        )


_FORMATS_HINT = "pictures can be PNG, JPEG, WebP, TIFF, BMP, AVIF, GIF, HEIC or JPEG XL"


@contextlib.contextmanager
def _open_errors(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file", hint="check the path; quote names with spaces") from error
    except IsADirectoryError as error:
        raise InputError(
            f"{name} is a folder, not a picture", hint="name the files in it, or use --recursive"
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
def _input_errors(name: str) -> Iterator[None]:
    """Turn whatever the decoders raise about a damaged file into one clear sentence."""
    try:
        with warnings.catch_warnings(), _no_pillow_limit():
            warnings.simplefilter("ignore")
            yield
    except (ImgfixError, NameError, ImportError):  # ours, and slips of our own that must not look like a bad file
        raise
    except MemoryError as error:
        raise MemoryExhaustedError(f"{name} does not fit into memory", hint="close other programs") from error
    except UnsupportedTiffError as error:
        raise InputError(
            f"{name} cannot be read: {error}", hint="convert it to an 8 or 16-bit RGB, grey or CMYK TIFF or PNG first"
        ) from error
    except Exception as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        if "truncated" in reason or "too early" in reason or "Truncated" in reason:
            raise InputError(
                f"{name} is cut off: {reason}", hint="the file is incomplete; copy or download it again"
            ) from error
        raise InputError(
            f"{name} is damaged and cannot be decoded ({reason})", hint="copy or download the file again"
        ) from error


_limit_lock = threading.Lock()
_limit_depth = 0
_limit_before: int | None = None


@contextlib.contextmanager
def _no_pillow_limit() -> Iterator[None]:
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


def _finish(found: _Found) -> Picture:
    """Turn the pixels upright and set every orientation tag to 1."""
    pixels = upright(found.pixels, found.orientation)
    alpha = upright(found.alpha, found.orientation) if found.alpha is not None else None
    height, width = pixels.shape[:2]
    exif, packet = found.exif or None, found.xmp or None
    if exif is not None:
        exif = exif_block.strip_prefix(exif)
    dpi = found.dpi or exif_block.resolution(exif)
    if found.icc and colour.profile_channels(found.icc) != pixels.shape[2]:
        found.icc = None
        found.notes.append("the colour profile is broken or of another kind of picture and was left out")
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
        exif=exif,
        xmp=packet,
        iptc=found.iptc,
        dpi=dpi,
        text=found.text,
        chunks=found.chunks,
        jpeg=found.jpeg,
        lossless=found.lossless,
        subsampling=found.subsampling,
        compression=found.compression,
        frames=found.frames,
        notes=tuple(found.notes),
    )
    return Picture(pixels, alpha, metadata)


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation (1-8) to (H, W) or (H, W, C); the result is C-contiguous."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


# ---- headers


def _header(stream: Any, data: Any, kind: str) -> Header:
    if kind == "PNG":
        return _png_header(data)
    if kind == "TIFF":
        return _tiff_header(data)
    with _pillow(stream, kind) as image:
        orientation = exif_block.orientation(image.info.get("exif")) if kind != "HEIF" else 1
        width, height = image.size if orientation < 5 else image.size[::-1]
        channels, alpha, bits = _layout(image)
        frames = 1 if kind == "JPEG" else int(getattr(image, "n_frames", 1))
        return Header(width, height, channels, alpha, bits, kind, frames)


def _png_header(data: Any) -> Header:
    shape: tuple[int, ...] | None = None
    alpha, frames, exif = False, 1, None
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            shape = struct.unpack_from(">IIBB", body)
        elif kind == b"tRNS":
            alpha = True
        elif kind == b"acTL":
            frames = max(1, struct.unpack_from(">I", body)[0])
        elif kind == b"eXIf":
            exif = bytes(body)
    if shape is None or 0 in shape[:2]:
        raise png.DamagedPngError("it has no size")
    width, height, bits, colour_type = shape
    if exif_block.orientation(exif) >= 5:
        width, height = height, width
    return Header(
        width,
        height,
        1 if colour_type in (0, 4) else 3,
        alpha or colour_type in (4, 6),
        16 if bits == 16 else 8,
        "PNG",
        frames,
    )


def _tiff_header(data: Any) -> Header:
    _, tags = tiff.description(data)
    width, height = number(tags, 256, 0), number(tags, 257, 0)
    if not (width > 0 and height > 0):
        raise ValueError("it has no size")
    if 5 <= number(tags, exif_block.ORIENTATION, 1) <= 8:
        width, height = height, width
    photometric = number(tags, 262, 1)
    samples, bits = number(tags, 277, 1), number(tags, 258, 1)
    channels = {0: 1, 1: 1, 4: 1, 5: 4}.get(photometric, 3)
    stored = 1 if photometric == 3 else channels
    return Header(width, height, channels, samples > stored, 16 if bits == 16 else 8, "TIFF", _tiff_pages(data))


def _tiff_pages(data: Any) -> int:
    """Count the full pages; reduced copies and masks (NewSubfileType) are not pages of their own."""
    block = exif_block.Block(data, patch=False)
    offset, pages, seen = block.first, 0, set[int]()
    while offset and offset not in seen:
        seen.add(offset)
        try:
            folder = block.directory(offset)
            kind = block.number(folder.entries[254]) if 254 in folder.entries else 0
        except exif_block.BrokenExifError:
            break
        pages += not kind & 5
        offset = folder.next_offset
    return max(1, pages)


def _layout(image: Image.Image) -> tuple[int, bool, int]:
    mode = image.mode
    alpha = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    channels = {"1": 1, "L": 1, "LA": 1, "La": 1, "CMYK": 4}.get(mode, 1 if mode.startswith("I") else 3)
    return channels, alpha, 16 if mode.startswith("I;16") else 8


def _pillow(stream: Any, kind: str) -> Image.Image:
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            raise MissingExtraError("reading HEIC", "heif") from None
        pillow_heif.register_heif_opener()
    if kind == "JXL":
        try:
            import pillow_jxl  # noqa: F401
        except ImportError:
            raise MissingExtraError("reading JPEG XL", "jxl") from None
    return Image.open(stream, formats=[kind])


# ---- decoders


def _unpacked(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Move a loaded Pillow image to (pixels (H, W, C), alpha), band by band."""
    image = _plain(image)
    width, height = image.size
    bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "I;16": 1}[image.mode]
    alpha = np.empty((height, width), np.uint8) if image.mode in ("LA", "RGBA") else None
    colours = bands - (alpha is not None)
    pixels = np.empty((height, width, colours), np.uint16 if image.mode == "I;16" else np.uint8)
    for top in range(0, height, _BAND):
        bottom = min(height, top + _BAND)
        band = np.asarray(image.crop((0, top, width, bottom))).reshape(bottom - top, width, bands)
        pixels[top:bottom] = band[..., :colours]
        if alpha is not None:
            alpha[top:bottom] = band[..., colours]
    return pixels, alpha


def _plain(image: Image.Image) -> Image.Image:
    """Expand palettes, single bits, transparent colours and Pillow's lesser modes."""
    mode = image.mode
    if mode == "P":
        clear = "transparency" in image.info or (image.palette is not None and image.palette.mode == "RGBA")
        return image.convert("RGBA" if clear else "RGB")
    if mode in ("1", "L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA" if mode == "RGB" else "LA")
    if mode.startswith("I;16"):
        return image if mode == "I;16" else image.convert("I;16")
    wanted = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}.get(mode)
    if wanted is not None:
        return image.convert(wanted)
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    raise UnsupportedTiffError(f"it has pixels of the kind '{mode}'")


def _common(image: Image.Image, kind: str) -> _Found:
    pixels, alpha = _unpacked(image)
    info = image.info
    return _Found(
        kind,
        pixels,
        alpha,
        mode=image.mode,
        orientation=exif_block.orientation(info.get("exif")),
        icc=info.get("icc_profile"),
        exif=info.get("exif"),
        xmp=_as_bytes(info.get("xmp")),
        dpi=_dpi(info.get("dpi")),
        frames=int(getattr(image, "n_frames", 1)),
    )


def _as_bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode("utf-8")
    return value if isinstance(value, bytes) else None


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _read_jpeg(data: bytes) -> _Found:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.load()
        found = _common(image, "JPEG")
        found.frames = 1  # the further pictures of a phone's JPEG are depth and gain maps or previews
        if image.mode != "CMYK":
            found.mode = "L" if image.mode == "L" else "YCbCr"
        found.jpeg = jpeg.settings(image)
        found.iptc = jpeg.iptc(image.info.get("photoshop"))
        comment = image.info.get("comment")
        if comment:
            found.text["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return found


def _read_png(data: bytes) -> _Found:
    header: tuple[int, ...] = ()
    clear: bytes | None = None
    found = _Found("PNG", np.empty(0))
    colour_chunks = []
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"tRNS":
            clear = bytes(body)
        elif kind == b"eXIf":
            found.exif = bytes(body)
        elif kind == b"iCCP":
            found.icc = _png_profile(bytes(body), found.notes)
        elif kind == b"pHYs" and len(body) == 9:
            x, y, unit = struct.unpack(">IIB", body)
            found.dpi = _dpi((x * 0.0254, y * 0.0254)) if unit == 1 else None
        elif kind == b"acTL" and len(body) >= 4:
            found.frames = max(1, struct.unpack_from(">I", body)[0])
        elif kind in png.COLOUR_CHUNKS:
            colour_chunks.append((kind, bytes(body)))
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            _png_text(found, png.read_text(kind, bytes(body)))
    found.chunks = tuple(colour_chunks)
    bits, colour_type = header[2:4]
    if colour_type == 3:
        with Image.open(io.BytesIO(png.lean(data, (b"PLTE", b"tRNS"))), formats=["PNG"]) as image:
            image.load()
            found.pixels, found.alpha = _unpacked(image)
    elif bits == 16:
        found.pixels, found.alpha = _png_16(data, colour_type)
    else:
        with Image.open(io.BytesIO(png.lean(data, ())), formats=["PNG"]) as image:
            image.load()
            found.pixels, found.alpha = _unpacked(image)
    if clear is not None and colour_type in (0, 2):
        found.alpha = _alpha_of_colour(found.pixels, clear, bits)
    found.mode = {0: "L" if bits > 1 else "1", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}[colour_type] + (
        ";16" if bits == 16 else ""
    )
    found.orientation = exif_block.orientation(found.exif)
    if found.frames > 1:
        found.notes.append(f"animated PNG with {found.frames} frames: only the first is used")
    return found


def _png_16(data: bytes, colour_type: int) -> tuple[np.ndarray, np.ndarray | None]:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(png.lean(data, ()), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise png.DamagedPngError("its 16-bit data cannot be unpacked")
    if pixels.ndim == 2:
        return pixels[..., None], None
    if colour_type == 4:  # OpenCV repeats the grey value three times
        return np.ascontiguousarray(pixels[..., :1]), np.ascontiguousarray(pixels[..., -1])
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return np.ascontiguousarray(pixels[..., 2::-1]), alpha


def _alpha_of_colour(pixels: np.ndarray, clear: bytes, bits: int) -> np.ndarray | None:
    """Make the alpha channel of a PNG that names one colour as transparent."""
    count = pixels.shape[2]
    if len(clear) != 2 * count:
        return None
    most = np.iinfo(pixels.dtype).max
    key = np.array(struct.unpack(f">{count}H", clear), np.uint32) & ((1 << bits) - 1)
    if bits < 8:
        key = key * most // ((1 << bits) - 1)
    return np.where((pixels == key.astype(pixels.dtype)).all(axis=2), 0, most).astype(pixels.dtype)


def _png_profile(body: bytes, notes: list[str]) -> bytes | None:
    _, _, packed = body.partition(b"\0")
    try:
        return png.inflate(packed[1:])
    except (zlib.error, ValueError):
        notes.append("the colour profile is damaged and was left out")
        return None


def _png_text(found: _Found, entry: tuple[str, str] | None) -> None:
    if entry is None:
        return
    keyword, text = entry
    if keyword == "XML:com.adobe.xmp":
        found.xmp = text.encode("utf-8")
    elif keyword in ("Raw profile type exif", "Raw profile type APP1"):  # how ImageMagick stored EXIF before eXIf
        with contextlib.suppress(ValueError, IndexError):
            block = bytes.fromhex("".join(text.split("\n")[3:]))
            if block.startswith(b"Exif\0\0") and found.exif is None:
                found.exif = exif_block.strip_prefix(block)
    elif keyword != "imgfix":
        found.text[keyword] = f"{found.text[keyword]}\n{text}" if keyword in found.text else text


def _read_tiff(data: bytes) -> _Found:
    exif, tags = tiff.description(data)
    bits, kind = number(tags, 258, 1), number(tags, 339, 1)
    photometric, orientation = number(tags, 262, 1), number(tags, exif_block.ORIENTATION, 1)
    notes: tuple[str, ...] = ()
    found = _Found("TIFF", np.empty(0))
    if photometric in (32803, 34892):
        raise UnsupportedTiffError("it is a raw camera file; develop it with a raw converter first")
    deep = bits > 8 or kind != 1 or number(tags, 284, 1) == 2 or photometric in (8, 9)
    deep = deep or (bits == 8 and can_split(tags))
    if not deep:
        try:
            # Pillow would turn the picture itself, on the word of EXIF or XMP; one place is enough for that.
            with Image.open(io.BytesIO(tiff.without_orientation(data)), formats=["TIFF"]) as image:
                image.load()
                found.pixels, found.alpha = _unpacked(image)
                found.mode = image.mode
        except Image.UnidentifiedImageError:
            deep = True
    if deep:
        found.pixels, found.alpha, notes = read_pixels(data, tags)
        found.mode = {1: "L", 3: "RGB", 4: "CMYK"}[found.pixels.shape[2]] + (";16" if bits == 16 else "")
        if photometric in (8, 9):
            found.mode, found.pixels = "LAB", colour.lab_to_srgb(found.pixels, signed=photometric == 8)
            notes += ("the Lab picture was converted to sRGB",)
    found.exif, found.orientation = exif, orientation if 1 <= orientation <= 8 else 1
    found.xmp = tags[700][3] if 700 in tags else None
    found.icc = tags[34675][3] if 34675 in tags and photometric not in (8, 9) else None
    found.iptc = tags[33723][3] if 33723 in tags else None
    found.dpi = exif_block.resolution(exif_block.build({"main": list(tags.values())}))
    found.compression = tiff.COMPRESSIONS.get(number(tags, 259, 1), "other")
    if found.compression == "jpeg":
        quality, sampling = tiff.jpeg_settings(tags)
        found.jpeg = JpegSettings(quality, subsampling=sampling)
    found.frames = _tiff_pages(data)
    if found.frames > 1:
        notes += (f"TIFF with {found.frames} pages: only the first is used",)
    found.notes.extend(notes)
    return found


def _read_webp(data: bytes) -> _Found:
    with Image.open(io.BytesIO(data), formats=["WEBP"]) as image:
        image.load()
        found = _common(image, "WEBP")
    found.lossless = b"VP8L" in _riff_kinds(data)
    if found.frames > 1:
        found.notes.append(f"animated WebP with {found.frames} frames: only the first is used")
    return found


def _riff_kinds(data: bytes) -> set[bytes]:
    kinds, at = set[bytes](), 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        kinds.add(kind)
        if kind == b"ANMF":
            kinds.add(bytes(data[at + 24 : at + 28]))
        at += 8 + size + size % 2
    return kinds


def _read_avif(data: bytes) -> _Found:
    with Image.open(io.BytesIO(data), formats=["AVIF"]) as image:
        image.load()
        found = _common(image, "AVIF")
    bits, found.subsampling = _av1_layout(data)
    if bits > 8:
        found.notes.append(f"{bits}-bit AVIF is read and written with 8 bits")
    if found.frames > 1:
        found.notes.append(f"animated AVIF with {found.frames} frames: only the first is used")
    return found


def _av1_layout(data: bytes) -> tuple[int, str | None]:
    """Read depth and chroma subsampling from the av1C box (AV1-ISOBMFF 2.3)."""
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return 8, None
    flags = data[at + 6]
    bits = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    if flags & 0x10:
        return bits, "4:0:0"
    return bits, {0: "4:4:4", 8: "4:2:2", 12: "4:2:0"}.get(flags & 12)


def _read_gif(data: bytes) -> _Found:
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        image.load()
        found = _common(image, "GIF")
        comment = image.info.get("comment")
        if isinstance(comment, bytes) and comment:
            found.text["Comment"] = comment.decode("utf-8", "replace")
    if found.frames > 1:
        found.notes.append(f"animated GIF with {found.frames} frames: only the first is used")
    return found


def _read_bmp(data: bytes) -> _Found:
    with Image.open(io.BytesIO(data), formats=["BMP", "DIB"]) as image:
        image.load()
        return _common(image, "BMP")


def _read_heif(data: bytes) -> _Found:
    with _pillow(io.BytesIO(data), "HEIF") as image:
        image.load()
        found = _common(image, "HEIF")
    found.orientation = 1  # the HEIF library turns pictures upright itself
    return found


def _read_jxl(data: bytes) -> _Found:
    with _pillow(io.BytesIO(data), "JXL") as image:
        image.load()
        found = _common(image, "JXL")
        if not getattr(image, "jpeg", False):  # a repacked JPEG comes as it was; otherwise the library turns it
            found.orientation = 1
    found.xmp = _jxl_box(data, b"xml ")
    plain = colour.transform(Metadata(icc=found.icc), found.pixels.shape[2]).is_identity
    if found.icc and found.icc[4:8] == b"jxl " and plain:  # the library writes a profile where the file has none
        found.icc = None
    return found


def _jxl_box(data: bytes, wanted: bytes) -> bytes | None:
    """Find a box of a JPEG XL container (ISO/IEC 18181-2)."""
    at = 0
    while at + 8 <= len(data) and data[:4] == b"\0\0\0\x0c":
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        end = at + size if size else len(data)
        if kind == wanted:
            return bytes(data[at + head : end])
        if end <= at:
            break
        at = end
    return None


_DECODERS = {
    "PNG": _read_png,
    "JPEG": _read_jpeg,
    "TIFF": _read_tiff,
    "WEBP": _read_webp,
    "AVIF": _read_avif,
    "GIF": _read_gif,
    "BMP": _read_bmp,
    "HEIF": _read_heif,
    "JXL": _read_jxl,
}


def with_notes(picture: Picture, *notes: str) -> Picture:
    """Add notes for the user to a picture."""
    return replace(picture, metadata=replace(picture.metadata, notes=(*picture.metadata.notes, *notes)))
