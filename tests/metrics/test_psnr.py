from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from imgfix.metrics.arrays import luma
from imgfix.metrics.psnr import psnr


def test_a_known_error_has_the_known_psnr() -> None:
    target = np.full((20, 30, 3), 100, dtype=np.uint8)
    assert psnr(target + np.uint8(1), target).item() == pytest.approx(20 * math.log10(255))


def test_sixteen_bit_is_measured_against_its_own_peak() -> None:
    target = np.full((20, 30, 3), 1000, dtype=np.uint16)
    assert psnr(target + np.uint16(1), target).item() == pytest.approx(20 * math.log10(65535))


def test_equal_pictures_give_infinity() -> None:
    target = torch.rand(2, 3, 8, 8)
    assert torch.isinf(psnr(target, target)).all()


def test_luma_has_the_corners_of_the_limited_range() -> None:
    corners = torch.tensor([[0.0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    found = 255 * luma(corners[:, :, None, None]).flatten()
    assert found.tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_grey_luma_equals_the_luma_of_its_rgb() -> None:
    grey = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    assert torch.allclose(luma(grey), luma(grey.expand(-1, 3, -1, -1)), atol=1e-12)


def test_errors_in_the_shaved_border_do_not_count() -> None:
    target = np.zeros((12, 12, 3))
    result = target.copy()
    result[:4] = result[-4:] = 1
    result[:, :4] = result[:, -4:] = 1
    assert psnr(result, target, border=4).item() == math.inf


def test_different_sizes_and_empty_borders_are_refused() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        psnr(np.zeros((8, 8, 3)), np.zeros((8, 9, 3)))
    with pytest.raises(ValueError, match="shave"):
        psnr(np.zeros((8, 8, 3)), np.zeros((8, 8, 3)), border=4)


def test_psnr_has_a_gradient() -> None:
    result = torch.rand(1, 3, 8, 8, requires_grad=True)
    psnr(result, torch.rand(1, 3, 8, 8), y=True).sum().backward()
    assert result.grad is not None and torch.isfinite(result.grad).all()
