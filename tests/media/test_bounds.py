"""Small files that claim much are refused before the work; the limit on pixels bounds the work as well."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError
from imgfix.media import animation, png
from imgfix.media.image import read
from tests.media import make
from tests.media.moving import GifPart, gif


def flat_png(width: int, height: int, rows: int | None = None) -> bytes:
    """One bit a pixel, all black; rows: how many are stored."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    stored = height if rows is None else rows
    body = b"".join(packer.compress(row * min(10_000, stored - at)) for at in range(0, stored, 10_000)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return png.SIGNATURE + png.chunk(b"IHDR", head) + png.chunk(b"IDAT", body) + png.chunk(b"IEND", b"")


def refused_at_once(data: bytes, words: str) -> InputError:
    start = time.process_time()
    with pytest.raises(InputError, match=words) as caught:
        read(data)
    assert time.process_time() - start < 20  # the work itself would take minutes
    return caught.value


def test_a_png_of_many_rows() -> None:
    error = refused_at_once(flat_png(1, 20_000_000), "takes the work of 640 megapixels")
    assert error.hint is not None and "max_pixels 640000000" in error.hint


def test_a_png_that_is_too_small_for_what_it_claims() -> None:
    refused_at_once(flat_png(20_000, 20_000, rows=10), "cut off: the file ends too early")


def test_a_jpeg_of_many_scans() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((2000, 2000), np.uint8)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rfind(b"\xff\xda")
    refused_at_once(data[:-2] + data[last:-2] * 4000 + b"\xff\xd9", "takes the work of")


def test_a_jpeg_that_is_too_small_for_what_it_claims() -> None:
    data = bytearray(make.encoded(np.zeros((16, 16, 3), np.uint8), "JPEG", progressive=True))
    at = data.find(b"\xff\xc2")
    data[at + 5 : at + 9] = struct.pack(">HH", 20_000, 20_000)
    refused_at_once(bytes(data), "cut off: the file ends too early")


def test_honest_files_are_read() -> None:
    assert read(flat_png(4000, 3000)).width == 4000
    assert read(flat_png(1, 5000)).height == 5000
    assert read(make.encoded(np.zeros((3000, 4000, 3), np.uint8), "JPEG", quality=1, optimize=True)).width == 4000
    assert read(make.encoded(np.zeros((3000, 4000), np.uint8), "JPEG", progressive=True)).width == 4000


def gif_of(count: int, side: int) -> bytes:
    """Frames of one pixel on a canvas of side x side."""
    dot = GifPart(np.zeros((1, 1), np.uint8), delay=10)
    return gif((side, side), [dot] * count, np.zeros((8, 3)))


def test_an_animation_of_tiny_frames_on_a_large_canvas(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif_of(60, 20_000))  # 3 kB, whose frames take 24 gigapixels
    start = time.process_time()
    with pytest.raises(InputError, match="60 frames of 20000 x 20000 pixels") as caught:
        animation.inspect(path)
    assert time.process_time() - start < 20
    assert caught.value.hint is not None and "max_pixels 1200000000" in caught.value.hint


def test_an_animation_within_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif_of(20, 10))
    assert len(animation.inspect(path, max_pixels=100).durations) == 20
    with pytest.raises(InputError, match="21 frames"):
        path.write_bytes(gif_of(21, 10))
        animation.inspect(path, max_pixels=100)


def test_a_webp_whose_canvas_is_larger_than_any_webp(tmp_path: Path) -> None:
    stream = io.BytesIO()
    frames = [Image.fromarray(make.scene(seed=seed)) for seed in range(3)]
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:])
    data = bytearray(stream.getvalue())
    at = data.index(b"VP8X") + 8
    data[at + 4 : at + 7] = (4_000_000 - 1).to_bytes(3, "little")  # 4,000,000 x 24: within the limit on pixels
    path = tmp_path / "a.webp"
    path.write_bytes(data)
    refused_at_once(bytes(data), "claims 4000000 x 24 pixels")
    with pytest.raises(InputError, match="claims 4000000 x 24 pixels"):
        animation.inspect(path)
