"""SRVGG compact, the small plain network of the fast Real-ESRGAN models."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def _activation(kind: str, features: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(features)
    if kind == "relu":
        return nn.ReLU(inplace=True)
    if kind == "leakyrelu":
        return nn.LeakyReLU(0.1, inplace=True)
    raise ValueError(f"unknown activation {kind!r}")


class SRVGG(nn.Module):
    """A stack of 3x3 convolutions at the input's resolution and one pixel shuffle, added to the enlarged input.

    Input (N, C, H, W) in [0, 1], output (N, C, s*H, s*W), about [0, 1] but not clipped. The network enlarges by
    `shuffle`; where `scale` is smaller, its output is brought down to `scale` by bicubic interpolation, which is how
    one set of weights serves x2, x3 and x4 (realesr-animevideov3).

    Source: Wang et al., "Real-ESRGAN", 2021, arXiv 2107.10833, and its later compact models (code and weights
    BSD-3-Clause). 1.2 M parameters with 32 convolutions, 0.6 M with 16. Receptive field: 34 pixels on each side with 32
    convolutions, 18 with 16, one more where the output is brought down.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        shuffle: int | None = None,
        features: int = 64,
        convs: int = 32,
        activation: str = "prelu",
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.shuffle = shuffle or scale
        layers: list[nn.Module] = [nn.Conv2d(in_channels, features, 3, padding=1), _activation(activation, features)]
        for _ in range(convs):
            layers += [nn.Conv2d(features, features, 3, padding=1), _activation(activation, features)]
        layers.append(nn.Conv2d(features, out_channels * self.shuffle**2, 3, padding=1))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out = F.pixel_shuffle(self.body(x), self.shuffle)
        out = out + F.interpolate(x, scale_factor=self.shuffle, mode="nearest")
        if self.scale != self.shuffle:
            size = (x.shape[-2] * self.scale, x.shape[-1] * self.scale)
            out = F.interpolate(out, size=size, mode="bicubic", align_corners=False)
        return out
