"""RealPLKSR: an upscaler with large kernels on part of its channels, and DySample, which learns where to look."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.nafnet import ChannelNorm

NORM_GROUPS = 4


class LargeKernel(nn.Module):
    """A convolution with a large kernel over the first channels; the others pass. (N, C, H, W) in and out."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        first, rest = x[:, : self.channels], x[:, self.channels :]
        return torch.cat((self.conv(first), rest), dim=1)


class Attention(nn.Module):
    """Weighs every value by a convolution of those around it; (N, C, H, W) in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.f(x)


class Block(nn.Module):
    """Channels mixed, a large kernel, attention, a 1 x 1 convolution, added to the input; (N, C, H, W) in and out."""

    def __init__(self, channels: int, kernel: int, large: int, attention: bool, layer_norm: bool) -> None:
        super().__init__()
        self.layer_norm = ChannelNorm(channels) if layer_norm else nn.Identity()
        self.channel_mixer = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.Mish(), nn.Conv2d(2 * channels, channels, 3, padding=1)
        )
        self.lk = LargeKernel(large, kernel)
        self.attn = Attention(channels) if attention else nn.Identity()
        self.refine = nn.Conv2d(channels, channels, 1)
        self.norm = nn.Identity() if layer_norm else nn.GroupNorm(NORM_GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.refine(self.attn(self.lk(self.channel_mixer(self.layer_norm(x))))))


class DySample(nn.Module):
    """Upsampling by fetching from places that the features choose; (N, C, H, W) to (N, C', s H, s W).

    Liu, Lu, Fu, Cao, "Learning to Upsample by Learning to Sample" (2023), arXiv 2308.15085.
    """

    init_pos: Tensor

    def __init__(self, inside: int, outside: int, scale: int, groups: int, last: bool = True) -> None:
        super().__init__()
        self.scale, self.groups = scale, groups
        if last:
            self.end_conv = nn.Conv2d(inside, outside, 1)
        self.last = last
        self.offset = nn.Conv2d(inside, 2 * groups * scale**2, 1)
        self.scope = nn.Conv2d(inside, 2 * groups * scale**2, 1, bias=False)
        # Where each pixel of the result lies in the pixel it comes from, in that pixel's sides: along x, then along y.
        places = (torch.arange(scale) - (scale - 1) / 2) / scale
        down, across = torch.meshgrid(places, places, indexing="ij")
        both = torch.stack((across, down)).reshape(2, 1, -1).repeat(1, groups, 1)
        self.register_buffer("init_pos", both.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        moves = self.offset(x) * self.scope(x).sigmoid() * 0.5 + self.init_pos
        moves = moves.reshape(count, 2, -1, height, width).to(torch.promote_types(x.dtype, torch.float32))
        across = torch.arange(width, device=x.device) + 0.5
        down = (torch.arange(height, device=x.device) + 0.5)[:, None]
        # In [-1, 1] from border to border.
        at_x = 2 * (across + moves[:, 0]) / width - 1
        at_y = 2 * (down + moves[:, 1]) / height - 1
        grid = torch.stack((at_x, at_y), dim=1).flatten(1, 2)
        grid = F.pixel_shuffle(grid, self.scale).unflatten(1, (2, self.groups))
        grid = grid.permute(0, 2, 3, 4, 1).flatten(0, 1).to(x.dtype)
        parts = x.reshape(count * self.groups, -1, height, width)
        found = F.grid_sample(parts, grid, mode="bilinear", padding_mode="border", align_corners=False)
        found = found.reshape(count, -1, self.scale * height, self.scale * width)
        return self.end_conv(found) if self.last else found


class RealPLKSR(nn.Module):
    """Partial large kernel network for real pictures; (N, 3, H, W) in [0, 1] to (N, 3, s H, s W), not clipped.

    Lee, Yun, Ro, "Partial Large Kernel CNNs for Efficient Super-Resolution" (2024), arXiv 2404.11848; RealPLKSR by
    P. Korobko in neosr (2024), code Apache-2.0. Parameters: 7.4 M with 64 features, 28 blocks, kernel 17 at x4.
    Receptive field: with `layer_norm` (kernel // 2 + 3) a block and 2 pixels more; without, the whole picture, by the
    groups' means.

    Args:
        scale: 1 to 4 (or 8).
        features: channels inside.
        blocks: number of blocks.
        kernel: side of the large kernel.
        large: channels that go through it.
        attention: whether blocks have it.
        layer_norm: normalise every pixel before a block instead of groups of channels after it.
        dysample: enlarge by DySample instead of a pixel shuffle.
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        blocks: int = 28,
        kernel: int = 17,
        large: int = 16,
        attention: bool = True,
        layer_norm: bool = False,
        dysample: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        deep = 3 * scale**2
        self.feats = nn.Sequential(
            nn.Conv2d(3, features, 3, padding=1),
            *(Block(features, kernel, large, attention, layer_norm) for _ in range(blocks)),
            nn.Identity(),  # a dropout in training, which counts in the names
            nn.Conv2d(features, deep, 3, padding=1),
        )
        if dysample:
            self.to_img: nn.Module = DySample(deep, 3, scale, groups=3 if scale % 2 else 4, last=scale != 1)
        else:
            self.to_img = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        # Each colour beside what it becomes: the picture by nearest neighbours is where the network starts.
        return self.to_img(self.feats(x) + x.repeat_interleave(self.scale**2, dim=1))
