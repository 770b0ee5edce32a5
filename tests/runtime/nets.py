"""Tiny networks with known facts, and engines around them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.runtime import bf16, device
from imgfix.runtime.engine import Engine
from imgfix.zoo.descriptor import Descriptor, Model


def pretend_bf16(monkeypatch: pytest.MonkeyPatch, native: bool = True) -> None:
    """The processor is quick in bf16, or does not have it."""
    monkeypatch.setattr(device, "cpu_has_bf16", lambda: native)
    monkeypatch.setattr(device, "cpu_gain_of_bf16", lambda: bf16.Gain(2.0, native, "pretended"))


class Shuffle(nn.Module):
    """Three 3x3 convolutions and a pixel shuffle on top of the nearest-neighbour enlargement; receptive field 3."""

    def __init__(self, scale: int = 2, features: int = 8, strength: float = 0.2) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(
            nn.Conv2d(3, features, 3, padding=1), nn.PReLU(features),
            nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(features, 3 * scale**2, 3, padding=1),
        )  # fmt: skip
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        detail = F.pixel_shuffle(self.body(x), self.scale)
        return F.interpolate(x, scale_factor=self.scale, mode="nearest") + self.strength * detail


class Folded(nn.Module):
    """Works at half the resolution, so sides must be even, and where a window starts matters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(12, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise RuntimeError("odd size")
        return x + F.pixel_shuffle(self.last(torch.relu(self.first(F.pixel_unshuffle(x, 2)))), 2)


class Small(nn.Module):
    """Runs out of memory on windows of more than `limit` pixels."""

    def __init__(self, net: nn.Module, limit: int, error: type[Exception] = RuntimeError) -> None:
        super().__init__()
        self.net, self.limit, self.error = net, limit, error
        self.sizes: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append((x.shape[-2], x.shape[-1]))
        if x.shape[-1] * x.shape[-2] > self.limit:
            raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return self.net(x)


def shuffle_engine(scale: int = 2, precision: str = "fp32", **facts: Any) -> Engine:
    """An engine around `Shuffle` with random weights, the same every time."""
    torch.manual_seed(0)
    return engine(Shuffle(scale), precision, scale=scale, **{"receptive_field": 3, **facts})


def engine(net: nn.Module, precision: str = "fp32", **facts: Any) -> Engine:
    """An engine on the CPU around a network that is described by `facts`."""
    descriptor = Descriptor(name="tiny", task="upscale", net="tiny", **facts)
    return Engine(Model(descriptor, net.eval()), "cpu", precision)
