"""What a file is worked on as: its content decides, then what it is to become."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from imgfix.errors import UsageError
from imgfix.media.jobs import plan
from imgfix.media.media_type import media_type
from imgfix.media.sniff import is_video
from tests.media.clips import EVEN, Recipe, make


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mpg", "a.wmv", "a.flv"])
def test_videos_are_known_by_their_first_bytes(tmp_path: Path, name: str) -> None:
    codec = {"a.webm": "libvpx-vp9", "a.avi": "mpeg4", "a.mpg": "mpeg2video", "a.wmv": "wmv2"}.get(name, "libx264")
    base = Fraction(1, 25) if name in ("a.avi", "a.mpg", "a.wmv") else Fraction(1, 1000)
    clip = make(tmp_path / name, Recipe(times=EVEN[:6], codec=codec, time_base=base))
    assert is_video(clip.read_bytes()[:1024])
    hidden = clip.rename(tmp_path / "picture.png")
    assert media_type(hidden, None) == "video"


def test_other_files_are_no_videos() -> None:
    for start in (
        b"",
        b"GIF89a" + bytes(600),
        b"\x89PNG\r\n\x1a\n",
        b"%PDF-1.7",
        b"G" + bytes(600),
        b"RIFF\0\0\0\0WEBP",
    ):
        assert not is_video(start)


def test_an_animation_is_what_it_is_to_become(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    source = tmp_path / "a.gif"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=50)
    kinds = {name: media_type(source, tmp_path / name) for name in ("b.gif", "b.webp", "b.mp4", "b.jpg")}
    assert kinds == {"b.gif": "animation", "b.webp": "animation", "b.mp4": "video", "b.jpg": "image"}
    assert media_type(source, None, "jpeg") == "image"
    frames[0].save(tmp_path / "still.gif")
    assert media_type(tmp_path / "still.gif", tmp_path / "b.gif") == "image"
    with pytest.raises(UsageError, match="not a picture format"):
        media_type(source, tmp_path / "b.doc")


def test_a_file_that_cannot_be_read_is_what_its_name_says(tmp_path: Path) -> None:
    assert media_type(tmp_path / "no.mkv", None) == "video"
    assert media_type(tmp_path / "no.png", None) == "image"


def test_results_of_containers_that_cannot_be_written_get_another(tmp_path: Path) -> None:
    for name in ("a.ogv", "b.mp4", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    jobs = plan([tmp_path], suffix=lambda kind: "_v" if kind == "video" else "_p", kinds=("image", "video"))
    assert [Path(str(job.target)).name for job in jobs] == ["a_v.mkv", "b_v.mp4", "c_p.png"]


def test_a_format_is_for_the_files_of_its_kind(tmp_path: Path) -> None:
    for name in ("b.mp4", "c.png"):
        (tmp_path / name).write_bytes(b"x")
    both = ("image", "video")
    names = {
        form: [Path(str(job.target)).name for job in plan([tmp_path], f"{tmp_path}/o/", kinds=both, target_format=form)]
        for form in ("mkv", "webp")
    }
    assert names == {"mkv": ["b.mkv", "c.png"], "webp": ["b.mp4", "c.webp"]}
    with pytest.raises(UsageError, match="unknown picture format 'mkv'"):
        plan([tmp_path], target_format="mkv")
