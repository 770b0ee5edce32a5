"""Runs a model: on its device, in its precision, on sizes it can take, and watched."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.errors import ModelError
from imgfix.runtime import device as devices
from imgfix.runtime import memory, precision, prefetch
from imgfix.zoo.descriptor import Descriptor, Model

UNBOUNDED_OVERLAP = 24  # input pixels around a tile, for networks that look further than is worth computing
EXACT_LIMIT = 48  # up to this receptive field tiles carry all of it, and tiled equals untiled
LOWEST_PSNR = 38.0  # dB between low precision and fp32 on the probe; below it the model runs in fp32


_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Cost:
    """What a model takes on its device, per input pixel, as measured on a small picture."""

    bytes_per_pixel: float
    seconds_per_pixel: float


class Engine:
    """One model, ready to run.

    Args:
        model: descriptor and network, which stays as it is.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, `xpu`.
        precision: `auto`, `fp32`, `bf16`, `fp16`.
        note: told in one sentence when something turns out otherwise than planned.

    Raises:
        UsageError: the device is not there.
    """

    def __init__(
        self,
        model: Model,
        device: str = "auto",
        precision: str = "auto",
        note: Callable[[str], None] | None = None,
    ) -> None:
        self.model = model
        self.placement = devices.select(device, precision, model.descriptor)
        self.note = note or (lambda text: None)
        self._chosen = precision == "auto"
        self._exact: Engine | None = None
        if self.placement.on_cpu:
            memory.keep_pages()
            devices.respect_quota()
        self._net: nn.Module | None = None
        self._autocast = False
        self._flat_checked = False
        self._bytes_per_pixel: float | None = None

    @property
    def descriptor(self) -> Descriptor:
        """What the model says of itself."""
        return self.model.descriptor

    @property
    def scale(self) -> int:
        """Output pixels per input pixel along one side."""
        return self.descriptor.scale

    @property
    def overlap(self) -> int:
        """Input pixels of context that a tile has on each side."""
        if self.descriptor.overlap is not None:
            return self.descriptor.overlap
        field = self.descriptor.receptive_field
        return field if field is not None and field <= EXACT_LIMIT else UNBOUNDED_OVERLAP

    @property
    def exact_overlap(self) -> bool:
        """Whether tiles carry the whole receptive field, so that a tiled result equals an untiled one."""
        field = self.descriptor.receptive_field
        return field is not None and field <= self.overlap

    @property
    def preferred_tile(self) -> int:
        """Side of a window beyond which the device gains nothing, or where there is no bound to the field, little."""
        if self.descriptor.receptive_field is None:
            return 1024
        return 512 if self.placement.on_cpu else 1024

    def for_samples(self, dtype: np.dtype) -> Engine:
        """The engine for a picture of such samples: above 8 bits one in fp32, unless a precision was asked for.

        Half precision leaves 9 to 10 bits of a result (64 to 71 dB against fp32): more than 8 bits show, fewer than a
        file of 16 holds. fp32 takes two to three times as long.
        """
        if dtype.itemsize == 1 or not self._chosen or self.placement.precision == "fp32":
            return self
        if self._exact is None:
            self._exact = Engine(self.model, str(self.placement.device), "fp32", lambda text: self.note(text))
        return self._exact

    # -- running -------------------------------------------------------------------------------------------------------

    def run(self, x: Tensor) -> Tensor:
        """Run the network once.

        Args:
            x: (N, C, H, W) float32 in [0, 1], any size, on the CPU or the device.

        Returns:
            (N, C', H * scale, W * scale) float32, not clipped, where `x` was.

        Raises:
            OutOfMemory: it did not fit; nothing is left behind on the device.
            ModelError: the result is not a number even in fp32.
        """
        self._prepare()
        out = self._attempt(x)
        if self._sound(x, out):
            return out
        if self.placement.precision != "fp32":
            self._fall_back(f"{self.descriptor.name} gave no usable result in {self.placement.precision}")
            out = self._attempt(x)
        if not bool(torch.isfinite(out).all()):
            raise ModelError(
                f"{self.descriptor.name} returned values that are not numbers",
                hint=f"its weights may be damaged: imgfix weights verify {self.descriptor.name}",
            )
        return out

    def _attempt(self, x: Tensor) -> Tensor:
        return self._guarded(lambda: self._forward(x), x)

    def _guarded(self, call: Callable[[], _Result], x: Tensor) -> _Result:
        """Call, and give every way of running out of memory one name."""
        try:
            return call()
        except (RuntimeError, MemoryError) as failure:
            if not memory.is_out_of_memory(failure):
                raise
        # Outside the handler, so that the traceback no longer keeps the failed run's tensors.
        memory.release(self.placement.device)
        raise memory.OutOfMemory(
            f"{self.descriptor.name} does not fit into the memory of {self.placement.device}"
            f" at {x.shape[-1]}x{x.shape[-2]} pixels",
            hint="close other programs, or use a smaller `tile` or another `device`",
        )

    def _forward(self, x: Tensor) -> Tensor:
        net = self._net
        assert net is not None
        target = self.placement.device
        height, width = x.shape[-2:]
        with torch.inference_mode():
            y = pad_to_rule(x.to(target), self.descriptor.size_multiple, self.descriptor.size_minimum)
            if self.placement.channels_last:
                y = y.contiguous(memory_format=torch.channels_last)
            with torch.autocast(target.type, self.placement.dtype, enabled=self._autocast):
                y = net(y)
            made: Tensor = y[..., : height * self.scale, : width * self.scale].to(x.device).float()
            return made

    def _sound(self, x: Tensor, out: Tensor) -> bool:
        # One sum shows a NaN or an infinity anywhere, and is cheap enough for every tile.
        if not math.isfinite(float(out.sum())):
            return bool(torch.isfinite(out).all())  # a sum may overflow on its own
        if self._flat_checked:
            return True
        spread = float(x.std()) if x.numel() > 1 else 0.0
        if spread < 0.01:
            return True  # a flat picture may well give a flat result: the next tile will tell
        self._flat_checked = True
        return float(out.std()) > 1e-3 * spread

    # -- preparing -----------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if self._net is not None:
            return
        if self.placement.precision == "fp32":
            self._net = self._plain()
            return
        probe = self._probe_picture(32)
        truth, first, last = self._guarded(lambda: precision.observed(self.model.net, probe), probe)
        try:
            self._net = self._place(precision.converted(self.model.net, self.placement.dtype, first, last))
            result = self._attempt(probe)
        except (RuntimeError, TypeError):  # out of memory is neither
            # The network mixes formats in a way that cannot be converted layer by layer: torch casts as it goes.
            self._net = self._plain()
            self._autocast = True
            result = self._attempt(probe)
        error = float((result.clamp(0, 1) - truth.clamp(0, 1)).square().mean())
        if not error < 10 ** (-LOWEST_PSNR / 10):
            self._fall_back(f"{self.descriptor.name} loses too much in {self.placement.precision}")

    def _plain(self) -> nn.Module:
        return self._place(copy.deepcopy(self.model.net).eval().requires_grad_(False))

    def _place(self, net: nn.Module) -> nn.Module:
        net = net.to(self.placement.device)
        if self.placement.channels_last:
            net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return stoppable(net)

    def _fall_back(self, reason: str) -> None:
        self.note(f"{reason}; the rest runs in fp32")
        self.placement = replace(self.placement, precision="fp32", why=reason)
        self._autocast = False
        self._bytes_per_pixel = None
        self._net = self._plain()

    def _probe_picture(self, side: int) -> Tensor:
        """A small picture with edges, a slope and fine grain, the same every time; (1, C, side, side)."""
        side = max(side, self.descriptor.size_minimum)
        side += -side % self.descriptor.size_multiple
        generator = torch.Generator().manual_seed(1)
        slope = torch.linspace(0.1, 0.9, side)
        picture = (slope[None, :] + slope[:, None]) / 2
        picture = picture + 0.3 * ((torch.arange(side) // 8 % 2)[None, :] - 0.5)
        grain = 0.05 * torch.randn(1, self.descriptor.in_channels, side, side, generator=generator)
        return (picture + grain).clamp(0, 1)

    # -- cost ----------------------------------------------------------------------------------------------------------

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes on the device per input pixel at the highest point of a run, measured on a small picture."""
        if self._bytes_per_pixel is None:
            self._prepare()
            gpu = not self.placement.on_cpu
            probe = self._probe_picture(128 if gpu else 32).to(self.placement.device)
            self._attempt(probe)  # what a first run sets up once is not counted
            _, held = memory.with_peak_bytes(lambda: self._forward(probe), self.placement.device)
            self._bytes_per_pixel = held / (probe.shape[-1] * probe.shape[-2])
        return self._bytes_per_pixel

    @cached_property
    def cost(self) -> Cost:
        """Memory and time per input pixel, from runs on small pictures (a second or two)."""
        held = self.bytes_per_pixel
        side, seconds = 32, 0.0
        # A quick model is timed on a larger picture: on a small one it seems slower than it is.
        while seconds < 0.15 and side < 512:
            side *= 2
            probe = self._probe_picture(side).to(self.placement.device)
            seconds = min(self._timed(probe) for _ in range(2))
        return Cost(held, seconds / (probe.shape[-1] * probe.shape[-2]))

    def _timed(self, x: Tensor) -> float:
        start = time.perf_counter()
        self._attempt(x).cpu()
        return time.perf_counter() - start


def stoppable(net: nn.Module) -> nn.Module:
    """The same network, which a thread that is no longer wanted leaves at its next layer.

    A run over a large tile may take half a minute, and nothing but the network itself can end it.
    """
    for module in net.modules():
        if not any(True for _ in module.children()):
            module.register_forward_pre_hook(lambda *_: prefetch.check())
    return net


def pad_to_rule(x: Tensor, multiple: int, minimum: int) -> Tensor:
    """Extend a picture at the right and the bottom to a size that the network takes; (N, C, H, W) -> (N, C, H', W').

    Mirrored where the picture is large enough for it, else its border is repeated.
    """
    height, width = x.shape[-2:]
    need_y = max(minimum, height) + -max(minimum, height) % multiple - height
    need_x = max(minimum, width) + -max(minimum, width) % multiple - width
    if need_y == 0 and need_x == 0:
        return x
    mode = "reflect" if need_y < height and need_x < width else "replicate"
    return F.pad(x, (0, need_x, 0, need_y), mode=mode)
