"""Noise of developed photos, and the mixture of damage that restorers are trained on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from imgfix.train.developed import Developed, correlated, developed_noise
from imgfix.train.spoil import Spoiling, as_validated, spoil

YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])


def generators() -> tuple[torch.Generator, torch.Generator]:
    return torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)


def autocorrelation(plane: Tensor, steps: int) -> list[float]:
    centred = plane - plane.mean()
    found = [(centred[..., :-step] * centred[..., step:]).mean() / centred.var() for step in range(1, steps + 1)]
    return [float(value) for value in found]


def test_luma_and_chroma_are_correlated_as_in_cameras_jpegs() -> None:
    ranges = Developed(luma=(5.0, 5.0), chroma=(0.5, 0.5), grain=(0.65, 0.65))
    noise, levels = developed_noise(torch.full((24, 3, 96, 96), 0.5), ranges, *generators())
    planes = torch.einsum("oc,nchw->onhw", YCC, noise)
    assert autocorrelation(planes[0], 3) == pytest.approx([0.55, 0.09, 0.0], abs=0.12)  # some are sharpened
    for plane in planes[1:]:
        assert autocorrelation(plane, 4) == pytest.approx([0.83, 0.59, 0.39, 0.25], abs=0.08)
    assert float(planes[0].std()) * 255 == pytest.approx(5.0, rel=0.05)
    assert float(planes[1].std()) * 255 == pytest.approx(2.5, rel=0.08)
    assert levels.shape == (24, 2) and float(levels[0, 0]) * 255 == pytest.approx(5.0)


def test_noise_is_strongest_in_the_mid_darks() -> None:
    ramp = torch.linspace(0, 1, 256).expand(8, 3, 64, 256)
    noise, _ = developed_noise(ramp, Developed(luma=(5.0, 5.0)), *generators())
    by_brightness = noise.std(dim=(0, 1, 2))
    assert by_brightness[30:80].mean() > 1.1 * by_brightness[200:].mean()


@pytest.mark.parametrize("sigma", [0.3, 0.65, 1.5])
def test_a_filter_keeps_the_deviation(sigma: float) -> None:
    white = torch.randn(4, 2, 128, 128, generator=torch.Generator().manual_seed(3))
    assert float(correlated(white, torch.full((4,), sigma)).std()) == pytest.approx(1.0, abs=0.06)


def test_equal_generators_draw_equal_damage() -> None:
    x = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    options = Spoiling(clean=0.2, developed=0.5, twice=0.5)
    first, second = (spoil(x, options, *generators()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_clean_samples_stay_as_they_are_or_nearly_so() -> None:
    x = (torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(4)) * 255).round() / 255
    target, damaged, strength, parts = spoil(x, Spoiling(clean=1.0, developed=0.5, grey=0.0), *generators())
    assert torch.equal(target, x)
    same = (damaged == x).flatten(1).all(1)
    assert same.any() and not same.all(), "some are saved as a JPEG of high quality, some not"
    assert torch.equal(strength, torch.zeros(8, 1, 1, 1)) and torch.equal(parts[:, :2], torch.zeros(8, 2))
    assert float(parts[:, 2].max()) < 0.08 and torch.equal(parts[same, 2], torch.zeros(int(same.sum())))


def test_the_parts_of_the_damage_are_what_was_made() -> None:
    grey = torch.full((6, 3, 128, 128), 0.5)
    options = Spoiling(sigma=(20.0, 20.0), only_noise=1.0, developed=0.0, shot=0.0, grey=0.0)
    _, damaged, _, parts = spoil(grey, options, *generators())
    planes = torch.einsum("oc,nchw->nohw", YCC, damaged - grey)
    measured = torch.stack([planes[:, 0].std((1, 2)), planes[:, 1:].square().mean((1, 2, 3)).sqrt()], dim=1)
    torch.testing.assert_close(parts[:, :2], measured, rtol=0.05, atol=0.002)
    assert torch.equal(parts[:, 2], torch.zeros(6))
    _, _, _, parts = spoil(grey, Spoiling(quality=(30.0, 30.0), only_noise=0.0, only_jpeg=1.0), *generators())
    torch.testing.assert_close(parts[:, 2], torch.full((6,), 0.7))


def test_what_is_validated_on_follows_what_is_trained_on() -> None:
    pictures = [torch.rand(1, 3, 32, 32)]
    assert set(as_validated(pictures, Spoiling())) == {"noise25", "jpeg10"}
    everything = as_validated(pictures, Spoiling(clean=0.1, developed=0.5))
    assert set(everything) == {"noise25", "jpeg10", "developed5", "jpeg40", "jpeg80", "clean"}
    assert all(low.shape == high.shape for pairs in everything.values() for low, high in pairs)
