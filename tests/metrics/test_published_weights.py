"""The measures with their published weights against other implementations of them, on a fixed pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix.metrics import fid
from imgfix.metrics.lpips import lpips
from imgfix.metrics.niqe import niqe
from imgfix.nets.lpips import Trunk

pytestmark = pytest.mark.network


def fixed_pair(side: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:side, : side + 64] / 16
    waves = [
        0.5 + 0.25 * np.sin(x * (1 + channel / 3) + np.cos(y)) + 0.2 * np.cos(2.3 * y - x * channel)
        for channel in range(3)
    ]
    target = np.stack(waves, -1).clip(0, 1)
    grain = (np.sin(np.arange(target.size) * 12.9898) * 43758.5453 % 1 - 0.5).reshape(target.shape)
    return (target * 0.9 + 0.05 + 0.15 * grain).clip(0, 1), target


@pytest.mark.parametrize(("trunk", "expected"), [("alex", 0.289559), ("vgg", 0.404852)])
def test_lpips_equals_the_authors_package(trunk: Trunk, expected: float) -> None:
    assert lpips(*fixed_pair(192), trunk=trunk).item() == pytest.approx(expected, abs=2e-6)


def test_niqe_equals_basicsr() -> None:
    result, target = ((picture * 255).round().astype(np.uint8) for picture in fixed_pair(288))
    assert niqe(result) == pytest.approx(24.0176, abs=0.002)
    assert niqe(target) == pytest.approx(15.9947, abs=0.002)


def test_inception_features_equal_the_published_graph() -> None:
    picture = fixed_pair(299)[0][:, :299]
    found = fid.features([torch.from_numpy(picture.transpose(2, 0, 1)).float()])[0]
    assert found.sum().item() == pytest.approx(496.5254, abs=0.01)
    assert (found.argmax().item(), found.max().item()) == (834, pytest.approx(3.88022, abs=1e-4))
