"""Where a model runs and how precisely: found out by asking the machine, not by guessing from names."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

import torch

from imgfix.errors import UsageError
from imgfix.runtime import bf16, container, engines
from imgfix.runtime.processor import capabilities

if TYPE_CHECKING:
    from imgfix.zoo.descriptor import Descriptor, Precision

DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_KINDS = ("cuda", "xpu", "mps", "cpu")


@dataclass(frozen=True)
class Placement:
    """The device and number format chosen for one model, with the reason in words."""

    device: torch.device
    precision: Precision
    channels_last: bool
    why: str
    engine: str = engines.TORCH
    """What computes, of `imgfix.runtime.engines.ENGINES`."""

    @property
    def dtype(self) -> torch.dtype:
        """The torch number format of `precision`."""
        return DTYPES[self.precision]

    @property
    def on_cpu(self) -> bool:
        """Whether the model runs on the processor."""
        return self.device.type == "cpu"

    def __str__(self) -> str:
        engine = "" if self.engine == engines.TORCH else f", {self.engine}"
        return f"{device_name(self.device)}, {self.precision}{engine}"


def available() -> list[str]:
    """Devices that work here, best first: `cuda` (NVIDIA, or AMD through ROCm), `xpu` (Intel), `mps` (Apple), `cpu`."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found.append("xpu")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def device_name(device: torch.device) -> str:
    """A device in words: `cpu`, or `cuda:0 (NVIDIA ...)`."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "xpu":
        return f"{device} ({torch.xpu.get_device_name(device)})"
    return str(device)


def precisions(device: torch.device) -> list[Precision]:
    """Number formats that the device computes natively, quickest first; `fp32` is always among them.

    A CPU that has bf16 is not always quicker in it than in fp32: that is measured, once on each machine.
    """
    able = _computed(device)
    return ["fp32", "bf16"] if device.type == "cpu" and "bf16" in able and not cpu_gain_of_bf16().pays else able


def _computed(device: torch.device) -> list[Precision]:
    """The same without a measurement, in the order that holds for most."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        # fp16 has three more bits of mantissa than bf16 at the same speed; its shorter range is watched by the engine.
        found = ["fp16"] if (major, minor) >= (5, 3) else []
        found += ["bf16"] if major >= 8 else []
        return cast("list[Precision]", [*found, "fp32"])
    if device.type == "xpu":
        return ["fp16", "bf16", "fp32"]
    if device.type == "mps":
        return ["fp16", "fp32"]
    return ["bf16", "fp32"] if cpu_has_bf16() else ["fp32"]


@cache
def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware (x86 AVX512-BF16 or AMX, Arm BF16).

    Others only emulate it, more slowly than they compute fp32.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    found = capabilities()
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


@cache
def cpu_gain_of_bf16() -> bf16.Gain:
    """What bf16 brings on this processor, which has it; measured where nobody did before (once a process at most)."""
    return bf16.gain()


@cache
def respect_quota() -> None:
    """Use no more threads than the processors that the container may use (once a process).

    torch counts the machine's; with more threads than processors each layer waits for the slowest. OMP_NUM_THREADS,
    where it is set, has the last word.
    """
    quota = container.processors()
    if quota is not None and quota < torch.get_num_threads() and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(quota)


def select(device: str = "auto", precision: str = "auto", descriptor: Descriptor | None = None) -> Placement:
    """Choose device and precision.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` or `xpu`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        descriptor: limits `auto` to precisions in which the model was checked.

    Raises:
        UsageError: the device is unknown or not there, or cannot compute in the precision asked for.
    """
    chosen = _device(device)
    native = _computed(chosen)
    if precision == "auto":
        allowed = descriptor.precisions if descriptor is not None else ("fp32", "bf16", "fp16")
        able = [each for each in native if each in allowed] or ["fp32"]
        picked: Precision = next(each for each in precisions(chosen) if each in able) if len(able) > 1 else able[0]
        why = f"{picked} is the quickest format that {chosen.type} computes natively and the model holds in"
    elif precision not in DTYPES:
        raise UsageError(f"unknown precision '{precision}'", hint="choose auto, fp32, bf16 or fp16")
    else:
        if precision == "fp16" and chosen.type == "cpu":
            raise UsageError("fp16 is not computed natively by a CPU", hint="use `precision` fp32, bf16 or auto")
        picked = cast("Precision", precision)
        why = "as asked" if precision in native else f"as asked, though {chosen.type} only emulates {precision}"
    return Placement(chosen, picked, channels_last=chosen.type != "mps", why=why)


def select_for(engine: str, device: str, precision: str, descriptor: Descriptor) -> Placement:
    """The same for one engine; those besides torch compute on the CPU, which is what `device` auto is for them.

    Raises UsageError: there is no such engine, or it does not compute there, in that precision, or such a network.
    """
    engines.check_name(engine)
    if engine == engines.TORCH:
        return select(device, precision, descriptor)
    if descriptor.frames != 1 or descriptor.in_channels == 0:
        raise UsageError(f"{descriptor.name} is run by torch alone", hint="use `engine` auto or torch")
    placed = select("cpu" if device == "auto" else device, precision, descriptor)
    if not placed.on_cpu:
        raise UsageError(f"`engine` {engine} computes on the CPU", hint="use `device` cpu, or `engine` torch")
    able = engines.precisions(engine, _computed(placed.device))
    if precision == "auto" and placed.precision not in able:
        placed = replace(placed, precision="fp32")
    if placed.precision not in able:
        raise UsageError(
            f"`engine` {engine} does not compute in {placed.precision} here", hint="use `precision` auto or fp32"
        )
    return replace(placed, engine=engine, channels_last=False)


def _device(name: str) -> torch.device:
    here = available()
    if name == "auto":
        return torch.device(here[0], 0) if here[0] in ("cuda", "xpu") else torch.device(here[0])
    kind, _, index = name.partition(":")
    if kind not in _KINDS or (index and not index.isdecimal()):
        raise UsageError(f"unknown device '{name}'", hint=f"choose auto or one of: {', '.join(here)}")
    if kind not in here:
        raise UsageError(
            f"device '{name}' is not available on this machine",
            hint=f"available: {', '.join(here)}; or use `device` auto",
        )
    if kind not in ("cuda", "xpu"):
        if index not in ("", "0"):
            raise UsageError(f"device '{name}' is not available on this machine", hint=f"there is one {kind}")
        return torch.device(kind)
    count = torch.cuda.device_count() if kind == "cuda" else torch.xpu.device_count()
    number = int(index or 0)
    if number >= count:
        raise UsageError(
            f"device '{name}' is not available on this machine", hint=f"{kind} devices here: 0 to {count - 1}"
        )
    return torch.device(kind, number)
