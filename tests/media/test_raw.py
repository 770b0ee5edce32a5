"""Raw files of cameras: developed where rawpy is installed, refused clearly where it is not; never their preview."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from imgfix.errors import InputError, MissingExtraError, UsageError
from imgfix.media import formats, jobs
from imgfix.media.image import Picture, inspect, read, write

HEIGHT, WIDTH = 96, 128
needs_rawpy = pytest.mark.skipif(importlib.util.find_spec("rawpy") is None, reason="needs rawpy")


def dng() -> bytes:
    """A preview of 64 pixels in the first directory, a Bayer mosaic (RGGB, 16 bits) in the one below it (DNG 1.4)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    mosaic = (2000 + 300 * x + 50 * y).astype("<u2").tobytes()
    preview = np.full((64, 64, 3), 90, np.uint8).tobytes()
    shorts, longs = (lambda *v: struct.pack(f"<{len(v)}H", *v)), (lambda *v: struct.pack(f"<{len(v)}I", *v))
    matrix = struct.pack("<18i", *(value for entry in np.eye(3).ravel() for value in (int(entry * 10000), 10000)))

    def directory(tags: list[tuple[int, int, int, bytes]], at: int) -> bytes:
        head, values, place = struct.pack("<H", len(tags)), b"", at + 2 + 12 * len(tags) + 4
        for tag, kind, count, value in sorted(tags):
            head += struct.pack("<HHI", tag, kind, count)
            head += value.ljust(4, b"\0") if len(value) <= 4 else longs(place + len(values))
            values += value + b"\0" * (len(value) % 2) if len(value) > 4 else b""
        return head + longs(0) + values

    def first(below: int, pixels: int) -> bytes:
        return directory(
            [
                (254, 4, 1, longs(1)), (256, 4, 1, longs(64)), (257, 4, 1, longs(64)), (258, 3, 3, shorts(8, 8, 8)),
                (259, 3, 1, shorts(1)), (262, 3, 1, shorts(2)), (271, 2, 8, b"Testcam\0"), (272, 2, 6, b"Model\0"),
                (273, 4, 1, longs(pixels)), (277, 3, 1, shorts(3)), (278, 4, 1, longs(64)),
                (279, 4, 1, longs(len(preview))), (330, 4, 1, longs(below)), (50706, 1, 4, b"\1\4\0\0"),
                (50707, 1, 4, b"\1\1\0\0"), (50708, 2, 8, b"Testcam\0"), (50721, 10, 9, matrix),
                (50728, 5, 3, longs(1, 1, 1, 1, 1, 1)), (50778, 3, 1, shorts(21)),
            ],
            8,
        )  # fmt: skip

    def second(at: int, pixels: int) -> bytes:
        return directory(
            [
                (254, 4, 1, longs(0)), (256, 4, 1, longs(WIDTH)), (257, 4, 1, longs(HEIGHT)), (258, 3, 1, shorts(16)),
                (259, 3, 1, shorts(1)), (262, 3, 1, shorts(32803)), (273, 4, 1, longs(pixels)), (277, 3, 1, shorts(1)),
                (278, 4, 1, longs(HEIGHT)), (279, 4, 1, longs(len(mosaic))), (33421, 3, 2, shorts(2, 2)),
                (33422, 1, 4, b"\0\1\1\2"), (50714, 3, 1, shorts(0)), (50717, 4, 1, longs(65535)),
            ],
            at,
        )  # fmt: skip

    below = 8 + len(first(0, 0))
    pixels = below + len(second(below, 0))
    head = b"II*\0" + longs(8) + first(below, pixels) + second(below, pixels + len(preview))
    return head + preview + mosaic


@needs_rawpy
def test_a_dng_is_developed_and_not_its_preview(tmp_path: Path) -> None:
    path = tmp_path / "photo.dng"
    path.write_bytes(dng())
    header, picture = inspect(path), read(path)
    assert (header.width, header.height, header.bits, header.format) == (picture.width, picture.height, 16, "RAW")
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.pixels.dtype == np.uint16
    assert picture.pixels[48, 100].mean() > picture.pixels[48, 20].mean() * 1.5


def test_without_the_extra_it_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    for look in (read, inspect):
        with pytest.raises(MissingExtraError, match="raw files of cameras") as caught:
            look(dng())
        assert caught.value.hint == "pip install 'imgfix[raw]'"


@pytest.mark.parametrize("spoilt", ["cut off", "no directory below"])
def test_the_preview_of_a_damaged_one_is_not_taken_for_the_photo(tmp_path: Path, spoilt: str) -> None:
    data = dng()
    if spoilt == "cut off":
        data = data[: len(data) // 2]
    else:
        data = data.replace(struct.pack("<HHI", 330, 4, 1), struct.pack("<HHI", 331, 4, 1))
    (tmp_path / "a.dng").write_bytes(data)
    with pytest.raises((InputError, MissingExtraError)):
        read(tmp_path / "a.dng")


def test_results_are_tiff_and_never_raw(tmp_path: Path) -> None:
    (tmp_path / "photo.dng").write_bytes(dng())
    (job,) = jobs.plan([tmp_path], suffix="_x2")
    assert job.target == tmp_path / "photo_x2.tif"
    assert formats.for_target(None, "RAW").name == "TIFF"
    with pytest.raises(UsageError, match="can be written"):
        write(tmp_path / "out.dng", Picture(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(UsageError, match="can be written"):
        jobs.plan([tmp_path], target_format="raw")


def test_the_raw_files_that_are_no_tiff_are_known_by_their_first_bytes() -> None:
    for start in (
        b"FUJIFILMCCD-RAW 0201",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"IIU\0\x18\0\0\0",
    ):
        form = formats.by_content(start.ljust(64, b"\0"))
        assert form is not None and form.name == "RAW"
