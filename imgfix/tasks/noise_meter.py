"""Reads the noise of developed photos, which is correlated, with a network made for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch

from imgfix.zoo.descriptor import Model

LUMA_SEEN = 1.5
"""Deviation in luma, of 255, from which what the network reads is taken for noise."""
LEVEL_SEEN = 2.2
"""Level that the network has to want FFDNet told as well: of texture that it takes for noise it mostly wants none."""
CHROMA_SEEN = 0.25
"""Chroma's deviation as a share of luma's: noise of cameras has both, sand and gravel hardly any in chroma."""


@dataclass(frozen=True)
class Reading:
    """What the network says of a picture, each of 255."""

    level: float
    """The level at which FFDNet gains most when told, as far as the network can say; near 0 where it gains nothing."""
    luma: float
    """Standard deviation of the noise in luma."""
    chroma: float
    """The same in chroma, on average over both planes."""

    @property
    def noise(self) -> float:
        """The level to tell a denoiser made for white noise, which is more than the deviation of luma; 0 for none."""
        seen = self.luma >= LUMA_SEEN and self.level >= LEVEL_SEEN and self.chroma >= CHROMA_SEEN * self.luma
        return 2.2 * self.luma + 1.5 if seen else 0.0


def typical(readings: Sequence[Reading]) -> Reading:
    """The median of each number over several parts of a picture, of which there is at least one."""
    return Reading(*(float(np.median(values)) for values in zip(*map(astuple, readings), strict=True)))


def level(reading: Reading, white: float) -> float:
    """The level of the noise, of 255, by what the network read and by an estimate that sees white noise alone.

    Of white noise luma has two thirds of the deviation; of correlated noise the estimate sees a small part.
    """
    if white > reading.luma:
        return white
    return max(white, reading.noise)


class NoiseMeter:
    """A model of the task `noise`; it works on the processor in fp32, for weak noise is below what bf16 tells apart."""

    def __init__(self, model: Model) -> None:
        self._net = model.net.float().eval()
        self._multiple, self._least = model.descriptor.size_multiple, model.descriptor.size_minimum

    def read(self, rgb: np.ndarray) -> Reading | None:
        """Measure a picture, (H, W, 3) float in [0, 1], sRGB-encoded; None where it is too small to tell."""
        height, width = (side // self._multiple * self._multiple for side in rgb.shape[:2])
        if min(height, width) < self._least:
            return None
        x = torch.from_numpy(np.ascontiguousarray(rgb[:height, :width], np.float32)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            level, luma, chroma = (255 * self._net(x)[0]).tolist()
        return Reading(level, luma, chroma)
