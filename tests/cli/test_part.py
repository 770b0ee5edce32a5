"""`--only` and `--except`: a region alone is restored or drawn by the model, or all but it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.nets.dncnn import DnCNN
from imgfix.nets.srvgg import SRVGG
from tests.cli.conftest import Run, litter, save_photo
from tests.cli.test_select import there  # noqa: F401  a fixture
from tests.media.clips import EVEN, Recipe, make

SIZE = (100, 60)
BOX = (20, 10, 30, 25)
FAR = 4
"""Beyond so many pixels from the box nothing is blended."""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_photo(tmp_path / "photo.png", size=SIZE)


@pytest.fixture
def cleaner(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = {"channels": 3, "features": 4, "convolutions": 3}
    net = DnCNN(channels=3, features=4, convolutions=3)
    return zoo.save(tmp_path / "cleaner.safetensors", "dncnn", config, net.state_dict(), task="restore", name="cleaner")


@pytest.fixture
def enlarger(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = {"scale": 2, "features": 4, "convs": 1}
    net = SRVGG(scale=2, features=4, convs=1)
    return zoo.save(tmp_path / "tiny.safetensors", "srvgg", config, net.state_dict(), task="upscale", name="tiny")


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def within(scale: int = 1) -> np.ndarray:
    found = np.zeros((SIZE[1] * scale, SIZE[0] * scale), bool)
    x, y, width, height = (scale * value for value in BOX)
    found[y : y + height, x : x + width] = True
    return found


def beyond(scale: int = 1) -> np.ndarray:
    found = np.ones((SIZE[1] * scale, SIZE[0] * scale), bool)
    x, y, width, height = (scale * value for value in BOX)
    far = FAR * scale
    found[y - far : y + height + far, x - far : x + width + far] = False
    return found


def test_restore_works_on_a_region_alone(imgfix: Run, photo: Path, cleaner: Path, tmp_path: Path) -> None:
    words = ("--model", cleaner, "--box", "20,10,30,25")
    assert imgfix("restore", photo, "--model", cleaner, "-o", tmp_path / "all.png").code == 0
    only = imgfix("restore", photo, *words, "--only", "-o", tmp_path / "only.png")
    rest = imgfix("restore", photo, *words, "--except", "-o", tmp_path / "rest.png")
    assert (only.code, rest.code) == (0, 0), only.err + rest.err
    before, whole = pixels(photo), pixels(tmp_path / "all.png")
    assert (before != whole).any(axis=2).mean() > 0.9
    part, others = pixels(tmp_path / "only.png"), pixels(tmp_path / "rest.png")
    assert np.array_equal(part[within()], whole[within()]) and np.array_equal(part[beyond()], before[beyond()])
    assert np.array_equal(others[within()], before[within()]) and np.array_equal(others[beyond()], whole[beyond()])
    assert "worked on" in only.err


def test_upscale_draws_a_region_alone_and_resamples_the_rest(
    imgfix: Run, photo: Path, enlarger: Path, tmp_path: Path
) -> None:
    def made(name: str, *words: object) -> np.ndarray:
        result = imgfix("upscale", photo, *words, "--scale", 2, "-o", tmp_path / name)
        assert result.code == 0, result.err
        return pixels(tmp_path / name)

    whole, plain = made("all.png", "--model", enlarger), made("plain.png", "--model", "lanczos")
    words = ("--model", enlarger, "--box", "20,10,30,25")
    only, rest = made("only.png", *words, "--only"), made("rest.png", *words, "--except")
    inner = within(2)
    inner[:, :41] = inner[:, 99:] = inner[:21] = inner[69:] = False  # the enlarged mask is half a pixel softer
    assert np.array_equal(only[inner], whole[inner]) and np.array_equal(only[beyond(2)], plain[beyond(2)])
    assert np.array_equal(rest[inner], plain[inner]) and np.array_equal(rest[beyond(2)], whole[beyond(2)])


def test_what_is_chosen_by_name_is_a_region(
    imgfix: Run, photo: Path, cleaner: Path, tmp_path: Path, there: object  # noqa: F811
) -> None:  # fmt: skip
    mask = tmp_path / "mask.png"
    words = ("--model", cleaner, "--object", "person:2", "--only", "--feather", 0, "--save-mask", mask)
    result = imgfix("restore", photo, *words, "-o", tmp_path / "out.png", "--json")
    assert result.code == 0, result.err
    inside = np.asarray(Image.open(mask)) > 127
    assert inside.sum() == 800 and inside[10:50, 60:80].all()
    assert np.array_equal(pixels(tmp_path / "out.png")[~inside], pixels(photo)[~inside])
    assert result.items[0]["coverage"] == pytest.approx(800 / 6000, abs=1e-5)


def test_scratches_outside_the_region_stay(imgfix: Run, tmp_path: Path) -> None:
    from tests.tasks.scenes import scene, scratched, with_noise

    old, _ = scratched(with_noise(scene(120, 160, 3), 1), 3)
    photo, found = tmp_path / "old.png", tmp_path / "found.png"
    Image.fromarray((old * 255 + 0.5).astype(np.uint8)).save(photo)
    words = ("--scratches", "--only", "--box", "0,0,50%,100%", "--feather", 0, "--save-mask", found)
    result = imgfix("restore", photo, *words, "-o", tmp_path / "out.png")
    assert result.code == 0, result.err
    mask = np.asarray(Image.open(found)) > 0
    assert mask[:, :80].any() and not mask[:, 80:].any()
    assert np.array_equal(pixels(tmp_path / "out.png")[:, 80:], pixels(photo)[:, 80:])


def test_a_plan_tells_how_much_is_worked_on(imgfix: Run, photo: Path, cleaner: Path, enlarger: Path) -> None:
    for verb, model in (("restore", cleaner), ("upscale", enlarger)):
        words = ("--only", "--box", "0,0,50%,100%", "--feather", 0, "--model", model, "--dry-run", "--json")
        [item] = imgfix(verb, photo, *words).items
        assert item["coverage"] == 0.5, item
    assert litter(photo.parent) == []


@pytest.mark.parametrize("verb", ["restore", "upscale"])
def test_every_frame_of_a_clip_has_its_part(
    imgfix: Run, tmp_path: Path, cleaner: Path, enlarger: Path, verb: str
) -> None:
    import av

    def frames(path: Path) -> list[np.ndarray]:
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    clip = make(tmp_path / "clip.mkv", Recipe(times=EVEN[:4]))
    exact = ("--codec", "ffv1", "--pix-fmt", "bgr0", "--model", cleaner if verb == "restore" else enlarger)
    more = ("--scale", 2) if verb == "upscale" else ()
    words = (*exact, *more)
    assert imgfix(verb, clip, *words, "-o", tmp_path / "all.mkv").code == 0
    result = imgfix(verb, clip, *words, "--only", "--box", "0,0,50%,100%", "--feather", 0, "-o", tmp_path / "part.mkv")
    assert result.code == 0, result.err
    method, scale = ("lanczos", 2) if verb == "upscale" else ("nearest", 1)
    plain = ("upscale", clip, *exact[:4], "--model", method, "--scale", scale, "-o", tmp_path / "plain.mkv")
    assert imgfix(*plain).code == 0
    clips = (frames(tmp_path / f"{name}.mkv") for name in ("plain", "all", "part"))
    for before, whole, part in zip(*clips, strict=True):
        half = whole.shape[1] // 2
        assert np.array_equal(part[:, : half - 1], whole[:, : half - 1])
        assert np.array_equal(part[:, half + 1 :], before[:, half + 1 :])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--only", 2, "--only says how a region is meant, and there is none"),
        ("--except", 2, "--except says how a region is meant, and there is none"),
        ("--box 1,1,5,5", 2, "a region is given, and nothing says what it is for"),
        ("--only --except --box 1,1,5,5", 2, "--only and --except contradict each other"),
        ("--only --box 900,1,5,5", 1, "outside the picture"),
        ("--only --mask nowhere.png", 2, "there is no such file or folder"),
        ("--only --object giraf", 2, "near it: giraffe"),
        ("--only --object dog", 3, "imgfix weights pull efficientdet-lite0"),
    ],
)
def test_what_makes_no_sense_is_said(
    imgfix: Run, photo: Path, cleaner: Path, enlarger: Path, words: str, code: int, said: str
) -> None:
    for verb, model in (("restore", cleaner), ("upscale", enlarger)):
        result = imgfix(verb, photo, "--model", model, *words.split())
        assert (result.code, said in result.err) == (code, True), result.err
    assert litter(photo.parent) == []
