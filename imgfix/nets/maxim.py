"""MAXIM: restores a picture with blocks that mix pixels near and far, in several stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6  # of the normalisations
LEVELS = 3
WINDOWS = (16, 16, 8, 8)
"""Side of the blocks, and number of grid cells along a side, at the full, half, quarter and eighth size."""


class MAXIM(nn.Module):
    """Restorer of some stages, each a U-Net of gated multi-axis perceptrons; (N, 3, H, W) in [0, 1] to the same.

    Both sides must be multiples of 64. The output is not clipped. One half of the channels is mixed within blocks of 16
    (or 8) pixels, the other across a grid of 16 x 16 (or 8 x 8) cells that is laid over the whole picture, so every
    pixel sees every other and there is no bound to the receptive field.

    Tu, Talebi, Zhang, Yang, Milanfar, Bovik, Li, "MAXIM: Multi-Axis MLP for Image Processing", CVPR 2022, arXiv
    2201.02973. Weights by its authors: Apache-2.0. Two stages: 14.2 M parameters; three: 22.2 M.
    """

    def __init__(self, stages: int = 3, features: int = 32, groups: int = 2, bottlenecks: int = 2) -> None:
        super().__init__()
        self.stages: Sequence[Stage] = nn.ModuleList(  # type: ignore[assignment]
            [Stage(features, groups, bottlenecks, first=n == 0, last=n == stages - 1) for n in range(stages)]
        )

    def forward(self, x: Tensor) -> Tensor:
        pictures = [x] + [F.interpolate(x, scale_factor=0.5**level, mode="nearest-exact") for level in (1, 2)]
        pictures = [picture.permute(0, 2, 3, 1) for picture in pictures]
        before: Memory | None = None
        for stage in self.stages[:-1]:
            encoded, decoded = stage(pictures, before)
            attended = [block(y, z) for block, y, z in zip(stage.attention, decoded, pictures, strict=True)]
            before = attended, [y + z for y, z in zip(encoded, decoded, strict=True)]
        _, decoded = self.stages[-1](pictures, before)
        out: Tensor = self.stages[-1].output(decoded[0]) + pictures[0]
        return out.permute(0, 3, 1, 2)


Memory = tuple[list[Tensor], list[Tensor]]
"""What a stage leaves to the next, at the full, half and quarter size: attended features, and those to gate with."""


class Stage(nn.Module):
    """Encoder, bottleneck, cross-gated skips and decoder at three sizes; tensors are (N, h, w, C)."""

    def __init__(self, features: int, groups: int, bottlenecks: int, *, first: bool, last: bool) -> None:
        super().__init__()
        widths = [features * 2**level for level in range(LEVELS)]
        self.input = nn.ModuleList([Conv(3, width, 3) for width in widths])
        if not first:
            self.fuse = nn.ModuleList([CrossGating(width, width, width, WINDOWS[n]) for n, width in enumerate(widths)])
        inputs = [widths[0], *widths[:-1]]
        self.encoder: Sequence[UNetBlock] = nn.ModuleList(  # type: ignore[assignment]
            [
                UNetBlock(inputs[n] + width, width, groups, WINDOWS[n], down=True, cross=not first)
                for n, width in enumerate(widths)
            ]
        )
        self.bottleneck = nn.Sequential(*(Bottleneck(widths[-1], groups, WINDOWS[-1]) for _ in range(bottlenecks)))
        self.gather = nn.ModuleList([Joined(widths, width) for width in widths])
        above = [*widths[1:], widths[-1]]
        self.cross = nn.ModuleList(
            [CrossGating(LEVELS * width, width, above[n], WINDOWS[n], up=True) for n, width in enumerate(widths)]
        )
        self.spread = nn.ModuleList([Joined(widths[::-1], width) for width in widths])
        self.decoder = nn.ModuleList([Decoder(above[n], width, groups, WINDOWS[n]) for n, width in enumerate(widths)])
        if last:
            self.output = Conv(widths[0], 3, 3)
        else:
            self.attention = nn.ModuleList([SupervisedAttention(width) for width in widths])

    def forward(self, pictures: list[Tensor], before: Memory | None) -> tuple[list[Tensor], list[Tensor]]:
        """Pictures at three sizes, and what the stage before left -> features of the encoder and of the decoder."""
        scales = [conv(picture) for conv, picture in zip(self.input, pictures, strict=True)]
        if before is not None:
            scales = [fuse(x, y)[0] for fuse, x, y in zip(self.fuse, scales, before[0], strict=True)]
        x, encoded = scales[0], []
        for level, block in enumerate(self.encoder):
            x = block(torch.cat([x, scales[level]], dim=-1), None if before is None else before[1][level])
            encoded.append(x)
            x = block.down(x)
        x = self.bottleneck(x)
        seen, skips = x, []
        for level in reversed(range(LEVELS)):
            skip, seen = self.cross[level](self.gather[level](encoded), seen)
            skips.append(skip)
        decoded = []
        for level in reversed(range(LEVELS)):
            x = self.decoder[level](x, self.spread[level](skips))
            decoded.append(x)
        return encoded, decoded[::-1]


class UNetBlock(nn.Module):
    """Groups of multi-axis mixing and channel attention, with a long skip; gated by earlier stages if there are any."""

    def __init__(
        self, inputs: int, width: int, groups: int, window: int, *, down: bool = False, cross: bool = False
    ) -> None:
        super().__init__()
        self.project = Conv(inputs, width, 1)
        self.mixing = nn.ModuleList([MultiAxis(width, window) for _ in range(groups)])
        self.channels = nn.ModuleList([ChannelBlock(width) for _ in range(groups)])
        if cross:
            self.cross = CrossGating(width, width, width, window)
        if down:
            self.down = Conv(width, width, 4, stride=2)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        x = shortcut = self.project(x)
        for mixing, channels in zip(self.mixing, self.channels, strict=True):
            x = channels(mixing(x))
        x = x + shortcut
        return x if memory is None else self.cross(x, memory)[0]


class Decoder(nn.Module):
    """Doubles the size, then a U-Net block over it and what the skips bring."""

    def __init__(self, inputs: int, width: int, groups: int, window: int) -> None:
        super().__init__()
        self.up = Up(inputs, width)
        self.block = UNetBlock((1 + LEVELS) * width, width, groups, window)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.block(torch.cat([self.up(x), skip], dim=-1))
        return out


class Bottleneck(nn.Module):
    """The mixing at the smallest size, with perceptrons instead of convolutions."""

    def __init__(self, width: int, groups: int, window: int) -> None:
        super().__init__()
        self.project = Conv(width, width, 1)
        self.mixing = nn.ModuleList([MultiAxis(width, window) for _ in range(groups)])
        self.channels = nn.ModuleList([PerceptronBlock(width) for _ in range(groups)])

    def forward(self, x: Tensor) -> Tensor:
        x = shortcut = self.project(x)
        for mixing, channels in zip(self.mixing, self.channels, strict=True):
            x = channels(mixing(x))
        return x + shortcut


class MultiAxis(nn.Module):
    """Half of the channels mixed across the grid, half within blocks, each by a gated perceptron."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.enter = nn.Linear(width, 2 * width)
        self.grid = GatedPerceptron(width, window, "grid")
        self.block = GatedPerceptron(width, window, "block")
        self.leave = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        far, near = _gelu(self.enter(self.norm(x))).chunk(2, dim=-1)
        return x + self.leave(torch.cat([self.grid(far), self.block(near)], dim=-1))


Axis = Literal["grid", "block"]


class GatedPerceptron(nn.Module):
    """gMLP (Liu et al. 2021, arXiv 2105.08050) along one axis of the picture cut into blocks."""

    def __init__(self, width: int, window: int, axis: Axis) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.enter = nn.Linear(width, 2 * width)
        self.gate_norm = nn.LayerNorm(width, eps=EPSILON)
        self.gate = AxisMix(window, axis)
        self.leave = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        kept, gate = _gelu(self.enter(self.norm(x))).chunk(2, dim=-1)
        return x + self.leave(kept * (self.gate(self.gate_norm(gate)) + 1))


class AxisMix(nn.Linear):
    """A dense layer over the cells of a grid (far pixels), or over the pixels of a block; (N, h, w, C) to the same."""

    def __init__(self, window: int, axis: Axis) -> None:
        super().__init__(window**2, window**2)
        self.window, self.axis = window, axis

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        w, grid = self.window, self.axis == "grid"
        # In front the axes that are mixed: the cell's place in the grid, or the pixel's place in its block.
        rows, columns = (w, height // w), (w, width // w)
        if grid:
            parts = x.reshape(n, *rows, *columns, channels).permute(0, 1, 3, 2, 4, 5)
        else:
            parts = x.reshape(n, *rows[::-1], *columns[::-1], channels).permute(0, 2, 4, 1, 3, 5)
        shape = parts.shape
        mixed = torch.matmul(self.weight, parts.reshape(n, w * w, -1)) + self.bias[:, None]
        parts = mixed.reshape(shape)
        parts = parts.permute(0, 1, 3, 2, 4, 5) if grid else parts.permute(0, 3, 1, 4, 2, 5)
        return parts.reshape(n, height, width, channels)


class SpatialWeights(nn.Module):
    """The weights by which one signal gates the other."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.enter = nn.Linear(width, 2 * width)
        self.grid = AxisMix(window, "grid")
        self.block = AxisMix(window, "block")
        self.leave = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        far, near = _gelu(self.enter(self.norm(x))).chunk(2, dim=-1)
        out: Tensor = self.leave(torch.cat([self.grid(far), self.block(near)], dim=-1))
        return out


class CrossGating(nn.Module):
    """Two signals, each multiplied by weights made from the other; returns their sum and the second."""

    def __init__(self, inputs_x: int, width: int, inputs_y: int, window: int, *, up: bool = False) -> None:
        super().__init__()
        if up:
            self.up = Up(inputs_y, width)
        self.project_x = Conv(inputs_x, width, 1)
        self.project_y = Conv(width, width, 1)
        self.norm_x, self.norm_y = nn.LayerNorm(width, eps=EPSILON), nn.LayerNorm(width, eps=EPSILON)
        self.enter_x, self.enter_y = nn.Linear(width, width), nn.Linear(width, width)
        self.weights_x, self.weights_y = SpatialWeights(width, window), SpatialWeights(width, window)
        self.leave_x, self.leave_y = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.project_x(x), self.project_y(self.up(y) if hasattr(self, "up") else y)
        inner_x, inner_y = _gelu(self.enter_x(self.norm_x(x))), _gelu(self.enter_y(self.norm_y(y)))
        y = y + self.leave_y(inner_y * self.weights_x(inner_x))
        return x + y + self.leave_x(inner_x * self.weights_y(inner_y)), y


class ChannelBlock(nn.Module):
    """Two convolutions and channel attention, with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.conv1, self.conv2 = Conv(width, width, 3), Conv(width, width, 3)
        self.attention = ChannelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.attention(self.conv2(F.leaky_relu(self.conv1(self.norm(x)), 0.2)))
        return out


class PerceptronBlock(nn.Module):
    """Two dense layers over the channels and channel attention, with a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.enter, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.attention = ChannelAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.attention(self.leave(_gelu(self.enter(self.norm(x)))))
        return out


class ChannelAttention(nn.Module):
    """Weighs channels by the picture's means (squeeze and excitation, Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, width: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze, self.excite = Conv(width, width // reduction, 1), Conv(width // reduction, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(dim=(1, 2), keepdim=True)))))


class SupervisedAttention(nn.Module):
    """Weighs a stage's features by the picture it would give (Zamir et al. 2021, arXiv 2102.02808)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features, self.picture, self.weights = Conv(width, width, 3), Conv(width, 3, 3), Conv(3, width, 3)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        restored = self.picture(x) + picture
        return x + self.features(x) * torch.sigmoid(self.weights(restored))


class Joined(nn.Module):
    """Signals of all sizes, each brought to one size and width, then joined."""

    def __init__(self, widths: list[int], width: int) -> None:
        super().__init__()
        self.place = widths.index(width)
        self.layers = nn.ModuleList([Conv(inside, width, 1) for inside in widths])

    def forward(self, signals: list[Tensor]) -> Tensor:
        size = signals[self.place].shape[1:3]
        return torch.cat(
            [layer(_resized(signal, size)) for layer, signal in zip(self.layers, signals, strict=True)], dim=-1
        )


class Conv(nn.Conv2d):
    """A convolution on (N, h, w, C), zeros around."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, padding=(kernel - 1) // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Up(nn.ConvTranspose2d):
    """Doubles both sides of (N, h, w, C)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(inside, outside, 2, 2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[1:3] == size:
        return x
    smaller = size[0] < x.shape[1]
    # Not every device shrinks with antialiasing in a low precision.
    planes = x.permute(0, 3, 1, 2).float() if smaller else x.permute(0, 3, 1, 2)
    return F.interpolate(planes, size, mode="bilinear", antialias=smaller).to(x.dtype).permute(0, 2, 3, 1)


def _gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")
