"""Minutes on a CPU decide batch and crop, the model decides the scale; what is said aloud decides first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix.cli import run
from imgfix.errors import worded
from imgfix.pipelines.option_names import option
from imgfix.pipelines.training import recipe_of
from imgfix.train import pace
from imgfix.train.distributed import Team
from imgfix.train.placement import Placement, place
from imgfix.train.progress import Display
from imgfix.train.recipe import Recipe, build_recipe, read_toml
from tests.train.test_jobs import NETS, photos, recipe_for
from tests.train.told import Told

assert photos
Timed = Callable[[float], None]


@pytest.fixture
def where() -> Placement:
    return place("cpu", "fp32")


@pytest.fixture
def steps_take(monkeypatch: pytest.MonkeyPatch) -> Timed:
    """Let a step take so many seconds for each million pixels."""

    def take(seconds: float) -> None:
        def timed(recipe: Recipe, *_: object) -> float:
            return seconds * recipe.crop**2 * recipe.batch / 1e6

        monkeypatch.setattr(pace, "_seconds", timed)

    return take


def sized(minutes: float, where: Placement, **settings: Any) -> tuple[int, int]:
    recipe = build_recipe("upscale", [{"photos": ("x",), "minutes": minutes, "pace": True, **settings}])
    found = pace.paced(recipe, where, Team(), Display(recipe))
    return found.crop, found.batch


@pytest.mark.parametrize(("minutes", "size"), [
    (60, (192, 16)), (15, (192, 8)), (8, (96, 16)), (4, (96, 8)), (2, (96, 4)), (0.1, (96, 4)),
])  # fmt: skip
def test_the_largest_of_which_some_hundred_steps_fit(
    minutes: float, size: tuple[int, int], where: Placement, steps_take: Timed
) -> None:
    steps_take(10.0)
    assert sized(minutes, where) == size


def test_what_is_chosen_is_said(where: Placement, steps_take: Timed) -> None:
    steps_take(10.0)
    told = Told()
    recipe = build_recipe("upscale", [{"photos": ("x",), "minutes": 4, "pace": True}])
    pace.paced(recipe, where, Team(), Display(recipe, told))
    (line,) = told.lines
    assert "batches of 8, crops of 96 pixels: about 326 steps fit into 4 min" in line
    assert "usual: 16 and 192; --batch and --crop decide" in worded(line, option)


def test_an_accelerator_a_run_without_minutes_and_a_fixed_size_stay_as_they_are(
    where: Placement, steps_take: Timed
) -> None:
    steps_take(1e6)
    gpu = Placement(torch.device("cuda"), "fp32")
    assert sized(1, gpu) == (192, 16)
    assert sized(1, where, pace=False) == (192, 16)
    fixed = build_recipe("inpaint", [{"photos": ("x",), "minutes": 1, "pace": True}])
    assert pace.paced(fixed, where, Team(), Display(fixed)).crop == fixed.crop  # the network is made for it


def test_a_real_step_is_timed(photos: Path, where: Placement) -> None:
    recipe = recipe_for("upscale", photos, minutes=0.001, pace=True, crop=64, batch=8)
    assert pace.paced(recipe, where, Team(), Display(recipe)).batch == 4


def test_minutes_alone_ask_for_it(photos: Path, tmp_path: Path) -> None:
    given = {"photos": (str(photos),), "minutes": 2.0}
    assert recipe_of("upscale", tmp_path, given=given).pace
    assert not recipe_of("upscale", tmp_path, given={**given, "batch": 4}).pace
    assert not recipe_of("upscale", tmp_path, settings={"crop": "96"}, given=given).pace
    assert not recipe_of("upscale", tmp_path, given={"photos": (str(photos),)}).pace


def test_a_run_goes_on_with_the_sizes_that_it_began_with(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pace, "_seconds", lambda *_: 1e6)
    words = ["train", "upscale", str(photos), "-o", str(tmp_path / "run"), "--minutes", "60", "--device", "cpu"]
    words += ["--set", "scale=2", *(f"--set=net_config.{name}={value}" for name, value in NETS["upscale"].items())]
    assert run([*words, "--steps", "1"]) == 0
    assert read_toml(tmp_path / "run" / "recipe.toml")["batch"] == 4
    monkeypatch.setattr(pace, "_seconds", lambda *_: 1e-9)
    capsys.readouterr()
    assert run([*words, "--steps", "2"]) == 0
    said = capsys.readouterr().err
    assert "going on at step 1 of 2" in said and "another recipe" not in said
    assert read_toml(tmp_path / "run" / "recipe.toml")["batch"] == 4


def test_the_scale_is_that_of_the_model(photos: Path, tmp_path: Path) -> None:
    given = {"photos": (str(photos),), "model": "photo-x2"}
    assert recipe_of("upscale", tmp_path, given=given).options.scale == 2
    assert recipe_of("upscale", tmp_path, given={**given, "model": "photo-x4"}).options.scale == 4
    assert recipe_of("upscale", tmp_path, settings={"scale": "4"}, given=given).options.scale == 4
    assert recipe_of("upscale", tmp_path, given={"photos": (str(photos),)}).options.scale == 4
