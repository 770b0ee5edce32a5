"""NoiseLevel: how strong the noise of a picture is, read by a small network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.evidence import stage, strengths, ycc

EVIDENCE = 48 + 3 + 2 * 18
"""Planes that are made of each cell of 4 x 4 pixels."""
LEVEL_START = -4.5
"""Logarithm of the levels at the start: 2.8 of 255."""
_FINE = 2 / 255


class NoiseLevel(nn.Module):
    """Measures noise; (N, 3, H, W) -> (N, 3), both sides multiples of 8 and at least 32.

    What it gives, in the units of the picture: the level at which FFDNet does best when told, and the standard
    deviations of the noise in luma and in chroma. It looks at cells of 4 x 4 and then of 8 x 8 pixels, in which noise
    and texture differ, and learns which cells tell most: the answer is their mean, weighted by softmax.

    Picture in [0, 1], sRGB-encoded. Attention pooling: Ilse, Tomczak, Welling, "Attention-based Deep Multiple Instance
    Learning" (2018), arXiv 1802.04712. Own design; defaults: 0.36 M parameters.
    """

    def __init__(self, widths: tuple[int, int] = (48, 64), blocks: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        fine, coarse = widths
        self.entry = nn.Conv2d(EVIDENCE, fine, 1)
        self.encode = stage(fine, blocks[0])
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.middle = stage(coarse, blocks[1])
        self.levels = nn.Conv2d(coarse, 3, 1)
        self.trust = nn.Conv2d(coarse, 3, 1)
        with torch.no_grad():
            for layer in (self.levels, self.trust):
                layer.weight.zero_()
                assert layer.bias is not None
                layer.bias.zero_()
            assert self.levels.bias is not None
            self.levels.bias.fill_(LEVEL_START)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.encode(self.entry(noise_evidence(x).to(self.entry.weight.dtype)))
        hidden = self.middle(F.relu(self.down(hidden)))
        found, trust = self.levels(hidden), self.trust(hidden)
        if found.dtype != torch.float64:
            found, trust = found.float(), trust.float()
        weights = trust.flatten(2).softmax(2)
        return (found.flatten(2) * weights).sum(2).clamp(-12, 0).exp()


def noise_evidence(x: Tensor) -> Tensor:
    """What a picture shows of its noise, (N, EVIDENCE, H / 4, W / 4), each about 1 in size; x: (N, 3, H, W) in [0, 1].

    Of each cell of 4 x 4 pixels: how its pixels differ from their mean, in luma and chroma, where small differences
    are enlarged; the mean; and `strengths`.
    """
    x = x if x.dtype == torch.float64 else x.float()  # weak noise is below what bf16 tells apart
    planes = ycc(x)
    mean = F.avg_pool2d(planes, 4)
    apart = F.pixel_unshuffle(planes - F.interpolate(mean, scale_factor=4.0), 4)
    strength, least = strengths(planes)
    return torch.cat([torch.asinh(apart / _FINE) / 2, 2 * mean - x.new_tensor([1.0, 0, 0])[:, None, None], strength,
                      least], dim=1)  # fmt: skip
