"""ContextFFDNet: an FFDNet that a small U-Net beside it tells what to do, where, and how strongly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.ffdnet import FFDNet

LEVEL_START = -3.4
"""Start of the level before its softplus: about 8 of 255, ordinary camera noise."""


class ContextFFDNet(nn.Module):
    """Blind restorer of noise and JPEG artefacts; (N, 3, H, W) -> (N, 3, H, W), both sides multiples of 8.

    A U-Net on quarter- and eighth-size cells sees 100 pixels around: chroma blotches and the grid of a JPEG, which
    FFDNet's own receptive field hardly holds. It gives the denoiser a level map, and features after the first and after
    the middle layer; `damage` reads three maps off it. The denoiser has FFDNet's layers and may start from published
    weights.

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
        self.entry = nn.Conv2d(48, fine, 3, padding=1)
        self.encode = _stage(fine, blocks[0])
        self.down = nn.Conv2d(fine, coarse, 2, 2)
        self.middle = _stage(coarse, blocks[1])
        self.up = nn.Conv2d(coarse, 4 * fine, 1)
        self.decode = _stage(fine, blocks[0])
        self.maps = nn.Conv2d(fine, self.MAPS, 1)
        self.level = nn.Conv2d(fine, 4, 1)
        self.hints = nn.ModuleList([nn.Conv2d(fine, 4 * features, 1, bias=False) for _ in range(2)])
        with torch.no_grad():
            for layer in (self.maps, self.level, *self.hints):
                layer.weight.zero_()
            assert self.maps.bias is not None and self.level.bias is not None
            self.maps.bias.fill_(LEVEL_START)
            self.level.bias.fill_(LEVEL_START)

    def context(self, x: Tensor) -> Tensor:
        """Features of the surroundings, (N, widths[0], H / 4, W / 4)."""
        fine = self.encode(self.entry(F.pixel_unshuffle(x, 4)))
        return self.decode(fine + F.pixel_shuffle(self.up(self.middle(self.down(fine))), 2))

    def damage(self, context: Tensor) -> Tensor:
        """How strong the damage is, place by place, (N, 3, H / 4, W / 4), see `MAPS`; `context` is what that gave."""
        return F.softplus(self.maps(context).float())

    def restored(self, x: Tensor, context: Tensor) -> Tensor:
        """The picture that comes out, from what `context` gave."""
        level = F.softplus(F.pixel_shuffle(self.level(context), 2))
        hidden = torch.cat([F.pixel_unshuffle(x, 2), level.to(x.dtype)], dim=1)
        middle = len(self.layers) // 2
        for number, layer in enumerate(self.layers[:-1]):
            hidden = layer(hidden)
            if number in (0, middle):
                hidden = hidden + F.pixel_shuffle(self.hints[0 if number == 0 else 1](context), 2)
            hidden = F.relu(hidden)
        return F.pixel_shuffle(self.layers[-1](hidden), 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.restored(x, self.context(x))


def receptive_field(convolutions: int = 12, blocks: tuple[int, int] = (2, 3)) -> int:
    """Input pixels on each side that can change an output pixel."""
    context = 4 * (1 + 2 * 2 * blocks[0]) + 8 * 2 * blocks[1]
    return context + 2 * convolutions + 7  # a cell of eight, less the pixel itself


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


def _stage(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(blocks)))
