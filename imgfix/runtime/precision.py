"""A network in half the precision, with the two ends that touch the picture left in full.

Rounding to 8 bits of mantissa is harmless on the features in the middle, where errors average out, but not on the
picture itself: bf16 has 256 steps between 0.5 and 1, so a bf16 input or output would be an 8-bit stage (worse, below a
half). The first and the last convolution therefore stay in fp32: a few thousandths of the work.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


def converted(net: nn.Module, dtype: torch.dtype, first: str | None, last: str | None) -> nn.Module:
    """A copy of a network that computes in `dtype` but for its first and last layer.

    Args:
        net: in fp32, on the CPU, in evaluation mode; it is left as it was.
        dtype: bf16 or fp16.
        first, last: names of those layers, as `observed` found them.
    """
    twin = copy.deepcopy(net).eval().requires_grad_(False)
    names = dict(twin.named_modules())
    twin.to(dtype)
    for name in {first, last} - {None}:
        names[name].float()
    for name, module in names.items():
        if isinstance(module, _WEIGHTED):
            module.register_forward_pre_hook(_cast_input)
            if name == first and first != last:
                module.register_forward_hook(_Cast(dtype))
    return twin


def observed(net: nn.Module, example: Tensor) -> tuple[Tensor, str | None, str | None]:
    """Run a network on a small picture; its result, and the names of the first and the last weighted layer to run."""
    order: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: order.append(name))
        for name, module in net.named_modules()
        if isinstance(module, _WEIGHTED)
    ]
    try:
        with torch.inference_mode():
            result = net(example)
    finally:
        for hook in hooks:
            hook.remove()
    return (result, order[0], order[-1]) if order else (result, None, None)


def _cast_input(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    weight = module.weight
    assert isinstance(weight, Tensor)
    return tuple(a.to(weight.dtype) if a.is_floating_point() else a for a in args)


class _Cast:
    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, module: nn.Module, args: object, output: Tensor) -> Tensor:
        return output.to(self.dtype)
