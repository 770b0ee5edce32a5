"""A convolution with the activation after it, in one pass over memory where torch computes on a CPU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

_FUSED = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
"""oneDNN's convolution with something done to each result before it is written; torch's own compiler calls it."""


class Convolution(nn.Conv2d):
    """`nn.Conv2d`, with the same parameters, that may be followed by a leaky ReLU; (N, C, H, W) -> (N, C', H', W').

    On a CPU and without gradients both are one step, which reads and writes the picture once, and 3x3 convolutions give
    the same bits. Exporters, tracers and whoever counts operations see two steps. One slope for each channel (PReLU)
    is not among what can be done in that step, and applying it to a few rows at a time gains nothing.
    """

    def forward(self, x: Tensor, slope: float | None = None) -> Tensor:
        """slope: of the leaky ReLU, below 0; 0: a ReLU; None: no activation."""
        if slope is None:
            return super().forward(x)
        if _FUSED is not None and self._fuses(x):
            kind, scalars = ("leaky_relu", [slope]) if slope else ("relu", [])
            made: Tensor = _FUSED(
                x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups, kind, scalars, ""
            )
            return made
        # A convolution's backward pass does not need its own output, so the activation may overwrite it.
        return F.leaky_relu(super().forward(x), slope, inplace=True) if slope else F.relu(super().forward(x), True)

    def _fuses(self, x: Tensor) -> bool:
        return (
            _plain(x)
            and x.dtype in (torch.float32, torch.bfloat16)
            and x.dtype == self.weight.dtype
            and x.numel() > 0
            and self.padding_mode == "zeros"
            and not isinstance(self.padding, str)
            and bool(torch.backends.mkldnn.is_available())
            and bool(torch.backends.mkldnn.enabled)
        )


def _plain(x: Tensor) -> bool:
    """Whether this is a computation on a CPU and nothing else: no training, export, tracing or counting."""
    return not (
        torch.is_grad_enabled()
        or torch._C._get_tracing_state() is not None
        or torch.compiler.is_compiling()
        or type(x) is not Tensor  # what exporters pass through a network is another class
        or x.device.type != "cpu"
        or torch.is_autocast_enabled("cpu")
        or is_in_torch_dispatch_mode()
    )


def chain(widths: Sequence[int]) -> nn.ModuleList:
    """3x3 convolutions, one after the other, between so many channels; see `through`."""
    return nn.ModuleList([Convolution(inside, outside, 3, padding=1) for inside, outside in pairwise(widths)])


def through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """What a chain makes of planes: a ReLU follows every layer but the last."""
    *most, last = layers
    for layer in most:
        x = layer(x, slope=0.0)
    made: Tensor = last(x)
    return made
