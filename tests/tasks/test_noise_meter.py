"""Noise of developed photos is found by a network, and what it says goes to the denoiser."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.nets.noiselevel import NoiseLevel
from imgfix.tasks import restore
from imgfix.tasks.noise_meter import LEVEL_SEEN, LUMA_SEEN, NoiseMeter, Reading, level, typical
from imgfix.train.spoil import compressed, developed
from imgfix.zoo.descriptor import Descriptor, Model


class Says(NoiseMeter):
    """Reads the same from every picture."""

    def __init__(self, level: float, luma: float, chroma: float) -> None:
        self.reading = Reading(level, luma, chroma)

    def read(self, rgb: np.ndarray) -> Reading | None:
        return self.reading


def scene(height: int = 256, width: int = 320) -> torch.Tensor:
    """Soft shapes with some edges, as photos have them, (1, 3, H, W)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    planes = [0.5 + 0.3 * np.sin(x / (40 + 9 * c)) * np.cos(y / (55 - 7 * c)) for c in range(3)]
    planes = [np.where((x - 200) ** 2 + (y - 90) ** 2 < 50**2, plane * 0.4, plane) for plane in planes]
    return torch.from_numpy(np.stack(planes)[None].astype(np.float32))


def as_bytes(x: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray((x[0].permute(1, 2, 0) * 255).round().numpy().astype(np.uint8))


def test_what_the_meter_reads_is_told_where_all_signs_agree() -> None:
    flat = np.full((64, 64, 3), 120, np.uint8)
    assert restore.find(flat, meter=Says(9, 4, 2)).noise == pytest.approx(2.2 * 4 + 1.5)
    assert restore.find(flat, meter=Says(9, LUMA_SEEN - 0.1, 2)).noise == 0  # too weak to be sure
    assert restore.find(flat, meter=Says(LEVEL_SEEN - 0.1, 4, 2)).noise == 0  # nothing would be gained: texture
    assert restore.find(flat, meter=Says(9, 4, 0.5)).noise == 0  # none in chroma: sand
    assert restore.find(flat).noise == 0


def test_of_a_large_picture_the_middle_of_what_its_parts_show_counts() -> None:
    parts = [Reading(9, 4, 2), Reading(11, 5, 3), Reading(0, 20, 0)]
    assert typical(parts) == Reading(9, 5, 2)


def test_white_noise_goes_by_its_own_estimate() -> None:
    noisy = np.clip(120 + 20 * np.random.default_rng(1).standard_normal((256, 256, 3)), 0, 255).astype(np.uint8)
    assert restore.find(noisy, meter=Says(20, 13.4, 12)).noise == pytest.approx(20, rel=0.1)
    assert restore.find(noisy, meter=Says(9, 4, 2)).noise == pytest.approx(20, rel=0.1)


def test_correlated_noise_of_which_the_estimate_for_white_noise_sees_a_part_goes_by_the_network() -> None:
    assert level(Reading(20, 8, 4), white=3.5) == pytest.approx(2.2 * 8 + 1.5)
    assert level(Reading(0, 8, 4), white=3.5) == 3.5


def test_a_picture_of_any_size_is_read_or_too_small_to_tell() -> None:
    net = NoiseLevel(widths=(4, 6), blocks=(1, 1)).eval()
    meter = NoiseMeter(Model(Descriptor("m", "noise", "noiselevel", size_multiple=8, size_minimum=32), net))
    reading = meter.read(np.full((45, 67, 3), 0.5, np.float32))
    assert reading is not None and reading.level > 0
    assert meter.read(np.full((31, 400, 3), 0.5, np.float32)) is None


@pytest.mark.parametrize("luma", [3.0, 5.0, 8.0])
def test_the_shipped_network_reads_the_noise_of_developed_photos(luma: float) -> None:
    meter = NoiseMeter(zoo.load("noise-level", offline=True))
    noisy = compressed(developed(scene(), luma, 1), 95.0)
    reading = meter.read(noisy[0].permute(1, 2, 0).numpy())
    assert reading is not None
    assert reading.luma == pytest.approx(luma, rel=0.35)
    found = restore.find(as_bytes(noisy), meter=meter)
    assert found.noise > 1.2 * luma  # correlated noise needs more than its deviation


def test_the_shipped_network_leaves_what_is_clean_alone() -> None:
    meter = NoiseMeter(zoo.load("noise-level", offline=True))
    for clean in (scene(), compressed(scene(), 92.0), compressed(scene(), 40.0)):
        reading = meter.read(clean[0].permute(1, 2, 0).numpy())
        assert reading is not None and reading.noise == 0
