"""Exponential moving average of a network's weights: what is validated, exported and kept."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """A network whose weights trail those of the one that learns (Polyak & Juditsky 1992).

    The decay starts low and climbs to its value, so that a short run's average is not made of its random start:
    decay(t) = min(decay, (1 + t) / (10 + t)).

    Args:
        net: the network that learns.
        decay: part of the old average that stays at each step; 0 makes `module` the network itself.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.source = net
        self.module = net
        if decay > 0:
            self.module = copy.deepcopy(net).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the network's weights after step `step` (from 0); buffers are copied."""
        if self.decay == 0:
            return
        part = 1 - min(self.decay, (1 + step) / (10 + step))
        mine: list[Tensor] = list(self.module.parameters())
        theirs: list[Tensor] = list(self.source.parameters())
        torch._foreach_lerp_(mine, theirs, part)
        for buffer, new in zip(self.module.buffers(), self.source.buffers(), strict=True):
            buffer.copy_(new)
