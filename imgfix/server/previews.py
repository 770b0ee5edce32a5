"""Small upright copies of pictures and frames in sRGB, for looking at."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from PIL import Image

from imgfix.media import colour, image
from imgfix.media.picture import Picture
from imgfix.server.answers import Refused
from imgfix.server.store import FileRow, Store
from imgfix.server.uploads import facts_of

LEAST, MOST = 16, 4096
"""Pixels of the width of a preview."""
_KEPT_PREVIEWS = 8
"""Widths of one picture."""
_KEPT = 8
"""Small copies that stay in memory for quick looks; one takes 3 MB."""


def preview(store: Store, row: FileRow, width: int, time: float | None, max_pixels: int) -> tuple[bytes, str]:
    """A picture file for a page, and its media type. Raises InputError, Refused: it has no picture."""
    width = min(max(width, LEAST), MOST)
    kept = store.beside(row, f"preview-{width}") if time is None else None
    if kept is not None and kept.is_file():
        data = kept.read_bytes()
    else:
        data = _encoded(
            _resized(_picture(store.path(row), row, time, max_pixels), width / row.width if row.width else 1)
        )
        if kept is not None and len(list(kept.parent.glob("preview-*"))) < _KEPT_PREVIEWS:
            kept.write_bytes(data)
    return data, "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


def thumbnail(path: Path, side: int, time: float | None) -> bytes:
    """A JPEG or PNG file of a picture, or of the frame of a clip at a time, its longer side at most so long.

    Raises InputError, Refused: it has no picture.
    """
    kind = facts_of(path)["kind"]
    picture = _of_kind(path, kind, time, image.DEFAULT_MAX_PIXELS)
    return _encoded(_resized(picture, side / max(picture.width, picture.height)))


def small(store: Store, row: FileRow, side: int, max_pixels: int) -> tuple[Picture, float]:
    """A copy of a picture whose longer side is at most so long, in sRGB, and its size as a factor of the picture's."""
    key = store.path(row), side, max_pixels
    with _lock:
        known = _copies.get(key)
    if known is None:
        factor = min(1.0, side / max(row.width, row.height))
        made = _resized(_picture(store.path(row), row, None, max_pixels), factor)
        known = made, made.width / row.width
        with _lock:
            _copies[key] = known
            while len(_copies) > _KEPT:
                _copies.popitem(last=False)
    return known


_lock = Lock()
_copies: OrderedDict[tuple[Path, int, int], tuple[Picture, float]] = OrderedDict()


def _picture(path: Path, row: FileRow, time: float | None, max_pixels: int) -> Picture:
    if row.kind == "sound":
        raise Refused(415, "unsupported", f"{row.name} is sound", "a preview is of pictures and clips")
    return _of_kind(path, row.kind, time, max_pixels)


def _of_kind(path: Path, kind: str, time: float | None, max_pixels: int) -> Picture:
    if kind == "video":
        return Picture(_frame(path, time or 0.0))
    if kind == "animation" and time:
        return _animated(path, time, max_pixels)
    return image.read(path, max_pixels=max_pixels)


def _frame(path: Path, time: float) -> np.ndarray:
    """The frame of a clip that is shown at a time; the first one where it is beyond the end."""
    from imgfix.media.video.reader import Reader, TimeRange

    seconds = Reader(path).header.seconds
    start = min(time, max(0.0, seconds - 0.5)) if seconds else 0.0
    reader = replace(Reader(path, TimeRange(start=start or None), deinterlace="auto"), upright=True)
    for frame in reader.frames():
        return np.ascontiguousarray(frame.pixels[..., :3])
    raise Refused(422, "input", "the clip has no frame there", "choose an earlier time")


def _animated(path: Path, time: float, max_pixels: int) -> Picture:
    from imgfix.media import animation

    found = animation.inspect(path, max_pixels)
    ends = np.cumsum(found.durations) / 1000
    number = min(int(np.searchsorted(ends, time, side="right")), len(ends) - 1)
    pixels = next(iter(animation.frames(found, number, number + 1)))
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(pixels[..., :3]), alpha)


def _resized(picture: Picture, factor: float) -> Picture:
    """A copy in sRGB with 8 bits, never larger than the picture; its pixels are resized before they are converted."""
    factor = min(1.0, factor)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))

    def fit(pixels: np.ndarray) -> np.ndarray:
        return pixels if factor == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

    pixels = fit(picture.pixels).reshape(size[1], size[0], picture.channels)
    rgb = colour.transform(picture.metadata, picture.channels).to_srgb(np.ascontiguousarray(pixels))
    alpha = None
    if picture.alpha is not None:
        alpha = fit(picture.alpha)
        alpha = (alpha >> 8).astype(np.uint8) if alpha.dtype == np.uint16 else alpha
    return Picture((rgb * 255 + 0.5).astype(np.uint8), alpha)


def _encoded(picture: Picture) -> bytes:
    stream = io.BytesIO()
    if picture.alpha is None:
        Image.fromarray(picture.pixels).save(stream, "JPEG", quality=88)
    else:
        Image.fromarray(np.dstack([picture.pixels, picture.alpha])).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
