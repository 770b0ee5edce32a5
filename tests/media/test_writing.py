"""Files are written in the quality of their source, in bands, whole or not at all."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from imgfix.errors import OutputError, UsageError
from imgfix.media import png
from imgfix.media.image import Metadata, Picture, check_size, open_writer, read, read_record, write

from . import make

PHOTO = make.scene(120, 160)


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- JPEG in means JPEG out at a matching quality


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [35, 75, 92, 100])
def test_jpeg_keeps_tables_subsampling_and_order(
    tmp_path: Path, quality: int, progressive: bool, subsampling: str
) -> None:
    data = make.encoded(
        PHOTO, "JPEG", quality=quality, progressive=progressive, subsampling=subsampling, dpi=(300, 300)
    )
    first = read(data)
    assert first.metadata.jpeg is not None
    assert first.metadata.jpeg.quality == quality
    write(tmp_path / "out.jpg", first)
    with Image.open(io.BytesIO(data)) as before, Image.open(tmp_path / "out.jpg") as after:
        assert isinstance(before, JpegImagePlugin.JpegImageFile)
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)
        assert bool(after.info.get("progressive")) == progressive
        assert after.info["dpi"] == (300, 300)


def test_foreign_tables_are_taken_over(tmp_path: Path) -> None:
    luma, chroma = [3 + n // 4 for n in range(64)], [5 + n // 2 for n in range(64)]
    first = read(make.encoded(PHOTO, "JPEG", qtables=[luma, chroma], subsampling=0))
    write(tmp_path / "out.jpg", first)
    with Image.open(tmp_path / "out.jpg") as after:
        assert list(after.quantization[0]) == luma  # type: ignore[attr-defined]
        assert list(after.quantization[1]) == chroma  # type: ignore[attr-defined]


def test_a_wanted_quality_wins_and_grey_stays_grey(tmp_path: Path) -> None:
    first = read(make.encoded(PHOTO, "JPEG", quality=50))
    write(tmp_path / "out.jpg", first, quality=90)
    again = read(tmp_path / "out.jpg").metadata.jpeg
    assert again is not None
    assert again.quality == 90
    grey = read(make.encoded(PHOTO[..., :1], "JPEG", quality=80))
    write(tmp_path / "grey.jpg", grey)
    second = read(tmp_path / "grey.jpg")
    assert second.channels == 1
    assert second.metadata.jpeg is not None
    assert second.metadata.jpeg.quality == 80


def test_what_is_no_jpeg_becomes_a_good_one(tmp_path: Path) -> None:
    write(tmp_path / "out.jpg", Picture(PHOTO))
    picture = read(tmp_path / "out.jpg")
    assert picture.metadata.jpeg is not None
    assert (picture.metadata.jpeg.quality, picture.metadata.jpeg.subsampling) == (95, "4:4:4")


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_stays_lossless_or_not(tmp_path: Path, lossless: bool) -> None:
    array = np.dstack([PHOTO, make.alpha_plane(120, 160)])
    first = read(make.encoded(array, "WEBP", lossless=lossless, exact=True))
    assert first.metadata.lossless is lossless
    write(tmp_path / "out.webp", first)
    second = read(tmp_path / "out.webp")
    assert second.metadata.lossless is lossless
    if lossless:  # the colour under transparent pixels too
        np.testing.assert_array_equal(second.pixels, PHOTO)
    write(tmp_path / "lossy.webp", first, quality=80)
    assert read(tmp_path / "lossy.webp").metadata.lossless is False


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_avif_keeps_its_subsampling(tmp_path: Path, subsampling: str) -> None:
    first = read(make.encoded(PHOTO, "AVIF", subsampling=subsampling))
    write(tmp_path / "out.avif", first)
    assert read(tmp_path / "out.avif").metadata.subsampling == subsampling


def test_long_side_information_is_left_out_of_jpeg_with_a_word(tmp_path: Path) -> None:
    metadata = Metadata(exif=make.exif_block() + bytes(70000), xmp=make.xmp_packet() + b" " * 70000)
    notes = write(tmp_path / "out.jpg", Picture(PHOTO, None, metadata))
    assert len(notes) == 2
    assert read(tmp_path / "out.jpg").metadata.exif is None
    assert write(tmp_path / "out.png", Picture(PHOTO, None, metadata)) == ()


def test_large_profiles_survive_in_jpeg(tmp_path: Path) -> None:
    icc = make.rgb_profile("adobe") + bytes(200_000)
    write(tmp_path / "out.jpg", Picture(PHOTO, None, Metadata(icc=icc)))
    assert read(tmp_path / "out.jpg").metadata.icc == icc


# ---- the target decides the format


def test_the_extension_decides_then_the_source(tmp_path: Path) -> None:
    jpeg = read(make.encoded(PHOTO, "JPEG"))
    for name, form in (("a.png", "PNG"), ("b.TIFF", "TIFF"), ("c", "JPEG"), ("d.webp", "WEBP")):
        write(tmp_path / name, jpeg)
        assert read(tmp_path / name).metadata.format == form
    write(tmp_path / "e.jpg", jpeg, format="png")
    assert read(tmp_path / "e.jpg").metadata.format == "PNG"
    with pytest.raises(UsageError, match="not a picture format"):
        write(tmp_path / "f.xyz", jpeg)
    with pytest.raises(UsageError, match="unknown picture format"):
        write(tmp_path / "f.png", jpeg, format="exr")


@pytest.mark.parametrize(
    "form, width, height", [("JPEG", 65501, 1), ("webp", 1, 16384), ("avif", 32769, 1), ("GIF", 65536, 1)]
)
def test_sizes_beyond_a_format_are_refused_before_the_work(form: str, width: int, height: int) -> None:
    with pytest.raises(OutputError, match="holds at most") as caught:
        check_size(form, width, height)
    assert "png" in (caught.value.hint or "")
    with pytest.raises(OutputError):
        open_writer(io.BytesIO(), width=width, height=height, channels=3, dtype=np.uint8, format=form)
    check_size("PNG", 10**6, 10**6)
    check_size(form, width - 1 if width > 1 else 1, height - 1 if height > 1 else 1)


@pytest.mark.parametrize("form, width", [("JPEG", 65500), ("WEBP", 16383), ("AVIF", 32768), ("GIF", 65535)])
def test_the_stated_limits_can_be_written_and_read(form: str, width: int) -> None:
    stream = io.BytesIO()
    write(stream, Picture(np.zeros((2, width, 3), np.uint8)), format=form)
    assert read(stream.getvalue()).width == width


def test_transparency_is_put_on_white_and_wide_colour_converted_where_needed(tmp_path: Path) -> None:
    clear = Picture(np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4), np.uint16))
    write(tmp_path / "a.jpg", clear)
    assert read(tmp_path / "a.jpg").pixels.min() >= 254
    no_ink = Picture(np.full((4, 4, 4), 255, np.uint8), np.zeros((4, 4), np.uint8))
    write(tmp_path / "b.jpg", no_ink)
    assert read(tmp_path / "b.jpg").pixels.max() <= 1
    wide = Picture(np.array([[[0, 255, 0], [200, 200, 200]]], np.uint8), None, Metadata(icc=make.rgb_profile("adobe")))
    write(tmp_path / "c.bmp", wide)
    np.testing.assert_array_equal(read(tmp_path / "c.bmp").pixels, [[[0, 255, 0], [201, 201, 201]]])
    muted = Picture(np.array([[[100, 150, 100]]], np.uint8), None, Metadata(icc=make.rgb_profile("adobe")))
    write(tmp_path / "d.bmp", muted)
    assert read(tmp_path / "d.bmp").pixels[0, 0, 0] < 90  # redder numbers mean less red in the larger space


# ---- in bands


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_png_gives_back_any_rows_in_any_bands(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 30))
    channels, alpha = data.draw(st.sampled_from([1, 3])), data.draw(st.booleans())
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    seed, smooth = data.draw(st.integers(0, 999)), data.draw(st.booleans())
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (height, width, channels + alpha))
    pixels = (np.cumsum(pixels // 50, axis=1) if smooth else pixels).astype(dtype)
    stream = io.BytesIO()
    out = open_writer(stream, width=width, height=height, channels=channels, dtype=dtype, alpha=alpha, format="png")
    with out:
        top = 0
        while top < height:
            step = data.draw(st.integers(1, height - top))
            out.write(pixels[top : top + step])
            top += step
    back = read(stream.getvalue())
    np.testing.assert_array_equal(back.pixels, pixels[..., :channels])
    if alpha:
        np.testing.assert_array_equal(back.alpha, pixels[..., -1])
    theirs = cv2.imdecode(np.frombuffer(stream.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert theirs.dtype == dtype


def test_png_bytes_do_not_depend_on_bands_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = make.scene(900, 1200)
    results = set()
    for step, threads in ((900, 1), (1, 2), (333, 7)):
        monkeypatch.setattr(png.os, "cpu_count", lambda threads=threads: threads)
        stream = io.BytesIO()
        with open_writer(stream, width=1200, height=900, channels=3, dtype=np.uint8) as out:
            for top in range(0, 900, step):
                out.write(pixels[top : top + step])
        results.add(stream.getvalue())
    assert len(results) == 1
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(results.pop()))), pixels)


@pytest.mark.slow
@pytest.mark.parametrize("extension, megabytes", [("png", 25), ("tif", 20), ("bmp", 8)])
def test_streamed_formats_do_not_hold_the_picture(tmp_path: Path, extension: str, megabytes: int) -> None:
    width, height = 4096, 2500  # 31 MB
    band = np.random.default_rng(0).integers(0, 9, (100, width, 3)).astype(np.uint8)
    tracemalloc.start()
    with open_writer(tmp_path / f"a.{extension}", width=width, height=height, channels=3, dtype=np.uint8) as out:
        for _ in range(0, height, 100):
            out.write(band)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < megabytes * 1e6
    assert read(tmp_path / f"a.{extension}").pixels[-1, -1].tolist() == band[-1, -1].tolist()


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    out = open_writer(tmp_path / "a.png", width=4, height=4, channels=3, dtype=np.uint8)
    for wrong in (np.zeros((1, 5, 3), np.uint8), np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 3), np.uint16)):
        with pytest.raises(ValueError, match="do not fit"), out:
            out.write(wrong)
    with pytest.raises(ValueError, match="more than 4 rows"), out:
        out.write(np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="not open"):
        out.write(np.zeros((1, 4, 3), np.uint8))
    assert content(tmp_path) == []


# ---- whole or not at all


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp", "bmp", "gif", "avif"])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(b"old")
    with (
        pytest.raises(KeyboardInterrupt),
        open_writer(path, width=160, height=120, channels=3, dtype=np.uint8) as out,
    ):
        out.write(PHOTO[:60])
        raise KeyboardInterrupt
    unfinished = open_writer(path, width=160, height=120, channels=3, dtype=np.uint8)
    with pytest.raises(ValueError, match="only 60 of 120"), unfinished as out:
        out.write(PHOTO[:60])
    assert path.read_bytes() == b"old"
    assert content(tmp_path) == [path.name]


class FullDisk(io.BytesIO):
    """A stream with room for so many bytes."""

    room = 3000

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp", "bmp", "gif", "avif"])
def test_a_full_disk_is_said(extension: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    with pytest.raises(OutputError, match="disk is full"):
        write(FullDisk(), Picture(noise), format=extension)


def test_a_full_disk_leaves_no_litter(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys, numpy as np; from pathlib import Path\n"
        "from imgfix.media.image import Picture, write; from imgfix.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)\n"
        "for extension in ('png', 'tif', 'jpg', 'webp', 'bmp'):\n"
        "    try: write(Path(sys.argv[1]) / f'a.{extension}', Picture(noise))\n"
        "    except OutputError as error: print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("disk is full") == 5
    assert content(tmp_path) == []


def test_a_picture_goes_through_a_pipe(tmp_path: Path) -> None:
    script = (
        "import sys; from imgfix.media.image import read, write\n"
        "write(sys.stdout.buffer, read(sys.stdin.buffer.read()), format=sys.argv[1], record={'seed': 1})"
    )
    for form in ("png", "tiff", "jpeg"):
        done = subprocess.run(
            [sys.executable, "-c", script, form], input=make.encoded(PHOTO, "PNG"), capture_output=True, check=True
        )
        picture = read(done.stdout)
        assert picture.metadata.format == form.upper()
        assert np.abs(picture.pixels.astype(int) - PHOTO).mean() < 3
        assert read_record(done.stdout) == {"seed": 1}


def test_equal_pictures_make_equal_bytes() -> None:
    for form in ("png", "tiff", "jpeg", "webp", "avif", "bmp", "gif"):
        results = set()
        for _ in range(2):
            stream = io.BytesIO()
            write(stream, Picture(PHOTO), format=form, record={"seed": 1, "command": "x"})
            results.add(stream.getvalue())
        assert len(results) == 1
