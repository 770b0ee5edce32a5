"""RepGate: a small upscaler whose convolutions are over-parameterised in training and plain afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RepConv3(nn.Module):
    """3 x 3 convolution whose kernel, while training, is a sum: 3 x 3 + 1 x 1 + (1 x 1 then 3 x 3).

    The branches are linear and carry no inner bias, so they add up to one 3 x 3 kernel exactly, borders included.
    They are added in weight space, so training costs one convolution too. Idea after RepVGG (Ding et al. 2021,
    arXiv 2101.03697) and ECBSR (Zhang et al. 2021); `merge` leaves the plain convolution.

    Shapes: (N, inputs, H, W) to (N, outputs, H, W).
    """

    def __init__(self, inputs: int, outputs: int, *, merged: bool = False, expansion: int = 2) -> None:
        super().__init__()
        plain = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.weight = plain.weight
        self.bias = plain.bias
        self._held: Tensor | None = None
        if not merged:
            hidden = expansion * min(inputs, outputs)
            self.point = nn.Parameter(0.5 * nn.Conv2d(inputs, outputs, 1).weight.detach()[..., 0, 0])
            self.expand = nn.Parameter(nn.Conv2d(inputs, hidden, 1).weight.detach()[..., 0, 0])
            self.squeeze = nn.Parameter(0.5 * nn.Conv2d(hidden, outputs, 3).weight.detach())

    @property
    def merged(self) -> bool:
        """Whether only the plain convolution is left."""
        return not hasattr(self, "squeeze")

    def kernel(self) -> Tensor:
        """Sum the branches: (outputs, inputs, 3, 3), in fp32."""
        if self.merged:
            return self.weight
        if self._held is not None:
            return self._held
        with torch.autocast(self.weight.device.type, enabled=False):
            point = F.pad(self.point[..., None, None], (1, 1, 1, 1))
            return self.weight + point + torch.einsum("omyx,mi->oiyx", self.squeeze, self.expand)

    def merge(self) -> None:
        """Replace the branches by their sum, in place."""
        if not self.merged:
            self.weight = nn.Parameter(self.kernel().detach().clone())
            del self.point, self.expand, self.squeeze

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel(), self.bias, padding=1)


class GateBlock(nn.Module):
    """Convolutions whose result h is added to x and gates it: y = x * (1/2 + sigmoid(h)) + h.

    The gate is SPAN's parameter-free attention (Wan et al. 2024, arXiv 2311.12770) with h kept as a plain residual,
    so that a block starts near the identity and gradients pass it at any depth.

    Shapes: (N, C, H, W) to the same.
    """

    def __init__(self, channels: int, convolutions: int = 3, *, merged: bool = False) -> None:
        super().__init__()
        layers = [RepConv3(channels, channels, merged=merged) for _ in range(convolutions)]
        shrink(layers[-1], 0.1)
        self.convolutions = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        learning = torch.is_grad_enabled()
        h = self.convolutions[0](x)
        for convolution in self.convolutions[1:]:
            h = convolution(F.silu(h, inplace=not learning))
        if learning:
            return x * (torch.sigmoid(h) + 0.5) + h
        return torch.sigmoid(h).add_(0.5).mul_(x).add_(h)  # in place: fresh memory costs more than the arithmetic


class RepGateTrunk(nn.Module):
    """What RepGate and networks built around it share: head, gated blocks, fusion of three depths, tail.

    Shapes: `deepened` takes what the head found, (N, C, H, W), to the features that the tail sees, the same.
    """

    def __init__(self, scale: int, channels: int, blocks: int, convolutions: int, merged: bool) -> None:
        super().__init__()
        self.scale = scale
        self.head = RepConv3(3, channels, merged=merged)
        self.body = nn.ModuleList(GateBlock(channels, convolutions, merged=merged) for _ in range(blocks))
        self.fuse = nn.Conv2d(3 * channels, channels, 1)
        self.mix = RepConv3(channels, channels, merged=merged)
        self.tail = RepConv3(channels, 3 * scale * scale, merged=merged)
        shrink(self.tail, 0.01)

    def repeated(self, x: Tensor) -> Tensor:
        """The input enlarged by repetition, folded as the tail is: (N, 3, H, W) to (N, 3 * scale ** 2, H, W).

        Channels last in memory, like what it is added to: mixed layouts cost more than the addition.
        """
        return x.movedim(1, 3).repeat_interleave(self.scale**2, dim=3).movedim(3, 1)

    def deepened(self, first: Tensor) -> Tensor:
        """Run the blocks, and add what three depths of them found."""
        half, middle = first, first
        for index, block in enumerate(self.body):
            half = block(half)
            if index == (len(self.body) - 1) // 2:
                middle = half
        return first + self.mix(self.fuse(torch.cat((first, middle, half), dim=1)))


class RepGate(RepGateTrunk):
    """Upscaler: convolution, gated blocks, fusion of three depths, pixel shuffle over the enlarged input.

    Shapes: (N, 3, H, W) in [0, 1] to (N, 3, H * scale, W * scale), not clipped. Any size from 1 x 1.
    Parameters (merged): 52 channels and 6 blocks 0.50 M, 64 channels and 8 blocks 0.95 M. Own design; licence as the
    project's. Receptive field: blocks * convolutions + 3 input pixels on each side.
    """

    def __init__(
        self,
        scale: int = 4,
        channels: int = 52,
        blocks: int = 6,
        convolutions: int = 3,
        merged: bool = False,
    ) -> None:
        super().__init__(scale, channels, blocks, convolutions, merged)

    def forward(self, x: Tensor) -> Tensor:
        features = self.deepened(self.head(x))
        return F.pixel_shuffle(self.tail(features).to(x.dtype) + self.repeated(x), self.scale)


@contextmanager
def held_kernels(net: nn.Module) -> Iterator[None]:
    """Within it, every re-parameterised convolution sums its kernel once, for a network that runs many times a step."""
    convolutions = [module for module in net.modules() if isinstance(module, RepConv3)]
    for convolution in convolutions:
        convolution._held = convolution.kernel()
    try:
        yield
    finally:
        for convolution in convolutions:
            convolution._held = None


def merge(net: nn.Module) -> nn.Module:
    """Merge every re-parameterised convolution inside a network, in place; what it computes stays the same."""
    for module in net.modules():
        if isinstance(module, RepConv3):
            module.merge()
    return net


def silence(net: nn.Module, loaded: set[str]) -> None:
    """Zero the branches of convolutions that were given a merged kernel, so that they start as exactly that kernel.

    Args:
        net: any network, changed in place.
        loaded: names of the tensors that were loaded into it.
    """
    for name, module in net.named_modules():
        given = f"{name}.weight" in loaded and f"{name}.squeeze" not in loaded
        if isinstance(module, RepConv3) and given and not module.merged:
            nn.init.zeros_(module.point)
            nn.init.zeros_(module.squeeze)


def shrink(convolution: RepConv3, factor: float) -> None:
    """Scale what a fresh convolution gives, in place; with 0 it starts silent and still learns."""
    with torch.no_grad():
        for name, parameter in convolution.named_parameters():
            if name != "expand":
                parameter.mul_(factor)
