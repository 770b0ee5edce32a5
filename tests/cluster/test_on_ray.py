"""Workers on a Ray of this machine; skipped where Ray is not installed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run, imgfix, save_photo, start  # noqa: F401  (fixtures)
from tests.media.clips import Recipe, make

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow

BOX = ("inpaint", "--box", "2,2,4,4", "--model", "telea", "--json")


def test_a_batch_on_ray_writes_the_bytes_of_one_without_it(
    imgfix: Run, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    for number in range(4):
        save_photo(tmp_path / "photos" / f"{number}.png", number)
    assert imgfix(*BOX, tmp_path / "photos", "-o", tmp_path / "here").code == 0
    words = (*BOX, tmp_path / "photos", "-o", tmp_path / "there", "--ray", "local", "--worker-cores", "1")
    process = start(*words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    assert len(out.splitlines()) == 4
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "there").iterdir())) == 4


def test_a_clip_on_ray_is_the_file_of_one_made_without_it(
    imgfix: Run, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    """Two workers make its three parts."""
    make(tmp_path / "clip.mkv", Recipe(times=[number / 25 for number in range(150)]))
    words = ("upscale", tmp_path / "clip.mkv", "--model", "bicubic", "--scale", "2", "--no-record", "--json")
    assert imgfix(*words, "-o", tmp_path / "here.mkv").code == 0
    process = start(*words, "-o", tmp_path / "there.mkv", "--ray", "local", "--worker-cores", "1")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()
    assert len(out.splitlines()) == 1
    assert (tmp_path / "here.mkv").read_bytes() == (tmp_path / "there.mkv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mkv", "here.mkv", "there.mkv"]


def test_an_address_at_which_no_ray_answers_is_named(imgfix: Run, tmp_path: Path) -> None:  # noqa: F811
    photo = save_photo(tmp_path / "photo.png")
    found = imgfix(*BOX, photo, "-o", tmp_path / "out/", "--ray", "auto:no-port")
    assert found.code == 2 and "--ray auto:no-port" in found.err
