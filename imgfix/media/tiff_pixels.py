"""The pixels of TIFF files that Pillow would reduce to 8 bits or refuse: 16 bits, separate planes, extra channels.

The strips or tiles are unpacked one by one by the library inside Pillow, each dressed up as a little grey TIFF of
bytes; predictor, byte order and layout are undone here (TIFF 6.0, Adobe 1992).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media.exif import Tag
from imgfix.media.picture import SampleRange

_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4, 8: 3, 9: 3}  # photometric interpretation -> colour channels
_FORMATS = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "untyped", 5: "complex", 6: "complex"}
_LIBTIFF = (5, 8, 32946, 32773, 34925, 50000)  # byte compressions: LZW, deflate, PackBits, LZMA, Zstandard


class UnsupportedTiffError(ValueError):
    """A TIFF whose pixels we do not read; the message says why."""


def numbers(tags: dict[int, Tag], tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Read the whole numbers of a tag."""
    if tag not in tags:
        return default
    _, kind, count, value = tags[tag]
    code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(kind)
    return struct.unpack_from(f"<{count}{code}", value) if code else default


def number(tags: dict[int, Tag], tag: int, default: int) -> int:
    """Read the first whole number of a tag."""
    return next(iter(numbers(tags, tag)), default)


def can_split(tags: dict[int, Tag]) -> bool:
    """Whether a file has channels beyond its colours that we can take apart (Pillow drops some of them silently)."""
    colours = _COLOURS.get(number(tags, 262, 1))
    return colours is not None and number(tags, 277, 1) > colours and number(tags, 259, 1) in (1, *_LIBTIFF)


_FAR = 8.0
"""How many times as far as nearly all numbers the farthest lie, where they are not spread evenly."""
_SAMPLE = 1_000_000
_WIDE = {
    (16, 3): "f2", (32, 3): "f4", (64, 3): "f8", (8, 2): "i1", (16, 2): "i2", (32, 2): "i4", (32, 1): "u4",
}  # fmt: skip


def read_pixels(
    data: bytes, tags: dict[int, Tag]
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...], SampleRange | None]:
    """Decode the first page of a TIFF.

    tags: of its first directory, values in little-endian order. Returns (pixels (H, W, C), alpha (H, W) or None,
    notes, the range of samples that are no unsigned 8 or 16 bits) as stored: not turned upright, Lab left as Lab.
    Raises `UnsupportedTiffError`, or `ValueError` for damaged files.
    """
    photometric = number(tags, 262, 1)
    bits, kinds = set(numbers(tags, 258, (1,))), set(numbers(tags, 339, (1,)))
    if len(bits) > 1 or len(kinds) > 1:
        raise UnsupportedTiffError("its channels differ in depth")
    depth, kind = bits.pop(), kinds.pop()
    wide = _WIDE.get((depth, kind)) if photometric in (0, 1, 2) else None
    lab = photometric == 8 and kind in (1, 2) and depth in (8, 16)
    if (depth, kind) not in ((8, 1), (16, 1)) and not lab and wide is None:
        raise UnsupportedTiffError(f"it has {depth}-bit {_FORMATS.get(kind, 'unusual')} samples")
    if photometric not in _COLOURS:
        raise UnsupportedTiffError(f"its pixels are of the kind {photometric}")
    samples = _assembled(data, tags, depth, wide)
    colours, extras = _COLOURS[photometric], numbers(tags, 338)
    if wide is not None and samples.shape[2] >= colours:
        found, note = _range_of(samples, wide, colours)
        pixels, alpha, notes = _taken_apart(spread(samples, found, colours), photometric, colours, extras)
        if photometric != 0 and 1 not in extras:  # neither turned round nor premultiplied
            kept, more, _ = _taken_apart(samples, photometric, colours, extras)
            if (more is None) == (alpha is None):
                found = replace(found, stored=kept if more is None else np.dstack((kept, more)))
                note += "; those that nothing changes stay exactly the same"
        return pixels, alpha, (note, *notes), found
    return *_taken_apart(samples, photometric, colours, extras), None


def _range_of(samples: np.ndarray, dtype: str, colours: int) -> tuple[SampleRange, str]:
    """The range that numbers of any kind are spread from, and a sentence about it."""
    values = samples[..., :colours].astype(np.float64)
    finite = np.isfinite(values)
    low = float(values[finite].min(initial=0)) if finite.any() else 0.0
    high = float(values[finite].max(initial=0)) if finite.any() else 1.0
    if dtype[0] == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif high <= low:
        high = low + 1
    kinds = {"f": "floating-point", "i": "signed", "u": "unsigned"}
    what = f"{8 * np.dtype(dtype).itemsize}-bit {kinds[dtype[0]]} samples"
    words = f"{what} from {low:g} to {high:g} are worked on with 16 bits"
    middle = 0.0
    scale: float | None = None
    if finite.any():
        sample = values[finite][:: max(1, values.size // _SAMPLE)]
        bottom, middle, top = (float(value) for value in np.quantile(sample, (0.01, 0.5, 0.99)))
        if 0 < (top - bottom) * _FAR < high - low:
            scale = (top - bottom) / 2
            words += f", most of them finely, for 98 % lie from {bottom:g} to {top:g}"
    if not finite.all():
        words += f"; {int((~finite).sum())} that are no numbers count as {low:g}"
    return SampleRange(dtype, low, high, middle, scale), words


def spread(samples: np.ndarray, found: SampleRange, colours: int) -> np.ndarray:
    """Spread numbers of any kind over unsigned 16 bits; extra channels from 0 to 1 or to the greatest number.

    samples: (H, W, S), the first channels colours. Returns (H, W, S) uint16.
    """
    values = samples[..., :colours].astype(np.float64)
    out = np.zeros(samples.shape, np.uint16)
    values = np.where(np.isfinite(values), values, found.low)
    out[..., :colours] = np.clip(found.to_unit(values), 0, 1) * 65535 + 0.5
    top = 1.0 if found.dtype[0] == "f" else float(np.iinfo(found.dtype).max)
    extra = np.nan_to_num(samples[..., colours:].astype(np.float64)) / top
    out[..., colours:] = np.clip(extra, 0, 1) * 65535 + 0.5
    return out


def _taken_apart(
    samples: np.ndarray, photometric: int, colours: int, extras: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Colours and alpha of (H, W, samples)."""
    if samples.shape[2] < colours:
        raise ValueError(f"it has {samples.shape[2]} samples a pixel, not {colours}")
    colour = samples[..., :colours]
    if photometric == 0:
        colour = np.iinfo(samples.dtype).max - colour
    dropped = samples.shape[2] - colours
    # 2 is plain transparency, 1 premultiplied; 0 is 'unspecified', which many programs write for transparency.
    place = next((at for at, extra in enumerate(extras) if extra in (1, 2)), 0 if extras == (0,) else None)
    if place is None or place >= dropped:
        notes = (f"{dropped} extra channels of the TIFF are not kept",) if dropped else ()
        return np.ascontiguousarray(colour), None, notes
    alpha = np.ascontiguousarray(samples[..., colours + place])
    if extras[place] == 0 and not alpha.any():  # padding: nobody stores a picture that cannot be seen
        return np.ascontiguousarray(colour), None, ()
    if extras[place] == 1:
        colour = unmultiplied(colour, alpha)
    notes = (f"{dropped - 1} extra channels of the TIFF are not kept",) if dropped > 1 else ()
    return np.ascontiguousarray(colour), alpha, notes


def unmultiplied(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divide premultiplied colour (H, W, C) by its alpha (H, W); both of one unsigned type."""
    most = np.iinfo(colour.dtype).max
    out = np.empty_like(colour)
    for top in range(0, len(colour), 256):  # floats of a few rows at a time
        band = alpha[top : top + 256]
        scale = np.float32(most) / np.maximum(band, 1).astype(np.float32)
        out[top : top + 256] = np.minimum(colour[top : top + 256] * scale[..., None] + np.float32(0.5), most)
    return out


def _assembled(data: bytes, tags: dict[int, Tag], depth: int, dtype: str | None = None) -> np.ndarray:
    """Put strips or tiles together as (H, W, samples) in native byte order."""
    width, height = number(tags, 256, 0), number(tags, 257, 0)
    samples, compression = number(tags, 277, 1), number(tags, 259, 1)
    separate = number(tags, 284, 1) == 2 and samples > 1
    predictor = number(tags, 317, 1)
    if compression not in (1, *_LIBTIFF):
        raise UnsupportedTiffError(f"its compression ({compression}) is not one for {depth}-bit pixels")
    floats = dtype is not None and dtype[0] == "f"
    if predictor not in (1, 3 if floats else 2):
        raise UnsupportedTiffError(f"its predictor ({predictor}) is not one for such numbers")
    if 322 in tags:
        across, down = number(tags, 322, 0), number(tags, 323, 0)
        starts, lengths = numbers(tags, 324), numbers(tags, 325)
    else:
        across, down = width, min(height, number(tags, 278, height))
        starts, lengths = numbers(tags, 273), numbers(tags, 279)
    if not (across > 0 and down > 0):
        raise ValueError("its strips have no size")
    columns, rows, planes = -(-width // across), -(-height // down), samples if separate else 1
    if min(len(starts), len(lengths)) < columns * rows * planes:
        raise ValueError("the file is truncated: strips are missing")
    stored = np.dtype(dtype or {8: "u1", 16: "u2"}[depth]).newbyteorder("<" if data[:2] == b"II" else ">")
    together = 1 if separate else samples
    out = np.empty((height, width, samples), stored.newbyteorder("="))
    at = 0
    for plane in range(planes):
        for top in range(0, rows * down, down):
            for left in range(0, columns * across, across):
                # A last strip is shorter; tiles are always whole.
                tall = down if 322 in tags else min(down, height - top)
                piece = _unpacked(data, starts[at], lengths[at], compression, tall, across * together * depth // 8)
                if predictor == 3:
                    piece = _unshuffled(piece, together, stored.itemsize, data[:2] == b"II")
                block = piece.view(stored).reshape(tall, across, together).astype(out.dtype)
                if predictor == 2:
                    np.cumsum(block, axis=1, dtype=block.dtype, out=block)
                high, wide = min(tall, height - top), min(across, width - left)
                target = slice(plane, plane + 1) if separate else slice(None)
                out[top : top + high, left : left + wide, target] = block[:high, :wide]
                at += 1
    return out


def _unshuffled(piece: np.ndarray, samples: int, size: int, little: bool) -> np.ndarray:
    """Undo the predictor of floats: differences of bytes, those of a row sorted by weight (TIFF Technical Note 3)."""
    rows = len(piece)
    sums = np.cumsum(piece.reshape(rows, -1, samples), axis=1, dtype=np.uint8).reshape(rows, size, -1)
    values = sums.transpose(0, 2, 1)
    return np.ascontiguousarray(values[..., ::-1] if little else values).reshape(rows, -1)


def _unpacked(data: bytes, start: int, length: int, compression: int, rows: int, row_bytes: int) -> np.ndarray:
    """Unpack one strip or tile to (rows, row_bytes) uint8. Raises `ValueError` when it is cut off."""
    wanted = rows * row_bytes
    packed = memoryview(data)[start : start + length]
    if len(packed) < length:
        raise ValueError("the file is truncated")
    if compression == 1:
        raw: bytes | memoryview = packed
    elif compression in (8, 32946):
        raw = zlib.decompressobj().decompress(packed, wanted)
    else:
        raw = _by_libtiff(packed, compression, rows, row_bytes)
    if len(raw) < wanted:
        raise ValueError("the file is truncated: a strip is too short")
    return np.frombuffer(raw, np.uint8, wanted).reshape(rows, row_bytes)


def _by_libtiff(packed: memoryview, compression: int, rows: int, row_bytes: int) -> bytes:
    def entry(tag: int, value: int) -> Tag:
        return tag, 4, 1, struct.pack("<I", value)

    tags = [entry(256, row_bytes), entry(257, rows), entry(258, 8), entry(259, compression), entry(262, 1)]
    tags += [entry(273, 8), entry(277, 1), entry(278, rows), entry(279, len(packed))]
    at = 8 + len(packed) + len(packed) % 2
    file = b"".join(
        (b"II*\0", struct.pack("<I", at), packed, b"\0" * (len(packed) % 2), exif_block.place_directory(tags, at))
    )
    with Image.open(io.BytesIO(file), formats=["TIFF"]) as image:
        return image.tobytes()
