"""One table of degradations: the words that models, restoring, training and benchmarks share.

A row is a kind of damage. Models say which of them they expect (`Descriptor.expects`) and undo (`Descriptor.jobs`),
`imgfix restore` undoes those that have an option, in the order of the table, and a benchmark applies those that have a
function, as `noise25` or `jpeg40`. Nothing of ours is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class Degradation:
    """One kind of damage."""

    name: str
    words: str
    option: str = ""
    """Field of `imgfix.tasks.restore.RestoreOptions` that asks for undoing it; empty: restoring does not."""
    level: Literal["", "sigma", "quality"] = ""
    """What a number behind its name means: the deviation of noise, of 255, or the quality of a JPEG."""
    apply: str = ""
    """`module:function` by which a benchmark damages a picture; empty: none does."""
    usual: bool = True
    """A restorer that does not say what it undoes may be for it."""


TABLE = (
    Degradation("other", "whatever the model that is named undoes", "other"),
    Degradation("jpeg", "JPEG artefacts", "jpeg", "quality", "imgfix.tasks.degrade:jpeg"),
    Degradation("noise", "noise", "denoise", "sigma", "imgfix.tasks.degrade:noise"),
    Degradation("light", "low light", "light"),
    Degradation("blur", "blur", "deblur"),
    Degradation("rain", "rain", "derain"),
    Degradation("haze", "haze", "dehaze"),
    Degradation("retouch", "flat tones", "retouch"),
    Degradation("color", "missing colour", "color", usual=False),
    Degradation("faces", "damaged faces", "faces", usual=False),
    Degradation("bicubic", "MATLAB's bicubic downscaling", apply="imgfix.tasks.degrade:bicubic"),
    Degradation("resize", "downscaling by other filters"),
    Degradation("noise-level", "noise of a level that is given"),
    Degradation("video", "video compression"),
    Degradation("holes", "missing parts"),
)
"""Those that are undone first, in the order in which they are: the reverse of the order in which they come about."""
BY_NAME = {row.name: row for row in TABLE}
UNDONE = tuple(row.name for row in TABLE if row.option)
"""What `imgfix restore` undoes, in this order."""
EXPECTED = tuple(row.name for row in TABLE if row.name != "other")
"""What a model can say that it expects."""
ANY = tuple(row.name for row in TABLE if row.option and row.usual)
"""`jobs` of a restorer that does not say what it undoes: it runs when it is named, whatever is asked for (`other`)."""

TRAINED = {
    "bicubic": ("bicubic",),
    "gaussian": ("blur",),
    "real": ("resize", "blur", "noise", "jpeg"),
    "light": ("resize", "blur", "noise", "jpeg"),
    "mixed": ("bicubic", "resize", "blur", "noise", "jpeg"),
}
"""What a model has met that was trained with a degradation of this name."""

NOISE_SEEN = 3.0
"""Of 255: noise below it is left alone under `auto`. Fine texture is easily taken for so little noise."""
QUALITY_SEEN = 85
"""JPEGs of a higher quality are left alone under `auto`: their damage cannot be seen."""
DEVELOPED_LEVEL = 2.4
"""FFDNet, made for white noise, does best on that of developed photos when told this many times its luma deviation."""
_LEVELS = ((5, 30.0), (10, 24.0), (20, 16.0), (30, 13.0), (40, 11.0), (60, 8.5), (80, 5.5), (90, 3.5), (100, 0.0))
_SHARES = ((5, 0.8), (10, 0.7), (20, 0.5), (30, 0.35), (40, 0.15), (45, 0.0))


def level_of_quality(quality: float) -> float:
    """The noise level, of 255, at which FFDNet does best on a JPEG of this quality (tests/bench/restore_levels.py)."""
    return _between(_LEVELS, quality)


def share_of_quality(quality: float) -> float:
    """How much of a denoiser's result on a JPEG of this quality to blend in, so that LPIPS does not get worse.

    Denoisers trained on the mean error take fine texture away with the artefacts. Less of their result has both a
    higher PSNR and a lower LPIPS than the file up to a quality of about 40 (tests/bench/restore_blend.py).
    """
    return _between(_SHARES, quality)


def _between(points: Sequence[tuple[float, float]], at: float) -> float:
    """The value on straight lines between points (x, y) of growing x; beyond them that of the nearest."""
    if at <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return points[-1][1]
