"""Training generators: what is read from folders, what is learned, and that a run goes on exactly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.errors import InputError, UsageError
from imgfix.nets.r3gan import CodePlanner
from imgfix.tasks.generate import GenerationRequest, Generator
from imgfix.train import losses
from imgfix.train.captioned import CaptionedPool, load_captioned, rank_in_group, read_captions
from imgfix.train.diffaugment import augment
from imgfix.train.job import Draw
from imgfix.train.jobs.generate import GenerateJob
from imgfix.train.kinds import find_kind
from imgfix.train.recipe import build_recipe, read_toml
from imgfix.train.run import run_training
from tests.making import SMALL, tone, words_file
from tests.train.conftest import assert_same_curve

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 220)}


def disc(path: Path, colour: tuple[int, int, int], side: int = 32) -> Path:
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    inside = x**2 + y**2 < (0.4 * side) ** 2
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.dstack([np.full((side, side, 3), colour), 255 * inside]).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Discs in three colours and two classes, with captions and one sound."""
    folder = tmp_path / "captioned"
    rows = []
    for name, colour in COLOURS.items():
        for style in ("noto", "stamp"):
            file = f"{style}/{name}.png"
            disc(folder / file, tuple(c // (1 + (style == "stamp")) for c in colour))  # type: ignore[arg-type]
            row = {"file_name": file, "text": [f"{name} apple", f"a {name} apple"], "class": style}
            rows.append(row | ({"sound": "red.wav"} if name == "red" else {}))
    tone(folder / "red.wav")
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def job_for(folder: Path, tmp_path: Path, net: str = "r3gan", **settings: Any) -> GenerateJob:
    words = tmp_path / "words.safetensors"
    if not words.exists():
        words_file(words)
    small = {key: value for key, value in SMALL[net].items() if key != "side"}
    layer = {
        **{"photos": (str(folder),), "device": "cpu", "crop": 32, "batch": 4, "val_fraction": 0.0, "words": str(words)},
        **{"net": net, "net_config": small, "perceptual": 0.0, "plan_batch": 4, "warmup": 0},
    }
    return find_kind("generate").build(build_recipe("generate", [layer | settings]), torch.device("cpu"))


def test_a_listing_says_captions_classes_and_sounds(captioned: Path) -> None:
    items, skipped = read_captions([str(captioned)])
    assert len(items) == 6 and not skipped
    assert items[0].texts == ("red apple", "a red apple") and items[0].label == "noto"
    assert items[0].sounds == (captioned / "red.wav",) and items[2].sounds == ()


def test_captions_and_sounds_beside_pictures_and_folders_as_classes(tmp_path: Path) -> None:
    disc(tmp_path / "one" / "a.png", COLOURS["red"])
    disc(tmp_path / "two" / "b.png", COLOURS["blue"])
    (tmp_path / "one" / "a.txt").write_text("a red disc\n\nround\n")
    tone(tmp_path / "two" / "b.wav")
    items, _ = read_captions([str(tmp_path)])
    assert [(item.texts, item.label, len(item.sounds)) for item in items] == [
        (("a red disc", "round"), "one", 0),
        ((), "two", 1),
    ]


def test_a_broken_listing_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png"}\n{"text": "no file"}\n')
    disc(tmp_path / "a.png", COLOURS["red"])
    with pytest.raises(InputError, match="line 2"):
        read_captions([str(tmp_path)])


def test_bad_pictures_and_sounds_are_left_out_and_listed(captioned: Path) -> None:
    (captioned / "noto" / "red.png").write_bytes(b"broken")
    (captioned / "red.wav").write_bytes(b"broken")
    pool = CaptionedPool(read_captions([str(captioned)])[0], 32)
    assert len(pool) == 5 and not pool.heard
    assert any("red.png" in why for why in pool.skipped) and any("red.wav" in why for why in pool.skipped)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_channels_follow_the_pictures(tmp_path: Path, mode: str, channels: int) -> None:
    for number in range(3):
        path = disc(tmp_path / f"{number}.png", COLOURS["red"])
        Image.open(path).convert(mode).save(path)
    pool = CaptionedPool(read_captions([str(tmp_path)])[0], 16)
    assert pool.channels == channels and pool.picture(torch.tensor([0])).shape == (1, channels, 16, 16)


def test_what_is_measured_on_is_not_trained_on_even_inside_the_training_folder(captioned: Path) -> None:
    whole, none, _ = load_captioned([str(captioned)], side=16, fraction=0.0)
    training, held, _ = load_captioned([str(captioned)], side=16, fraction=0.0, val=str(captioned / "noto"))
    assert none is None and held is not None
    assert {item.path.parent.name for item in held.items} == {"noto"}
    assert len(training) == len(whole) - len(held)
    assert not {item.path for item in training.items} & {item.path for item in held.items}
    with pytest.raises(InputError, match="measured on"):
        load_captioned([str(captioned / "noto")], side=16, fraction=0.0, val=str(captioned))


def test_pictures_of_one_caption_get_numbers(captioned: Path) -> None:
    items = [item for item in read_captions([str(captioned)])[0] if item.label == "noto"] * 2
    ranks, sizes = rank_in_group(items)
    assert ranks == [0, 0, 0, 1, 1, 1] and set(sizes) == {2}


@pytest.mark.parametrize("net", ["r3gan", "dcgan"])
def test_a_step_of_both_players_has_finite_losses_and_gradients(captioned: Path, tmp_path: Path, net: str) -> None:
    job = job_for(captioned, tmp_path, net, adversarial=1.0, penalty_every=1)
    nets = job.networks()
    batch = job.sample(Draw(0, 0, 0, 1, 4))
    for player in job.players(0):
        total = torch.stack(list(job.losses(player, nets, batch, 0).values())).sum()
        total.backward()
        assert torch.isfinite(total)
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in nets[player].parameters())
    with torch.inference_mode():
        found = job.validate(nets["net"].eval())
    assert math.isfinite(found.score) and all(column.shape[1] == 3 for column in found.samples.values())
    assert job.facts() and job.preview(batch)


def test_the_non_saturating_loss_is_the_articles() -> None:
    fake, real = torch.randn(8), torch.randn(8)
    d_fake, d_real = fake.sigmoid(), real.sigmoid()
    assert losses.fool("nonsaturating", fake).item() == pytest.approx(-d_fake.log().mean().item(), rel=1e-5)
    expected = -d_real.log().mean() - (1 - d_fake).log().mean()
    assert losses.judge("nonsaturating", fake, real).item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.isfinite(losses.fool("nonsaturating", torch.tensor([-500.0])))  # log of the probability would be -inf


def test_the_paired_loss_compares_picture_by_picture() -> None:
    fake, real = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 2.0])
    expected = (math.log1p(math.exp(-1)) + math.log(2)) / 2
    assert losses.judge("paired", fake, real).item() == pytest.approx(expected, rel=1e-6)
    expected = (math.log1p(math.exp(1)) + math.log(2)) / 2
    assert losses.fool("paired", fake, real).item() == pytest.approx(expected, rel=1e-6)


def test_the_dcgan_recipe_has_two_time_scales_and_no_regression() -> None:
    recipe = build_recipe("generate", [{"photos": ("x",), "net": "dcgan"}])
    assert recipe.discriminator_lr == 2 * recipe.lr and recipe.options.adversary == "nonsaturating"
    assert recipe.options.pixel == recipe.options.perceptual == 0


def test_augmented_pictures_differ_and_pass_gradients() -> None:
    pictures = torch.rand(4, 4, 32, 32, requires_grad=True)
    torch.manual_seed(0)
    changed = augment(pictures)
    assert changed.shape == pictures.shape and not torch.allclose(changed, pictures)
    changed.sum().backward()
    assert pictures.grad is not None and pictures.grad.abs().sum() > 0


@pytest.mark.slow
def test_it_learns_what_words_and_classes_mean(captioned: Path, tmp_path: Path) -> None:
    words = words_file(tmp_path / "words.safetensors")
    small = {key: value for key, value in SMALL["r3gan"].items() if key != "side"}
    recipe = build_recipe(
        "generate",
        [
            {
                **{"photos": (str(captioned),), "device": "cpu", "crop": 32, "batch": 6, "val_fraction": 0.0},
                **{"words": str(words), "net_config": small, "perceptual": 0.0, "adversarial": 0.0, "steps": 250},
                **{"lr": 4e-3, "warmup": 5, "ema": 0.9, "drop_text": 0.0, "validate_every": 250, "plan_batch": 12},
            }
        ],
    )
    run_training(recipe, tmp_path / "run")
    generator = Generator(zoo.load(str(tmp_path / "run" / "model.safetensors")), "cpu")
    for name in COLOURS:
        drawn = generator.draw(GenerationRequest(f"{name} apple", label="noto"), 3)
        middle = drawn[12:20, 12:20].astype(float).mean((0, 1))
        assert int(middle[:3].argmax()) == list(COLOURS).index(name), (name, middle)
        assert middle[3] > 200 and drawn[:2, :2, 3].mean() < 60


def test_an_interrupted_run_gives_the_same_losses(captioned: Path, tmp_path: Path) -> None:
    words = words_file(tmp_path / "words.safetensors")
    small = {key: value for key, value in SMALL["r3gan"].items() if key != "side"}
    layer = {
        **{
            "photos": (str(captioned),),
            "device": "cpu",
            "crop": 32,
            "batch": 2,
            "val_fraction": 0.3,
            "words": str(words),
        },
        **{"net_config": small, "perceptual": 0.0, "adversarial": 0.1, "log_every": 1, "validate_every": 4},
        **{"plan_batch": 2, "schedule": "constant", "warmup": 0, "checkpoint_minutes": 0.0},
    }
    run_training(build_recipe("generate", [layer | {"steps": 8}]), tmp_path / "whole")
    run_training(build_recipe("generate", [layer | {"steps": 4}]), tmp_path / "parts")
    run_training(build_recipe("generate", [layer | {"steps": 8}]), tmp_path / "parts")
    assert_same_curve(tmp_path / "whole", tmp_path / "parts")


def test_the_recipe_of_the_stickers_runs_and_goes_on_from_its_model(captioned: Path, tmp_path: Path) -> None:
    words = words_file(tmp_path / "words.safetensors")
    small = {key: value for key, value in SMALL["r3gan"].items() if key != "side"}
    file = Path(__file__).parents[2] / "examples" / "train" / "generate-stickers.toml"
    common = {
        **{"photos": (str(captioned),), "device": "cpu", "crop": 32, "batch": 4, "steps": 2, "words": str(words)},
        **{"perceptual": 0.0, "validate_every": 2, "sheet_rows": 2, "adversarial_from": 1},
    }
    run_training(build_recipe("generate", [read_toml(file), common | {"net_config": small}]), tmp_path / "one")
    recipe = build_recipe("generate", [common | {"model": str(tmp_path / "one" / "model.safetensors")}])
    run_training(recipe, tmp_path / "two")
    first, second = (zoo.load(str(tmp_path / name / "model.safetensors")).net.state_dict() for name in ("one", "two"))
    same = {name for name in first if torch.equal(first[name], second[name])}
    assert {"mean", "basis", "steps", "conditions.words.vectors"} <= same
    assert {name for name in first if name.startswith(("coarse.", "fine."))}.isdisjoint(same)


def test_pictures_without_captions_and_classes_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        disc(tmp_path / "plain" / f"{number}.png", COLOURS["red"])
    with pytest.raises(UsageError, match="neither captions nor classes"):
        job_for(tmp_path / "plain", tmp_path)


def test_a_folder_for_each_class_is_enough(tmp_path: Path) -> None:
    for name, colour in COLOURS.items():
        for number in range(3):
            disc(tmp_path / "sorted" / name / f"{number}.png", colour)
    job = job_for(tmp_path / "sorted", tmp_path, adversarial=1.0, copies=0.0, plan=0.0)
    assert job.classes == sorted(COLOURS) and job.words is None
    batch = job.sample(Draw(0, 0, 0, 1, 4))
    assert set(job.losses("net", job.networks(), batch, 0)) == {"pixel", "adversarial"}


@pytest.fixture
def sizes(tmp_path: Path) -> Path:
    """Discs of many sizes and two colours, a folder for each colour."""
    for name in ("blue", "red"):
        for number in range(24):
            path = disc(tmp_path / "sizes" / name / f"{number}.png", COLOURS[name])
            picture = Image.open(path).convert("RGBA").resize((8 + number, 8 + number))
            ground = Image.new("RGB", (32, 32), "white")
            ground.paste(picture, (12 - number // 2, 12 - number // 2), picture)
            ground.save(path)
    return tmp_path / "sizes"


def test_classes_differ_and_seeds_give_different_pictures_before_and_after_training(
    sizes: Path, tmp_path: Path
) -> None:
    job = job_for(sizes, tmp_path, adversarial=1.0)
    assert any("clusters" in fact for fact in job.facts())
    noise = torch.randn(16, job.noise, generator=torch.Generator().manual_seed(0))
    red, blue = (job.net(noise, {"class": torch.full((16,), n)}).detach().clamp(0, 1) for n in (1, 0))
    true = job.training.picture(torch.arange(len(job.training)))[job.bank.label == 1]
    assert float(red.std(0).mean()) > 0.5 * float(true.std(0).mean())
    assert float((red.mean((0, 2, 3)) - blue.mean((0, 2, 3))).abs().max()) > 0.1
    assert float((red.mean((0, 2, 3)) - true.mean((0, 2, 3))).abs().max()) < 0.1

    small = {key: value for key, value in SMALL["r3gan"].items() if key != "side"}
    layer = {"photos": (str(sizes),), "device": "cpu", "crop": 32, "batch": 8, "val_fraction": 0.0, "steps": 15}
    layer |= {"net": "r3gan", "net_config": small, "perceptual": 0.0, "adversarial": 1.0, "warmup": 0, "ema": 0.5}
    run_training(build_recipe("generate", [layer]), tmp_path / "run")
    model = zoo.load(str(tmp_path / "run" / "model.safetensors"))
    drawn = [
        Generator(model, "cpu").draw(GenerationRequest(label="red"), seed).astype(float) / 255 for seed in range(16)
    ]
    assert float(np.std(drawn, 0).mean()) > 0.5 * float(true.std(0).mean())
    again = Generator(zoo.load(str(tmp_path / "run" / "model.safetensors")), "cpu")
    assert np.array_equal(again.draw(GenerationRequest(label="red"), 3), (np.array(drawn[3]) * 255).round())


def test_training_of_classes_goes_on_from_its_model(sizes: Path, tmp_path: Path) -> None:
    small = {key: value for key, value in SMALL["r3gan"].items() if key != "side"}
    file = Path(__file__).parents[2] / "examples" / "train" / "generate-classes.toml"
    common = {"photos": (str(sizes),), "device": "cpu", "batch": 4, "val_fraction": 0.0, "steps": 2, "sheet_rows": 2}
    first = build_recipe("generate", [read_toml(file), common | {"net_config": small, "adversarial_from": 1}])
    run_training(first, tmp_path / "one")
    model = str(tmp_path / "one" / "model.safetensors")
    again = build_recipe("generate", [common | {"crop": 32, "model": model, "perceptual": 0.0}])
    job = find_kind("generate").build(again, torch.device("cpu"))
    kept, stored = job.net.state_dict(), zoo.load(model).net.state_dict()
    assert all(torch.equal(kept[name], stored[name]) for name in stored)
    assert not any("clusters" in fact for fact in job.facts())


def test_without_captions_all_are_copies_until_the_discriminator_plays(sizes: Path, tmp_path: Path) -> None:
    job = job_for(sizes, tmp_path, adversarial=1.0, adversarial_from=5)
    batch = job.sample(Draw(0, 0, 0, 1, 4))
    assert set(job.losses("net", job.networks(), batch, 0)) == {"plan", "copy_pixel"} and "output" not in batch
    assert set(job.losses("net", job.networks(), batch, 5)) == {"plan", "copy_pixel", "pixel", "adversarial"}
    assert len(batch["output"]) == 3


def test_classes_without_the_memory_have_a_learned_plan_as_before(sizes: Path, tmp_path: Path) -> None:
    job = job_for(sizes, tmp_path, memory=False)
    assert isinstance(job.net.plan, CodePlanner) and "mixture" not in job.config
