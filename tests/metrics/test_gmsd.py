from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.metrics.gmsd import gmsd


def noisy_pair(height: int = 37, width: int = 50) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    target = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin(rows * columns / 99)], axis=2) / 3 + 0.5
    return np.clip(target + generator.normal(0, 0.1, target.shape), 0, 1), target


def by_loops(result: np.ndarray, target: np.ndarray) -> float:
    """The paper's definition pixel by pixel, with 0 outside the picture as MATLAB's conv2(..., 'same') has it."""

    def at(values: np.ndarray, y: int, x: int) -> float:
        return values[y, x] if 0 <= y < values.shape[0] and 0 <= x < values.shape[1] else 0.0

    def gradient(rgb: np.ndarray) -> np.ndarray:
        grey = 255 * (rgb @ np.array([65.481, 128.553, 24.966])) / 219
        small = np.array([
            [sum(at(grey, y + i, x + j) for i in (0, 1) for j in (0, 1)) / 4 for x in range(0, grey.shape[1], 2)]
            for y in range(0, grey.shape[0], 2)
        ])  # fmt: skip
        length = np.zeros_like(small)
        for y in range(small.shape[0]):
            for x in range(small.shape[1]):
                across = sum(at(small, y + i, x + 1) - at(small, y + i, x - 1) for i in (-1, 0, 1)) / 3
                down = sum(at(small, y + 1, x + i) - at(small, y - 1, x + i) for i in (-1, 0, 1)) / 3
                length[y, x] = np.hypot(across, down)
        return length

    first, second = gradient(result), gradient(target)
    similarity = (2 * first * second + 170) / (first**2 + second**2 + 170)
    return float(similarity.std(ddof=1))


@pytest.mark.parametrize("size", [(36, 50), (37, 51)])
def test_it_equals_the_paper_pixel_by_pixel(size: tuple[int, int]) -> None:
    result, target = noisy_pair(*size)
    assert gmsd(result, target).item() == pytest.approx(by_loops(result, target), rel=1e-6)


def test_grey_equals_the_same_picture_in_rgb() -> None:
    result, target = (picture[..., :1] for picture in noisy_pair())
    coloured = gmsd(np.repeat(result, 3, 2), np.repeat(target, 3, 2))
    assert gmsd(result, target).item() == pytest.approx(coloured.item(), rel=1e-9)


def test_half_precision_is_computed_in_single() -> None:
    result, target = (torch.from_numpy(picture.transpose(2, 0, 1))[None] for picture in noisy_pair())
    assert gmsd(result.half(), target.half()).dtype == torch.float32


def test_it_can_be_trained_on_from_a_flat_picture() -> None:
    result = torch.full((2, 3, 16, 16), 0.5, requires_grad=True)
    gmsd(result, torch.rand(2, 3, 16, 16)).sum().backward()
    assert result.grad is not None and result.grad.isfinite().all() and result.grad.abs().sum() > 0


def test_a_picture_without_room_for_a_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match="4x4"):
        gmsd(np.zeros((3, 40, 3)), np.zeros((3, 40, 3)))
