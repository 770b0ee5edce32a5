"""`imgfix run`: several verbs in one pass give what the verbs give one after the other, and lose nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import imgfix as library
from imgfix.media import image
from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run, litter, save_photo
from tests.cli.test_upscale_clips import INTERRUPTS_ITSELF
from tests.media.clips import EVEN, Recipe, Sound, make, picture
from tests.tasks.scenes import scene, with_noise

STEP = '[[step]]\nverb = "{}"\n'


def recipe(path: Path, *steps: dict[str, Any], top: str = "") -> Path:
    """Write a recipe of these steps."""
    lines = [top]
    for step in steps:
        lines += ["[[step]]", *(f"{name} = {json.dumps(value)}" for name, value in step.items())]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def words(step: dict[str, Any]) -> list[str]:
    """The same step as words of a command line."""
    found = [step["verb"]]
    for name, value in step.items():
        if name != "verb":
            flag = f"--{name.replace('_', '-')}"
            found += [flag] if value is True else [flag, str(value)]
    return found


def noisy(path: Path, size: tuple[int, int] = (96, 80), **more: Any) -> Path:
    """A photo with noise in it."""
    width, height = size
    pixels = (with_noise(scene(height, width) * 0.8, 12, seed=1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(pixels).save(path, **more)
    return path


@pytest.fixture
def chain(lighter: Path, tiny: Path) -> list[dict[str, Any]]:
    """Three verbs with models of a few weights."""
    return [
        {"verb": "restore", "denoise": "auto", "model": str(lighter)},
        {"verb": "inpaint", "box": "10,12,20,16", "model": "telea", "feather": 2},
        {"verb": "upscale", "model": str(tiny), "precision": "fp32"},
    ]


def one_by_one(imgfix: Run, source: Path, steps: list[dict[str, Any]], ending: str, *options: str) -> Path:
    """Run the verbs one after the other, with lossless files between them."""
    for number, step in enumerate(steps, 1):
        target = source.with_name(f"by-hand-{number}{ending}")
        result = imgfix(*words(step), source, "-o", target, *options)
        assert result.code == 0, result.err
        source = target
    return source


def pixels(path: Path) -> np.ndarray:
    return image.read(path).pixels


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "grey.png", "deep.tif", "alpha.png"])
def test_a_picture_is_what_the_verbs_make_of_it_one_after_the_other(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]], name: str
) -> None:
    source = tmp_path / name
    if name == "a.jpg":
        noisy(source, quality=30)
    elif name == "a.png":
        noisy(source)
    elif name == "grey.png":
        Image.open(noisy(tmp_path / "x.png")).convert("L").save(source)
    elif name == "deep.tif":
        import cv2

        cv2.imwrite(str(source), cv2.imread(str(noisy(tmp_path / "x.png"))).astype(np.uint16) * 257)
    else:
        photo = Image.open(noisy(tmp_path / "x.png"))
        photo.putalpha(Image.linear_gradient("L").resize(photo.size))
        photo.save(source)
    apart = one_by_one(imgfix, source, chain, ".tif")
    result = imgfix("run", recipe(tmp_path / "all.toml", *chain), source, "-o", tmp_path / "out.tif")
    assert result.code == 0, result.err
    found, wanted = image.read(tmp_path / "out.tif"), image.read(apart)
    assert found.pixels.shape == (160, 192, wanted.channels) and found.pixels.dtype == wanted.pixels.dtype
    assert np.array_equal(found.pixels, wanted.pixels)
    assert (found.alpha is None) == (name != "alpha.png")
    assert found.alpha is None or np.array_equal(found.alpha, wanted.alpha)
    assert litter(tmp_path) == []


def test_what_a_jpeg_says_of_itself_counts_for_the_first_step_only(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]
) -> None:
    source = noisy(tmp_path / "a.jpg", quality=20)
    turned = [chain[2], {**chain[0], "jpeg": "auto"}]
    apart = one_by_one(imgfix, source, turned, ".png")
    assert imgfix("run", recipe(tmp_path / "all.toml", *turned), source, "-o", tmp_path / "out.png").code == 0
    assert np.array_equal(pixels(tmp_path / "out.png"), pixels(apart))


def test_upscale_with_restore_is_restore_and_then_upscale(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = noisy(tmp_path / "a.png")
    steps: list[dict[str, Any]] = [{"verb": "restore"}, {"verb": "upscale", "model": str(tiny)}]
    apart = one_by_one(imgfix, source, steps, ".png")
    assert imgfix("upscale", source, "--restore", "--model", tiny, "-o", tmp_path / "both.png").code == 0
    assert imgfix("run", recipe(tmp_path / "all.toml", *steps), source, "-o", tmp_path / "run.png").code == 0
    inner = recipe(tmp_path / "inner.toml", {**steps[1], "restore": True})
    assert imgfix("run", inner, source, "-o", tmp_path / "inner.png").code == 0
    for name in ("both.png", "run.png", "inner.png"):
        assert np.array_equal(pixels(tmp_path / name), pixels(apart)), name


def clip(path: Path, count: int = 8, **more: Any) -> Path:
    shots = [
        (with_noise(np.roll(scene(64, 96) * 0.8, number, axis=1), 15, seed=number) * 255 + 0.5).astype(np.uint8)
        for number in range(count)
    ]
    how = {"times": EVEN[:count], "codec": "ffv1", "pixels": "bgra", "pictures": shots, **more}
    return make(path, Recipe(size=(96, 64), **how))


def shown(path: Path) -> list[np.ndarray]:
    return [frame.pixels for frame in Reader(path).frames()]


@pytest.mark.slow
def test_a_clip_is_what_the_verbs_make_of_it_one_after_the_other(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]
) -> None:
    source = clip(tmp_path / "a.mkv", sounds=(Sound(seconds=0.3),))
    apart = one_by_one(imgfix, source, chain, ".mkv")
    result = imgfix("run", recipe(tmp_path / "all.toml", *chain), source, "-o", tmp_path / "out.mkv", "--json")
    assert result.code == 0, result.err
    found, wanted = shown(tmp_path / "out.mkv"), shown(apart)
    assert len(found) == 8 and found[0].shape[:2] == (128, 192)
    assert all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))
    (item,) = result.items
    assert [step["verb"] for step in item["run"]] == ["restore", "inpaint", "upscale"]
    assert item["streams"][0]["kind"] == "audio" and item["frames"] == 8


@pytest.mark.slow
def test_a_step_behind_another_looks_at_what_that_one_made(
    imgfix: Run, tmp_path: Path, plain: Path, lighter: Path
) -> None:
    """Restoring last sees larger frames, with softer noise, than restoring first."""
    source = clip(tmp_path / "a.mkv")
    steps = [{"verb": "upscale", "model": str(plain)}, {"verb": "restore", "model": str(lighter), "denoise": "auto"}]
    apart = one_by_one(imgfix, source, steps, ".mkv")
    assert imgfix("run", recipe(tmp_path / "all.toml", *steps), source, "-o", tmp_path / "out.mkv").code == 0
    assert all(np.array_equal(*both) for both in zip(shown(tmp_path / "out.mkv"), shown(apart), strict=True))


@pytest.mark.slow
def test_a_colour_is_looked_for_in_what_the_step_before_left(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    shots = [picture(number, (96, 64)) for number in range(4)]
    for number, shot in enumerate(shots):
        shot[10:20, 10 + number : 20 + number] = (255, 0, 255)
    source = clip(tmp_path / "a.mkv", 4, pictures=shots)
    steps = [
        {"verb": "upscale", "model": str(plain)},
        {"verb": "inpaint", "color": "#ff00ff", "model": "telea", "tolerance": 40, "dilate": 2},
    ]
    apart = one_by_one(imgfix, source, steps, ".mkv")
    result = imgfix("run", recipe(tmp_path / "all.toml", *steps), source, "-o", tmp_path / "out.mkv")
    assert result.code == 0, result.err
    assert all(np.array_equal(*both) for both in zip(shown(tmp_path / "out.mkv"), shown(apart), strict=True))
    magenta = np.array([255, 0, 255])
    assert all(
        np.abs(frame[..., :3].astype(int) - magenta).sum(axis=2).min() > 60 for frame in shown(tmp_path / "out.mkv")
    )


def test_an_animated_picture_goes_through_all_steps(imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]) -> None:
    pages = [Image.fromarray(picture(number, (96, 80))) for number in range(3)]
    source = tmp_path / "a.png"
    pages[0].save(source, save_all=True, append_images=pages[1:], duration=[40, 80, 120], loop=3)
    apart = one_by_one(imgfix, source, chain, ".png")
    assert imgfix("run", recipe(tmp_path / "all.toml", *chain), source, "-o", tmp_path / "out.png").code == 0
    with Image.open(tmp_path / "out.png") as found, Image.open(apart) as wanted:
        assert (found.n_frames, found.size, found.info["loop"]) == (3, (192, 160), 3)
        for number in range(3):
            found.seek(number), wanted.seek(number)
            assert found.info["duration"] == wanted.info["duration"]
            assert np.array_equal(np.asarray(found.convert("RGB")), np.asarray(wanted.convert("RGB")))


def test_a_folder_of_frames_and_the_pages_of_a_tiff_go_through_all_steps(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]
) -> None:
    (tmp_path / "shots").mkdir()
    for number in range(3):
        Image.fromarray(picture(number, (96, 80))).save(tmp_path / "shots" / f"{number}.png")
    file = recipe(tmp_path / "all.toml", *chain)
    result = imgfix("run", file, tmp_path / "shots", "--frames", "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert [pixels(path).shape for path in sorted((tmp_path / "out").iterdir())] == [(160, 192, 3)] * 3
    pages = [Image.fromarray(picture(number, (96, 80))) for number in range(2)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    assert imgfix("run", file, tmp_path / "two.tif", "-o", tmp_path / "both.tif").code == 0
    with Image.open(tmp_path / "both.tif") as both:
        assert (both.n_frames, both.size) == (2, (192, 160))


def test_metadata_of_the_input_are_in_the_result(imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "harbour", 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = noisy(tmp_path / "a.jpg", exif=exif, icc_profile=profile, dpi=(300, 300), quality=95)
    result = imgfix("run", recipe(tmp_path / "all.toml", *chain), source)
    assert result.code == 0, result.err
    with Image.open(tmp_path / "a_all.jpg") as made:
        assert made.size == (160, 192)  # upright
        assert (made.getexif()[0x010E], made.getexif()[0x0112]) == ("harbour", 1)
        assert made.info["icc_profile"] == profile and made.info["dpi"] == (300, 300)


def test_the_record_says_how_each_step_was_done(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]], lighter: Path
) -> None:
    source, file = noisy(tmp_path / "a.png"), recipe(tmp_path / "all.toml", *chain)
    assert imgfix("run", file, source, "-o", tmp_path / "b.png", "--max-pixels", "0").code == 0
    found: Any = image.read_record(tmp_path / "b.png")
    assert found["command"] == f"imgfix run {file} {source}"
    assert [step["command"].split()[1] for step in found["steps"]] == ["restore", "inpaint", "upscale"]
    assert "--box 10,12,20,16" in found["steps"][1]["command"] and found["steps"][1]["model"] == "telea"
    assert len(found["steps"][0]["sha256"]) == 64
    assert imgfix("run", file, source, "-o", tmp_path / "c.png", "--no-record").code == 0
    assert image.read_record(tmp_path / "c.png") is None


def test_results_beside_their_sources_are_no_inputs_of_the_next_run(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    noisy(folder / "a.png")
    file = recipe(tmp_path / "clean.toml", *chain[1:])
    assert imgfix("run", file, folder).code == 0
    again = imgfix("run", file, folder, "--skip-existing", "--json")
    assert [(Path(item["source"]).name, item["status"]) for item in again.items] == [("a.png", "skipped")]
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "a_clean.png"]


def test_one_bad_file_does_not_end_a_batch(imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]) -> None:
    folder = tmp_path / "in"
    noisy(save_photo(folder / "a.png"))
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes()[:90])
    save_photo(folder / "c.png", size=(8, 8))  # smaller than the box that is filled
    result = imgfix("run", recipe(tmp_path / "all.toml", *chain), folder, "-o", tmp_path / "out", "--json")
    assert result.code == 1
    status = {Path(item["source"]).name: item for item in result.items}
    assert [status[name]["status"] for name in ("a.png", "b.png", "c.png")] == ["done", "failed", "failed"]
    assert "step 2 (inpaint)" in status["c.png"]["error"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_where_no_step_finds_anything_the_file_is_copied(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = tmp_path / "a.png"
    Image.fromarray((with_noise(scene() * 0.8, 0) * 255).astype(np.uint8)).save(source)
    twice = recipe(tmp_path / "all.toml", {"verb": "restore"}, {"verb": "restore", "jpeg": "off"})
    result = imgfix("run", twice, source, "-o", tmp_path / "b.png", "--json")
    assert result.code == 0, result.err
    assert result.items[0]["copied"] and (tmp_path / "b.png").read_bytes() == source.read_bytes()


def test_artefacts_that_were_undone_are_not_written_again(
    imgfix: Run, tmp_path: Path, lighter: Path, plain: Path
) -> None:
    source = noisy(tmp_path / "a.jpg", quality=20)
    steps = [{"verb": "restore", "jpeg": 20, "model": str(lighter)}, {"verb": "upscale", "model": str(plain)}]
    assert imgfix("run", recipe(tmp_path / "all.toml", *steps), source, "-o", tmp_path / "b.jpg").code == 0
    settings = image.read(tmp_path / "b.jpg").metadata.jpeg
    assert settings is not None and settings.quality > 85


def test_the_plan_adds_up_what_each_step_takes(
    imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]], lighter: Path
) -> None:
    source = noisy(tmp_path / "a.png")
    result = imgfix("run", recipe(tmp_path / "all.toml", *chain), source, "--dry-run", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    restore, inpaint, upscale = item["run"]
    assert item["status"] == "planned" and item["output"] == {"width": 192, "height": 160}
    assert [step["model"] for step in restore["steps"]] == ["lighter"] and inpaint["model"] == "telea"
    assert (upscale["model"], upscale["output"]["width"]) == ("tiny-x2", 192)
    known = sum(step.get("seconds", 0) for step in item["run"])
    assert item["seconds"] == pytest.approx(known, abs=0.15)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "all.toml"]
    lines = imgfix("run", tmp_path / "all.toml", source, "--dry-run").err
    assert "restore: found noise" in lines and "upscale: tiny-x2, 96x80 -> 192x160" in lines


def test_a_plan_sees_the_size_that_the_step_before_leaves(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    steps = [{"verb": "upscale", "model": str(plain)}, {"verb": "upscale", "model": str(plain), "scale": 3}]
    file = recipe(tmp_path / "all.toml", *steps)
    source = noisy(tmp_path / "a.png")
    planned = imgfix("run", file, source, "--dry-run", "--json").items[0]
    assert [step["output"]["width"] for step in planned["run"]] == [192, 576]
    moving = imgfix("run", file, clip(tmp_path / "a.mkv", 3), "--dry-run", "--json").items[0]
    assert [step["output"]["width"] for step in moving["run"]] == [192, 576] and moving["output"]["width"] == 576


def test_options_of_the_whole_stand_above_the_steps_and_the_command_line_wins(
    imgfix: Run, tmp_path: Path, plain: Path
) -> None:
    file = recipe(
        tmp_path / "small.toml", {"verb": "upscale", "model": str(plain)}, top='format = "webp"\nquality = 40'
    )
    source = noisy(tmp_path / "a.png")
    assert imgfix("run", file, source).code == 0
    assert Image.open(tmp_path / "a_small.webp").format == "WEBP"
    assert imgfix("run", file, source, "--format", "jpeg", "-o", f"{tmp_path}/out/").code == 0
    settings = image.read(tmp_path / "out" / "a.jpg").metadata.jpeg
    assert settings is not None and settings.quality == 40


def test_files_of_a_recipe_lie_beside_it(imgfix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    mask = np.zeros((80, 96), np.uint8)
    mask[20:40, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / "recipes" / "m.png")
    file = recipe(tmp_path / "recipes" / "r.toml", {"verb": "inpaint", "mask": "m.png", "model": "telea"})
    source = noisy(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert imgfix("run", file, source, "-o", tmp_path / "b.png").code == 0
    changed = (pixels(tmp_path / "b.png") != pixels(source)).any(axis=2)
    assert changed.any() and not changed[mask == 0].any()


def test_a_mask_for_each_picture_is_paired_by_name_in_a_later_step(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    for name in ("a", "b"):
        noisy(save_photo(tmp_path / "in" / f"{name}.png"))
        mask = np.zeros((160, 192), np.uint8)
        mask[20:40, slice(20, 60) if name == "a" else slice(100, 140)] = 255
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    steps = [
        {"verb": "upscale", "model": str(plain)},
        {"verb": "inpaint", "mask": "masks", "model": "telea", "save_mask": "used/"},
    ]
    result = imgfix("run", recipe(tmp_path / "all.toml", *steps), tmp_path / "in", "-o", tmp_path / "out")
    assert result.code == 0, result.err
    doubled = pixels(tmp_path / "in" / "b.png").repeat(2, axis=0).repeat(2, axis=1)
    changed = np.argwhere((pixels(tmp_path / "out" / "b.png") != doubled).any(axis=2))
    assert changed[:, 1].min() >= 100 and changed[:, 1].max() < 140
    assert sorted(path.name for path in (tmp_path / "used").iterdir()) == ["a_mask.png", "b_mask.png"]


def test_python_takes_the_same_recipe_or_its_steps(imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]) -> None:
    source, file = noisy(tmp_path / "a.png"), recipe(tmp_path / "all.toml", *chain)
    assert imgfix("run", file, source, "-o", tmp_path / "b.png").code == 0
    wanted = pixels(tmp_path / "b.png")
    assert np.array_equal(library.run(file, source), wanted)
    assert np.array_equal(library.run(chain, pixels(source)), wanted)
    told: list[tuple[int, int]] = []
    made = library.run(chain, source, output=tmp_path / "c.png", progress=lambda *both: told.append(both))
    assert np.array_equal(made, wanted) and np.array_equal(pixels(tmp_path / "c.png"), wanted)
    shares = [done / total for done, total in told if total]
    assert shares == sorted(shares) and shares[-1] == 1


def test_a_watched_folder_takes_a_recipe(imgfix: Run, tmp_path: Path, chain: list[dict[str, Any]]) -> None:
    noisy(save_photo(tmp_path / "in" / "a.png"))
    file = recipe(tmp_path / "all.toml", *chain)
    watched = ("watch", tmp_path / "in", "-o", tmp_path / "out", "--once", "--settle", "0", "--json", "--", "run", file)
    result = imgfix(*watched)
    assert (result.code, [item["status"] for item in result.items]) == (0, ["done"]), result.err
    assert imgfix("run", file, tmp_path / "in" / "a.png", "-o", tmp_path / "b.png").code == 0
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), pixels(tmp_path / "b.png"))
    assert imgfix(*watched).items == []


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (STEP.format("upscale") + "scalle = 2", "step 1 (upscale): 'scalle' is no option of upscale", "mean scale?"),
        (STEP.format("restore") + STEP.format("upscal"), "step 2: 'upscal' is no step", "did you mean upscale?"),
        (STEP.format("upscale") + 'scale = "big"', "step 1 (upscale): 'scale' 'big'", "such as 2"),
        (STEP.format("upscale") + "tta = 1", "step 1 (upscale): 'tta' 1: it takes true or false", "without quotes"),
        (STEP.format("upscale") + "width = 1.5", "step 1 (upscale): 'width' 1.5: it takes a whole number", "such as 2"),
        (STEP.format("restore") + "denoise = true", "'denoise' True: it takes a number or text", "such as 1.5"),
        (STEP.format("restore") + "strength = 2", "step 1 (restore): strength", ""),
        (STEP.format("restore") + 'denoise = "much"', "step 1 (restore): denoise much is no level", "give auto, off"),
        (STEP.format("upscale") + 'model = "photo-x5"', "step 1 (upscale): ", "photo-x4"),
        (STEP.format("restore") + STEP.format("inpaint"), "step 2 (inpaint): nothing says what to fill", "box"),
        (STEP.format("upscale") + "quality = 90", "'quality' is no option of upscale", "above the first [[step]]"),
        (STEP.format("upscale") + 'output = "x.png"', "'output' is no option of upscale", "where the recipe is run"),
        (STEP.format("select"), "'select' is no step of a recipe", "makes a mask"),
        ("[[step]]\nscale = 2", "step 1 has no verb", "upscale"),
        ("[[steps]]\nverb = 'upscale'", "'steps' is no option of a recipe", "did you mean step?"),
        ("quality = 200\n" + STEP.format("restore"), "quality 200 is out of range", "1 to 100"),
        ("quality = 90", "has no steps", "[[step]]"),
        ("step = 3", "has no steps", "[[step]]"),
        ("step = [3]", "step 1 is no table", "[[step]]"),
        ("[[step]", "is no recipe", "TOML"),
        ("", "has no steps", "[[step]]"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_recipe_is_said_before_any_work(
    imgfix: Run, tmp_path: Path, text: str, said: str, hint: str
) -> None:
    source = noisy(tmp_path / "a.png")
    (tmp_path / "r.toml").write_text(text)
    result = imgfix("run", tmp_path / "r.toml", source, "-o", tmp_path / "out.png")
    assert result.code in (2, 3), result.err
    assert f"{tmp_path / 'r.toml'}" in result.err and said in result.err and hint in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "r.toml"]


def test_a_recipe_that_is_not_there_is_named(imgfix: Run, tmp_path: Path) -> None:
    result = imgfix("run", tmp_path / "none.toml", noisy(tmp_path / "a.png"))
    assert result.code == 1 and "none.toml: no such recipe" in result.err


def test_what_a_verb_does_not_do_to_clips_is_refused_with_its_step(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    steps = [{"verb": "upscale", "model": str(plain)}, {"verb": "restore", "scratches": True, "denoise": "off"}]
    result = imgfix("run", recipe(tmp_path / "all.toml", *steps), clip(tmp_path / "a.mkv", 3))
    assert result.code == 2 and "step 2 (restore): " in result.err and "moves" in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "all.toml"]


@pytest.mark.slow
def test_an_interrupted_clip_goes_on_to_the_same_frames(
    imgfix: Run, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, chain: list[dict[str, Any]]
) -> None:
    times = [number / 25 for number in range(150)]
    source = make(tmp_path / "a.mkv", Recipe(times=times, codec="ffv1", pixels="bgr0"))
    file = recipe(tmp_path / "all.toml", {**chain[0], "denoise": 10}, chain[2])
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTS_ITSELF)
    process = start("run", file, source, "-o", tmp_path / "b.mkv", "--device", "cpu", script=script)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130 and not (tmp_path / "b.mkv").exists(), err
    resumed = imgfix("run", file, source, "-o", tmp_path / "b.mkv", "--device", "cpu", "--resume", "--json")
    assert resumed.code == 0 and resumed.items[0]["resumed"] == 128, resumed.err
    assert imgfix("run", file, source, "-o", tmp_path / "c.mkv", "--device", "cpu").code == 0
    assert all(np.array_equal(*both) for both in zip(shown(tmp_path / "b.mkv"), shown(tmp_path / "c.mkv"), strict=True))


ABSENT = "#ff00ff"
"""A colour that nothing has."""


@pytest.fixture
def parts(lighter: Path, tiny: Path) -> dict[str, dict[str, Any]]:
    """A step of each verb that works on what has a colour, or on all but that."""
    restore = {"verb": "restore", "denoise": 12, "model": str(lighter)}
    upscale = {"verb": "upscale", "model": str(tiny), "precision": "fp32"}
    return {
        "restore only": {**restore, "only": True, "color": ABSENT},
        "restore except": {**restore, "except": True, "color": ABSENT},
        "restore": restore,
        "upscale only": {**upscale, "only": True, "color": ABSENT},
        "upscale except": {**upscale, "except": True, "color": ABSENT},
        "upscale": upscale,
        "plain": {**upscale, "model": "lanczos", "scale": 2},
        "inpaint": {"verb": "inpaint", "model": "telea", "color": ABSENT},
    }


@pytest.mark.parametrize(
    ("steps", "instead", "words"),
    [
        (["restore only", "upscale"], ["upscale"], "nothing is worked on"),
        (["restore except", "upscale"], ["restore", "upscale"], "all of it is worked on"),
        (["upscale only", "restore"], ["plain", "restore"], "nothing is worked on"),
        (["upscale except", "restore"], ["upscale", "restore"], "all of it is worked on"),
        (["inpaint", "upscale"], ["upscale"], "nothing filled"),
    ],
)
@pytest.mark.parametrize("moves", [False, True], ids=["picture", "clip"])
def test_a_step_that_finds_nothing_of_what_it_looks_for_leaves_the_others_to_do(
    imgfix: Run, tmp_path: Path, parts: dict[str, dict[str, Any]], steps: list[str], instead: list[str], words: str,
    moves: bool,
) -> None:  # fmt: skip
    ending = ".mkv" if moves else ".png"
    source = clip(tmp_path / "a.mkv", 3, codec="ffv1", pixels="bgr0") if moves else noisy(tmp_path / "a.png", (48, 40))
    made = {}
    for name, chosen in (("found", steps), ("wanted", instead)):
        file = recipe(tmp_path / f"{name}.toml", *(parts[step] for step in chosen))
        made[name] = tmp_path / f"{name}{ending}"
        options = ("--codec", "ffv1", "--pix-fmt", "bgr0") if moves else ()
        result = imgfix("run", file, source, "-o", made[name], "--device", "cpu", *options)
        assert result.code == 0, result.err
        assert ("has the colour that" in result.err) == (name == "found")
        assert (f"; {words}" in result.err) == (name == "found")
        planned = imgfix("run", file, source, "-o", tmp_path / f"x{ending}", "--device", "cpu", "--dry-run", *options)
        assert planned.code == 0, planned.err
    if moves:
        assert all(np.array_equal(*both) for both in zip(*map(shown, made.values()), strict=True))
    else:
        assert np.array_equal(*map(pixels, made.values()))


@pytest.mark.parametrize("step", ["restore only", "restore except", "upscale only", "inpaint"])
def test_alone_a_verb_that_finds_nothing_of_what_it_looks_for_is_refused(
    imgfix: Run, tmp_path: Path, parts: dict[str, dict[str, Any]], step: str
) -> None:
    source = noisy(tmp_path / "a.png", (48, 40))
    result = imgfix(*words(parts[step]), source, "-o", tmp_path / "out.png")
    assert result.code == 1 and "nothing in it has the colour that" in result.err
    assert not (tmp_path / "out.png").exists()


def test_a_picture_in_which_nothing_is_found_goes_on_as_it_is(imgfix: Run, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:96, :128]
    smooth = np.stack([60 + rows, 60 + columns // 2, np.full_like(rows, 120)], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "photo.png")
    steps = recipe(
        tmp_path / "r.toml",
        {"verb": "inpaint", "overlay": True, "model": "telea"},
        {"verb": "upscale", "scale": 2, "model": "nearest"},
    )
    result = imgfix("run", steps, tmp_path / "photo.png", "-o", tmp_path / "out.png")
    assert result.code == 0, result.err
    assert "nothing that was laid over the picture was found; nothing filled" in result.err
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out.png"))[::2, ::2], smooth)
    alone = imgfix("inpaint", tmp_path / "photo.png", "--overlay", "--model", "telea")
    assert alone.code == 1 and "nothing that was laid over" in alone.err
