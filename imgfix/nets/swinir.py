"""SwinIR: upscaling and restoration by window attention at full size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets import windows
from imgfix.nets.reach import Span, farthest

MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K, which the published weights expect to be taken away."""
APART = -100.0
"""Added to the products of pixels that should not see each other; the published weights were trained with it."""
SLOPE = 0.2

Upsampler = Literal["shuffle", "shuffle-direct", "nearest", "none"]


class WindowAttention(nn.Module):
    """Attention inside windows; (N * windows, n, C) in and out."""

    index: Tensor

    def __init__(self, channels: int, window: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.register_buffer("index", windows.relative_index(window), persistent=False)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        bias = self.relative_position_bias_table[self.index].permute(2, 0, 1)
        return self.proj(windows.attend(self.qkv(x), bias, self.heads, apart, APART))


class Mlp(nn.Module):
    """Two dense layers around a GELU; (..., C) in and out."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Layer(nn.Module):
    """Attention and a dense part, each normalised before and added after; (N, H, W, C) in and out."""

    def __init__(self, channels: int, window: int, heads: int, hidden: int, shift: int) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, window, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = Mlp(channels, hidden)

    def forward(self, x: Tensor, apart: Tensor | None) -> Tensor:
        height, width = x.shape[1:3]
        y = self.norm1(x)
        if self.shift:
            y = y.roll((-self.shift, -self.shift), (1, 2))
        y = self.attn(windows.partition(y, self.window), apart if self.shift else None)
        y = windows.join(y, self.window, height, width)
        if self.shift:
            y = y.roll((self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


def _residual_conv(channels: int, thin: bool) -> nn.Module:
    """One convolution, or three through a quarter of the channels."""
    if not thin:
        return nn.Conv2d(channels, channels, 3, padding=1)
    few = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, few, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(few, few, 1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(few, channels, 3, padding=1),
    )


class Group(nn.Module):
    """Layers that are shifted every other time, then a convolution, added to the input; (N, H, W, C) in and out."""

    def __init__(self, channels: int, depth: int, window: int, heads: int, hidden: int, thin: bool) -> None:
        super().__init__()
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(
            Layer(channels, window, heads, hidden, window // 2 if number % 2 else 0) for number in range(depth)
        )
        self.conv = _residual_conv(channels, thin)

    def forward(self, x: Tensor, apart: Tensor) -> Tensor:
        y = x
        for layer in self.residual_group.blocks:  # type: ignore[union-attr]
            y = layer(y, apart)
        return x + self.conv(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class SwinIR(nn.Module):
    """Restoration by shifted windows; (N, C, H, W) in [0, 1] to (N, C, s H, s W), not clipped.

    Both sides are multiples of `window` (times `unshuffle`). Tiles have to start at such multiples too, or their
    windows are not those of the whole picture.

    Liang, Cao, Sun, Zhang, Van Gool, Timofte, "SwinIR: Image Restoration Using Swin Transformer" (2021), arXiv
    2108.10257; code and weights Apache-2.0. Parameters: 11.7 M for the real-world M (6 groups of 6 layers of 180
    channels, 6 heads), 28.0 M for L (9 of 6 of 240, 8 heads, thin). Receptive field: see `receptive_field`.

    Args:
        scale: 1, 2, 3, 4 or 8; with `unshuffle`, that of the network without it.
        channels: of the picture.
        features: in the layers.
        depths: layers in each group.
        heads: of the attention, in each group.
        window: side of the windows.
        hidden: features between the two dense layers.
        upsampler: how the picture is enlarged: by pixel shuffles, by one, by nearest neighbours and convolutions; or
            `none`, when the size is kept and the result is added to the input.
        wide: features after the layers, where the picture is enlarged.
        thin: whether groups end in three thin convolutions instead of one.
        value_range: what the values of the picture run to inside.
        unshuffle: by how much the picture is folded at first.
        normalised: whether features are normalised when they enter the layers.
    """

    mean: Tensor

    def __init__(
        self,
        scale: int = 4,
        channels: int = 3,
        features: int = 180,
        depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
        heads: Sequence[int] = (6, 6, 6, 6, 6, 6),
        window: int = 8,
        hidden: int = 360,
        upsampler: Upsampler = "nearest",
        wide: int = 64,
        thin: bool = False,
        value_range: float = 1.0,
        unshuffle: int = 1,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.scale, self.window, self.upsampler = scale, window, upsampler
        self.value_range, self.unshuffle = value_range, unshuffle
        self.conv_first = nn.Conv2d(channels * unshuffle**2, features, 3, padding=1)
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(features) if normalised else nn.Identity()
        self.layers = nn.ModuleList(
            Group(features, depth, window, count, hidden, thin) for depth, count in zip(depths, heads, strict=True)
        )
        self.norm = nn.LayerNorm(features)
        self.conv_after_body = _residual_conv(features, thin)
        self._make_tail(channels, features, wide)
        mean = MEAN if channels == 3 else (0.0,) * channels
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)

    def _make_tail(self, channels: int, features: int, wide: int) -> None:
        if self.upsampler == "shuffle-direct":
            self.upsample = nn.Sequential(nn.Conv2d(features, channels * self.scale**2, 3, padding=1))
            return
        if self.upsampler == "none":
            self.conv_last = nn.Conv2d(features, channels, 3, padding=1)
            return
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(features, wide, 3, padding=1), nn.LeakyReLU())
        if self.upsampler == "shuffle":
            steps = [3] if self.scale == 3 else [2] * round(math.log2(self.scale))
            stages: list[nn.Module] = []
            for step in steps:
                stages += [nn.Conv2d(wide, wide * step**2, 3, padding=1), nn.PixelShuffle(step)]
            self.upsample = nn.Sequential(*stages)
        elif self.upsampler == "nearest":
            for number in range(round(math.log2(self.scale))):
                self.add_module(f"conv_up{number + 1}", nn.Conv2d(wide, wide, 3, padding=1))
            self.conv_hr = nn.Conv2d(wide, wide, 3, padding=1)
        else:
            raise ValueError(f"upsampler '{self.upsampler}' is none of shuffle, shuffle-direct, nearest, none")
        self.conv_last = nn.Conv2d(wide, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.mean.to(x.dtype)
        x = (x - mean) * self.value_range
        if self.unshuffle > 1:
            x = F.pixel_unshuffle(x, self.unshuffle)
        first = self.conv_first(x)
        y = first + self.conv_after_body(self._body(first))
        y = x + self.conv_last(y) if self.upsampler == "none" else self._enlarged(y)
        return y / self.value_range + mean

    def _body(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        apart = windows.strangers(height, width, self.window, self.window // 2, x.device)
        y = self.patch_embed.norm(x.permute(0, 2, 3, 1))  # type: ignore[operator]
        for group in self.layers:
            y = group(y, apart)
        return self.norm(y).permute(0, 3, 1, 2)

    def _enlarged(self, y: Tensor) -> Tensor:
        if self.upsampler == "shuffle-direct":
            return F.pixel_shuffle(self.upsample(y), self.scale)
        y = self.conv_before_upsample(y)
        if self.upsampler == "shuffle":
            return self.conv_last(self.upsample(y))
        for number in range(round(math.log2(self.scale))):
            y = F.interpolate(y, scale_factor=2, mode="nearest")
            y = F.leaky_relu(self.get_submodule(f"conv_up{number + 1}")(y), SLOPE)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), SLOPE))


def receptive_field(
    scale: int = 4,
    depths: Sequence[int] = (6, 6, 6, 6, 6, 6),
    window: int = 8,
    upsampler: Upsampler = "nearest",
    thin: bool = False,
    unshuffle: int = 1,
) -> int:
    """Input pixels on each side that can change an output pixel; arguments as of `SwinIR`."""
    conv = 2 if thin else 1

    def needs(place: int) -> Span:
        span = _before_tail(Span(place, place), scale, upsampler).grown(conv)
        for depth in reversed(depths):
            span = span.grown(conv)
            for number in reversed(range(depth)):
                span = span.windowed(window, window // 2 if number % 2 else 0)
        return span.grown(1).spread(unshuffle)

    return farthest(needs, range(window * scale), scale // unshuffle)


def _before_tail(span: Span, scale: int, upsampler: Upsampler) -> Span:
    """What the layers that enlarge, and the last one, need."""
    if upsampler == "none":
        return span.grown(1)
    if upsampler == "shuffle-direct":
        return span.shrunk(scale).grown(1)
    if upsampler == "shuffle":
        span = span.grown(1)
        for step in [3] if scale == 3 else [2] * round(math.log2(scale)):
            span = span.shrunk(step).grown(1)
        return span.grown(1)
    span = span.grown(2)
    for _ in range(round(math.log2(scale))):
        span = span.grown(1).shrunk()
    return span.grown(1)
