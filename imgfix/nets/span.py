"""SPAN: a small and quick upscaler, whose attention has no parameters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K, which the published weights expect to be taken away."""


class Block(nn.Module):
    """Three convolutions, weighted by how far their result is from zero; (N, C, H, W) in and out."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(features, features, 3, padding=1)
        self.c2_r = nn.Conv2d(features, features, 3, padding=1)
        self.c3_r = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and what the first convolution and its activation gave."""
        first = F.silu(self.c1_r(x))
        last = self.c3_r(F.silu(self.c2_r(first)))
        return (last + x) * (torch.sigmoid(last) - 0.5), first


class SPAN(nn.Module):
    """Swift parameter-free attention network; (N, C, H, W) in [0, 1] to (N, C', s H, s W), not clipped.

    In training each convolution of the authors' is a sum of several; here it is the one that they add up to (see
    `folded`).

    Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution" (2023), arXiv 2311.12770; code
    and weights Apache-2.0. Parameters: 0.43 M with 48 features at x4. Receptive field: 21 pixels.

    Args:
        scale: 1, 2, 3 or 4.
        features: channels inside.
        normalised: whether the mean colour is taken away, and values run to 255, as published; else the picture is
            taken as it is.
        in_channels, out_channels: of the pictures.
    """

    mean: Tensor

    def __init__(
        self,
        scale: int = 4,
        features: int = 48,
        normalised: bool = True,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        if normalised and in_channels != len(MEAN):
            raise ValueError("only colour pictures have the mean colour")
        self.scale = scale
        self.normalised = normalised
        self.conv_1 = nn.Conv2d(in_channels, features, 3, padding=1)
        for number in range(1, 7):
            self.add_module(f"block_{number}", Block(features))
        self.conv_2 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_cat = nn.Conv2d(4 * features, features, 1)
        self.upsampler = nn.Sequential(nn.Conv2d(features, out_channels * scale**2, 3, padding=1))
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.normalised:
            x = (x - self.mean.to(x.dtype)) * 255
        first = self.conv_1(x)
        outs, inner = [first], first
        for number in range(1, 7):
            out, inner = self.get_submodule(f"block_{number}")(outs[-1])
            outs.append(out)
        joined = torch.cat((first, self.conv_2(outs[-1]), outs[1], inner), dim=1)
        return F.pixel_shuffle(self.upsampler(self.conv_cat(joined)), self.scale)


def folded(wide: tuple[Tensor, Tensor], middle: tuple[Tensor, Tensor], narrow: tuple[Tensor, Tensor],
           skip: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The one 3 x 3 convolution that a 1 x 1, a 3 x 3 and a 1 x 1 in a row, and a 1 x 1 beside them, add up to.

    Args:
        wide, middle, narrow: weight and bias of the three in their order.
        skip: of the one beside them.

    Returns:
        Weight and bias, fp32.
    """
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = (
        (weight.double(), bias.double()) for weight, bias in (wide, middle, narrow, skip)
    )
    w1, w3, w4 = w1[:, :, 0, 0], w3[:, :, 0, 0], w4[:, :, 0, 0]
    weight = torch.einsum("om,mnij,nc->ocij", w3, w2, w1)
    weight[:, :, 1, 1] += w4
    bias = w3 @ (torch.einsum("mnij,n->m", w2, b1) + b2) + b3 + b4
    return weight.float(), bias.float()
