"""NoiseLevel: how strong the noise of a picture is, read by a small network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EVIDENCE = 48 + 3 + 2 * 18
"""Planes that are made of each cell of 4 x 4 pixels."""
LEVEL_START = -4.5
"""Logarithm of the levels at the start: 2.8 of 255."""
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
_FINE = 2 / 255


class NoiseLevel(nn.Module):
    """Measures noise; (N, 3, H, W) -> (N, 3), both sides multiples of 8 and at least 32.

    What it gives, in the units of the picture: the level at which FFDNet does best when told, and the standard
    deviations of the noise in luma and in chroma. It looks at cells of 4 x 4 and then of 8 x 8 pixels, in which noise
    and texture differ, and learns which cells tell most: the answer is their mean, weighted by softmax.

    Picture in [0, 1], sRGB-encoded. Attention pooling: Ilse, Tomczak, Welling, "Attention-based Deep Multiple Instance
    Learning" (2018), arXiv 1802.04712. Own design; defaults: 0.38 M parameters.
    """

    def __init__(self, widths: tuple[int, int] = (48, 64), blocks: tuple[int, int] = (3, 3)) -> None:
        super().__init__()
        fine, coarse = widths
        self.entry = nn.Conv2d(EVIDENCE, fine, 1)
        self.encode = nn.Sequential(*(_Block(fine) for _ in range(blocks[0])))
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.middle = nn.Sequential(*(_Block(coarse) for _ in range(blocks[1])))
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
    are enlarged; the mean; and the logarithm of how large the diagonal, horizontal and vertical details of two sizes
    are, where natural pictures have few: on average over 3 x 3 cells, and the least of that over 7 x 7, which texture
    seldom fills.
    """
    x = x if x.dtype == torch.float64 else x.float()  # weak noise is below what bf16 tells apart
    planes = torch.einsum("oc,nchw->nohw", x.new_tensor(_TO_YCC), x)
    mean = F.avg_pool2d(planes, 4)
    apart = F.pixel_unshuffle(planes - F.interpolate(mean, scale_factor=4.0), 4)
    fine, halved = _details(planes)
    coarse, _ = _details(halved)
    strength = torch.cat([F.avg_pool2d(fine, 2), coarse], dim=1)
    strength = (F.avg_pool2d(strength, 3, 1, 1, count_include_pad=False) + 0.3 / 255).log() + 5
    least = -F.max_pool2d(-strength, 7, 1, 3)
    return torch.cat([torch.asinh(apart / _FINE) / 2, 2 * mean - x.new_tensor([1.0, 0, 0])[:, None, None], strength,
                      least], dim=1)  # fmt: skip


def _details(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Sizes of the Haar details of blocks of 2 x 2 pixels, (N, 9, h / 2, w / 2), and the planes' means over them."""
    a, b, c, d = F.pixel_unshuffle(planes, 2).unflatten(1, (3, 4)).unbind(2)
    return torch.cat([a - b - c + d, a + b - c - d, a - b + c - d], dim=1).abs() / 2, (a + b + c + d) / 4


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))
