"""How strong noise and JPEG artefacts are, read off by the network that undoes them.

Noise of a developed photo is correlated over neighbouring pixels, so the classical estimate, which takes what no
texture explains for white, sees little of it. The restorer that comes with imgfix was trained to say how strong the
noise in luma and chroma and the JPEG compression of a picture are, over the noise of sensors and of developed photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imgfix.nets.contextffdnet import ContextFFDNet

MODEL = "restore"
"""The catalog's name of the network that is asked."""
SIDE = 256
"""Side of the windows that it is shown."""
_GRID = 8


@dataclass(frozen=True)
class DamageReading:
    """What was read off a picture."""

    luma: float
    """Deviation of the noise in luma, of 255."""
    chroma: float
    """Deviation of the noise in each chroma plane (Cb, Cr), of 255."""
    quality: float
    """JPEG quality, 100 where there is no trace of one."""


def read(windows: Sequence[np.ndarray]) -> DamageReading | None:
    """Read the damage of a picture off some windows of it; None where all are too small or the network has no maps.

    windows: (h, w, 3) float32 in [0, 1], sRGB; their middle `SIDE` pixels are looked at. The reading is the median.
    """
    net = _network()
    if net is None:
        return None
    found = [_maps(net, window) for window in windows if min(window.shape[:2]) >= 4 * _GRID]
    if not found:
        return None
    luma, chroma, jpeg = (float(value) for value in np.median(found, axis=0))
    return DamageReading(255 * luma, 255 * chroma, 100 * (1 - jpeg))


def _maps(net: ContextFFDNet, window: np.ndarray) -> np.ndarray:
    import torch

    height, width = (min(side, SIDE) // _GRID * _GRID for side in window.shape[:2])
    top, left = (window.shape[0] - height) // 2 // _GRID * _GRID, (window.shape[1] - width) // 2 // _GRID * _GRID
    part = np.ascontiguousarray(window[top : top + height, left : left + width].transpose(2, 0, 1)[None])
    with torch.inference_mode():
        maps: np.ndarray = net.damage(net.context(torch.from_numpy(part))).mean((0, 2, 3)).numpy()
    return maps


@lru_cache(maxsize=1)
def _network() -> ContextFFDNet | None:
    from imgfix import zoo
    from imgfix.nets.contextffdnet import ContextFFDNet

    net = zoo.load(MODEL, offline=True).net
    return net.eval() if isinstance(net, ContextFFDNet) else None
