"""The table of metrics: one row says all that the program knows of one, and where the function that computes it is.

A new metric is one file in this folder and one row here: the command line, protocols, reports and JSON follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

Kind = Literal["pair", "single", "set", "video"]


@dataclass(frozen=True)
class Metric:
    """What one number is, how it is computed and how it is read."""

    name: str
    """Its key on the command line and in JSON."""
    label: str
    """Its heading in a table."""
    kind: Kind
    """Compares a `pair` of images, judges a `single` one, compares two `set`s, or looks at a `video` in time."""
    higher_is_better: bool
    decimals: int
    meaning: str
    """One sentence for the protocol line, complete enough to repeat the measurement."""
    compute: str
    """`module:function`, imported when it is first needed. What it is called with depends on the kind:

    pair: `(result, target, **settings)`, batches (1, C, H, W) in [0, 1], C being 1 or 3 in both -> one number.
    single: `(result, **settings)`.
    set: `(features, reference_features)`, each (n, d) float64, from the function that `features` names.
    video: `(before, after, reference_before, reference_after)`, neighbouring frames (H, W, 3) in [0, 1]; NaN where it
    has nothing to say, and those are left out of the mean.
    """
    unit: str = ""
    settings: tuple[Literal["y", "border"], ...] = ()
    """The settings of the protocol that it follows: `y` (on luma), `border` (pixels cut off each side first)."""
    features: str = ""
    """Of a `set` metric: `module:function` from images (an iterable of (H, W, C) in [0, 1]) to features (n, d)."""

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} {self.unit}".rstrip()

    @property
    def function(self) -> Callable[..., Any]:
        """What `compute` names, imported (and torch with it)."""
        return imported(self.compute)


def imported(name: str) -> Callable[..., Any]:
    """The function that `module:function` names."""
    module, function = name.split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


_ROWS = (
    Metric(
        "psnr", "PSNR", "pair", True, 2, "PSNR in dB, mean over pictures",
        "imgfix.metrics.psnr:psnr", unit="dB", settings=("y", "border"),
    ),
    Metric(
        "ssim", "SSIM", "pair", True, 4, "SSIM with an 11x11 Gaussian window of sigma 1.5 on its valid area",
        "imgfix.metrics.ssim:ssim", settings=("y", "border"),
    ),
    Metric(
        "gmsd", "GMSD", "pair", False, 4, "GMSD on full-range BT.601 luma at half size, Prewitt gradients",
        "imgfix.metrics.gmsd:gmsd", settings=("border",),
    ),
    Metric(
        "lpips", "LPIPS", "pair", False, 4, "LPIPS 0.1 with AlexNet on the whole RGB picture",
        "imgfix.metrics.lpips:lpips",
    ),
    Metric(
        "lpips-vgg", "LPIPS VGG", "pair", False, 4, "LPIPS 0.1 with VGG16 on the whole RGB picture",
        "imgfix.metrics.lpips:lpips_vgg",
    ),
    Metric(
        "niqe", "NIQE", "single", False, 3, "NIQE of the result alone, on luma rounded to 8 bit",
        "imgfix.metrics.niqe:niqe", settings=("border",),
    ),
    Metric(
        "fid", "FID", "set", False, 3, "FID of the two sets, InceptionV3 pool 3, resized to 299x299",
        "imgfix.metrics.fid:fid", features="imgfix.metrics.fid:features",
    ),
    Metric(
        "kid", "KID", "set", False, 5, "KID of the two sets, unbiased, cubic kernel",
        "imgfix.metrics.fid:kid", features="imgfix.metrics.fid:features",
    ),
    Metric(
        "warping", "Warping", "video", False, 6, "warping error along the reference's DIS flow",
        "imgfix.metrics.warping:warping_error",
    ),
)  # fmt: skip

METRICS = {row.name: row for row in _ROWS}
