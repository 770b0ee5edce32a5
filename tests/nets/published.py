"""Random weights of a size at which a network with normalisation, gates and attention stays in range."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def shaken(net: nn.Module, gain: float = 0.3, seed: int = 0) -> dict[str, Tensor]:
    """Give a network random weights, running means and scales too, and return its state; none is left as it began."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if not tensor.is_floating_point() or name.endswith("init_pos"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(1 + 0.2 * noise.abs())
            elif tensor.ndim >= 2 and tensor.shape[0] > 1:
                tensor.copy_(noise * (gain / tensor[0].numel()) ** 0.5)
            else:  # biases, means, scales
                tensor.add_(0.1 * noise)
    return net.eval().state_dict()
