from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.metrics.niqe import asymmetric_gaussian, niqe, normalised
from imgfix.nets.niqe import PristineModel


def photo_like(side: int = 192) -> np.ndarray:
    generator = np.random.default_rng(1)
    field = sum(
        np.kron(generator.normal(size=(side // step, side // step)), np.ones((step, step))) for step in (2, 4, 8, 16)
    )
    return np.repeat(np.clip(field / 12 + 0.5, 0, 1)[..., None], 3, axis=2)


def test_the_fit_finds_the_shape_of_known_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 200_000, generator=generator, dtype=torch.float64)
    uniform = torch.rand(2, 200_000, generator=generator, dtype=torch.float64)
    laplace = torch.where(uniform[0] < 0.5, 1.0, -1.0) * -torch.log(uniform[1])
    shape, left, right = asymmetric_gaussian(torch.stack([normal[0], laplace]))
    assert shape.tolist() == pytest.approx([2, 1], abs=0.03)
    assert left.tolist() == pytest.approx([2**0.5, 1], rel=0.03)
    assert right.tolist() == pytest.approx(left.tolist(), rel=0.03)


def test_the_number_depends_only_on_the_statistics_and_grows_with_noise() -> None:
    model = PristineModel()
    picture = photo_like()
    first = niqe(picture, model=model)
    assert niqe(picture, model=model) == first
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 0.2, picture.shape), 0, 1)
    assert niqe(noisy, model=model) != pytest.approx(first, abs=1e-3)


def test_flat_areas_are_exactly_zero() -> None:
    grey = torch.full((1, 1, 40, 40), 77.0, dtype=torch.float64)
    grey[..., :10] = 12
    assert (normalised(grey)[..., 14:] == 0).all()


def test_what_does_not_fill_a_block_is_left_out() -> None:
    model = PristineModel()
    picture = photo_like()
    larger = np.pad(picture, ((0, 30), (0, 50), (0, 0)))
    assert niqe(larger, model=model) == pytest.approx(niqe(picture, model=model), rel=0.1)


def test_pictures_too_small_or_without_texture_are_refused() -> None:
    with pytest.raises(ValueError, match="two blocks"):
        niqe(np.zeros((100, 100, 3)), model=PristineModel())
    with pytest.raises(ValueError, match="texture"):
        niqe(np.full((200, 200, 3), 0.5), model=PristineModel())
