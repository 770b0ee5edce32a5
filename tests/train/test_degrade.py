"""Damage for training: every step against a reference or a property."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imgfix.runtime.resize import downscale, resize
from imgfix.train.degrade import LIGHT, RADIUS, Damage, Round, add_noise, blur, damage, draw_kernels, jpeg


def smooth(height: int, width: int, count: int = 1) -> Tensor:
    """Natural-looking pictures: blurred noise with some edges."""
    noise = torch.rand(count, 3, height // 8 + 2, width // 8 + 2, generator=torch.Generator().manual_seed(0))
    return resize(noise, (height, width), "cubic").clamp(0, 1)


def generators(seed: int = 0) -> tuple[torch.Generator, torch.Generator]:
    return torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)


@pytest.mark.parametrize("quality", [10, 40, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_jpeg_equals_pillows_within_rounding(quality: int, subsampling: int) -> None:
    x = smooth(61, 70)
    pixels = (x[0] * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    reference = np.asarray(Image.open(buffer)).astype(np.float64)
    ours = jpeg(x, torch.tensor([float(quality)]), torch.tensor([subsampling == 2]))[0] * 255
    difference = np.abs(ours.permute(1, 2, 0).numpy() - reference)
    # libjpeg computes in integers; coefficients near one half of a step then fall to the other side.
    assert difference.mean() < 0.35 * np.abs(pixels - reference).mean() + 0.2


def test_jpeg_takes_another_quality_for_every_sample() -> None:
    x = smooth(32, 32).expand(2, -1, -1, -1)
    both = jpeg(x, torch.tensor([10.0, 90.0]), torch.tensor([True, False]))
    alone = jpeg(x[1:], torch.tensor([90.0]), torch.tensor([False]))
    assert torch.equal(both[1:], alone) and (both[0] - x[0]).abs().mean() > 2 * (both[1] - x[1]).abs().mean()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_shrinking_equals_matlabs_files(bench: Path, scale: int) -> None:
    for path in sorted((bench / "Set5" / "HR").glob("*.png")):
        high = np.asarray(Image.open(path).convert("RGB"))
        high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
        stored = next((bench / "Set5" / "LR_bicubic" / f"X{scale}").glob(f"{path.stem}*"))
        low = downscale(torch.from_numpy(high.copy()).permute(2, 0, 1)[None].float() / 255, scale)
        ours = (low[0] * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(ours, np.asarray(Image.open(stored).convert("RGB"))), path.name


def test_resizing_keeps_flat_pictures_flat_and_ramps_straight() -> None:
    for kind in ("cubic", "linear", "box", "lanczos"):
        flat = resize(torch.full((1, 1, 20, 30), 0.3), (13, 47), kind)
        assert torch.allclose(flat, torch.full_like(flat, 0.3), atol=1e-6), kind
    ramp = resize(torch.linspace(0, 1, 40)[None, None, None].expand(1, 1, 8, 40).contiguous(), (4, 20))
    steps = ramp[0, 0, 0, 4:-4].diff()
    assert torch.allclose(steps, steps.mean().expand_as(steps), atol=1e-5)


def test_kernels_sum_to_one_and_blur_like_a_convolution() -> None:
    kernels = draw_kernels(64, Round(sinc=0.3), torch.Generator().manual_seed(0))
    assert kernels.shape == (64, 2 * RADIUS + 1, 2 * RADIUS + 1)
    assert torch.allclose(kernels.sum(dim=(1, 2)), torch.ones(64), atol=1e-5)
    x = torch.rand(4, 3, 30, 34, generator=torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(x, (RADIUS,) * 4, mode="reflect").reshape(1, 12, 50, 54)
    weights = kernels[:4].flip(1, 2).repeat_interleave(3, 0)[:, None]
    expected = torch.nn.functional.conv2d(padded, weights, groups=12).reshape(4, 3, 30, 34)
    assert torch.allclose(blur(x, kernels[:4]), expected, atol=1e-4)


def test_noise_has_the_strength_it_was_asked_for() -> None:
    x = torch.full((64, 3, 32, 32), 0.5)
    only_gaussian = Round(gaussian=(20, 20), poisson=(0, 0), grey_noise=0)
    deviation = (add_noise(x, only_gaussian, *generators()) - x).flatten(1).std(dim=1) * 255
    noisy = deviation > 1
    assert 16 < noisy.sum() < 48 and (deviation[noisy] - 20).abs().max() < 1.5
    grey = add_noise(x, Round(grey_noise=1), *generators())
    assert torch.allclose(grey[:, 0], grey[:, 2])


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_damage_follows_from_its_generators_alone(scale: int) -> None:
    x = smooth(64, 64, 6)
    first, again, other = (damage(x, scale, Damage(), *generators(seed)) for seed in (0, 0, 5))
    assert first.shape == (6, 3, 64 // scale, 64 // scale) and torch.equal(first, again)
    assert not torch.equal(first, other) and first.min() >= 0 and first.max() <= 1
    assert torch.allclose(first * 255, (first * 255).round(), atol=1e-3)


def test_light_damage_is_lighter() -> None:
    x = smooth(96, 96, 8)
    small = resize(x, (48, 48))
    light, heavy = ((damage(x, 2, model, *generators()) - small).abs().mean() for model in (LIGHT, Damage()))
    assert light < 0.85 * heavy
