"""Noise as developed photos have it: correlated, coloured, strongest in the mid-darks.

A camera's pipeline interpolates, smooths, sharpens and brightens what was white noise on the sensor. In its JPEGs luma
noise is still correlated over a pixel or two (0.55, 0.09, 0 at 1, 2, 3 pixels), chroma noise over many (0.83, 0.59,
0.39, 0.25 at 1 to 4 pixels). A Gaussian filter of deviation s leaves the autocorrelation exp(-(d / 2 s)^2): s = 0.65
gives the first row, and 55 % of s = 1.0 with 45 % of s = 2.5 the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.train.degrade import TO_RGB

RADIUS = 6
_FINE_SHARE = 0.55


@dataclass(frozen=True)
class Developed:
    """Ranges of noise of developed photos."""

    luma: tuple[float, float] = (0.7, 16.0)
    """Mean deviation of the luma noise, of 255; drawn evenly over its logarithm."""
    chroma: tuple[float, float] = (0.2, 1.0)
    """Deviation of each chroma plane as a share of luma's."""
    grain: tuple[float, float] = (0.25, 0.95)
    """Deviation of the filter that correlates luma, in pixels; the chroma's two are 1.55 and 3.85 times as wide."""


def developed_noise(
    x: Tensor, ranges: Developed, cpu: torch.Generator, device: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw noise for a batch.

    Args:
        x: the clean pictures, (N, 3, H, W) in [0, 1]; how bright they are decides where noise is strong.
        ranges: what is drawn from.
        cpu: draws the levels and shapes.
        device: draws the noise, on the device of `x`.

    Returns:
        noise to be added, (N, 3, H, W), and its mean deviation in luma and chroma, (N, 2), all in the units of `x`.
    """
    count = x.shape[0]
    low, high = ranges.luma
    u = torch.rand(8, count, generator=cpu)
    luma = low * (high / low) ** u[0] / 255
    shares = ranges.chroma[0] + (ranges.chroma[1] - ranges.chroma[0]) * u[1:3]
    grain = ranges.grain[0] + (ranges.grain[1] - ranges.grain[0]) * u[3]
    spread = 0.8 + 0.4 * u[4]
    dark, bright = 0.5 * u[5], 1.2 * u[6]
    sharpening = (u[7] - 0.5).clamp(min=0) * 1.6
    drawn = (luma, grain, spread, dark, bright, sharpening)
    luma, grain, spread, dark, bright, sharpening = (v.to(x.device) for v in drawn)
    shares = shares.to(x.device)
    white = torch.randn((count, 5, *x.shape[-2:]), generator=device, device=x.device)
    fine = correlated(white[:, :1], grain)
    fine = fine + sharpening[:, None, None, None] * (fine - correlated(fine, torch.ones_like(grain), keep=True))
    fine = fine / fine.std(dim=(1, 2, 3), keepdim=True)
    coarse = correlated(white[:, 1:3], 1.55 * grain * spread) * _FINE_SHARE**0.5
    coarse = coarse + correlated(white[:, 3:5], 3.85 * grain * spread) * (1 - _FINE_SHARE) ** 0.5
    deviation = torch.stack([luma, luma * shares[0], luma * shares[1]], dim=1)
    planes = torch.cat([fine, coarse], dim=1) * deviation[:, :, None, None]
    noise = torch.einsum("oc,nchw->nohw", x.new_tensor(TO_RGB), planes)
    noise = noise * brightness_gain(x, dark, bright)
    return noise, torch.stack([luma, luma * (shares.square().mean(0)).sqrt()], dim=1)


def correlated(noise: Tensor, sigma: Tensor, keep: bool = False) -> Tensor:
    """Filter white noise with a Gaussian, a width for each sample; its deviation stays 1 unless `keep`.

    Shapes: (N, C, H, W), sigma (N,) in pixels, above 0. keep: without making up for the lost deviation.
    """
    count, channels = noise.shape[:2]
    steps = torch.arange(-RADIUS, RADIUS + 1, device=noise.device, dtype=torch.float32)
    taps = torch.exp(-steps.square() / (2 * sigma[:, None].clamp(min=0.05).square()))
    taps = taps / (taps.sum(1, keepdim=True) if keep else taps.square().sum(1, keepdim=True).sqrt())
    taps = taps.repeat_interleave(channels, 0)
    grouped = F.pad(noise.reshape(1, count * channels, *noise.shape[-2:]), (RADIUS,) * 4, mode="reflect")
    across = F.conv2d(grouped, taps[:, None, None, :], groups=count * channels)
    return F.conv2d(across, taps[:, None, :, None], groups=count * channels).reshape(noise.shape)


def brightness_gain(x: Tensor, dark: Tensor, bright: Tensor) -> Tensor:
    """How strong noise is at the brightness of each pixel, (N, 1, H, W), 1 on average.

    Shot noise on a sensor grows with the root of the light, and gamma takes just that away again. What is left is the
    tone curve: it presses blacks and highlights together, so noise is strongest in the mid-darks.

    dark, bright: (N,) how much the curve presses black and white together, 0 (not at all) to about 1.
    """
    around = F.avg_pool2d(x.mean(1, keepdim=True).clamp(0, 1), 3, stride=1, padding=1, count_include_pad=False)
    gain = (around + 0.03) ** dark[:, None, None, None] * (1.25 - around) ** bright[:, None, None, None]
    return gain / gain.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
