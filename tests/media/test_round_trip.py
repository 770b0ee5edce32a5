"""What survives reading and writing: mode x depth x container x orientation x profile."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media import exif as exif_block
from imgfix.media.image import Metadata, Picture, inspect, read, read_record, upright, write

from . import make

RECORD = {"command": 'imgfix upscale "a & b".jpg --scale <4>', "model": "tiny", "seed": 7}
PROFILES = {1: make.grey_profile(), 3: make.rgb_profile("adobe"), 4: make.cmyk_profile()}

# container: (colour channels kept, alpha kept, bits kept, mean error of 8-bit values, metadata kept, profile kept)
CONTAINERS = {
    "png": ((1, 3), True, 16, 0, True, True),
    "tif": ((1, 3, 4), True, 16, 0, True, True),
    "jpg": ((1, 3, 4), False, 8, 3, True, True),
    "webp": ((3,), True, 8, 3, True, True),
    "avif": ((3,), True, 8, 3, True, True),
    "bmp": ((1, 3), True, 8, 0, False, False),
    "jxl": ((1, 3), True, 8, 3, True, False),
    "heic": ((3,), True, 8, 3, True, True),
}


def needs(extension: str) -> None:
    if extension == "heic":
        pytest.importorskip("pillow_heif")
    if extension == "jxl":
        pytest.importorskip("pillow_jxl")


def picture(channels: int, alpha: bool, bits: int, profile: bool = True) -> Picture:
    metadata = Metadata(
        icc=PROFILES[channels] if profile else None,
        exif=make.exif_block(),
        xmp=make.xmp_packet(),
        dpi=(300.0, 300.0),
        text={"Author": "Anna Köhler", "Title": "Ωmega"},
    )
    return Picture(make.scene(24, 32, channels, bits), make.alpha_plane(24, 32, bits) if alpha else None, metadata)


@pytest.mark.parametrize("profile", [False, True], ids=["no-profile", "profile"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize("channels", [1, 3, 4], ids=["grey", "rgb", "cmyk"])
@pytest.mark.parametrize("extension", CONTAINERS)
def test_what_a_container_can_hold_survives(
    tmp_path: Path, extension: str, channels: int, alpha: bool, bits: int, profile: bool
) -> None:
    needs(extension)
    kept_channels, kept_alpha, kept_bits, tolerance, kept_metadata, kept_profile = CONTAINERS[extension]
    before = picture(channels, alpha, bits, profile)
    path = tmp_path / f"out.{extension}"

    notes = write(path, before, record=RECORD)
    after = read(path)
    header = inspect(path)

    same_space = channels in kept_channels or (channels == 1 and not profile)
    assert (after.width, after.height) == (32, 24)
    assert (header.width, header.height, header.channels) == (32, 24, after.channels)
    assert header.has_alpha == (after.alpha is not None)
    assert header.bits == 8 * after.pixels.dtype.itemsize
    assert (after.alpha is not None) == (alpha and kept_alpha)
    assert after.pixels.dtype == (np.uint16 if bits == 16 and kept_bits == 16 else np.uint8)
    if alpha and not kept_alpha:
        assert any("transparency" in note for note in notes)
    if bits == 16 and kept_bits == 8:
        assert any("8 bits" in note for note in notes)
    if not same_space and channels == 4:
        assert any("CMYK" in note for note in notes)
    if channels in kept_channels and not (alpha and not kept_alpha) and (kept_profile or not profile):
        if extension == "bmp" and channels == 1 and alpha:  # stored as RGBA
            after = Picture(after.pixels[..., :1], after.alpha, after.metadata)
        assert after.channels == channels
        as_8 = _as_8_bits(before.pixels) if after.pixels.dtype == np.uint8 else before.pixels.astype(int)
        assert np.abs(after.pixels.astype(int) - as_8).mean() <= tolerance
        assert after.metadata.icc == before.metadata.icc
    if alpha and kept_alpha:
        wanted = _as_8_bits(before.alpha) if after.pixels.dtype == np.uint8 else before.alpha
        assert np.abs(after.alpha.astype(int) - wanted.astype(int)).mean() <= tolerance
    if kept_metadata:
        assert exif_block.folders(after.metadata.exif)["exif"] == exif_block.folders(before.metadata.exif)["exif"]
        assert exif_block.folders(after.metadata.exif)["gps"] == exif_block.folders(before.metadata.exif)["gps"]
        assert "Größe &amp; Höhe" in after.metadata.xmp.decode()
        assert after.metadata.dpi == pytest.approx((300, 300), abs=0.01)
        assert read_record(path) == RECORD
    if extension == "png":
        assert after.metadata.text == before.metadata.text


def _as_8_bits(array: np.ndarray) -> np.ndarray:
    return array.astype(int) if array.dtype == np.uint8 else (array.astype(int) + 128) // 257


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_reset(tmp_path: Path, extension: str, orientation: int) -> None:
    stored = make.scene(16, 32)
    options: dict = {"exif": b"Exif\0\0" + make.exif_block(orientation), "xmp": make.xmp_packet(orientation)}
    if extension == "png":
        data = _png_with(stored, make.exif_block(orientation))
    elif extension == "tif":
        options = {"tiffinfo": {274: orientation, 271: "Testcam"}}
        data = make.encoded(stored, "TIFF", **options)
    else:
        form = {"jpg": "JPEG", "webp": "WEBP", "avif": "AVIF"}[extension]
        data = make.encoded(stored, form, quality=100, **options)
    wanted = upright(stored, orientation)

    first = read(data)
    path = tmp_path / f"out.{extension}"
    write(path, first)
    second = read(path)

    for result in (first, second):
        assert result.pixels.shape == wanted.shape
        assert np.abs(result.pixels.astype(int) - wanted).mean() < 6
        assert exif_block.orientation(result.metadata.exif) == 1
    assert first.metadata.orientation == orientation
    assert second.metadata.orientation == 1
    header = inspect(data)
    assert (header.width, header.height) == (first.width, first.height)
    if extension in ("jpg", "webp") and orientation != 1:
        assert b'tiff:Orientation="1"' in second.metadata.xmp
    with Image.open(path) as other:  # another program must see the same picture
        assert other.getexif().get(274, 1) == 1
        assert other.size == (wanted.shape[1], wanted.shape[0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16])
def test_a_turned_tiff_is_turned_once_at_any_depth(orientation: int, bits: int) -> None:
    import tifffile

    stored = make.scene(16, 32, 3, bits)
    stream = io.BytesIO()
    tifffile.imwrite(stream, stored, photometric="rgb", extratags=[(274, 3, 1, orientation, True)], metadata=None)

    result = read(stream.getvalue())

    np.testing.assert_array_equal(result.pixels, upright(stored, orientation))


def test_upright_agrees_with_pillow() -> None:
    from PIL import ImageOps

    stored = make.scene(5, 9)
    for orientation in range(1, 9):
        image = Image.fromarray(stored)
        image.getexif()[274] = orientation
        np.testing.assert_array_equal(upright(stored, orientation), np.asarray(ImageOps.exif_transpose(image)))


def _png_with(pixels: np.ndarray, exif: bytes) -> bytes:
    from imgfix.media import png

    plain = make.encoded(pixels, "PNG")
    return plain[:33] + png.chunk(b"eXIf", exif) + plain[33:]
