"""SCUNet: a U-Net whose blocks are half convolution, half window attention, for noise as it is in real pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imgfix.nets import windows
from imgfix.nets.reach import Span, farthest, unet


class WindowAttention(nn.Module):
    """Attention in windows; (N, H, W, C) in and out, both sides multiples of the window's."""

    index: Tensor

    def __init__(self, channels: int, head: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads = channels // head
        self.window, self.shift = window, shift
        self.embedding_layer = nn.Linear(channels, 3 * channels)
        self.relative_position_params = nn.Parameter(torch.zeros(self.heads, 2 * window - 1, 2 * window - 1))
        self.linear = nn.Linear(channels, channels)
        self.register_buffer("index", windows.relative_index(window), persistent=False)
        nn.init.trunc_normal_(self.relative_position_params, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        apart = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
            apart = windows.strangers(height, width, self.window, self.shift, x.device)
        cells = windows.partition(x, self.window)
        bias = self.relative_position_params.flatten(1)[:, self.index]
        cells = self.linear(windows.attend(self.embedding_layer(cells), bias, self.heads, apart))
        x = windows.join(cells, self.window, height, width)
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x


class TransformerBlock(nn.Module):
    """Attention and two dense layers, each normalised before and added after; (N, H, W, C) in and out."""

    def __init__(self, channels: int, head: int, window: int, shift: int) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(channels)
        self.msa = WindowAttention(channels, head, window, shift)
        self.ln2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.msa(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class ConvTransformerBlock(nn.Module):
    """Half of the channels through convolutions, half through attention; (N, C, H, W) in and out."""

    def __init__(self, channels: int, head: int, window: int, shift: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1_1 = nn.Conv2d(channels, channels, 1)
        self.trans_block = TransformerBlock(half, head, window, shift)
        self.conv_block = nn.Sequential(
            nn.Conv2d(half, half, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False)
        )
        self.conv1_2 = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        near, far = self.conv1_1(x).chunk(2, dim=1)
        near = near + self.conv_block(near)
        far = self.trans_block(far.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return x + self.conv1_2(torch.cat((near, far), dim=1))


def _shift(number: int, window: int) -> int:
    """By how much the windows of a level's block are shifted: every other one by half."""
    return window // 2 if number % 2 else 0


class SCUNet(nn.Module):
    """Swin-Conv-UNet, a blind denoiser.

    Zhang, Li, Liang, Cao, Zhang, Tang, Timofte, Van Gool, "Practical Blind Image Denoising via Swin-Conv-UNet and Data
    Synthesis" (2022), arXiv 2203.13278; code and weights Apache-2.0. Parameters: 17.9 M with 64 features and 4 blocks
    a level. Receptive field: see `receptive_field`.

    Shapes: (N, C, H, W) in [0, 1] to the same, not clipped; both sides multiples of 8 windows: 64.

    Args:
        channels: of the picture.
        features: at full size, a multiple of two heads; they double at each of the three smaller ones.
        blocks: three levels down, the bottom, three levels up.
        head: features of one head of the attention.
        window: side of the windows.
    """

    def __init__(
        self,
        channels: int = 3,
        features: int = 64,
        blocks: Sequence[int] = (4, 4, 4, 4, 4, 4, 4),
        head: int = 32,
        window: int = 8,
    ) -> None:
        super().__init__()

        def stage(width: int, count: int) -> list[nn.Module]:
            return [ConvTransformerBlock(width, head, window, _shift(number, window)) for number in range(count)]

        widths = [features, 2 * features, 4 * features, 8 * features]
        self.m_head = nn.Sequential(nn.Conv2d(channels, features, 3, padding=1, bias=False))
        for level in range(3):
            fold = nn.Conv2d(widths[level], widths[level + 1], 2, stride=2, bias=False)
            self.add_module(f"m_down{level + 1}", nn.Sequential(*stage(widths[level], blocks[level]), fold))
        self.m_body = nn.Sequential(*stage(widths[3], blocks[3]))
        for level in (2, 1, 0):
            unfold = nn.ConvTranspose2d(widths[level + 1], widths[level], 2, stride=2, bias=False)
            self.add_module(f"m_up{level + 1}", nn.Sequential(unfold, *stage(widths[level], blocks[6 - level])))
        self.m_tail = nn.Sequential(nn.Conv2d(features, channels, 3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.m_head(x)]
        for number in (1, 2, 3):
            levels.append(self.get_submodule(f"m_down{number}")(levels[-1]))
        x = self.m_body(levels[3])
        for number in (3, 2, 1):
            x = self.get_submodule(f"m_up{number}")(x + levels[number])
        return self.m_tail(x + levels[0])


def receptive_field(blocks: Sequence[int] = (4, 4, 4, 4, 4, 4, 4), window: int = 8) -> int:
    """Input pixels on each side that can change an output pixel."""

    def stage(span: Span, level: int) -> Span:
        for number in reversed(range(blocks[level])):
            span = span.grown(2).joined(span.windowed(window, _shift(number, window)))
        return span

    return farthest(lambda place: unet(place, stage), range(8 * window))
