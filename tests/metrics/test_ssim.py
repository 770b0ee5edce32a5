from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.metrics.ssim import ssim


def noisy_pair(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:48, 0:64]
    target = np.repeat((np.sin(rows / 5) * np.cos(columns / 7) / 2 + 0.5)[..., None], channels, axis=2)
    return np.clip(target + generator.normal(0, 0.1, target.shape), 0, 1), target


def test_equal_pictures_give_one() -> None:
    _, target = noisy_pair()
    assert ssim(target, target).item() == pytest.approx(1, abs=1e-12)


def test_it_equals_scikit_image_over_the_valid_area() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    result, target = noisy_pair()
    _, values = metrics.structural_similarity(
        result,
        target,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(result, target).item() == pytest.approx(values[5:-5, 5:-5].mean(), abs=1e-9)


def test_the_map_has_the_valid_size_and_the_mean_of_the_number() -> None:
    result, target = noisy_pair()
    values = ssim(result, target, full=True)
    assert values.shape == (1, 3, 38, 54)
    assert values.mean().item() == pytest.approx(ssim(result, target).item())


def test_single_precision_is_close_to_double() -> None:
    result, target = (torch.from_numpy(a.transpose(2, 0, 1))[None] for a in noisy_pair())
    assert ssim(result.float(), target.float()).item() == pytest.approx(ssim(result, target).item(), abs=1e-5)


def test_a_picture_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="11x11"):
        ssim(np.zeros((10, 40, 3)), np.zeros((10, 40, 3)))


def test_it_can_be_trained_on() -> None:
    result = torch.rand(2, 3, 16, 16, requires_grad=True)
    ssim(result, torch.rand(2, 3, 16, 16)).sum().backward()
    assert result.grad is not None and result.grad.abs().sum() > 0
