"""Measuring protocols by name: which numbers, on which channels, with how much border cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imgfix.errors import UsageError
from imgfix.metrics.table import METRICS, Kind, Metric

if TYPE_CHECKING:
    import numpy as np
    import torch

__all__ = ["METRICS", "NAMED", "Kind", "Metric", "Protocol", "find", "measure"]


@dataclass(frozen=True)
class Protocol:
    """One way of measuring, stated in full."""

    name: str
    metrics: tuple[str, ...]
    y: bool = False
    """BT.601 limited-range luma instead of RGB, for the metrics that follow it (PSNR, SSIM)."""
    border: int = 0
    """Pixels cut off each side first, for the metrics that follow it (PSNR, SSIM, NIQE)."""

    def describe(self) -> str:
        """The protocol in words, complete enough to repeat it."""
        parts = []
        metrics = [METRICS[name] for name in self.metrics]
        if on_luma := [metric.label for metric in metrics if "y" in metric.settings]:
            channels = "BT.601 luma (limited range, not rounded)" if self.y else "RGB (or grey)"
            parts.append(f"{' and '.join(on_luma)} on {channels}")
        if any("border" in metric.settings for metric in metrics):
            parts.append(f"{self.border} pixels cut off each side" if self.border else "no border cut off")
        parts += [metric.meaning for metric in metrics]
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

    first = as_batch(result)
    found = {metric.name: _number(metric, protocol, first) for metric in protocol.of_kind("single")}
    if target is None:
        return found
    second = as_batch(target)
    if first.shape[1] != second.shape[1]:  # a grey file beside an RGB one is the same picture
        first, second = first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1)
    for metric in protocol.of_kind("pair"):
        found[metric.name] = _number(metric, protocol, first, second)
    return {name: found[name] for name in protocol.metrics if name in found}


def _number(metric: Metric, protocol: Protocol, *pictures: torch.Tensor) -> float:
    return float(metric.function(*pictures, **{name: getattr(protocol, name) for name in metric.settings}))
