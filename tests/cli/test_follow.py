"""Choosing in clips as its user sees it: followed, saved, corrected and given back; what stands still is an overlay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgfix as package
from imgfix.media.video.reader import Reader
from imgfix.pipelines.choosing import ModelTools
from tests.cli.conftest import Run, litter
from tests.media.clips import Recipe, make
from tests.tasks.test_follow import Tools, clip
from tests.tasks.test_still import clip as stamped
from tests.tasks.test_still import drawn

COUNT = 10
WORDS = ("--model", "telea", "--codec", "ffv1", "--pix-fmt", "bgr0", "--no-grain")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    for name in ("segmenter", "detector"):
        monkeypatch.setattr(ModelTools, name, lambda self, name=name: getattr(tools, name)())


def written(path: Path, frames: list[np.ndarray], rotation: int = 0) -> Path:
    times = tuple(round(0.04 * number, 2) for number in range(len(frames)))
    size = frames[0].shape[1], frames[0].shape[0]
    recipe = Recipe(times=times, size=size, codec="ffv1", pixels="bgra", pictures=frames, rotation=rotation)
    if rotation:  # the container that notes it takes no FFV1
        recipe = replace(recipe, codec="libx264", pixels="yuv444p", options={"qp": "0"})
    return make(path, recipe)


def shown(path: Path) -> list[np.ndarray]:
    return [frame.pixels[..., :3] for frame in Reader(path, upright=True).frames()]


@pytest.mark.parametrize("saved", ["masks", "masks.mkv"])
def test_a_named_thing_is_removed_from_every_frame_and_its_masks_can_be_given_back(
    imgfix: Run, tmp_path: Path, there: None, saved: str
) -> None:
    frames, true = clip([60 + 6 * number for number in range(COUNT)])
    source, place = written(tmp_path / "clip.mkv", frames), tmp_path / saved
    result = imgfix("inpaint", source, "--object", "dog", *WORDS, "--save-mask", place, "-o", tmp_path / "out.mkv")
    assert result.code == 0, result.err
    assert "followed" in result.err and "% filled" in result.err
    filled = shown(tmp_path / "out.mkv")
    for before, after, mask in zip(frames, filled, true, strict=True):
        assert (np.abs(after[mask].astype(int) - before[mask]).max(axis=1) > 40).mean() > 0.9
    masks = sorted(place.iterdir()) if place.is_dir() else []
    values = [np.asarray(Image.open(path)) for path in masks] or [frame[..., 0] for frame in shown(place)]
    assert len(values) == COUNT and all((value[mask] == 255).all() for value, mask in zip(values, true, strict=True))
    again = imgfix("inpaint", source, "--mask", place, *WORDS, "-o", tmp_path / "again.mkv")
    assert again.code == 0, again.err
    assert all(np.array_equal(one, two) for one, two in zip(filled, shown(tmp_path / "again.mkv"), strict=True))


def test_a_point_is_meant_for_a_moment_and_followed_both_ways(imgfix: Run, tmp_path: Path, there: None) -> None:
    frames, true = clip([60 + 6 * number for number in range(COUNT)])
    source = written(tmp_path / "clip.mkv", frames)
    words = ("--point", "90,80", "--at", "0.2", *WORDS, "--save-mask", tmp_path / "m")
    assert imgfix("inpaint", source, *words, "-o", tmp_path / "out.mkv").code == 0
    for path, mask in zip(sorted((tmp_path / "m").iterdir()), true, strict=True):
        assert (np.asarray(Image.open(path))[mask] == 255).all()
    package.inpaint(
        source, point=(90, 80), at=0.2, model="telea", codec="ffv1", pix_fmt="bgr0", grain=False,
        output=tmp_path / "python.mkv",
    )  # fmt: skip
    for one, two in zip(shown(tmp_path / "out.mkv"), shown(tmp_path / "python.mkv"), strict=True):
        assert np.array_equal(one, two)


def test_a_turned_clip_is_chosen_from_as_it_is_shown(imgfix: Run, tmp_path: Path, there: None) -> None:
    frames, true = clip([60 + 6 * number for number in range(COUNT)])
    source = written(tmp_path / "clip.mov", [np.ascontiguousarray(np.rot90(frame)) for frame in frames], rotation=90)
    expected = shown(source)[0]
    assert expected.shape == frames[0].shape
    turned = not np.array_equal(expected[80, 60], frames[0][80, 60])
    x, y = (240 - 1 - 60, 160 - 1 - 80) if turned else (60, 80)
    words = ("--point", f"{x},{y}", *WORDS, "--save-mask", tmp_path / "m", "-o", tmp_path / "out.mkv")
    result = imgfix("inpaint", source, *words)
    assert result.code == 0, result.err
    mask = np.asarray(Image.open(sorted((tmp_path / "m").iterdir())[0]))
    assert mask.shape == (160, 240) and mask[y, x] == 255
    assert (mask[true[0][::-1, ::-1] if turned else true[0]] == 255).all()


def test_a_stamp_is_removed_from_every_frame(imgfix: Run, tmp_path: Path) -> None:
    frames = list(stamped(30, "12.05.2019"))
    source = written(tmp_path / "clip.mkv", frames)
    result = imgfix("inpaint", source, "--overlay", *WORDS, "-o", tmp_path / "out.mkv")
    assert result.code == 0, result.err
    true, clean = drawn(stamp="12.05.2019"), list(stamped(30))
    pairs = zip(shown(tmp_path / "out.mkv"), clean, strict=True)
    errors = [np.abs(one[true].astype(int) - two[true]).mean() for one, two in pairs]
    assert np.mean(errors) < 12


def test_restore_and_upscale_work_on_what_is_followed(imgfix: Run, tmp_path: Path, there: None) -> None:
    frames, true = clip([60 + 6 * number for number in range(4)])
    source = written(tmp_path / "clip.mkv", frames)
    words = ("--only", "--object", "dog", "--feather", 0, "--codec", "ffv1", "--pix-fmt", "bgr0")
    result = imgfix("restore", source, "--denoise", 40, *words, "-o", tmp_path / "out.mkv")
    assert result.code == 0, result.err
    for before, after, mask in zip(frames, shown(tmp_path / "out.mkv"), true, strict=True):
        changed = (before != after).any(axis=2)
        assert changed[mask].mean() > 0.5 and not changed[~mask].any()


def test_a_plan_says_how_much_without_following(imgfix: Run, tmp_path: Path, there: None) -> None:
    frames, true = clip([60 + 6 * number for number in range(COUNT)])
    source = written(tmp_path / "clip.mkv", frames)
    words = ("--object", "dog", "--model", "telea", "--save-mask", tmp_path / "m", "--dry-run", "--json")
    [item] = imgfix("inpaint", source, *words).items
    assert item["coverage"] == pytest.approx(true[0].mean(), rel=0.4)
    assert litter(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--at 2 --box 1,1,5,5", 2, "--at says in which moment"),
        ("--at soon --object dog", 2, "--at soon: not a time"),
        ("--at 50 --object dog", 2, "--at 50 s is outside the part"),
        ("--point 900,5", 1, "outside the picture"),
        ("--object dog:3", 1, "only 1 found"),
        ("--object dog --save-mask m.png", 2, "hold no masks of a clip"),
        ("--object dog --save-mask m.mp4", 2, "hold no masks without loss"),
        ("--object dog --alpha", 2, "--alpha is for single pictures"),
    ],
)
def test_what_cannot_be_done_is_said(
    imgfix: Run, tmp_path: Path, there: None, words: str, code: int, said: str
) -> None:  # fmt: skip
    source = written(tmp_path / "clip.mkv", clip([60 + 6 * number for number in range(COUNT)])[0])
    result = imgfix("inpaint", source, "--model", "telea", *words.split())
    assert (result.code, said in result.err) == (code, True), result.err
    assert litter(tmp_path) == []
