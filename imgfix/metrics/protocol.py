"""Measuring protocols by name: which numbers, on which channels, with how much border cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from imgfix.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["pair", "single", "set", "video"]


@dataclass(frozen=True)
class Metric:
    """What one number is and how it is read."""

    name: str
    """Its key on the command line and in JSON."""
    label: str
    """Its heading in a table."""
    kind: Kind
    """Compares a `pair`, judges a `single` picture, compares two `set`s, or looks at a `video` in time."""
    higher_is_better: bool
    decimals: int
    meaning: str
    """One sentence for the protocol line."""
    unit: str = ""

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} {self.unit}".rstrip()


METRICS = {
    metric.name: metric
    for metric in (
        Metric("psnr", "PSNR", "pair", True, 2, "PSNR in dB, mean over pictures", "dB"),
        Metric("ssim", "SSIM", "pair", True, 4, "SSIM with an 11x11 Gaussian window of sigma 1.5 on its valid area"),
        Metric("lpips", "LPIPS", "pair", False, 4, "LPIPS 0.1 with AlexNet on the whole RGB picture"),
        Metric("lpips-vgg", "LPIPS VGG", "pair", False, 4, "LPIPS 0.1 with VGG16 on the whole RGB picture"),
        Metric("niqe", "NIQE", "single", False, 3, "NIQE of the result alone, on luma rounded to 8 bit"),
        Metric("fid", "FID", "set", False, 3, "FID of the two sets, InceptionV3 pool 3, resized to 299x299"),
        Metric("kid", "KID", "set", False, 5, "KID of the two sets, unbiased, cubic kernel"),
        Metric("warping", "Warping", "video", False, 6, "warping error along the reference's DIS flow"),
    )
}


@dataclass(frozen=True)
class Protocol:
    """One way of measuring, stated in full."""

    name: str
    metrics: tuple[str, ...]
    y: bool = False
    """PSNR and SSIM on BT.601 limited-range luma instead of RGB."""
    border: int = 0
    """Pixels cut off each side before PSNR, SSIM and NIQE."""

    def describe(self) -> str:
        """The protocol in words, complete enough to repeat it."""
        parts = []
        if {"psnr", "ssim"} & set(self.metrics):
            channels = "BT.601 luma (limited range, not rounded)" if self.y else "RGB (or grey)"
            parts.append(f"PSNR and SSIM on {channels}")
        if {"psnr", "ssim", "niqe"} & set(self.metrics):
            parts.append(f"{self.border} pixels cut off each side" if self.border else "no border cut off")
        parts += [METRICS[name].meaning for name in self.metrics if name != "psnr"]
        return "; ".join(parts)

    def of_kind(self, *kinds: Kind) -> list[Metric]:
        """The metrics of these kinds, in their order."""
        return [METRICS[name] for name in self.metrics if METRICS[name].kind in kinds]


NAMED = {
    protocol.name: protocol
    for protocol in (
        Protocol("rgb", ("psnr", "ssim")),
        Protocol("y", ("psnr", "ssim"), y=True),
        Protocol("perceptual", ("psnr", "ssim", "lpips", "niqe")),
        Protocol("sets", ("fid", "kid")),
        Protocol("video", ("psnr", "ssim", "warping"), y=True),
        Protocol("niqe", ("niqe",)),
    )
}


def find(name: str, metrics: Sequence[str] = ()) -> Protocol:
    """The protocol of that name; `metrics` measures these instead. Raises UsageError for unknown names.

    `sr-yN` and `sr-rgbN` cut N pixels off each side, N being the scale in the super-resolution papers.
    """
    found = NAMED.get(name)
    if match := re.fullmatch(r"sr-(y|rgb)(\d{1,3})", name):
        found = Protocol(name, ("psnr", "ssim"), y=match[1] == "y", border=int(match[2]))
    if found is None:
        raise UsageError(
            f"there is no protocol named '{name}'", hint=f"known: {', '.join(NAMED)}, sr-yN and sr-rgbN with N = scale"
        )
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise UsageError(f"there is no metric named '{unknown[0]}'", hint=f"known: {', '.join(METRICS)}")
    return replace(found, metrics=tuple(dict.fromkeys(metrics))) if metrics else found


def measure(protocol: Protocol, result: np.ndarray, target: np.ndarray | None) -> dict[str, float]:
    """The numbers of one picture: arrays (H, W, 1 or 3) in [0, 1]; without a target only those that need none.

    Raises ValueError when the sizes differ or are too small for a metric.
    """
    from imgfix.metrics.arrays import as_batch
    from imgfix.metrics.lpips import lpips
    from imgfix.metrics.niqe import niqe
    from imgfix.metrics.psnr import psnr
    from imgfix.metrics.ssim import ssim

    first = as_batch(result)
    found: dict[str, float] = {}
    for metric in protocol.of_kind("single"):
        found[metric.name] = niqe(first, border=protocol.border)
    if target is None:
        return found
    second = as_batch(target)
    if first.shape[1] != second.shape[1]:  # a grey file beside an RGB one is the same picture
        first, second = first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1)
    for metric in protocol.of_kind("pair"):
        if metric.name == "psnr":
            value = psnr(first, second, y=protocol.y, border=protocol.border)
        elif metric.name == "ssim":
            value = ssim(first, second, y=protocol.y, border=protocol.border)
        else:
            value = lpips(first, second, trunk="vgg" if metric.name == "lpips-vgg" else "alex")
        found[metric.name] = float(value)
    return {name: found[name] for name in protocol.metrics if name in found}
