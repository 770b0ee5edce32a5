"""ContextFFDNet: an FFDNet that a small U-Net beside it tells what to do, where, and how strongly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.evidence import stage, strengths, ycc
from imgfix.nets.ffdnet import FFDNet

LEVEL_START = -3.46
"""Logarithm of the level at the start: 8 of 255, ordinary camera noise."""
EVIDENCE = 48 + 3 + 2 * 18
"""Planes that the U-Net sees of each cell of 4 x 4 pixels."""


class ContextFFDNet(nn.Module):
    """Blind restorer of noise and JPEG artefacts; (N, 3, H, W) -> (N, 3, H, W), both sides multiples of 8.

    A U-Net on quarter- and eighth-size cells sees 100 pixels around: chroma blotches and the grid of a JPEG, which
    FFDNet's own receptive field hardly holds. So that weak noise is not lost beside the picture, it is given what
    differs from the mean of each cell, enlarged, and the logarithms of how strong fine details are. It gives the
    denoiser a level map, and features after the first and after the middle layer; `damage` reads three maps off it. The
    denoiser has FFDNet's layers and may start from published weights.

    FFDNet: Zhang, Zuo, Zhang 2018, arXiv 1710.04026; the estimator before the denoiser: Guo et al. 2019, arXiv
    1807.04686; U-Net: Ronneberger et al. 2015, arXiv 1505.04597. Own design; defaults: 3.1 M parameters. Picture in
    [0, 1], the output is not clipped. Receptive field: see `receptive_field`.
    """

    MAPS = 3
    """Luma noise, chroma noise (deviation, in units of the picture), JPEG (1 - quality / 100, 0 without)."""

    def __init__(
        self,
        features: int = 96,
        convolutions: int = 12,
        widths: tuple[int, int] = (96, 160),
        blocks: tuple[int, int] = (2, 3),
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.layers = FFDNet(3, features, convolutions).layers
        self.entry = nn.Conv2d(EVIDENCE, fine, 3, padding=1)
        self.encode = stage(fine, blocks[0])
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.middle = stage(coarse, blocks[1])
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.decode = stage(fine, blocks[0])
        self.maps = nn.Conv2d(fine, self.MAPS, 1)
        self.level = nn.Conv2d(fine, 4, 1)
        self.hints = nn.ModuleList([nn.Conv2d(fine, 4 * features, 1, bias=False) for _ in range(2)])
        with torch.no_grad():
            for layer in (self.maps, self.level, *self.hints):
                layer.weight.zero_()
            assert self.maps.bias is not None and self.level.bias is not None
            self.maps.bias.copy_(torch.tensor([LEVEL_START, LEVEL_START, 0.0]))
            self.level.bias.fill_(LEVEL_START)

    def context(self, x: Tensor) -> Tensor:
        """Features of the surroundings, (N, widths[0], H / 4, W / 4)."""
        fine = self.encode(self.entry(evidence(x).to(self.entry.weight.dtype)))
        return self.decode(fine + F.pixel_shuffle(self.up(self.middle(self.down(fine))), 2))

    def damage(self, context: Tensor) -> Tensor:
        """How strong the damage is, place by place, (N, 3, H / 4, W / 4), see `MAPS`; `context` is what that gave."""
        found = self.maps(context)
        found = found if found.dtype == torch.float64 else found.float()
        return torch.cat([found[:, :2].clamp(-12, 0).exp(), found[:, 2:].sigmoid()], dim=1)

    def told(self, context: Tensor) -> Tensor:
        """The level map that the denoiser is told, (N, 1, H / 2, W / 2), in units of the picture."""
        return F.pixel_shuffle(self.level(context), 2).clamp(-12, 0).exp()

    def restored(self, x: Tensor, context: Tensor) -> Tensor:
        """The picture that comes out, from what `context` gave."""
        hidden = torch.cat([F.pixel_unshuffle(x, 2), self.told(context).to(x.dtype)], dim=1)
        middle = len(self.layers) // 2
        for number, layer in enumerate(self.layers[:-1]):
            if number in (0, middle):
                hint = self.hints[0 if number == 0 else 1](context)
                hidden = F.relu(layer(hidden) + F.pixel_shuffle(hint, 2))
            else:
                hidden = layer(hidden, slope=0.0)
        return F.pixel_shuffle(self.layers[-1](hidden), 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.restored(x, self.context(x))


def evidence(x: Tensor) -> Tensor:
    """What a picture shows of its damage, (N, EVIDENCE, H / 4, W / 4), each about 1 in size; x: (N, 3, H, W) in [0, 1].

    Of each cell of 4 x 4 pixels: how its pixels differ from their mean; the mean; and the logarithm of how large the
    diagonal, horizontal and vertical details of two sizes are in luma and chroma, where natural pictures have few: on
    average over 3 x 3 cells, and the least of that over 7 x 7, which texture seldom fills.
    """
    x = x if x.dtype == torch.float64 else x.float()  # weak noise is below what bf16 tells apart
    mean = F.avg_pool2d(x, 4)
    apart = F.pixel_unshuffle(x - F.interpolate(mean, scale_factor=4.0), 4)
    strength, least = strengths(ycc(x))
    return torch.cat([8 * apart, 2 * mean - 1, strength, least], dim=1)


def receptive_field(convolutions: int = 12, blocks: tuple[int, int] = (2, 3)) -> int:
    """Input pixels on each side that can change an output pixel."""
    context = 4 * (1 + 2 * 2 * blocks[0]) + 8 * 2 * blocks[1]
    return context + 2 * convolutions + 23  # the cells of the evidence, and a cell of eight less the pixel itself
