"""Colours for grey pictures, by the network of 2017 that can also be given hints."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LIGHT_MIDDLE, LIGHT_RANGE = 50.0, 100.0
COLOUR_RANGE = 110.0
_WHITE = (0.95047, 1.0, 1.08883)  # D65, of the standard observer of 1931
_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))


def _exact(x: Tensor) -> Tensor:
    """Colours are computed in fp32 at least, whatever the network is in."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def to_lab(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] to CIE L*a*b* (D65): (N, 3, H, W) to the same, L in [0, 100]."""
    rgb = _exact(rgb)
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = torch.einsum("kc,nchw->nkhw", linear.new_tensor(_TO_XYZ), linear)
    ratio = xyz / xyz.new_tensor(_WHITE)[:, None, None]
    root = torch.where(ratio > 0.008856, ratio.clamp(min=1e-8) ** (1 / 3), 7.787 * ratio + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1)


def to_rgb(lab: Tensor) -> Tensor:
    """The inverse of `to_lab`, clipped to [0, 1]; colours outside sRGB lose what does not fit."""
    light, a, b = _exact(lab).unbind(1)
    y = (light + 16) / 116
    root = torch.stack((y + a / 500, y, (y - b / 200).clamp(min=0)), dim=1)
    ratio = torch.where(root > 0.2068966, root**3, (root - 16 / 116) / 7.787)
    xyz = ratio * ratio.new_tensor(_WHITE)[:, None, None]
    linear = torch.einsum("ck,nkhw->nchw", torch.linalg.inv(xyz.new_tensor(_TO_XYZ)), xyz)
    rgb = torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return rgb.clamp(0, 1)


def _stage(
    inside: int, outside: int, convolutions: int, *, dilation: int = 1, rectified: bool = False
) -> nn.Sequential:
    """Convolutions and ReLUs, then a batch normalisation; `rectified`: with a ReLU before all."""
    layers: list[nn.Module] = [nn.ReLU()] if rectified else []
    for number in range(convolutions):
        layers.append(nn.Conv2d(outside if number else inside, outside, 3, padding=dilation, dilation=dilation))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.BatchNorm2d(outside))


def _double(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1))


def _beside(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1))


class Siggraph17(nn.Module):
    """Colourises; (N, 3, H, W) of a picture in [0, 1], whose lightness alone is looked at, to the same in colour.

    The colours are made for a picture of about `side` x `side` pixels, as in training, and enlarged; the lightness
    stays as it is. Output in [0, 1]. Any size.

    Zhang, Zhu, Isola, Geng, Lin, Yu, Efros, "Real-Time User-Guided Image Colorization with Learned Deep Priors" (2017),
    arXiv 1705.02999; code and weights BSD-2-Clause. Parameters: 34.0 M, without the layer that is for training alone.
    Receptive field: the whole picture, whatever its size.
    """

    def __init__(self, side: int = 256) -> None:
        super().__init__()
        self.side = side
        self.model1 = _stage(4, 64, 2)
        self.model2 = _stage(64, 128, 2)
        self.model3 = _stage(128, 256, 3)
        self.model4 = _stage(256, 512, 3)
        self.model5 = _stage(512, 512, 3, dilation=2)
        self.model6 = _stage(512, 512, 3, dilation=2)
        self.model7 = _stage(512, 512, 3)
        self.model8up, self.model3short8 = _double(512, 256), _beside(256, 256)
        self.model8 = _stage(256, 256, 2, rectified=True)
        self.model9up, self.model2short9 = _double(256, 128), _beside(128, 128)
        self.model9 = _stage(128, 128, 1, rectified=True)
        self.model10up, self.model1short10 = _double(128, 128), _beside(64, 128)
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.LeakyReLU(0.2))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        share = self.side / math.sqrt(height * width)
        size = [max(8, round(length * share / 8) * 8) for length in (height, width)]
        small = x if size == [height, width] else F.interpolate(_exact(x), size, mode="bicubic", antialias=True)
        colours = self.colours(to_lab(small.clamp(0, 1))[:, :1])
        colours = F.interpolate(_exact(colours), (height, width), mode="bilinear", align_corners=False)
        return to_rgb(torch.cat((to_lab(x)[:, :1], colours), dim=1))

    def colours(self, light: Tensor, hints: Tensor | None = None, hinted: Tensor | None = None) -> Tensor:
        """The colours that belong to a lightness.

        Args:
            light: (N, 1, H, W), L in [0, 100], sides multiples of 8.
            hints: (N, 2, H, W), a and b where they are known; `None`: nowhere.
            hinted: (N, 1, H, W), 1 where they are, 0 elsewhere.

        Returns:
            (N, 2, H, W), a and b in (-110, 110).
        """
        known = torch.zeros_like(light).repeat(1, 3, 1, 1)
        if hints is not None and hinted is not None:
            known = torch.cat((hints / COLOUR_RANGE, hinted), dim=1)
        first = self.model1(torch.cat(((light - LIGHT_MIDDLE) / LIGHT_RANGE, known), dim=1))
        second = self.model2(first[:, :, ::2, ::2])
        third = self.model3(second[:, :, ::2, ::2])
        deep = self.model7(self.model6(self.model5(self.model4(third[:, :, ::2, ::2]))))
        y = self.model8(self.model8up(deep) + self.model3short8(third))
        y = self.model9(self.model9up(y) + self.model2short9(second))
        y = self.model10(self.model10up(y) + self.model1short10(first))
        return self.model_out(y) * COLOUR_RANGE
