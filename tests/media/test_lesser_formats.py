"""TGA, JPEG 2000, ICO, MPO and .apng: read by content, written where that makes sense."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from imgfix.media import formats, jobs
from imgfix.media.image import Picture, inspect, read, write
from imgfix.media.sniff import is_video
from tests.media import make

MODES = {"L": (1, False), "LA": (1, True), "RGB": (3, False), "RGBA": (3, True)}
jp2 = pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow was built without OpenJPEG")
FORMS = ["TGA", pytest.param("JPEG2000", marks=jp2)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", list(MODES))
def test_what_pillow_writes_is_read_and_the_other_way(tmp_path: Path, form: str, mode: str) -> None:
    channels, alpha = MODES[mode]
    plane = make.alpha_plane() if alpha else None
    picture = Picture(make.scene(channels=channels), plane)
    write(tmp_path / "out", picture, format=form)
    with Image.open(tmp_path / "out") as image:
        assert (image.format, image.mode) == (form, mode)
        seen = np.asarray(image)
        stream = io.BytesIO()
        image.save(stream, form)
    assert np.array_equal(seen.reshape(24, 32, -1)[..., :channels], picture.pixels)
    for data in ((tmp_path / "out").read_bytes(), stream.getvalue()):
        again = read(data)
        assert np.array_equal(again.pixels, picture.pixels)
        assert (again.alpha is None) == (plane is None)
        assert plane is None or np.array_equal(again.alpha, plane)
        header = inspect(data)
        assert (header.width, header.height, header.channels, header.has_alpha) == (32, 24, channels, alpha)


@jp2
def test_a_quality_makes_jpeg_2000_smaller(tmp_path: Path) -> None:
    for name, quality in (("a.jp2", None), ("b.jp2", 30)):
        write(tmp_path / name, Picture(make.scene(200, 200)), quality=quality)
    assert (tmp_path / "b.jp2").stat().st_size < (tmp_path / "a.jp2").stat().st_size / 2


def test_the_largest_picture_of_an_icon(tmp_path: Path) -> None:
    source = Image.fromarray(make.scene(64, 64)).convert("RGBA")
    source.save(tmp_path / "a.ico", sizes=[(16, 16), (64, 64), (32, 32)])
    picture = read(tmp_path / "a.ico")
    assert (picture.width, picture.height) == (64, 64)
    assert any("3 pictures" in note for note in picture.metadata.notes)
    (job,) = jobs.plan([tmp_path], suffix="_x2")
    assert job.target == tmp_path / "a_x2.png"


def test_files_of_these_names_are_found_in_folders(tmp_path: Path) -> None:
    names = ["a.apng", "a.ico", "a.jp2", "a.mpo", "a.pbm", "a.ppm", "a.tga"]
    for name in names:
        (tmp_path / name).touch()
    found = jobs.find_sources([tmp_path]).sources
    assert [source.path.name for source in found if isinstance(source.path, Path)] == names


def test_nothing_else_is_taken_for_a_tga() -> None:
    for start in (b"\0\0\1\xba", b"\0\0\1\xb3", b"\0\0\2\0\1\0", b"\0\0\0\x18ftypmp42", bytes(18), b"GIF89a"):
        form = formats.by_content(start.ljust(64, b"\x10"))
        assert form is None or form.name != "TGA"
    assert is_video(b"\0\0\1\xba".ljust(400, b"\0"))
