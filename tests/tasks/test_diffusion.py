"""Diffusion models: a tiny pipeline with random weights, saved to disk and run through the command.

Its pictures mean nothing; what is tested is the way there. Where `diffusers` is not installed only the refusals are.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix import cli
from imgfix.errors import MissingExtraError, ModelError, UsageError
from imgfix.media import image
from imgfix.tasks.diffusion import Diffusion, DiffusionOptions, is_diffusion

INSTALLED = all(importlib.util.find_spec(name) for name in ("diffusers", "transformers"))
needs_diffusers = pytest.mark.skipif(not INSTALLED, reason="diffusers and transformers are not installed")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A latent diffusion pipeline of a few thousand random weights."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("diffusion")
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz"]
    words += [letter + "</w>" for letter in words[2:]]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    torch.manual_seed(0)
    text = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=16, intermediate_size=16, num_attention_heads=2, num_hidden_layers=1, vocab_size=len(words),
            max_position_embeddings=16, bos_token_id=0, eos_token_id=1, pad_token_id=1,
        )
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    )  # fmt: skip
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    vae = AutoencoderKL(block_out_channels=(8,) * 4, latent_channels=4, norm_num_groups=4, **blocks)
    pipeline = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "pipeline")
    return folder / "pipeline"


@needs_diffusers
def test_a_seed_gives_the_same_picture_and_another_seed_another(tiny: Path) -> None:
    pipeline = Diffusion(str(tiny), "cpu")
    options = DiffusionOptions(steps=2, guidance=3.0, negative="dog", width=64, height=72)
    first = pipeline.draw("a cat", 1, options)
    assert first.shape == (72, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, pipeline.draw("a cat", 1, options))
    assert not np.array_equal(first, pipeline.draw("a cat", 2, options))


@needs_diffusers
def test_low_memory_changes_nothing_but_memory(tiny: Path) -> None:
    pipeline, options = Diffusion(str(tiny), "cpu"), {"steps": 2, "width": 64, "height": 64}
    plain = pipeline.draw("a cat", 1, DiffusionOptions(**options))
    sliced = pipeline.draw("a cat", 1, DiffusionOptions(**options, low_memory=True))
    assert np.abs(plain.astype(int) - sliced).max() <= 2


@needs_diffusers
def test_filling_leaves_what_is_outside_the_mask_bit_for_bit(tiny: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    mask = np.zeros((70, 90), np.float32)
    mask[20:50, 30:60] = 1
    filled = Diffusion(str(tiny), "cpu").draw(
        "a cat", 0, DiffusionOptions(steps=2), picture=image.read(tmp_path / "a.png"), mask=mask, strength=1.0
    )
    assert np.array_equal(filled[mask == 0], pixels[mask == 0]) and not np.array_equal(filled, pixels)


@needs_diffusers
def test_the_command_draws_from_words_and_from_a_picture(tiny: Path, tmp_path: Path) -> None:
    words = ["generate", "a cat", "--model", str(tiny), "--steps", "2", "--device", "cpu"]
    first = tmp_path / "a.png"
    assert cli.run([*words, "--width", "64", "--height", "64", "-o", str(first)]) == 0
    assert cli.run([*words, "--image", str(first), "--strength", "0.9", "-o", str(tmp_path / "b.png")]) == 0
    with Image.open(first) as one, Image.open(tmp_path / "b.png") as other:
        assert one.size == other.size == (64, 64)
    record = image.read_record(first)
    assert record is not None and record["generate"]["steps"] == 2  # type: ignore[index]


@needs_diffusers
def test_a_folder_that_holds_no_pipeline_is_named(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ModelError, match="not a diffusion pipeline"):
        Diffusion(str(tmp_path), "cpu")


@needs_diffusers
def test_offline_asks_no_hub(tmp_path: Path) -> None:
    words = ["generate", "a cat", "--model", "hf:nobody/nothing", "--offline", "-o", str(tmp_path / "a.png")]
    assert cli.run(words) == 3


@pytest.mark.skipif(INSTALLED, reason="diffusers is installed")
def test_the_missing_extra_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MissingExtraError) as found:
        Diffusion("hf:nobody/nothing", "cpu")
    assert found.value.hint == "pip install 'imgfix[diffusion]'"
    assert cli.run(["generate", "a cat", "--model", "hf:nobody/nothing", "-o", str(tmp_path / "a.png")]) == 2


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"width": -8}, {"height": 65}, {"guidance": -1.0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        DiffusionOptions(**wrong)  # type: ignore[arg-type]


def test_names_of_diffusion_models_are_told_from_others(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    assert is_diffusion("hf:a/b") and is_diffusion(str(tmp_path))
    assert not is_diffusion("generate-stickers") and not is_diffusion("a.safetensors")


def test_settings_of_diffusion_are_refused_for_other_models(tmp_path: Path) -> None:
    assert cli.run(["generate", "a cat", "--steps", "3", "-o", str(tmp_path / "a.png")]) == 2
    assert cli.run(["generate", "a cat", "--width", "-64", "-o", str(tmp_path / "a.png")]) == 2
