"""`imgfix upscale` without a model: what a picture shows decides, picture by picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgfix as library
from imgfix.media import image
from tests.cli.conftest import Run, save_photo
from tests.tasks.test_content import cartoon, page, sprite


@pytest.fixture
def usual(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model, x2, is the best for photos on this machine, and there is none for drawings."""
    from imgfix.zoo import auto

    monkeypatch.setattr(auto, "resolve", lambda task, scale=None, job=None: (str(tiny), None))
    monkeypatch.setattr(auto, "for_drawings", lambda name, scale, patient: None)
    return tiny


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with a photo, a sprite and a page."""
    save_photo(tmp_path / "in" / "photo.png")
    Image.fromarray(sprite()).save(tmp_path / "in" / "sprite.png")
    Image.fromarray(page((200, 90))).save(tmp_path / "in" / "page.png")
    return tmp_path / "in"


def test_each_picture_of_a_batch_gets_what_serves_it(imgfix: Run, mixed: Path, tmp_path: Path, usual: Path) -> None:
    result = imgfix("upscale", mixed, "-o", tmp_path / "out", "--json", "-v")
    assert result.code == 0, result.err
    found = {Path(item["source"]).stem: item for item in result.items}
    assert {name: item["content"] for name, item in found.items()} == {
        "photo": "photo", "sprite": "pixel art", "page": "text",
    }  # fmt: skip
    assert (found["sprite"]["model"], found["page"]["model"]) == ("nearest", "bicubic")
    assert found["photo"]["model"] == usual.stem
    assert "letters in rows" in result.err and "colours, no edge is smoothed" in result.err, "-v says why"
    scale = found["photo"]["output"]["width"] // 32
    made = np.asarray(Image.open(tmp_path / "out" / "sprite.png"))
    assert np.array_equal(made, sprite().repeat(scale, 0).repeat(scale, 1)), "the size is that of the others"


def test_it_is_said_in_the_line_and_in_the_record(imgfix: Run, mixed: Path, usual: Path) -> None:
    result = imgfix("upscale", mixed / "sprite.png", "-o", mixed / "a.png", "--scale", "2")
    assert result.err.splitlines()[0] == "nearest (classical) on cpu, the file's own precision"
    assert "pixel art: nearest" in result.err and "smoothed" not in result.err
    made = image.read_record(mixed / "a.png")
    assert made is not None and made["model"] == "nearest" and made["content"].startswith("pixel art, ")
    assert made["command"] == f"imgfix upscale {mixed / 'sprite.png'} --model nearest --scale 2"


def test_a_model_that_is_named_is_taken_whatever_the_picture_shows(imgfix: Run, mixed: Path, tiny: Path) -> None:
    (item,) = imgfix("upscale", mixed / "sprite.png", "--model", tiny, "--json").items
    assert item["model"] == "tiny-x2" and "content" not in item


def test_a_plan_says_the_same(imgfix: Run, mixed: Path, usual: Path) -> None:
    planned = imgfix("upscale", mixed / "page.png", "--dry-run", "--json").items[0]
    done = imgfix("upscale", mixed / "page.png", "--json").items[0]
    assert planned["content"] == done["content"] == "text" and planned["model"] == done["model"] == "bicubic"
    assert planned["output"]["width"] == done["output"]["width"]


def test_animated_sprites_keep_their_colours(imgfix: Run, tmp_path: Path, usual: Path) -> None:
    frames = [Image.fromarray(np.roll(sprite(32), shift, 1)) for shift in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    result = imgfix("upscale", tmp_path / "a.gif", "-o", tmp_path / "b.gif", "--scale", "2", "--json")
    assert result.code == 0, result.err
    assert result.items[0]["model"] == "nearest" and result.items[0]["content"] == "pixel art"
    with Image.open(tmp_path / "b.gif") as made:
        assert np.array_equal(np.asarray(made.convert("RGB")), sprite(32).repeat(2, 0).repeat(2, 1))


def test_drawings_get_a_model_for_drawings_where_one_is_here(
    imgfix: Run, tmp_path: Path, usual: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.zoo import auto

    Image.fromarray(cartoon(128)).save(tmp_path / "a.png")
    (before,) = imgfix("upscale", tmp_path / "a.png", "-o", tmp_path / "b.png", "--json").items
    monkeypatch.setattr(auto, "for_drawings", lambda name, scale, patient: str(plain))
    (after,) = imgfix("upscale", tmp_path / "a.png", "-o", tmp_path / "c.png", "--json").items
    assert before["content"] == after["content"] == "drawing"
    assert (before["model"], after["model"]) == (usual.stem, plain.stem)


def test_python_chooses_alike(mixed: Path, usual: Path) -> None:
    made = library.upscale(sprite(), scale=3)
    assert np.array_equal(made, sprite().repeat(3, 0).repeat(3, 1))


def test_a_device_that_is_not_there_is_refused_before_any_picture_is_read(
    imgfix: Run, mixed: Path, usual: Path
) -> None:
    assert imgfix("upscale", mixed / "sprite.png", "--device", "abacus").code == 2


def test_a_template_names_what_was_asked_for(imgfix: Run, mixed: Path, tmp_path: Path, usual: Path) -> None:
    assert imgfix("upscale", mixed / "sprite.png", "-o", tmp_path / "{stem}-{model}{ext}").code == 0
    assert (tmp_path / "sprite-auto.png").exists()
