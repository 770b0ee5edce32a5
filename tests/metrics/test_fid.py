from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.metrics.fid import fid, kid, to_network_size


def samples(count: int, size: int = 32, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mix + shift


@pytest.mark.parametrize("count", [10, 200])
def test_a_set_is_at_distance_zero_from_itself(count: int) -> None:
    values = samples(count)
    assert fid(values, values) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("count", [60, 200])
def test_fid_equals_the_matrix_square_root(count: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    first, second = samples(count, shift=0.5), samples(count + 7, seed=1)
    spread_first, spread_second = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = np.real(linalg.sqrtm(spread_first @ spread_second))
    mean = np.square(first.numpy().mean(0) - second.numpy().mean(0)).sum()
    assert fid(first, second) == pytest.approx(mean + np.trace(spread_first + spread_second - 2 * root), rel=1e-6)


def test_a_shift_costs_its_square() -> None:
    values = samples(20)
    assert fid(values, values + 3) == pytest.approx(32 * 9)


def test_kid_is_near_zero_for_two_draws_of_one_distribution_and_not_for_shifted_ones() -> None:
    first, second = samples(150) / 10, samples(150, seed=1) / 10
    assert abs(kid(first, second)) < 0.05 < kid(first, second + 1)
    assert abs(kid(first, second, size=100, subsets=10)) < 0.1


def test_sets_of_one_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="two pictures"):
        fid(samples(1), samples(5))
    with pytest.raises(ValueError, match="two pictures"):
        kid(samples(5), samples(1))


def test_the_resizing_takes_the_corner_of_a_pixel_for_its_centre() -> None:
    ramp = torch.arange(598, dtype=torch.float64).expand(1, 1, 598, 598)
    assert torch.allclose(to_network_size(ramp)[0, 0, 0], torch.arange(299, dtype=torch.float64) * 2)
    small = torch.rand(1, 3, 299, 299)
    assert torch.equal(to_network_size(small), small)
