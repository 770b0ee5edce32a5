"""What stands beside the pixels, or says how they are meant, is kept or its loss is said."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgfix.media import colour, exif, png
from imgfix.media.image import Picture, read, write
from imgfix.media.picture import Metadata
from tests.media import make


def raw_png(pixels: np.ndarray, *chunks: bytes, bits: int = 8, colour_type: int | None = None) -> bytes:
    """pixels: (h, w, samples), or packed rows for fewer than eight bits."""
    import zlib

    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]] if colour_type is None else colour_type
    height = pixels.shape[0]
    width = pixels.shape[1] * 8 // bits if bits < 8 else pixels.shape[1]
    stored = pixels.astype(">u2") if bits == 16 else pixels
    data = b"".join(b"\0" + row.tobytes() for row in stored)
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = [png.chunk(b"IHDR", head), *chunks, png.chunk(b"IDAT", zlib.compress(data)), png.chunk(b"IEND", b"")]
    return b"".join([png.SIGNATURE, *parts])


def again(data: bytes, path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Read and written; the file and the notes."""
    picture = read(data)
    notes = write(path, picture)
    return path.read_bytes(), (*picture.metadata.notes, *notes)


def chunks_of(data: bytes) -> dict[bytes, bytes]:
    return {kind: bytes(body) for kind, body, _ in png.chunks(data)}


@pytest.mark.parametrize(
    "kind, body",
    [
        (b"sBIT", bytes([5, 6, 5])),
        (b"bKGD", struct.pack(">3H", 10, 20, 30)),
        (b"tIME", struct.pack(">H5B", 2001, 2, 3, 4, 5, 6)),
        (b"pHYs", struct.pack(">IIB", 4, 3, 0)),
        (b"gAMA", struct.pack(">I", 100000)),
        (b"oFFs", struct.pack(">iiB", 3, -4, 0)),
        (b"prVt", b"private, safe to copy"),
    ],
)
def test_png_chunks_that_stay(tmp_path: Path, kind: bytes, body: bytes) -> None:
    written, notes = again(raw_png(make.scene(), png.chunk(kind, body)), tmp_path / "out.png")
    assert chunks_of(written)[kind] == body
    assert not notes
    assert b"iCCP" not in chunks_of(written)


def test_a_png_chunk_that_depends_on_the_pixels_is_named(tmp_path: Path) -> None:
    written, notes = again(raw_png(make.scene(), png.chunk(b"prVT", b"not safe to copy")), tmp_path / "out.png")
    assert b"prVT" not in chunks_of(written)
    assert any("prVT" in note for note in notes)


def test_the_background_of_a_palette_and_of_few_bits(tmp_path: Path) -> None:
    palette = png.chunk(b"PLTE", bytes([1, 2, 3, 40, 50, 60]))
    indices = np.zeros((4, 4, 1), np.uint8)
    data = raw_png(indices, palette, png.chunk(b"bKGD", bytes([1])), colour_type=3)
    assert chunks_of(again(data, tmp_path / "a.png")[0])[b"bKGD"] == struct.pack(">3H", 40, 50, 60)
    few = raw_png(np.zeros((4, 4, 1), np.uint8), png.chunk(b"bKGD", struct.pack(">H", 3)), bits=2)
    assert chunks_of(again(few, tmp_path / "b.png")[0])[b"bKGD"] == struct.pack(">H", 255)


@pytest.mark.parametrize(
    "data, words",
    [
        (raw_png(np.zeros((4, 1, 1), np.uint8), bits=1), "1 bit a pixel"),
        (raw_png(np.zeros((4, 1, 1), np.uint8), bits=4), "4 bits a pixel"),
        (raw_png(np.zeros((4, 4, 1), np.uint8), png.chunk(b"PLTE", bytes(6)), colour_type=3), "had a palette"),
        (make.encoded(np.zeros((4, 8), bool), "TIFF"), "1 bit a pixel"),
    ],
)
def test_layouts_that_no_network_keeps_are_said(tmp_path: Path, data: bytes, words: str) -> None:
    form = "tif" if data[:2] == b"II" else "png"
    assert any(words in note for note in again(data, tmp_path / f"out.{form}")[1])
    assert not any(words in note for note in again(data, tmp_path / "out.jpg")[1])


def rgb_jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, keep_rgb=True)
    return stream.getvalue()


def test_a_jpeg_coded_as_rgb_stays_so(tmp_path: Path) -> None:
    written, _ = again(rgb_jpeg(make.scene()), tmp_path / "out.jpg")
    with Image.open(io.BytesIO(written)) as image:
        assert [layer[0] for layer in image.layer] == [82, 71, 66]  # type: ignore[attr-defined]
    assert read(written).metadata.mode == "RGB"
    assert np.abs(read(written).pixels.astype(int) - make.scene()).max() < 40
    plain, _ = again(make.encoded(make.scene(), "JPEG"), tmp_path / "plain.jpg")
    assert read(plain).metadata.mode == "YCbCr"


def with_aspect(data: bytes, x: int, y: int) -> bytes:
    assert data[6:11] == b"JFIF\0"
    return data[:13] + struct.pack(">BHH", 0, x, y) + data[18:]


def test_the_aspect_of_pixels_stays_through_jpeg_png_and_tiff(tmp_path: Path) -> None:
    data = with_aspect(make.encoded(make.scene(), "JPEG"), 4, 3)
    for name in ("a.jpg", "b.png", "c.tif", "d.png", "e.jpg"):
        data, _ = again(data, tmp_path / name)
        assert read(data).metadata.aspect == (4, 3)
    assert data[13:18] == struct.pack(">BHH", 0, 4, 3)
    with tifffile.TiffFile(tmp_path / "c.tif") as tiff:
        assert tiff.pages[0].tags["ResolutionUnit"].value == 1
    with Image.open(tmp_path / "e.jpg") as image:
        image.load()
    turned = with_aspect(make.encoded(make.scene(), "JPEG", exif=exif.with_prefix(make.exif_block(6))), 4, 3)
    assert read(turned).metadata.dpi == (300, 300)  # a resolution with a unit says more


def test_square_pixels_need_no_word(tmp_path: Path) -> None:
    written, _ = again(make.encoded(make.scene(), "JPEG"), tmp_path / "out.png")
    assert b"pHYs" not in chunks_of(written)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_linear_png_is_seen_as_it_is_meant(tmp_path: Path, channels: int) -> None:
    linear = np.full((4, 4, channels), 55, np.uint8)  # 0.2157 of the light: 128 in sRGB
    picture = read(raw_png(linear, png.chunk(b"gAMA", struct.pack(">I", 100000))))
    transform = colour.transform(picture.metadata, channels)
    shown = transform.to_srgb(picture.pixels)
    assert np.abs(shown * 255 - 128).max() < 1
    assert np.array_equal(transform.from_srgb(shown, np.uint8), linear)
    write(tmp_path / "out.png", picture)
    assert np.array_equal(read(tmp_path / "out.png").pixels, linear)
    write(tmp_path / "out.jpg", picture)  # where there is no gAMA, a profile says the same
    assert read(tmp_path / "out.jpg").metadata.icc is not None


def test_the_primaries_of_a_png(tmp_path: Path) -> None:
    points = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)  # Adobe RGB
    primaries = png.chunk(b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in points)))
    gamma = png.chunk(b"gAMA", struct.pack(">I", 45455))
    picture = read(raw_png(make.scene(), gamma, primaries))
    known = colour.transform(Metadata(icc=make.rgb_profile("adobe")), 3)
    ours = colour.transform(picture.metadata, 3)
    assert np.abs(ours.to_srgb(picture.pixels) - known.to_srgb(picture.pixels)).max() < 0.02


@pytest.mark.parametrize("gamma", [45455, 45000, 0, 2**31, 1])
def test_a_gamma_like_that_of_srgb_or_of_nothing_means_srgb(gamma: int) -> None:
    picture = read(raw_png(make.scene(), png.chunk(b"gAMA", struct.pack(">I", gamma))))
    assert picture.metadata.icc is None


def test_primaries_that_span_nothing_are_ignored() -> None:
    flat = png.chunk(b"cHRM", struct.pack(">8I", *[31270, 32900] * 4))
    read(raw_png(make.scene(), png.chunk(b"gAMA", struct.pack(">I", 100000)), flat))
    zero = png.chunk(b"cHRM", bytes(32))
    read(raw_png(make.scene(), png.chunk(b"gAMA", struct.pack(">I", 100000)), zero))


def test_cmyk_without_a_profile_keeps_its_black() -> None:
    rng = np.random.default_rng(0)
    inks = rng.integers(0, 256, (16, 16, 4)).astype(np.uint8)
    inks[0, :4] = [(0, 0, 0, 255), (150, 100, 100, 255), (0, 0, 0, 0), (100, 90, 80, 0)]
    for pixels in (inks, inks.astype(np.uint16) * 257):
        transform = colour.transform(Metadata(), 4)
        back = transform.from_srgb(transform.to_srgb(pixels), pixels.dtype, transform.lost(pixels))
        assert np.abs(back.astype(int) - pixels).max() <= np.iinfo(pixels.dtype).max // 255


def test_black_text_stays_black_alone_when_it_is_scaled() -> None:
    """Edges between black ink and paper must not be mixed of all inks."""
    black = np.zeros((4, 4, 4), np.uint8)
    black[:, 2:, 3] = 255
    transform = colour.transform(Metadata(), 4)
    assert transform.lost(black) is None
    edge = np.full((1, 1, 3), 0.5, np.float32)
    assert transform.from_srgb(edge, np.uint8)[0, 0].tolist() == [0, 0, 0, 128]


def test_nothing_is_lost_where_the_format_changes_twice(tmp_path: Path) -> None:
    picture = Picture(make.scene(), None, Metadata(aspect=(2, 1)))
    write(tmp_path / "a.tif", picture)
    write(tmp_path / "b.png", read(tmp_path / "a.tif"))
    assert read(tmp_path / "b.png").metadata.aspect == (2, 1)
