"""One decoder a format: bytes in; pixels, alpha and all that came along out, as they stand in the file."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from imgfix.media import colour, implied, jpeg, png, tiff
from imgfix.media import exif as exif_block
from imgfix.media.extras import open_by_pillow
from imgfix.media.picture import JpegSettings, Metadata
from imgfix.media.tiff_pixels import UnsupportedTiffError, can_split, number, read_pixels

_BAND = 512  # rows moved from Pillow to numpy at a time, so that there is no second full copy


@dataclass
class Found:
    """What a decoder found, in the order of the file (not yet upright)."""

    format: str
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    mode: str = ""
    orientation: int = 1
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    xmp_extension: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    code_points: tuple[int, int] | None = None  # H.273 colour primaries and transfer
    jpeg: JpegSettings | None = None
    lossless: bool | None = None
    subsampling: str | None = None
    compression: str | None = None
    frames: int = 1
    notes: list[str] = field(default_factory=list)


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


def _common(image: Image.Image, kind: str) -> Found:
    pixels, alpha = _unpacked(image)
    info = image.info
    return Found(
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


def _read_jpeg(data: bytes) -> Found:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.load()
        found = _common(image, "JPEG")
        if found.frames > 1 or b"hdrgm:Version" in (found.xmp or b""):
            found.frames = 1  # not frames, but what phones and stereo cameras put behind the picture
            found.notes.append("further pictures in the JPEG (gain or depth map, preview) are not kept")
        found.xmp_extension = jpeg.xmp_extension(image)
        if image.mode != "CMYK":
            found.mode = "L" if image.mode == "L" else "YCbCr"
        found.jpeg = jpeg.settings(image)
        found.iptc = jpeg.iptc(image.info.get("photoshop"))
        comment = image.info.get("comment")
        if comment:
            found.text["Comment"] = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    return found


def _read_png(data: bytes) -> Found:
    header: tuple[int, ...] = ()
    clear: bytes | None = None
    found = Found("PNG", np.empty(0))
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
    points = dict(colour_chunks).get(b"cICP", b"")
    found.code_points = (points[0], points[1]) if len(points) == 4 else None
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


def _png_text(found: Found, entry: tuple[str, str] | None) -> None:
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


def _read_tiff(data: bytes) -> Found:
    exif, tags = tiff.description(data)
    bits, kind = number(tags, 258, 1), number(tags, 339, 1)
    photometric, orientation = number(tags, 262, 1), number(tags, exif_block.ORIENTATION, 1)
    notes: tuple[str, ...] = ()
    found = Found("TIFF", np.empty(0))
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
    found.frames = tiff.pages(data)
    if found.frames > 1:
        notes += (f"TIFF with {found.frames} pages: only the first is used",)
    found.notes.extend(notes)
    return found


def _read_webp(data: bytes) -> Found:
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


def _read_avif(data: bytes) -> Found:
    with Image.open(io.BytesIO(data), formats=["AVIF"]) as image:
        image.load()
        found = _common(image, "AVIF")
    found.code_points = implied.code_points_of_boxes(data)
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


def _read_gif(data: bytes) -> Found:
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        image.load()
        found = _common(image, "GIF")
        comment = image.info.get("comment")
        if isinstance(comment, bytes) and comment:
            found.text["Comment"] = comment.decode("utf-8", "replace")
    if found.frames > 1:
        found.notes.append(f"animated GIF with {found.frames} frames: only the first is used")
    return found


def _read_bmp(data: bytes) -> Found:
    with Image.open(io.BytesIO(data), formats=["BMP", "DIB"]) as image:
        image.load()
        return _common(image, "BMP")


def _read_heif(data: bytes) -> Found:
    with open_by_pillow(io.BytesIO(data), "HEIF") as image:
        image.load()
        found = _common(image, "HEIF")
        bits = image.info.get("bit_depth", 8)
    if bits > 8:
        found.notes.append(f"{bits}-bit HEIC is read and written with 8 bits")
    found.code_points = implied.code_points_of_boxes(data)
    found.orientation = 1  # the HEIF library turns pictures upright itself
    return found


def _read_jxl(data: bytes) -> Found:
    with open_by_pillow(io.BytesIO(data), "JXL") as image:
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


DECODERS = {
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
