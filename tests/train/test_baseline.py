"""A validation says what the pictures get without a network, and a run whose network is no better says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from imgfix.cli import run
from imgfix.errors import worded
from imgfix.metrics.psnr import psnr
from imgfix.pipelines.option_names import option
from imgfix.pipelines.training import closing
from imgfix.runtime.resize import resize
from imgfix.train.job import Baseline, Validation
from imgfix.train.log import read_log
from imgfix.train.loop import Outcome
from imgfix.train.progress import Display
from tests.train.test_jobs import NETS, job_for, photos, recipe_for
from tests.train.told import Told

assert photos


class Enlarges(nn.Module):
    """What bicubic does."""

    def forward(self, x: Tensor) -> Tensor:
        return resize(x, (2 * x.shape[-2], 2 * x.shape[-1]), "cubic")


class GivesTheInput(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(("kind", "net", "name"), [
    ("upscale", Enlarges(), "bicubic"), ("restore", GivesTheInput(), "the input"),
])  # fmt: skip
def test_a_network_that_does_what_is_done_without_one_scores_like_it(
    kind: str, net: nn.Module, name: str, photos: Path
) -> None:
    found = job_for(kind, photos).validate(net)
    assert found is not None and found.baseline is not None and found.baseline.name == name
    assert found.metrics == pytest.approx(found.baseline.metrics, abs=1e-3)
    assert found.score == pytest.approx(found.baseline.score, abs=1e-3)


def test_a_fill_is_compared_with_telea(photos: Path) -> None:
    job = job_for("inpaint", photos)
    net = job.networks()["net"].eval()
    with torch.inference_mode():
        found = job.validate(net)
    assert found is not None and found.baseline is not None and found.baseline.name == "telea"
    black = sum(
        float(psnr(target * (1 - mask), target).clamp(max=100))
        for target, mask in job.validation  # type: ignore[attr-defined]
    )
    assert found.baseline.metrics["psnr"] > black / len(job.validation)  # type: ignore[attr-defined]


def test_it_stands_in_the_log_and_a_worse_network_is_not_recommended(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", "scale=2", "--crop", "48", "--batch", "2", "--device", "cpu", "--val-fraction", "0.3"]
    words += [f"--set=net_config.{name}={value}" for name, value in NETS["upscale"].items() if name != "scale"]
    out = tmp_path / "run"
    assert run(["train", "upscale", str(photos), "-o", str(out), "--steps", "1", "--json", *words]) == 0
    told = capsys.readouterr()
    record, said = json.loads(told.out), " ".join(told.err.split())
    assert record["baseline"]["name"] == "bicubic" and record["baseline"]["psnr"] > record["metrics"]["psnr"]
    assert "(best so far, no better than bicubic yet)" in said
    assert "it is no better than bicubic: train longer" in said and "--model photo-x2" in said
    assert "use it" not in said
    (row,) = [row for row in read_log(out / "log.jsonl") if row["kind"] == "validate"]
    assert row["psnr_baseline"] == pytest.approx(record["baseline"]["psnr"])


def test_a_line_says_both_numbers() -> None:
    told = Told()
    show = Display(recipe_for("upscale", Path()), told)
    show.validation(7, Validation({"psnr": 30.0}, 30.0, baseline=Baseline("bicubic", {"psnr": 28.43}, 28.43)), True)
    assert told.lines == ["step 7: held-out pictures: psnr 30 (bicubic 28.43) (best so far)"]


def test_the_bar_follows_what_ends_the_run() -> None:
    told = Told()
    show = Display(recipe_for("upscale", Path(), steps=1000, minutes=2), told)
    show.step(10, 1e-4, 60.0, True)
    show = Display(recipe_for("upscale", Path(), steps=100, minutes=2), told)
    show.step(100, 1e-4, 60.0, True)
    assert [line.split("  ")[0] for line in told.lines] == ["step 10, 60 s of 2 min", "step 100/100"]


def test_who_draws_a_bar_is_told_every_step_and_gets_no_lines() -> None:
    told = Told(bar=True)
    with Display(recipe_for("upscale", Path(), steps=100), told) as show:
        show.step(1, 1e-4, 1.0, False)
        show.step(50, 1e-4, 2.0, True)
    assert [(part, place) for part, place, _ in told.moves] == [
        (0.0, "step 0/100"), (0.01, "step 1/100"), (0.5, "step 50/100"),
    ]  # fmt: skip
    assert told.moves[0][2] == "starting" and not told.lines


def test_python_is_silent_but_for_warnings() -> None:
    show = Display(recipe_for("upscale", Path()))
    show.line("nobody hears")
    with pytest.warns(RuntimeWarning, match="a smaller batch"):
        show.warn("a smaller `batch`")


@pytest.mark.parametrize(("kind", "words"), [
    ("inpaint", "imgfix inpaint PHOTO --mask MASK --model"), ("restore", "imgfix restore INPUT --model"),
    ("upscale", "imgfix upscale INPUT --model"), ("video", "imgfix upscale INPUT --model"),
])  # fmt: skip
def test_the_hint_is_a_whole_command(kind: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    base = Baseline("bicubic", {"psnr": 20.0}, 20.0)
    better = Outcome(5, metrics={"psnr": 21.0}, best=21.0, best_step=5, baseline=base)
    assert words in closing(recipe_for(kind, tmp_path), better, tmp_path)[-1]


@pytest.mark.parametrize(
    ("best", "says"), [(31.5, "it is better than photo-x4 was before (psnr 30.7)"), (30.7, "--lr")]
)
def test_a_model_that_got_better_is_of_use_though_the_baseline_measures_better(
    best: float, says: str, tmp_path: Path
) -> None:
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "log.jsonl").write_text('{"kind": "validate", "step": 0, "psnr": 30.7, "score": 30.7}\n', "utf-8")
    outcome = Outcome(
        5, metrics={"psnr": best}, best=best, best_step=5, baseline=Baseline("bicubic", {"psnr": 32.7}, 32.7)
    )
    lines = closing(recipe_for("upscale", tmp_path, model="photo-x4"), outcome, tmp_path)
    told = [worded(line, option) for line in lines]
    assert any(says in line for line in told) and any("use it" in line for line in told) == (best > 30.7)


def test_the_former_spelling_trains_a_translator_which_is_used_with_an_image(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    words = [
        "--net",
        "pix2pix",
        "--crop",
        "32",
        "--batch",
        "1",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--set",
        "source=grey",
    ]
    words += ["--set", "net_config.width=4", "--set", "adversarial=0", "--val-fraction", "0.3"]
    code = run(["train", "generate", str(tmp_path / "photos"), "-o", str(tmp_path / "run"), *words])
    said = " ".join(capsys.readouterr().err.split())
    assert code == 0, said
    assert "(the input " in said and "translate: " in said
    if "no better than" not in said:
        assert "use it: imgfix generate --image PHOTO --model" in said
