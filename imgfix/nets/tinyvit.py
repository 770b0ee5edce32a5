"""TinyViT: a small vision transformer with windowed attention, as the picture encoder of MobileSAM."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TinyViT(nn.Module):
    """Picture encoder: two strided convolutions, a stage of inverted bottlenecks, three stages of windowed attention.

    TinyViT-5M (Wu et al. 2022, arXiv 2207.10666; MIT) with the changes of MobileSAM (Zhang et al. 2023,
    arXiv 2306.14289; Apache-2.0): the last stage keeps the resolution of the third, and a neck of two convolutions
    gives SAM's embedding. Batch normalisation is folded into the convolutions.

    Shapes: (N, 3, H, W), normalised, H and W multiples of 16, to (N, 256, H / 16, W / 16).
    Parameters (default): 5.7 M. Receptive field: hundreds of pixels, bounded by the windows.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 160, 320),
        depths: tuple[int, ...] = (2, 2, 6, 2),
        heads: tuple[int, ...] = (2, 4, 5, 10),
        windows: tuple[int, ...] = (7, 7, 14, 7),
        channels: int = 256,
    ) -> None:
        super().__init__()
        first = widths[0]
        self.stem = nn.Sequential(nn.Conv2d(3, first // 2, 3, 2, 1), nn.GELU(), nn.Conv2d(first // 2, first, 3, 2, 1))
        stages: list[nn.Module] = []
        for index, (width, depth, head, window) in enumerate(zip(widths, depths, heads, windows, strict=True)):
            blocks: list[nn.Module] = [
                Bottleneck(width) if index == 0 else AttentionBlock(width, head, window) for _ in range(depth)
            ]
            following = widths[index + 1] if index + 1 < len(widths) else None
            # SAM wants an embedding of a sixteenth of the side, so the last stage is not halved again.
            stages.append(Stage(blocks, width, following, stride=1 if index == len(widths) - 2 else 2))
        self.stages = nn.ModuleList(stages)
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], channels, 1, bias=False),
            ChannelNorm(channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            ChannelNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.neck(x)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        along = x.permute(0, 2, 3, 1)
        return F.layer_norm(along, self.weight.shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks at one resolution, then (but for the last stage) a step to the next width."""

    def __init__(self, blocks: list[nn.Module], width: int, following: int | None, stride: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.merge = PatchMerging(width, following, stride) if following is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(self.blocks(x))


class PatchMerging(nn.Module):
    """To another width, and to half the resolution where stride is 2."""

    def __init__(self, width: int, following: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, following, 1)
        self.conv2 = nn.Conv2d(following, following, 3, stride, 1, groups=following)
        self.conv3 = nn.Conv2d(following, following, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class Bottleneck(nn.Module):
    """Inverted bottleneck: four times as wide inside, a depthwise convolution in the middle, a residual around."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, 4 * width, 1)
        self.conv2 = nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width)
        self.conv3 = nn.Conv2d(4 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        inside = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(inside))


class AttentionBlock(nn.Module):
    """Attention inside windows, a depthwise convolution across their borders, a multi-layer perceptron."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mlp = Perceptron(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(x)
        x = self.local_conv(x)
        tokens = x.permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)

    def _attend(self, x: Tensor) -> Tensor:
        """Cut into windows (padded with zeros, which take part as the published weights expect), and back."""
        count, width, height, breadth = x.shape
        side = self.window
        down, right = -height % side, -breadth % side
        rows, columns = (height + down) // side, (breadth + right) // side
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, right, 0, down))
        cut = padded.reshape(count, rows, side, columns, side, width).transpose(2, 3)
        done = self.attn(cut.reshape(-1, side * side, width))
        whole = done.reshape(count, rows, columns, side, side, width).transpose(2, 3)
        whole = whole.reshape(count, height + down, breadth + right, width)
        return whole[:, :height, :breadth].permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Multi-head attention among the pixels of a window, with a learnt bias for each distance of two pixels."""

    index: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        # One bias for each (|dy|, |dx|), counted row by row.
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        place = torch.arange(window)
        apart = (place[:, None] - place[None, :]).abs()
        index = apart[:, None, :, None] * window + apart[None, :, None, :]
        self.register_buffer("index", index.reshape(window * window, window * window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        windows, pixels, width = x.shape
        # Of each head the query, the key and the value lie side by side.
        joined = self.qkv(self.norm(x)).reshape(windows, pixels, self.heads, 3, width // self.heads)
        query, key, value = joined.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self.index]
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(windows, -1, -1, -1))
        return self.proj(found.transpose(1, 2).reshape(windows, pixels, width))


class Perceptron(nn.Module):
    """Normalisation and two linear layers over the last axis."""

    def __init__(self, width: int, inside: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, inside)
        self.fc2 = nn.Linear(inside, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))
