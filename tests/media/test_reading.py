"""Every kind of picture is read as what it is."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media import png
from imgfix.media.image import Header, Picture, inspect, read, write

from . import make

CMYK = make.scene(20, 30, 4)


def raw_png(pixels: np.ndarray, bits: int, colour_type: int, *extra: bytes, interlace: bool = False) -> bytes:
    """A PNG of any kind, from samples (H, W, S) of `bits` bits each, with chunks between IHDR and IDAT."""
    import zlib

    height, width = pixels.shape[:2]

    def rows(part: np.ndarray) -> bytes:
        if part.size == 0:
            return b""
        if bits == 16:
            body = part.astype(">u2").view(np.uint8).reshape(len(part), -1)
        elif bits == 8:
            body = part.astype(np.uint8).reshape(len(part), -1)
        else:
            flat = part.reshape(len(part), -1)[..., None].astype(np.uint8)
            ones = np.unpackbits(flat, axis=2)[..., 8 - bits :].reshape(len(part), -1)
            body = np.packbits(ones, axis=1)
        return b"".join(b"\0" + row.tobytes() for row in body)

    data = rows(pixels)
    if interlace:
        passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
        data = b"".join(rows(pixels[y0::dy, x0::dx]) for y0, dy, x0, dx in passes)
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlace)
    return b"".join(
        (
            png.SIGNATURE,
            png.chunk(b"IHDR", head),
            *extra,
            png.chunk(b"IDAT", zlib.compress(data)),
            png.chunk(b"IEND", b""),
        )
    )


def check_header(data: bytes, picture: Picture) -> None:
    """A glance must promise what reading gives."""
    header = inspect(data)
    assert header == Header(
        picture.width,
        picture.height,
        picture.channels,
        picture.alpha is not None,
        8 * picture.pixels.dtype.itemsize,
        picture.metadata.format,
        picture.metadata.frames,
    )
    assert picture.pixels.flags.c_contiguous


@pytest.mark.parametrize("interlace", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour_type, samples", [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_every_depth(colour_type: int, samples: int, bits: int, interlace: bool) -> None:
    if bits < 8 and colour_type != 0:
        pytest.skip("PNG has no such kind")
    stored = np.random.default_rng(1).integers(0, 2**bits, (21, 19, samples))
    data = raw_png(stored, bits, colour_type, interlace=interlace)
    picture = read(data)
    check_header(data, picture)
    most = 65535 if bits == 16 else 255
    wanted = stored * most // (2**bits - 1)
    colours = 1 if samples < 3 else 3
    np.testing.assert_array_equal(picture.pixels, wanted[..., :colours])
    if samples in (2, 4):
        np.testing.assert_array_equal(picture.alpha, wanted[..., -1])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour_type, samples", [(0, 1), (2, 3)])
def test_png_with_one_transparent_colour(colour_type: int, samples: int, bits: int) -> None:
    if bits < 8 and colour_type != 0:
        pytest.skip("PNG has no such kind")
    stored = np.random.default_rng(2).integers(0, 2**bits, (9, 7, samples))
    key = stored[4, 3]
    data = raw_png(stored, bits, colour_type, png.chunk(b"tRNS", struct.pack(f">{samples}H", *key)))
    picture = read(data)
    check_header(data, picture)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha == 0, (stored == key).all(axis=2))
    assert set(np.unique(picture.alpha)) <= {0, np.iinfo(picture.pixels.dtype).max}


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [False, True])
def test_png_palettes_are_expanded(bits: int, transparent: bool) -> None:
    rng = np.random.default_rng(3)
    palette = rng.integers(0, 256, (2**bits, 3)).astype(np.uint8)
    stored = rng.integers(0, 2**bits, (9, 11, 1))
    extra = [png.chunk(b"PLTE", palette.tobytes())]
    if transparent:
        extra.append(png.chunk(b"tRNS", bytes([0, 128])))
    data = raw_png(stored, bits, 3, *extra)
    picture = read(data)
    check_header(data, picture)
    np.testing.assert_array_equal(picture.pixels, palette[stored[..., 0]])
    if transparent:
        table = np.full(2**bits, 255)
        table[:2] = 0, 128
        np.testing.assert_array_equal(picture.alpha, table[stored[..., 0]])


def test_png_colour_chunks_text_and_resolution_survive(tmp_path: Path) -> None:
    chunks = [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
        (b"cICP", bytes([12, 13, 0, 1])),
        (b"pHYs", struct.pack(">IIB", 11811, 5905, 1)),
        (b"tEXt", b"Title\0Caf\xe9"),
        (b"zTXt", b"Note\0\0" + __import__("zlib").compress(b"long " * 100)),
        (b"iTXt", "Author\0\0\0de\0Autor\0Jürgen 文".encode()),
    ]
    data = raw_png(make.scene(), 8, 2, *(png.chunk(kind, body) for kind, body in chunks))
    first = read(data)
    write(tmp_path / "out.png", first)
    kept = {bytes(kind): bytes(body) for kind, body, _ in png.chunks((tmp_path / "out.png").read_bytes())}
    for kind, body in chunks[:4]:
        assert kept[kind] == body
    second = read(tmp_path / "out.png")
    assert second.metadata.text == {"Title": "Café", "Note": "long " * 100, "Author": "Jürgen 文"}


def test_png_with_damaged_side_chunks_is_still_read() -> None:
    bad_checksum = bytearray(png.chunk(b"tEXt", b"Title\0x"))
    bad_checksum[-1] ^= 255
    data = raw_png(
        make.scene(), 8, 2, bytes(bad_checksum), png.chunk(b"iCCP", b"x\0\0not zlib"), png.chunk(b"zTXt", b"a\0\0junk"),
        png.chunk(b"eXIf", b"junk"), png.chunk(b"pHYs", b"short"), png.chunk(b"iTXt", b"nothing"),
    )  # fmt: skip
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, make.scene())
    assert any("profile is damaged" in note for note in picture.metadata.notes)


def test_a_text_bomb_in_a_png_is_left_out() -> None:
    import zlib

    bomb = zlib.compress(bytes(100_000_000))
    picture = read(
        raw_png(make.scene(), 8, 2, png.chunk(b"zTXt", b"bomb\0\0" + bomb), png.chunk(b"iCCP", b"x\0\0" + bomb))
    )
    assert picture.metadata.text == {}
    assert picture.metadata.icc is None


def test_exif_of_old_imagemagick_in_png_text_is_understood() -> None:
    block = b"Exif\0\0" + make.exif_block(6)
    body = f"\nexif\n{len(block):8}\n" + block.hex() + "\n"
    picture = read(raw_png(make.scene(10, 20), 8, 2, png.chunk(b"tEXt", b"Raw profile type exif\0" + body.encode())))
    assert (picture.width, picture.height) == (10, 20)
    assert picture.metadata.text == {}


@pytest.mark.parametrize("form", ["APNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_of_several_frames_the_first_is_used_and_that_is_said(form: str) -> None:
    frames = [Image.fromarray(make.scene(16, 16, seed=n)) for n in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG" if form == "APNG" else form, save_all=True, append_images=frames[1:])
    data = stream.getvalue()
    picture = read(data)
    check_header(data, picture)
    assert picture.metadata.frames == 3
    assert any("only the first" in note for note in picture.metadata.notes)
    if form in ("APNG", "TIFF"):
        np.testing.assert_array_equal(picture.pixels, make.scene(16, 16))


def test_gif_transparency_and_comment_survive(tmp_path: Path) -> None:
    stored = np.dstack([make.scene(20, 20), np.where(make.alpha_plane(20, 20) > 127, 255, 0).astype(np.uint8)])
    data = make.encoded(stored, "GIF", comment=b"hello")
    first = read(data)
    check_header(data, first)
    write(tmp_path / "out.gif", first)
    second = read(tmp_path / "out.gif")
    np.testing.assert_array_equal(first.alpha, second.alpha)
    assert second.metadata.text == {"Comment": "hello"}
    assert np.abs(first.pixels.astype(int) - second.pixels)[first.alpha > 0].mean() < 12


def test_cmyk_jpeg_is_read_as_ink_and_written_alike(tmp_path: Path) -> None:
    data = make.encoded(CMYK, "JPEG", "CMYK", quality=98, icc_profile=make.cmyk_profile())
    assert b"Adobe" in data
    first = read(data)
    check_header(data, first)
    assert np.abs(first.pixels.astype(int) - CMYK).mean() < 4
    write(tmp_path / "out.jpg", first)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.mode == "CMYK"
        assert image.info["icc_profile"] == make.cmyk_profile()
        assert np.abs(np.asarray(image).astype(int) - first.pixels).mean() < 4


def test_ycck_jpeg_is_read_as_ink() -> None:
    """A JPEG of four layers whose first three are YCbCr, as Photoshop writes it, told apart by one byte."""
    # Adobe stores 255 - ink; a decoder takes 255 - RGB for that, so the YCbCr is of the inks themselves.
    ycc = np.asarray(Image.fromarray(CMYK[..., :3]).convert("YCbCr"))
    stored = np.dstack([255 - ycc, CMYK[..., 3]])
    data = bytearray(make.encoded(stored, "JPEG", "CMYK", quality=98))
    data[data.index(b"Adobe") + 11] = 2
    picture = read(bytes(data))
    assert picture.channels == 4
    assert np.abs(picture.pixels.astype(int)[..., 3] - CMYK[..., 3]).mean() < 4
    assert np.abs(picture.pixels.astype(int)[..., :3] - CMYK[..., :3]).mean() < 6


def test_jpeg_comment_and_iptc_survive(tmp_path: Path) -> None:
    records = b"\x1c\x02\x78\x00\x05hello"
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records
    segment = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    data = make.encoded(make.scene(), "JPEG", comment="grüße".encode(), extra=segment)
    first = read(data)
    assert first.metadata.iptc == records
    for extension in ("jpg", "tif"):
        write(tmp_path / f"out.{extension}", first)
        assert read(tmp_path / f"out.{extension}").metadata.iptc == records
    assert read(tmp_path / "out.jpg").metadata.text == {"Comment": "grüße"}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG", "AVIF"])
def test_everything_that_pillow_writes_is_read(form: str, mode: str) -> None:
    image = Image.fromarray(make.scene(15, 17)).convert("L").convert(mode) if mode == "I;16" else None
    image = image or Image.fromarray(make.scene(15, 17)).convert(mode)
    stream = io.BytesIO()
    try:
        image.save(stream, form)
    except (OSError, ValueError):
        pytest.skip(f"Pillow does not write {mode} as {form}")
    data = stream.getvalue()
    picture = read(data)
    check_header(data, picture)
    assert (picture.width, picture.height) == (17, 15)


def test_reading_takes_paths_strings_and_bytes_and_any_unicode_name(tmp_path: Path) -> None:
    path = tmp_path / "Ünï cødé 文字 😀 'quoted' \"x\".png"
    path.write_bytes(make.encoded(make.scene(), "PNG"))
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(read(source).pixels, make.scene())
        assert inspect(source).width == 32
    write(path.with_suffix(".webp"), read(path))
    assert read(path.with_suffix(".webp")).width == 32


def test_the_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "really.png"
    path.write_bytes(make.encoded(make.scene(), "JPEG"))
    assert read(path).metadata.format == "JPEG"


def test_a_profile_of_another_kind_is_left_out() -> None:
    picture = read(make.encoded(make.scene(channels=1), "JPEG", icc_profile=make.rgb_profile("adobe")))
    assert picture.metadata.icc is None
    assert any("profile" in note for note in picture.metadata.notes)


def test_avif_of_a_camera_that_turns_by_the_container() -> None:
    data = make.encoded(make.scene(16, 32), "AVIF", exif=make.exif_block(6), quality=100)
    picture = read(data)
    assert (picture.width, picture.height) == (16, 32)
    assert inspect(data).width == 16
    assert picture.metadata.subsampling == "4:2:0"


def test_heic_is_read_upright() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(make.scene(32, 64))).save(stream, quality=90, exif=make.exif_block(6))
    picture = read(stream.getvalue())
    assert picture.metadata.format == "HEIF"
    assert (picture.width, picture.height) == (inspect(stream.getvalue()).width, inspect(stream.getvalue()).height)


def test_the_gain_map_of_a_phone_is_said_to_be_dropped(tmp_path: Path) -> None:
    packet = make.xmp_packet().replace(
        b"xmp:Rating", b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" xmp:Rating'
    )
    first = read(make.encoded(make.scene(), "JPEG", xmp=packet))
    assert any("gain" in note for note in first.metadata.notes)
    write(tmp_path / "out.jpg", first)
    again = read(tmp_path / "out.jpg")
    assert b"hdrgm:Version" not in (again.metadata.xmp or b"")
    assert not again.metadata.notes


def test_stereo_and_preview_pictures_are_said_to_be_dropped() -> None:
    stream = io.BytesIO()
    frames = [Image.fromarray(make.scene(16, 16, seed=n)) for n in range(2)]
    frames[0].save(stream, "MPO", save_all=True, append_images=frames[1:])
    picture = read(stream.getvalue())
    assert picture.metadata.format == "JPEG"
    assert picture.metadata.frames == inspect(stream.getvalue()).frames == 1
    assert any("further pictures" in note for note in picture.metadata.notes)


def test_a_long_xmp_packet_of_a_jpeg_survives(tmp_path: Path) -> None:
    from imgfix.media import jpeg

    parts = [b"http://ns.adobe.com/xmp/extension/\0" + bytes([n]) * 60000 for n in (65, 66)]
    extra = b"".join(jpeg.segment(0xE1, part) for part in parts)
    first = read(make.encoded(make.scene(), "JPEG", xmp=make.xmp_packet(), extra=extra))
    write(tmp_path / "out.jpg", first)
    assert read(tmp_path / "out.jpg").metadata.xmp_extension == tuple(parts)
