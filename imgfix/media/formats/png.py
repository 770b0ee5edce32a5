"""PNG (PNG specification, W3C, third edition, 2025)."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media import png
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.formats.by_pillow import frames_note, plausible_dpi, unpacked
from imgfix.media.names import json_text
from imgfix.media.picture import Header

_TEXT = (b"tEXt", b"zTXt", b"iTXt")
# Chunks whose meaning is ours to rebuild.
_STRUCTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"iCCP", b"pHYs")
_MEANINGLESS = (b"hIST", b"iDOT")  # of the palette; of how Apple's libraries packed the rows
_ROW = 32  # pixels that are decoded in the time that a row takes by itself (measured: 27)
_MOST = 1 << 20  # bytes of a chunk that nobody knows
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}


def header(stream: Any, data: Any) -> Header:
    """Walk through the chunks, without unpacking pixels."""
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
    channels, has_alpha = 1 if colour_type in (0, 4) else 3, alpha or colour_type in (4, 6)
    return Header(width, height, channels, has_alpha, 16 if bits == 16 else 8, "PNG", frames)


def read(data: bytes) -> Decoded:
    """Decode the still picture; the metadata are our own reading, the pixels Pillow's or OpenCV's."""
    found, shape, clear = _walk(data)
    bits, colour_type = shape[2:4]
    if bits == 16 and colour_type != 3:
        found.pixels, found.alpha = _deep(data, colour_type)
    else:
        kept = (b"PLTE", b"tRNS") if colour_type == 3 else ()
        with Image.open(io.BytesIO(png.lean(data, kept)), formats=["PNG"]) as image:
            image.load()
            found.pixels, found.alpha = unpacked(image)
    if clear is not None and colour_type in (0, 2):
        found.alpha = _alpha_of_colour(found.pixels, clear, bits)
    found.mode = "1" if (colour_type, bits) == (0, 1) else _MODES[colour_type]
    if bits == 16 or (colour_type == 0 and 1 < bits < 8):
        found.mode += f";{bits}"
    found.notes.extend(frames_note("PNG", found.frames))
    return found


def read_beside(data: bytes) -> Decoded:
    """Read what stands beside the pixels; those stay packed, and the picture empty."""
    return _walk(data)[0]


def _walk(data: bytes) -> tuple[Decoded, tuple[int, ...], bytes | None]:
    """Go through the chunks: what stands beside the pixels, the header, and the tRNS chunk."""
    shape: tuple[int, ...] = ()
    clear: bytes | None = None
    found = Decoded("PNG", np.empty(0))
    kept: list[tuple[bytes, bytes]] = []
    bound: list[tuple[bytes, bytes]] = []  # to depth and colour type of the file
    palette = b""
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            shape = struct.unpack(">IIBBBBB", body)
        elif kind == b"tRNS":
            clear = bytes(body)
        elif kind == b"eXIf":
            found.exif = bytes(body)
        elif kind == b"iCCP":
            found.icc = _profile(bytes(body), found.notes)
        elif kind == b"pHYs" and len(body) == 9:
            x, y, unit = struct.unpack(">IIB", body)
            found.dpi = plausible_dpi((x * 0.0254, y * 0.0254)) if unit == 1 else None
            found.aspect = (x, y) if unit == 0 and x and y else None
        elif kind == b"acTL" and len(body) >= 4:
            found.frames = max(1, struct.unpack_from(">I", body)[0])
        elif kind in (*png.COLOUR_CHUNKS, b"tIME"):
            kept.append((kind, bytes(body)))
        elif kind in (b"sBIT", b"bKGD"):
            bound.append((kind, bytes(body)))
        elif kind == b"PLTE":
            palette = bytes(body)
        elif kind in _TEXT:
            _take_text(found, png.read_text(kind, bytes(body)))
        elif kind not in _STRUCTURE:
            _take_unknown(found, kept, kind, body)
    kept += [entry for entry in (_unbound(*entry, shape, palette) for entry in bound) if entry is not None]
    found.chunks = tuple(kept)
    points = dict(kept).get(b"cICP", b"")
    found.code_points = (points[0], points[1]) if len(points) == 4 else None
    found.orientation = exif_block.orientation(found.exif)
    return found, shape, clear


def _take_unknown(found: Decoded, kept: list[tuple[bytes, bytes]], kind: bytes, body: memoryview) -> None:
    """Keep a chunk whose name says that it may be copied whatever happens to the pixels (14.2)."""
    if kind[3] & 0x20 and len(body) <= _MOST:
        kept.append((kind, bytes(body)))
    elif kind not in _MEANINGLESS:
        found.notes.append(f"the PNG chunk {kind.decode('latin-1')} is not kept")


def _unbound(kind: bytes, body: bytes, shape: tuple[int, ...], palette: bytes) -> tuple[bytes, bytes] | None:
    """sBIT or bKGD as it is in the picture that is read: palettes as RGB, fewer than eight bits as eight."""
    bits, colour_type = shape[2:4]
    if kind == b"sBIT":
        return (kind, body) if len(body) == {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[colour_type] else None
    if colour_type == 3:
        at = 3 * body[0] if body else len(palette)
        colour = palette[at : at + 3]
        return (kind, struct.pack(">3H", *colour)) if len(colour) == 3 else None
    if len(body) != (2 if colour_type in (0, 4) else 6):
        return None
    if bits < 8:
        (value,) = struct.unpack(">H", body)
        body = struct.pack(">H", (value & ((1 << bits) - 1)) * 255 // ((1 << bits) - 1))
    return kind, body


def _deep(data: bytes, colour_type: int) -> tuple[np.ndarray, np.ndarray | None]:
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


def _profile(body: bytes, notes: list[str]) -> bytes | None:
    _, _, packed = body.partition(b"\0")
    try:
        return png.inflate(packed[1:])
    except (zlib.error, ValueError):
        notes.append("the colour profile is damaged and was left out")
        return None


def _take_text(found: Decoded, entry: tuple[str, str] | None) -> None:
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


def sink(request: WriteRequest) -> Sink:
    """Rows are compressed as they come."""
    return png.PngWriter(
        request.stream, request.width, request.height, request.samples, request.bits, _ancillary(request)
    )


def _ancillary(request: WriteRequest) -> tuple[bytes, ...]:
    """Pack the chunks beside the pixels in their prescribed order."""
    blocks, meta = request.blocks, request.blocks.metadata
    out = []
    named = {kind for kind, _ in meta.chunks}
    implied = meta.icc_implied and bool(named & {b"cICP", b"gAMA"})
    for kind, body in meta.chunks:
        fitted = _fitted(kind, body, request)
        if fitted is None:
            blocks.notes.append(f"the PNG chunk {kind.decode('latin-1')} does not fit the new picture and is not kept")
        elif not (kind == b"sRGB" and meta.icc):  # the two exclude each other
            out.append(png.chunk(kind, fitted))
    if meta.icc and not implied:
        out.append(png.chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc, 9)))
    if meta.dpi:
        x, y = (min(2**31 - 1, round(value / 0.0254)) for value in meta.dpi)
        out.append(png.chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
    elif meta.aspect:
        out.append(png.chunk(b"pHYs", struct.pack(">IIB", *meta.aspect, 0)))
    if blocks.exif:
        out.append(png.chunk(b"eXIf", blocks.exif))
    if blocks.xmp:
        out.append(png.text_chunk("XML:com.adobe.xmp", blocks.xmp.decode("utf-8", "replace")))
    out += [png.text_chunk(keyword, text) for keyword, text in meta.text.items()]
    if blocks.record is not None:
        out.append(png.text_chunk("imgfix", json_text(blocks.record, sort_keys=True)))
    return tuple(out)


def _fitted(kind: bytes, body: bytes, request: WriteRequest) -> bytes | None:
    """A chunk that depends on channels and depth, as it is in the new picture; None where that cannot be."""
    if kind == b"bKGD":
        return body if len(body) == 2 * request.channels and (request.bits == 16 or max(body[::2]) == 0) else None
    if kind == b"sBIT":
        colours = body[: request.channels] if len(body) >= request.channels else body[:1] * request.channels
        alpha = body[request.channels : request.channels + 1] or bytes([request.bits])
        return colours + alpha if request.alpha else colours
    return body


def stored_record(data: bytes) -> dict[str, object] | None:
    """Find the text entry of ours."""
    with contextlib.suppress(png.DamagedPngError):
        for kind, body, _ in png.chunks(data):
            entry = png.read_text(kind, bytes(body)) if kind in _TEXT else None
            if entry and entry[0] == "imgfix":
                with contextlib.suppress(ValueError):
                    value = json.loads(entry[1])
                    return value if isinstance(value, dict) else None
    return None


def effort(data: Any, header: Header) -> float:
    """Every row has a cost of its own; and zlib packs 1032 bytes into one at most."""
    shape: tuple[int, ...] = (1, 1, 8, 0)
    packed = 0
    for kind, body, _ in png.chunks(data):
        if kind == b"IHDR":
            shape = struct.unpack_from(">IIBB", body)
        elif kind == b"IDAT":
            packed += len(body)
    width, height, bits, colour_type = shape
    row_bytes = (width * bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour_type, 1) + 7) // 8
    if height * (row_bytes + 1) > 1032 * packed + 65536:
        raise ValueError("the file is truncated: it is too small for its size in pixels")
    return max(width * height, height * _ROW)


FORMAT = Format(
    "PNG",
    (".png", ".apng"),
    starts_with(png.SIGNATURE),
    header,
    read,
    sink,
    bits=16,
    max_side=2**31 - 1,
    chunks=True,
    animated=True,
    effort=effort,
    record_apart=True,
    stored_record=stored_record,
)
