"""Files that cannot be read get one clear sentence with the name and a remedy; damaged ones never crash."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgfix.errors import ImgfixError, InputError
from imgfix.media import png
from imgfix.media.image import inspect, read, read_record

from . import make


def fails(source: Path | bytes, words: str, name: str | None = None) -> InputError:
    """Both reading and a glance must fail with these words, the file's name and a hint."""
    with pytest.raises(InputError, match=words) as caught:
        read(source)
    assert (name or str(source)) in caught.value.message
    assert caught.value.hint
    with pytest.raises(InputError):
        inspect(source)
    return caught.value


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    fails(tmp_path / "empty.png", "empty")
    fails(b"", "empty", "standard input")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    fails(tmp_path / "nope.png", "no such file")
    fails(tmp_path, "is a folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nope")
    fails(tmp_path / "dangling", "link to a file that is not there")


@pytest.mark.parametrize(
    "content, words",
    [
        (b"just some words in a file\n", "looks like text"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(40), "video"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"8BPS" + bytes(30), "Photoshop"),
        (b"\x89PNG\n\x1a\n" + bytes(30), "damaged"),
        (bytes(range(128, 228)), "no format"),
        (b"B", "looks like text"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    fails(path, words)
    assert read_record(path) is None


def samples() -> dict[str, bytes]:
    import tifffile

    deep = io.BytesIO()
    tifffile.imwrite(deep, make.scene(60, 80, 3, 16), photometric="rgb", metadata=None)
    noisy = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    out = {form: make.encoded(noisy, form) for form in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "AVIF", "TIFF")}
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        out[packing] = make.encoded(noisy, "TIFF", compression=packing)
    from imgfix.media.image import Picture, write

    stream = io.BytesIO()
    write(stream, Picture(np.random.default_rng(0).integers(0, 65536, (60, 80, 3)).astype(np.uint16)))
    return {**out, "TIFF16": deep.getvalue(), "PNG16": stream.getvalue()}


SAMPLES = samples()


@pytest.mark.parametrize("form", SAMPLES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file(tmp_path: Path, form: str, share: float) -> None:
    data = SAMPLES[form]
    path = tmp_path / "cut.dat"
    path.write_bytes(data[: max(30, int(len(data) * share))])
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert "cut off" in caught.value.message or "damaged" in caught.value.message
    assert "again" in (caught.value.hint or "")


def test_a_damaged_16_bit_png_is_not_read_as_something_else() -> None:
    data = bytearray(SAMPLES["PNG16"])
    data[len(data) // 2] ^= 255
    assert "checksum" in fails_read(bytes(data)).message


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_damage_anywhere_never_crashes(form: str, data: st.DataObject) -> None:
    broken = bytearray(SAMPLES[form])
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.one_of(st.integers(0, min(400, len(broken) - 1)), st.integers(0, len(broken) - 1)))
        broken[place] = data.draw(st.integers(0, 255))
    for step in (inspect, lambda source: read(source, max_pixels=1_000_000)):
        try:
            step(bytes(broken))
        except ImgfixError as error:
            assert error.message


def huge_png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return png.SIGNATURE + png.chunk(b"IHDR", head) + png.chunk(b"IDAT", body) + png.chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_decoding_and_names_the_option() -> None:
    error = fails_read(huge_png(40000, 30000))
    assert "40000 x 30000" in error.message
    assert "500 megapixels" in error.message
    assert "max_pixels" in (error.hint or "")
    assert inspect(huge_png(40000, 30000)).width == 40000  # a glance is harmless


def fails_read(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data)
    return caught.value


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "TIFF16", "PNG16"])
def test_the_limit_can_be_set_for_every_format(form: str) -> None:
    data = SAMPLES[form]
    with pytest.raises(InputError, match="more than the limit"):
        read(data, max_pixels=60 * 80 - 1)
    assert read(data, max_pixels=60 * 80).height == 60
    assert read(data, max_pixels=None).height == 60


def test_pillows_own_limit_does_not_get_in_the_way() -> None:
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 100
    try:
        assert read(SAMPLES["WEBP"]).height == 60
        assert Image.MAX_IMAGE_PIXELS == 100
    finally:
        Image.MAX_IMAGE_PIXELS = before


def test_tiffs_of_other_numbers_are_refused_with_a_remedy() -> None:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, np.ones((8, 9), np.complex64), metadata=None)
    with pytest.raises(InputError, match="64-bit complex") as caught:
        read(stream.getvalue())
    assert "convert" in (caught.value.hint or "")


def test_a_raw_camera_file_is_named() -> None:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, make.scene(8, 8, 1, 16)[..., 0], photometric=32803, metadata=None)
    with pytest.raises(ImgfixError, match=r"raw (camera|files)"):
        read(stream.getvalue())


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from imgfix.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError) as caught:
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    assert "imgfix[heif]" in (caught.value.hint or "")
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    with pytest.raises(MissingExtraError):
        read(b"\xff\x0a" + bytes(40))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000", "ICO"])
def test_no_word_of_a_library_s_inside_reaches_the_user(form: str) -> None:
    """`decoder error -2`, `<_io.BytesIO object at 0x7f...>` and `77 bytes not processed` say nothing to anybody."""
    data = make.encoded(make.scene(), form)
    for end in (*range(40, 200, 7), *range(200, len(data) - 1, max(1, len(data) // 12))):
        try:
            read(data[:end], name="a file")
        except InputError as error:
            words = error.message.lower()
            inside = ("object", "error", "decoder", "_io", "processed", "truncated", "cannot load", "stream", "none")
            assert not [word for word in inside if word in words], error.message
            assert error.hint


def test_what_is_cut_off_is_said_so() -> None:
    for form in ("PNG", "JPEG", "BMP", "GIF", "PPM"):
        data = make.encoded(make.scene(), form)
        with pytest.raises(InputError, match="a file is cut off: the file ends too early"):
            read(data[: len(data) * 6 // 10], name="a file")
