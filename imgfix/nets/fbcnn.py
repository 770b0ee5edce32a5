"""FBCNN: undoes the artefacts of a JPEG, of a quality that it finds itself or is told."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imgfix.nets.drunet import ResidualBlock, down

WORDS = 512  # length of the vector that describes the quality


class QualityBlock(nn.Module):
    """Two convolutions whose result is scaled and moved, channel by channel, by what the quality says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.res = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, x: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
        """(N, C, H, W) with scale and offset (N, C, 1, 1) to the same."""
        return x + scale * self.res(x) + offset


def _up(inside: int, outside: int, blocks: int) -> nn.ModuleList:
    unfold = nn.ConvTranspose2d(inside, outside, 2, stride=2)
    return nn.ModuleList([unfold, *(QualityBlock(outside) for _ in range(blocks))])


class FBCNN(nn.Module):
    """Flexible blind network for JPEG artefacts; (N, channels + 1, H, W) -> (N, channels, H, W), multiples of 8.

    The last input channel holds the quality of the JPEG over 100, the same everywhere; 0 where it is not known, and
    then the network goes by the one that it finds in the picture. The rest is the picture in [0, 1]. The output is not
    clipped.

    Jiang, Zhang, Timofte, "Towards Flexible Blind JPEG Artifacts Removal" (2021), arXiv 2109.14573; code and weights
    Apache-2.0. Parameters: 71.9 M. Receptive field: the whole picture where it finds the quality itself.

    Args:
        channels: of the picture.
        widths: features at full size and at the three smaller ones.
        blocks: residual blocks at each level, down and up.
    """

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 128, 256, 512), blocks: int = 4) -> None:
        super().__init__()
        self.m_head = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.m_down1, self.m_down2, self.m_down3 = (
            down(widths[level], widths[level + 1], blocks, bias=True) for level in range(3)
        )
        self.m_body_encoder = nn.Sequential(*(ResidualBlock(widths[3], bias=True) for _ in range(blocks)))
        self.qf_pred = nn.Sequential(
            *(ResidualBlock(widths[3], bias=True) for _ in range(blocks)),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[3], WORDS),
            nn.ReLU(),
            nn.Linear(WORDS, WORDS),
            nn.ReLU(),
            nn.Linear(WORDS, 1),
            nn.Sigmoid(),
        )
        self.m_body_decoder = nn.Sequential(*(ResidualBlock(widths[3], bias=True) for _ in range(blocks)))
        self.qf_embed = nn.Sequential(
            nn.Linear(1, WORDS), nn.ReLU(), nn.Linear(WORDS, WORDS), nn.ReLU(), nn.Linear(WORDS, WORDS), nn.ReLU()
        )
        for number, width in ((3, widths[2]), (2, widths[1]), (1, widths[0])):
            self.add_module(f"to_gamma_{number}", nn.Sequential(nn.Linear(WORDS, width), nn.Sigmoid()))
            self.add_module(f"to_beta_{number}", nn.Sequential(nn.Linear(WORDS, width), nn.Tanh()))
        self.m_up3, self.m_up2, self.m_up1 = (_up(widths[level + 1], widths[level], blocks) for level in (2, 1, 0))
        self.m_tail = nn.Conv2d(widths[0], channels, 3, padding=1)

    def quality(self, picture: Tensor) -> Tensor:
        """The quality, over 100, that the network finds: (N, channels, H, W) in [0, 1] to (N, 1)."""
        return 1 - self.qf_pred(self._encoded(picture)[-1])

    def forward(self, x: Tensor) -> Tensor:
        told = x[:, -1].mean(dim=(1, 2))[:, None]
        *levels, deep = self._encoded(x[:, :-1])
        # The authors' unit is 1 - quality / 100.
        damage = torch.where(told > 0, 1 - told, self.qf_pred(deep))
        words = self.qf_embed(damage)
        x = self.m_body_decoder(deep)
        for number in (3, 2, 1):
            scale, offset = (
                self.get_submodule(f"to_{name}_{number}")(words)[:, :, None, None] for name in ("gamma", "beta")
            )
            unfold, *blocks = self.get_submodule(f"m_up{number}").children()
            x = unfold(x + levels[number])
            for block in blocks:
                x = block(x, scale, offset)
        return self.m_tail(x + levels[0])

    def _encoded(self, picture: Tensor) -> list[Tensor]:
        """Features at the four sizes, and what the body makes of the smallest."""
        levels = [self.m_head(picture)]
        for stage in (self.m_down1, self.m_down2, self.m_down3, self.m_body_encoder):
            levels.append(stage(levels[-1]))
        return levels
