"""TIFF: every layout is read, compression is kept, other readers agree."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from imgfix.media import tiff
from imgfix.media.image import Metadata, Picture, inspect, open_writer, read, write

from . import make

PHOTOMETRIC = {1: "minisblack", 3: "rgb", 4: "separated"}


def stored(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, metadata=None, **options)
    return stream.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)], ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_layout_is_read(
    order: str, planar: str, tile: tuple[int, int] | None, compression: str | None, bits: int, channels: int
) -> None:
    pixels = make.scene(37, 53, channels, bits)
    array = pixels[..., 0] if channels == 1 else np.moveaxis(pixels, -1, 0) if planar == "separate" else pixels
    if channels == 1 and planar == "separate":
        pytest.skip("one plane")
    options = {"planarconfig": planar} if channels > 1 else {}
    data = stored(
        array, photometric=PHOTOMETRIC[channels], compression=compression, tile=tile, byteorder=order,
        rowsperstrip=None if tile else 10, predictor=False, **options,
    )  # fmt: skip
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.metadata.compression == ("deflate" if compression else "none")
    header = inspect(data)
    assert (header.width, header.height, header.channels, header.bits) == (53, 37, channels, bits)


@pytest.mark.parametrize("bigtiff", [False, True])
def test_classic_and_big_files_are_read(bigtiff: bool) -> None:
    pixels = make.scene(20, 30, 3, 16)
    data = stored(pixels, photometric="rgb", bigtiff=bigtiff, resolution=(254, 127), resolutionunit=3, software="x")
    picture = read(data)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.metadata.dpi == pytest.approx((645.16, 322.58))
    assert inspect(data).height == 20


@pytest.mark.parametrize("compression", ["lzw", "packbits", "deflate", "none", "lzma", "zstd"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels, alpha", [(1, False), (1, True), (3, False), (3, True), (4, False), (4, True)])
def test_compression_is_kept(tmp_path: Path, compression: str, bits: int, channels: int, alpha: bool) -> None:
    pixels = make.scene(61, 47, channels, bits)
    plane = make.alpha_plane(61, 47, bits) if alpha else None
    path = tmp_path / "a.tif"
    write(path, Picture(pixels, plane, Metadata(format="TIFF", compression=compression)))
    picture = read(path)
    assert picture.metadata.compression == compression
    np.testing.assert_array_equal(picture.pixels, pixels)
    if alpha:
        np.testing.assert_array_equal(picture.alpha, plane)
    if compression in ("none", "deflate"):  # an independent reader agrees
        with tifffile.TiffFile(path) as file:
            array = file.pages.first.asarray().reshape(61, 47, -1)
            assert file.pages.first.photometric.name.lower() == PHOTOMETRIC[channels]
        np.testing.assert_array_equal(array[..., :channels], pixels)
    if compression == "lzw" and channels == 3 and not alpha:
        theirs = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(theirs[..., ::-1], pixels)
    if (channels, alpha, bits) not in ((1, True, 16), (4, True, 8), (4, True, 16)) and bits == 8:
        with Image.open(path) as image:
            assert np.asarray(image).shape[:2] == (61, 47)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
def test_jpeg_compression_is_kept(tmp_path: Path, channels: int, sampling: str) -> None:
    pixels = make.scene(70, 90, channels)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, "CMYK" if channels == 4 else None)
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression="jpeg", quality=92)
    first = read(stream.getvalue())
    assert first.metadata.compression == "jpeg"
    assert first.metadata.jpeg is not None
    assert abs(first.metadata.jpeg.quality - 92) <= 2
    path = tmp_path / "a.tif"
    write(path, first)
    second = read(path)
    assert second.metadata.compression == "jpeg"
    assert np.abs(second.pixels.astype(int) - first.pixels).mean() < 3
    with Image.open(path) as other:
        assert other.mode == {1: "L", 3: "YCbCr", 4: "CMYK"}[channels] or other.mode == "RGB"
        theirs = np.asarray(other.convert("RGB") if channels == 3 else other).reshape(70, 90, -1)
    assert np.abs(theirs.astype(int) - first.pixels).mean() < 3
    if channels == 3:
        assert np.abs(cv2.imread(str(path))[..., ::-1].astype(int) - first.pixels).mean() < 3
    rewritten = Picture(make.scene(70, 90, channels, 16), None, first.metadata)
    write(path, rewritten)  # JPEG holds no 16 bits
    assert read(path).metadata.compression == "deflate"


@pytest.mark.parametrize("bits", [8, 16])
def test_predictors_are_undone(bits: int) -> None:
    pixels = make.scene(20, 30, 3, bits)
    image = Image.fromarray(pixels) if bits == 8 else None
    if image is not None:
        stream = io.BytesIO()
        image.save(stream, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
        np.testing.assert_array_equal(read(stream.getvalue()).pixels, pixels)
    data = cv2.imencode(".tif", pixels[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, 2])[1]
    np.testing.assert_array_equal(read(data.tobytes()).pixels, pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_premultiplied_alpha_is_divided_out(bits: int) -> None:
    most = 2**bits - 1
    colour, alpha = make.scene(20, 30, 3, bits), make.alpha_plane(20, 30, bits)
    multiplied = (colour.astype(np.float64) * alpha[..., None] / most).round().astype(colour.dtype)
    data = stored(np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    picture = read(data)
    np.testing.assert_array_equal(picture.alpha, alpha)
    solid = alpha > most // 2
    assert np.abs(picture.pixels.astype(int) - colour)[solid].max() <= 2


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_is_turned_round(bits: int) -> None:
    pixels = make.scene(20, 30, 1, bits)
    data = stored((2**bits - 1 - pixels)[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read(data).pixels, pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_further_channels_are_said_to_be_dropped(bits: int) -> None:
    array = np.dstack([make.scene(20, 30, 3, bits), make.scene(20, 30, 2, bits, seed=5)])
    picture = read(stored(array, photometric="rgb", extrasamples=["unassalpha", "unspecified"]))
    np.testing.assert_array_equal(picture.alpha, array[..., 3])
    assert any("extra channel" in note for note in picture.metadata.notes)


def test_an_unnamed_channel_is_transparency_unless_it_is_empty() -> None:
    pixels, plane = make.scene(20, 30), make.alpha_plane(20, 30)
    for alpha, wanted in ((plane, plane), (np.zeros_like(plane), None)):
        picture = read(stored(np.dstack([pixels, alpha]), photometric="rgb", extrasamples=["unspecified"]))
        np.testing.assert_array_equal(picture.pixels, pixels)
        if wanted is None:
            assert picture.alpha is None
        else:
            np.testing.assert_array_equal(picture.alpha, wanted)


def test_lab_is_converted_and_said() -> None:
    photo = make.scene(20, 30)
    image = Image.fromarray(photo)
    from PIL import ImageCms

    lab = ImageCms.createProfile("LAB", 5003)
    step = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    stream = io.BytesIO()
    ImageCms.applyTransform(image, step).save(stream, "TIFF")
    picture = read(stream.getvalue())
    assert any("Lab" in note for note in picture.metadata.notes)
    assert np.abs(picture.pixels.astype(int) - photo).mean() < 3


def test_tags_survive_and_those_about_the_pixels_are_new(tmp_path: Path) -> None:
    tags = [
        (315, "s", 0, "Jürgen".encode(), True),
        (274, 3, 1, 6, True),
        (700, 1, None, make.xmp_packet(6), True),
        (34675, 7, None, make.rgb_profile("prophoto"), True),
        (33723, 7, None, b"\x1c\x02\x78\0\1x", True),
    ]
    words = {"description": "Ein Bild", "software": "Scanner 9"}
    data = stored(make.scene(20, 30, 3, 16), photometric="rgb", resolution=(600, 600), extratags=tags, **words)
    first = read(data)
    assert (first.width, first.height, first.metadata.orientation) == (20, 30, 6)
    path = tmp_path / "out.tif"
    writer = open_writer(path, width=40, height=60, channels=3, dtype=np.uint16, metadata=first.metadata)
    with writer:
        writer.write(make.scene(60, 40, 3, 16))
    with tifffile.TiffFile(path) as file:
        tags = {tag.code: tag.value for tag in file.pages.first.tags.values()}
    assert (tags[256], tags[257], tags[274]) == (40, 60, 1)
    assert tags[270] == "Ein Bild"
    assert tags[305] == "Scanner 9"
    assert tags[282] == (600, 1)
    assert bytes(tags[34675]) == make.rgb_profile("prophoto")
    assert b'tiff:Orientation="1"' in bytes(tags[700])
    again = read(path)
    assert again.metadata.icc == first.metadata.icc
    assert again.metadata.iptc == first.metadata.iptc == b"\x1c\x02\x78\0\1x"
    assert again.metadata.dpi == (600, 600)


def test_camera_directories_survive_from_jpeg_to_tiff_and_back(tmp_path: Path) -> None:
    block = b"Exif\0\0" + make.exif_block(1, order=">")
    first = read(make.encoded(make.scene(), "JPEG", exif=block))
    write(tmp_path / "a.tif", first)
    with Image.open(tmp_path / "a.tif") as image:
        camera = image.getexif().get_ifd(0x8769)
        assert camera[0x829A] == 1 / 250
        assert image.getexif().get_ifd(0x8825)[1] == "N"
        assert image.getexif()[271] == "Testcam"
    write(tmp_path / "b.jpg", read(tmp_path / "a.tif"))
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif().get_ifd(0x8769)[0x927C] == b"makernote-42"


def test_a_picture_beyond_four_gigabytes_becomes_a_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    huge = tiff.TiffWriter(stream, 60000, 40000, 3, False, 8)
    huge.abort()
    assert stream.getvalue()[:4] == b"II+\0"
    # The same layout, small: forced by a limit of zero.
    original = tiff.TiffWriter.__init__

    def forced(self: tiff.TiffWriter, stream: io.BytesIO, *args: object, **kwargs: object) -> None:
        monkeypatch.setattr(tiff, "_CLASSIC_LIMIT", 0)
        original(self, stream, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tiff.TiffWriter, "__init__", forced)
    metadata = Metadata(icc=make.rgb_profile("p3"), exif=make.exif_block(), xmp=make.xmp_packet(), dpi=(96, 96))
    pixels = make.scene(300, 200, 3, 16)
    write(tmp_path / "big.tif", Picture(pixels, None, metadata))
    assert (tmp_path / "big.tif").read_bytes()[:4] == b"II+\0"
    with tifffile.TiffFile(tmp_path / "big.tif") as file:
        np.testing.assert_array_equal(file.pages.first.asarray(), pixels)
        assert file.pages.first.tags[34665].value["ExposureTime"] == (1, 250)
    again = read(tmp_path / "big.tif")
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.metadata.icc == metadata.icc
    assert cv2.imread(str(tmp_path / "big.tif"), cv2.IMREAD_UNCHANGED) is not None


def test_the_bytes_do_not_depend_on_how_rows_arrive() -> None:
    pixels = make.scene(1200, 333, 3, 16)
    results = []
    for step in (1200, 7, 500):
        stream = io.BytesIO()
        out = open_writer(stream, width=333, height=1200, channels=3, dtype=np.uint16, format="tiff")
        with out:
            for top in range(0, 1200, step):
                out.write(pixels[top : top + step])
        results.append(stream.getvalue())
    assert results[0] == results[1] == results[2]
    np.testing.assert_array_equal(read(results[0]).pixels, pixels)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int32", "uint32"])
@pytest.mark.parametrize("options", [{}, {"compression": "deflate"}, {"byteorder": ">"}, {"tile": (16, 16)}], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_and_other_numbers_stay_what_they_are(
    tmp_path: Path, dtype: str, options: dict[str, object], channels: int
) -> None:
    unit = make.scene(20, 30, channels, 16) / 65535.0
    low, high = (0.0, 1.0) if dtype.startswith("float") else (0.0 if dtype == "uint32" else -9000.0, 20000.0)
    values = (low + unit * (high - low)).astype(dtype)
    stored = values if channels == 3 else values[..., 0]
    kind = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric=kind, metadata=None, **options)
    picture = read(tmp_path / "a.tif")
    assert inspect(tmp_path / "a.tif").bits == 16
    assert any("are worked on with 16 bits" in note for note in picture.metadata.notes)
    write(tmp_path / "b.tif", picture)
    same = tifffile.imread(tmp_path / "b.tif")
    assert same.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(same, stored)  # what nobody changed
    write(tmp_path / "d.tif", Picture(np.repeat(picture.pixels, 2, axis=0), None, picture.metadata))
    again = tifffile.imread(tmp_path / "d.tif")[::2]
    assert again.dtype == np.dtype(dtype)
    step = (high - low) / 65535
    assert np.abs(again.astype(float) - stored.astype(float)).max() <= max(step, 0.001 if dtype == "float16" else 1)
    if dtype == "float32":
        assert np.abs(again - stored).max() < 1e-5
        assert np.abs(picture.pixels[..., 0] / 65535 - unit[..., 0]).max() < 1e-4
    write(tmp_path / "c.png", picture)
    assert read(tmp_path / "c.png").pixels.dtype == np.uint16


def test_floats_beyond_one_and_no_numbers(tmp_path: Path) -> None:
    values = np.linspace(0, 4, 60, dtype=np.float32).reshape(6, 10)
    values[0, 0], values[0, 1] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None)
    picture = read(tmp_path / "a.tif")
    assert any("from 0 to 4" in note and "2 that are no numbers" in note for note in picture.metadata.notes)
    picture.pixels[3] = 0  # a row that is worked on
    write(tmp_path / "b.tif", picture)
    again = tifffile.imread(tmp_path / "b.tif")
    np.testing.assert_array_equal(again[[0, 1, 2, 4, 5]], values[[0, 1, 2, 4, 5]])  # no numbers among them
    assert (again[3] == 0).all()


def test_a_few_numbers_far_out_leave_the_others_fine(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((40, 50)).astype(np.float32)
    values[7, 9], values[8, 9] = 65504, -3000  # the sun, and a pixel of a broken sensor
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None)
    picture = read(tmp_path / "a.tif")
    assert any("98 % lie from 0.0" in note for note in picture.metadata.notes)
    assert len(np.unique(picture.pixels)) > 1500
    write(tmp_path / "b.tif", Picture(np.repeat(picture.pixels, 2, axis=0), None, picture.metadata))
    again = tifffile.imread(tmp_path / "b.tif")[::2].astype(np.float64)
    assert np.abs(again / values - 1)[7:9, 9].max() < 0.001
    again[7:9, 9] = values[7:9, 9]
    assert np.abs(again - values).max() < 0.001


@pytest.mark.parametrize("orientation", [1, 6])
def test_only_changed_pixels_of_floats_lose_anything(tmp_path: Path, orientation: int) -> None:
    values = np.random.default_rng(0).random((24, 30, 4)).astype(np.float32) * 3 - 1
    values[..., 3] = np.clip(values[..., 3], 0, 1)
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"], extratags=tags)
    picture = read(tmp_path / "a.tif")
    upright = values if orientation == 1 else np.rot90(values, -1)
    picture.pixels[5:9, 4:8] ^= 4096
    write(tmp_path / "b.tif", picture)
    again = tifffile.imread(tmp_path / "b.tif")
    changed = np.zeros(upright.shape, bool)
    changed[5:9, 4:8, :3] = True
    np.testing.assert_array_equal(again[~changed], upright[~changed])
    assert (again[changed] != upright[changed]).all()


def test_bytes_with_a_sign_are_read_and_stay(tmp_path: Path) -> None:
    values = (make.scene(20, 30, 1)[..., 0].astype(np.int16) - 128).astype(np.int8)
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None)
    assert inspect(tmp_path / "a.tif").bits == 16
    write(tmp_path / "b.tif", read(tmp_path / "a.tif"))
    again = tifffile.imread(tmp_path / "b.tif")
    assert again.dtype == np.int8
    np.testing.assert_array_equal(again, values)
