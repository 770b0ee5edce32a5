"""DRUNet: a residual U-Net that removes Gaussian noise of a level that is told to it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from imgfix.nets.reach import farthest, unet


class ResidualBlock(nn.Module):
    """Two convolutions around a ReLU, added to their input; (N, C, H, W) in and out."""

    def __init__(self, channels: int, bias: bool = False) -> None:
        super().__init__()
        self.res = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.res(x)


def down(inside: int, outside: int, blocks: int, bias: bool = False) -> nn.Sequential:
    """One level of the encoder: residual blocks, then half the size."""
    fold = nn.Conv2d(inside, outside, 2, stride=2, bias=bias)
    return nn.Sequential(*(ResidualBlock(inside, bias) for _ in range(blocks)), fold)


class DRUNet(nn.Module):
    """Denoiser that is told the level; (N, channels + 1, H, W) -> (N, channels, H, W), both sides multiples of 8.

    The last input channel is the noise map: the standard deviation of the noise in the units of the picture. The rest
    is the picture in [0, 1]. The output is not clipped. There is no bias anywhere, so picture and noise map may be
    scaled together.

    Zhang, Li, Zuo, Zhang, Van Gool, Timofte, "Plug-and-Play Image Restoration with Deep Denoiser Prior" (2021), arXiv
    2008.13751; code and weights MIT. Parameters: 32.6 M. Receptive field: see `receptive_field`.

    Args:
        channels: of the picture.
        widths: features at full size and at the three smaller ones.
        blocks: residual blocks at each level, down and up.
    """

    def __init__(self, channels: int = 3, widths: Sequence[int] = (64, 128, 256, 512), blocks: int = 4) -> None:
        super().__init__()
        self.m_head = nn.Conv2d(channels + 1, widths[0], 3, padding=1, bias=False)
        self.m_down1, self.m_down2, self.m_down3 = (
            down(widths[level], widths[level + 1], blocks) for level in range(3)
        )
        self.m_body = nn.Sequential(*(ResidualBlock(widths[3]) for _ in range(blocks)))
        self.m_up3, self.m_up2, self.m_up1 = (
            nn.Sequential(
                nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2, bias=False),
                *(ResidualBlock(widths[level]) for _ in range(blocks)),
            )
            for level in (2, 1, 0)
        )
        self.m_tail = nn.Conv2d(widths[0], channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        first = self.m_head(x)
        second = self.m_down1(first)
        third = self.m_down2(second)
        fourth = self.m_down3(third)
        x = self.m_up3(self.m_body(fourth) + fourth)
        x = self.m_up2(x + third)
        x = self.m_up1(x + second)
        return self.m_tail(x + first)


def receptive_field(blocks: int = 4) -> int:
    """Input pixels on each side that can change an output pixel."""
    return farthest(lambda place: unet(place, lambda span, _: span.grown(2 * blocks)), range(8))
