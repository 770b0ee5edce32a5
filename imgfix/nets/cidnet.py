"""HVI-CIDNet: brightens pictures taken in the dark, intensity and colour each in a branch of its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-8


class CIDNet(nn.Module):
    """Low-light enhancer; (N, 3, H, W) in [0, 1] to the same, both sides multiples of 8.

    Works in a colour space in which dark colours lie close together (HVI: two coordinates for hue and saturation whose
    spread grows with intensity, and the intensity). Two U-Nets, one for the colours and one for the intensity, look at
    each other through attention between channels, so every pixel has a say in every other.

    Yan, Feng, Zhang, Zhao, Zhang, Xiao, "HVI: A New Color Space for Low-light Image Enhancement", CVPR 2025, arXiv
    2502.20272. Weights by its authors: MIT. 1.9 M parameters; the one block whose result the authors do not use is left
    out. No bound to the receptive field.
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (36, 36, 72, 144), heads: tuple[int, int, int] = (2, 4, 8)
    ) -> None:
        super().__init__()
        self.density = nn.Parameter(torch.full((1,), 0.2))
        self.colour = Branch(3, 2, widths, heads)
        self.light = Branch(1, 1, widths, heads)
        self.light.attend[4] = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        hvi = to_hvi(x, self.density)
        a, b = self.colour, self.light
        a0, b0 = a.enter(hvi), b.enter(hvi[:, 2:])
        a1, b1 = a.down[0](a0), b.down[0](b0)
        a1, b1 = a.attend[0](a1, b1), b.attend[0](b1, a1)
        a2, b2 = a.down[1](a1), b.down[1](b1)
        # What is shrunk further is taken from before this attention; only the skips have passed it.
        a3, b3 = a.down[2](a2), b.down[2](b2)
        a2, b2 = a.attend[1](a2, b2), b.attend[1](b2, a2)
        for n in (2, 3):
            a3, b3 = a.attend[n](a3, b3), b.attend[n](b3, a3)
        a2, b2 = a.up[2](a3, a2), b.up[2](b3, b2)
        a1, b1 = a.up[1](a.attend[4](a2, b2), a1), b.up[1](b2, b1)
        a1, b1 = a.attend[5](a1, b1), b.attend[5](b1, a1)
        change = torch.cat([a.leave(a.up[0](a1, a0)), b.leave(b.up[0](b1, b0))], dim=1)
        return to_rgb(change + hvi, self.density)


class Branch(nn.Module):
    """The layers of one branch: halved three times and doubled again, six attentions to the other branch."""

    def __init__(
        self, inside: int, outside: int, widths: tuple[int, int, int, int], heads: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inside, widths[0], 3, padding=1, padding_mode="replicate", bias=False)
        self.down = nn.ModuleList([Down(widths[n], widths[n + 1]) for n in range(3)])
        places = (0, 1, 2, 2, 1, 0)
        self.attend = nn.ModuleList([LightCrossAttention(widths[n + 1], heads[n], outside == 1) for n in places])
        self.up = nn.ModuleList([Up(widths[n + 1], widths[n]) for n in range(3)])
        self.leave = nn.Conv2d(widths[0], outside, 3, padding=1, padding_mode="replicate", bias=False)


class Down(nn.Module):
    """Convolution, then half the size; corners stay on corners."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.slope = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.slope(_resized(self.conv(x), 0.5))
        return out


class Up(nn.Module):
    """Convolution, double the size, joined with what was there before."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.join = nn.Conv2d(2 * outside, outside, 1, bias=False)
        self.slope = nn.PReLU()

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.slope(self.join(torch.cat([_resized(self.conv(x), 2), skip], dim=1)))
        return out


class LightCrossAttention(nn.Module):
    """Attention to the other branch, then a gated mixing; the intensity branch adds what it was to the latter."""

    def __init__(self, width: int, heads: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.norm = ChannelNorm(width)
        self.cross = CrossAttention(width, heads)
        self.mix = GatedMixing(width)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        x = x + self.cross(self.norm(x), self.norm(other))
        mixed: Tensor = self.mix(self.norm(x))
        return x + mixed if self.residual else mixed


class CrossAttention(nn.Module):
    """Channels of one signal attend to those of another (as in Restormer, Zamir et al. 2022, arXiv 2111.09881)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.query, self.query_near = nn.Conv2d(width, width, 1, bias=False), _near(width)
        self.source, self.source_near = nn.Conv2d(width, 2 * width, 1, bias=False), _near(2 * width)
        self.leave = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        query = self.query_near(self.query(x))
        key, value = self.source_near(self.source(other)).chunk(2, dim=1)
        query, key, value = (part.unflatten(1, (self.heads, -1)).flatten(3) for part in (query, key, value))
        alike = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        out = (alike * self.temperature).softmax(dim=-1) @ value
        result: Tensor = self.leave(out.reshape(x.shape))
        return result


class GatedMixing(nn.Module):
    """Two halves, each bent a little, multiplied."""

    def __init__(self, width: int, growth: float = 2.66) -> None:
        super().__init__()
        hidden = int(width * growth)
        self.enter, self.near = nn.Conv2d(width, 2 * hidden, 1, bias=False), _near(2 * hidden)
        self.bend1, self.bend2 = _near(hidden), _near(hidden)
        self.leave = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.near(self.enter(x)).chunk(2, dim=1)
        first, second = first + torch.tanh(self.bend1(first)), second + torch.tanh(self.bend2(second))
        out: Tensor = self.leave(first * second)
        return out


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def to_hvi(rgb: Tensor, density: Tensor) -> Tensor:
    """RGB in [0, 1] -> horizontal and vertical chroma in [-1, 1] and intensity in [0, 1]; (N, 3, H, W) both."""
    red, green, blue = rgb.unbind(1)
    value, least = rgb.amax(1), rgb.amin(1)
    spread = value - least
    safe = spread + TINY
    hue = torch.where(value == blue, 4 + (red - green) / safe, torch.zeros_like(value))
    hue = torch.where(value == green, 2 + (blue - red) / safe, hue)
    hue = torch.where(value == red, ((green - blue) / safe) % 6, hue)
    angle = torch.where(spread == 0, 0, hue) * (math.pi / 3)
    radius = _radius(value, density) * spread / (value + TINY)
    return torch.stack([radius * angle.cos(), radius * angle.sin(), value], dim=1)


def to_rgb(hvi: Tensor, density: Tensor) -> Tensor:
    """The way back; what lies outside the space is brought to its border."""
    value = hvi[:, 2].clamp(0, 1)
    radius = _radius(value, density) + TINY
    across, up = ((hvi[:, n].clamp(-1, 1) / radius).clamp(-1, 1) for n in (0, 1))
    hue = torch.atan2(up, across) * (3 / math.pi)
    saturation = torch.hypot(across, up).clamp(0, 1)
    channels = []
    for offset in (5, 3, 1):
        place = (hue + offset) % 6
        channels.append(value * (1 - saturation * torch.minimum(place, 4 - place).clamp(0, 1)))
    return torch.stack(channels, dim=1)


def _radius(value: Tensor, density: Tensor) -> Tensor:
    """How far the most saturated colour of an intensity lies from grey."""
    return ((value * (math.pi / 2)).sin() + TINY).pow(density)


def _near(width: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)


def _resized(x: Tensor, scale: float) -> Tensor:
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=True)
