"""Running models on a folder of good pictures: damage them in a known way, restore them, measure."""

from __future__ import annotations

import copy
import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from imgfix.degradations import BY_NAME, TABLE
from imgfix.errors import InputError, UsageError
from imgfix.metrics.protocol import Protocol as Measuring
from imgfix.metrics.protocol import measure
from imgfix.tasks.evaluate import means
from imgfix.tasks.measurement import Measurement, read

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine
    from imgfix.zoo.descriptor import Descriptor

HD = (720, 1280)  # multiply-adds are counted for an output of this size, as in the super-resolution papers


class Contestant(Protocol):
    """What takes part: anything that turns a damaged picture into a restored one."""

    name: str
    scale: int

    def run(self, damaged: Tensor) -> Tensor:
        """(1, 1 or 3, H, W) float64 in [0, 1] -> (1, 1 or 3, H * scale, W * scale)."""
        ...


@dataclass(frozen=True)
class AppliedDegradation:
    """Damage that anyone can repeat."""

    name: str
    """`bicubic`, `noiseSIGMA` or `jpegQUALITY`."""

    def describe(self, scale: int) -> str:
        """The damage in words."""
        if self.name == "bicubic":
            return f"MATLAB bicubic x1/{scale}, rounded to 8 bit" if scale > 1 else "none"
        if self.name.startswith("noise"):
            return f"Gaussian noise of sigma {self.level}, seeded by the picture's number, not rounded"
        return f"JPEG of quality {self.level} (libjpeg, colour at half the size)"

    @property
    def kind(self) -> str:
        """Its row in `imgfix.degradations.TABLE`."""
        return self.name.rstrip("0123456789")

    @property
    def level(self) -> int:
        """Noise sigma or JPEG quality."""
        return int("".join(filter(str.isdigit, self.name)) or 0)

    def apply(self, picture: Tensor, scale: int, number: int) -> Tensor:
        """Damage a picture (1, C, H, W) float64 in [0, 1], grey or RGB, downscaled first."""
        from imgfix.runtime.resize import downscale

        if scale > 1:
            picture = downscale(picture, scale)
        module, _, function = BY_NAME[self.kind].apply.partition(":")
        damaged: Tensor = getattr(importlib.import_module(module), function)(picture, self.level, number)
        return damaged


def find_degradation(name: str | None, task: str) -> AppliedDegradation:
    """The damage of that name; without one, what models for the task are measured on. Raises UsageError."""
    if name is None:
        name = "bicubic" if task == "upscale" else "noise25"
    digits = name.lstrip("abcdefghijklmnopqrstuvwxyz")
    row = BY_NAME.get(name.removesuffix(digits))
    if row is not None and row.apply and (digits.isdecimal() if row.level else not digits):
        return AppliedDegradation(name)
    known = ", ".join(row.name + row.level.upper() for row in TABLE if row.apply)
    raise UsageError(f"there is no degradation named '{name}'", hint=f"known: {known}")


@dataclass
class Bicubic:
    """The plain resampling that every model is compared with."""

    scale: int
    name: str = "bicubic"

    def run(self, damaged: Tensor) -> Tensor:
        """MATLAB's bicubic enlargement, rounded after each direction as for 8-bit pictures."""
        from imgfix.runtime.resize import resize, round_to_bytes

        damaged = damaged.double()
        height, width = damaged.shape[-2:]
        taller = round_to_bytes(resize(damaged, (height * self.scale, width)))
        return round_to_bytes(resize(taller, (height * self.scale, width * self.scale)))


@dataclass
class Running:
    """A model of the catalog, run through the tiling runtime without anything added to its output."""

    engine: Engine
    name: str = ""
    scale: int = 1
    tile: int | None = None
    noise: float = 0.0
    """Told to a network that takes a noise map: its standard deviation in [0, 1]."""

    def __post_init__(self) -> None:
        self.name = self.name or self.engine.descriptor.name
        self.scale = self.engine.scale

    def run(self, damaged: Tensor) -> Tensor:
        """Tiles from host memory; rows come back top to bottom. A grey network gets one channel after the other."""
        if self.engine.descriptor.in_channels == 1:
            return torch.cat([self._run(damaged[:, channel, None]) for channel in range(damaged.shape[1])], dim=1)
        return self._run(self.prepared(damaged))

    def prepared(self, damaged: Tensor) -> Tensor:
        """The picture as RGB where the network wants that, with its noise map where it takes one."""
        if self.engine.descriptor.in_channels >= 3:
            damaged = damaged.expand(-1, 3, -1, -1)
        if self.engine.descriptor.in_channels == damaged.shape[1] + 1:
            return torch.cat([damaged, torch.full_like(damaged[:, :1], self.noise)], dim=1)
        return damaged[:, : self.engine.descriptor.in_channels]

    def _run(self, damaged: Tensor) -> Tensor:
        from imgfix.runtime import tiling

        pixels = damaged[0].permute(1, 2, 0).float().numpy()
        rows: list[np.ndarray] = []
        height, width = pixels.shape[:2]
        tiling.run_tiled(
            self.engine, lambda y0, y1, x0, x1: pixels[y0:y1, x0:x1], height, width, rows.append, self.tile
        )
        return torch.from_numpy(np.concatenate(rows)).permute(2, 0, 1)[None]


@dataclass(frozen=True)
class Standing:
    """What one model reached."""

    name: str
    values: dict[str, float]
    """Means over pictures."""
    pictures: list[Measurement]
    seconds: float
    """A picture, the first one left out where there are more."""
    parameters: int | None = None
    multiply_adds: int | None = None
    """For an output of 1280x720."""
    peak_bytes: int | None = None
    """Of tensors on the device, for the largest picture."""
    note: str = ""
    results: list[np.ndarray] = field(default_factory=list)
    """Restored pictures (H, W, C) in [0, 1], kept when asked for."""
    left_out: dict[Path, InputError] = field(default_factory=dict)
    """Pictures that cannot be read or are too small, and why; the means are those of the others."""


def run_benchmark(
    contestant: Contestant,
    pictures: Sequence[Path],
    protocol: Measuring,
    degradation: AppliedDegradation,
    *,
    keep: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Standing:
    """Damage, restore and measure every picture; results are rounded to 8 bit, as a saved file would be.

    The reference loses the rows and columns that the scale does not divide. A picture that cannot be read or is too
    small is left out; raises its InputError where no other is left.
    """
    scale, found, times = contestant.scale, [], []
    results: list[np.ndarray] = []
    left_out: dict[Path, InputError] = {}
    largest: Tensor | None = None
    for number, path in enumerate(pictures):
        try:
            reference, _ = read(path)
        except InputError as error:
            left_out[path] = error
            continue
        height, width = (side // scale * scale for side in reference.shape[:2])
        if not (height and width):
            left_out[path] = InputError(f"{path} is smaller than {scale} pixels", hint="leave that picture out")
            continue
        reference = reference[:height, :width]
        grey = reference.shape[2] == 1
        batch = torch.from_numpy(np.ascontiguousarray(reference.transpose(2, 0, 1)))[None]
        damaged = degradation.apply(batch, scale, number)
        if largest is None or damaged.numel() > largest.numel():
            largest = damaged.float()
        start = time.perf_counter()
        restored = contestant.run(damaged)
        times.append(time.perf_counter() - start)
        rounded = (restored.double().clamp(0, 1) * 255 + 0.5).floor() / 255
        output = rounded[0].permute(1, 2, 0).numpy()
        output = output.mean(axis=2, keepdims=True) if grey else output
        try:
            values = measure(protocol, output, reference)
        except ValueError as error:
            left_out[path] = InputError(f"{path}: {error}", hint="leave that metric or that picture out")
            continue
        found.append(Measurement(path, path, values, (width, height)))
        if len(results) < keep:
            results.append(output)
        if progress:
            progress(number + 1, len(pictures))
    if not found:
        raise next(iter(left_out.values()), InputError("there are no pictures to measure"))
    timed = times[1:] or times
    seconds = math.fsum(timed) / len(timed)
    standing = Standing(contestant.name, means(found), found, seconds, results=results, left_out=left_out)
    if not isinstance(contestant, Running) or largest is None:
        return standing
    return with_cost(standing, contestant.engine, contestant.prepared(largest))


def with_cost(standing: Standing, engine: Engine, largest: Tensor) -> Standing:
    """Add parameters, multiply-adds and peak memory of a model."""
    from imgfix.runtime import memory

    net = engine.model.net
    height, width = largest.shape[-2:]
    peak = None
    if height * width <= 1 << 20:  # larger ones are tiled, so that one number would say nothing
        _, peak = memory.with_peak_bytes(lambda: engine.run(largest), engine.placement.device)
    return replace(
        standing,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        multiply_adds=multiply_adds(net, engine.descriptor),
        peak_bytes=peak,
    )


def multiply_adds(net: torch.nn.Module, descriptor: Descriptor, size: tuple[int, int] | None = None) -> int | None:
    """Multiply-adds, counted without computing anything; None where that is not possible.

    size: height and width of the input, rounded up to what the network takes; without it, of an output of 1280x720.
    """
    from torch.utils.flop_counter import FlopCounterMode

    multiple = max(1, descriptor.size_multiple)
    height, width = size or (HD[0] / descriptor.scale, HD[1] / descriptor.scale)
    size = (math.ceil(height / multiple) * multiple, math.ceil(width / multiple) * multiple)
    try:
        shell = copy.deepcopy(net).to("meta")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            shell(torch.empty(1, descriptor.in_channels, *size, device="meta"))
    except (RuntimeError, NotImplementedError, TypeError, AttributeError, ValueError):
        return None
    return counter.get_total_flops() // 2
