"""PPM, PGM and PBM; Pillow and OpenCV are the judges."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.media.image import Picture, inspect, read, write
from tests.media import make


@pytest.mark.parametrize("channels, bits", [(1, 8), (3, 8), (1, 16), (3, 16)])
@pytest.mark.parametrize("plain", [False, True])
def test_what_opencv_writes_is_read(tmp_path: Path, channels: int, bits: int, plain: bool) -> None:
    pixels = make.scene(13, 17, channels, bits)
    path = tmp_path / ("a.ppm" if channels == 3 else "a.pgm")
    cv2.imwrite(str(path), pixels[..., ::-1] if channels == 3 else pixels, [cv2.IMWRITE_PXM_BINARY, int(not plain)])
    assert np.array_equal(read(path).pixels, pixels)
    header = inspect(path)
    assert (header.width, header.height, header.channels, header.bits) == (17, 13, channels, bits)


@pytest.mark.parametrize("channels, bits", [(1, 8), (3, 8), (1, 16), (3, 16)])
def test_what_is_written_opencv_reads(tmp_path: Path, channels: int, bits: int) -> None:
    pixels = make.scene(13, 17, channels, bits)
    write(tmp_path / "a.ppm", Picture(pixels))
    seen = cv2.imread(str(tmp_path / "a.ppm"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(seen[..., ::-1] if channels == 3 else seen[..., None], pixels)


@pytest.mark.parametrize(
    "data, values",
    [
        (b"P1\n# a comment\n3 2\n101\n0 1 0\n", [[0, 255, 0], [255, 0, 255]]),
        (b"P4 3 2\n" + bytes([0b10100000, 0b01000000]), [[0, 255, 0], [255, 0, 255]]),
        (b"P2 2 1 #most\n15\n0 15\n", [[0, 255]]),
        (b"P5\n2 1\n100\n" + bytes([50, 100]), [[128, 255]]),
    ],
)
def test_few_bits_and_other_greatest_values(data: bytes, values: list[list[int]]) -> None:
    assert read(data).pixels[..., 0].tolist() == values


@pytest.mark.parametrize(
    "data", [b"P6\n4 4\n255\n123", b"P6\n0 4\n255\n", b"P5\n4 4\n70000\n", b"P2 2 2 9 1 2", b"P6 x"]
)
def test_damaged_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read(data)
