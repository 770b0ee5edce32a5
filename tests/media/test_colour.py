"""Colours go to sRGB and come back."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from imgfix.media import colour, exif, implied, png
from imgfix.media.icc import Profile
from imgfix.media.image import read, write
from imgfix.media.picture import Metadata

from . import make


def transform(icc: bytes | None, channels: int = 3) -> colour.ColourTransform:
    return colour.transform(Metadata(icc=icc), channels)


def noise(channels: int, dtype: type, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (60, 80, channels)).astype(dtype)


@pytest.mark.parametrize(
    "icc", [None, make.rgb_profile("srgb"), make.srgb_by_littlecms()], ids=["none", "ours", "lcms"]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_srgb_is_the_identity(icc: bytes | None, dtype: type) -> None:
    change, pixels = transform(icc), noise(3, dtype)
    assert change.is_identity
    rgb = change.to_srgb(pixels)
    assert rgb.dtype == np.float32
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    np.testing.assert_array_equal(change.from_srgb(rgb, dtype), pixels)
    assert change.lost(pixels) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_is_repeated_and_comes_back(dtype: type) -> None:
    for icc in (None, make.grey_profile(2.2), make.grey_profile(1.0)):
        change, pixels = transform(icc, 1), noise(1, dtype)
        rgb = change.to_srgb(pixels)
        assert rgb.shape == (60, 80, 3)
        assert (rgb[..., 0] == rgb[..., 2]).all()
        back = change.from_srgb(rgb, dtype).astype(int)
        assert np.abs(back - pixels).max() <= (0 if dtype is np.uint8 or icc is None else 8)


@pytest.mark.parametrize("name", ["adobe", "p3", "prophoto", "table"])
def test_matrix_profiles_agree_with_littlecms(name: str) -> None:
    pixels, icc = noise(3, np.uint8), make.rgb_profile(name)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    step = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB", 1)
    reference = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels), step)).astype(int)
    ours = colour.quantised(transform(icc).to_srgb(pixels), np.uint8).astype(int)
    assert np.abs(ours - reference).max() <= 1


@pytest.mark.parametrize("name", ["adobe", "p3", "prophoto", "table"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_inside_srgb_come_back(name: str, dtype: type) -> None:
    change = transform(make.rgb_profile(name))
    inside = change.from_srgb(noise(3, np.uint16) / np.float32(65535), dtype)  # colours that sRGB can hold
    back = change.from_srgb(change.to_srgb(inside), dtype).astype(int)
    assert np.abs(back - inside).mean() <= (0.01 if dtype is np.uint8 else 2)
    assert np.abs(back - inside).max() <= (1 if dtype is np.uint8 else 257)


@pytest.mark.parametrize("name", ["adobe", "p3", "prophoto"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_outside_srgb_survive_with_what_was_lost(name: str, dtype: type) -> None:
    change, pixels = transform(make.rgb_profile(name)), noise(3, dtype)
    rgb, lost = change.to_srgb(pixels), change.lost(pixels)
    assert lost is not None
    plain = change.from_srgb(rgb, dtype).astype(int)
    assert np.abs(plain - pixels).max() > 50 * (np.iinfo(dtype).max // 255)
    back = change.from_srgb(rgb, dtype, lost).astype(int)
    assert np.abs(back - pixels).max() <= (0 if dtype is np.uint8 else 16)


def test_grey_stays_neutral_through_a_matrix_profile() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for name in ("adobe", "p3", "prophoto"):
        rgb = transform(make.rgb_profile(name)).to_srgb(ramp)
        assert np.ptp(rgb, axis=2).max() < 1e-5
        assert rgb[0, 255].min() > 1 - 1e-6


def test_tiles_convert_as_the_whole_does() -> None:
    pixels = make.scene(700, 90)
    for icc in (None, make.rgb_profile("p3")):
        change = transform(icc)
        whole = change.to_srgb(pixels)
        parts = np.concatenate([change.to_srgb(pixels[:333]), change.to_srgb(pixels[333:])])
        np.testing.assert_array_equal(whole, parts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cmyk_goes_through_its_profile(dtype: type) -> None:
    change = transform(make.cmyk_profile(), 4)
    most = np.iinfo(dtype).max
    inks = np.array([[[0, 0, 0, 0], [most, 0, 0, 0], [0, most, most, 0], [0, 0, 0, most]]], dtype)
    rgb = change.to_srgb(inks)[0]
    assert rgb[0].min() > 0.97  # paper
    assert rgb[1, 0] < 0.1 < 0.9 < rgb[1, 2]  # cyan
    assert rgb[2, 1:].max() < 0.1 < 0.9 < rgb[2, 0]  # red
    assert rgb[3].max() < 0.05  # black
    photo = make.scene(40, 40, 3).astype(np.float32) / 255
    back = change.to_srgb(change.from_srgb(photo, dtype))
    assert np.abs(back - photo).mean() < 2 / 255


def test_16_bit_ink_has_fine_steps() -> None:
    change = transform(make.cmyk_profile(), 4)
    ramp = np.repeat(np.linspace(0.2, 0.8, 4000, dtype=np.float32)[None, :, None], 3, axis=2)
    inks = change.from_srgb(ramp, np.uint16)
    assert len(np.unique(inks[..., 3])) > 3000
    coarse = change.to_srgb(change.from_srgb(ramp, np.uint8))
    assert np.abs(change.to_srgb(inks) - ramp).max() < 6 / 255
    assert np.abs(change.to_srgb(inks) - ramp).mean() < np.abs(coarse - ramp).mean() + 1 / 255


def test_16_bit_rgb_with_a_table_profile_is_taken_as_it_is() -> None:
    change = transform(make.rgb_table_profile())
    pixels = noise(3, np.uint16)
    np.testing.assert_array_equal(change.from_srgb(change.to_srgb(pixels), np.uint16), pixels)
    photo = make.scene(40, 40)
    back = change.from_srgb(change.to_srgb(photo), np.uint8).astype(int)
    assert np.abs(back - photo).mean() < 3


def test_cmyk_without_a_profile_is_said_and_comes_back() -> None:
    change = transform(None, 4)
    assert change.note
    photo = make.scene(40, 40, 3, 16).astype(np.float32) / 65535
    assert np.abs(change.to_srgb(change.from_srgb(photo, np.uint16)) - photo).max() < 2 / 65535
    assert np.abs(change.to_srgb(change.from_srgb(photo, np.uint8)) - photo).max() < 1.5 / 255


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_broken_profile_is_said_and_the_values_are_taken_as_they_are(channels: int) -> None:
    good = {1: make.grey_profile(), 3: make.rgb_profile("p3"), 4: make.cmyk_profile()}[channels]
    pixels = noise(channels, np.uint8)
    for broken in (good[:200], good[:128] + bytes(len(good) - 128)):
        change = transform(broken, channels)
        assert change.note
        assert change.to_srgb(pixels).shape == (60, 80, 3)
    for foreign in (b"junk", make.grey_profile() if channels != 1 else make.rgb_profile("p3")):
        assert transform(foreign, channels).to_srgb(pixels).shape == (60, 80, 3)


def test_rounding_is_half_up_and_clipped() -> None:
    values = np.array([[[-0.1, 0.5 / 255, 0.4999 / 255], [1.2, 254.5 / 255, 1.0]]], np.float32)
    np.testing.assert_array_equal(colour.quantised(values, np.uint8), [[[0, 1, 0], [255, 255, 255]]])


@pytest.mark.parametrize("dtype, signed", [(np.uint8, True), (np.uint8, False), (np.uint16, True), (np.uint16, False)])
def test_lab_becomes_srgb(dtype: type, signed: bool) -> None:
    photo = make.scene(20, 30, 3, 16) / 65535
    linear = np.where(photo <= 0.04045, photo / 12.92, ((photo + 0.055) / 1.055) ** 2.4)
    lab = make.lab_of_xyz(linear @ make.primaries_d50("srgb").T)
    deep = dtype is np.uint16
    ab = lab[..., 1:] * (256 if deep else 1)
    light = lab[..., :1] / 100 * (255 if not deep else 65535 if signed else 65280)
    offset = 0 if signed else 128 * (256 if deep else 1)
    coded = np.concatenate([light, ab + offset], axis=2).round().astype(np.int64).astype(dtype)
    result = colour.lab_to_srgb(coded, signed=signed) / np.iinfo(dtype).max
    assert np.abs(result - photo).max() < (0.001 if deep else 0.03)


def primaries_of(icc: bytes) -> np.ndarray:
    profile = Profile(icc)
    return np.stack([profile.xyz(name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)


def test_code_points_name_a_colour_space() -> None:
    p3, note = implied.by_code_points(12, 13)
    assert note is None
    assert p3 is not None
    np.testing.assert_allclose(primaries_of(p3), make.primaries_d50("p3"), atol=2e-4)
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(p3))).strip() == "Display P3"
    assert implied.by_code_points(1, 13) == (None, None)
    assert implied.by_code_points(2, 2) == (None, None)
    assert "high dynamic range" in (implied.by_code_points(9, 16)[1] or "")


def test_png_code_points_make_a_profile_and_are_kept(tmp_path: Path) -> None:
    plain = make.encoded(make.scene(), "PNG")
    data = plain[:33] + png.chunk(b"cICP", bytes([12, 13, 0, 1])) + plain[33:]
    picture = read(data)
    assert not colour.transform(picture.metadata, 3).is_identity
    write(tmp_path / "a.png", picture)
    assert b"cICP\x0c\x0d\x00\x01" in (tmp_path / "a.png").read_bytes()
    write(tmp_path / "a.jpg", picture)
    assert read(tmp_path / "a.jpg").metadata.icc == picture.metadata.icc


def test_code_points_of_avif_make_a_profile() -> None:
    data = bytearray(make.encoded(make.scene(), "AVIF"))
    at = data.index(b"colrnclx")
    data[at + 8 : at + 12] = bytes([0, 12, 0, 13])
    icc = read(bytes(data)).metadata.icc
    assert icc is not None
    np.testing.assert_allclose(primaries_of(icc), make.primaries_d50("p3"), atol=2e-4)
    data[at + 8 : at + 12] = bytes([0, 9, 0, 16])
    assert any("dynamic range" in note for note in read(bytes(data)).metadata.notes)


def test_the_cameras_mark_for_adobe_rgb_is_understood() -> None:
    block = exif.build(
        {"main": [(0x010F, 2, 2, b"x\0")], "exif": [(0xA001, 3, 1, b"\xff\xff")], "interop": [(1, 2, 4, b"R03\0")]}
    )
    picture = read(make.encoded(make.scene(), "JPEG", exif=exif.with_prefix(block)))
    assert picture.metadata.icc is not None
    np.testing.assert_allclose(primaries_of(picture.metadata.icc), make.primaries_d50("adobe"), atol=2e-4)
    plain = exif.build(
        {"main": [(0x010F, 2, 2, b"x\0")], "exif": [(0xA001, 3, 1, b"\1\0")], "interop": [(1, 2, 4, b"R98\0")]}
    )
    assert read(make.encoded(make.scene(), "JPEG", exif=exif.with_prefix(plain))).metadata.icc is None
