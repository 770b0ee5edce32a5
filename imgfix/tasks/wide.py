"""A network that looks at a picture as a whole, on pictures too large for it.

Such a network (one that brightens, or lifts haze) decides by everything it sees, so tiles would come out differently
bright. A picture that is too large is shrunk for it instead, and what it did there is described by a straight line for
every place and channel (output = slope x input + offset) and done to the full-size picture: the guided filter (He, Sun,
Tang, "Guided Image Filtering", 2013) in its fast form (He, Sun, arXiv 1505.00996). Fine detail is kept, and grows with
the brightness; fine noise too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
import torch

from imgfix.runtime import memory, tiling
from imgfix.runtime.engine import Engine
from imgfix.tasks import resample

LARGEST = 3 << 20  # pixels: beyond it nothing is gained but time is lost
RADIUS = 6  # pixels of the shrunk picture that one line is fitted to, to each side
TRUST = 1e-4  # variance of the input below which the slope is taken from the mean brightness instead


def working_size(engine: Engine, width: int, height: int) -> tuple[int, int]:
    """Width and height at which the network sees a picture of this size: its own, unless memory or time forbid it."""
    room = memory.budget(engine.placement.device) / engine.bytes_per_pixel
    share = min(1.0, LARGEST / (width * height), room / (width * height))
    if share == 1:
        return width, height
    return max(1, round(width * math.sqrt(share))), max(1, round(height * math.sqrt(share)))


def bands(
    engine: Engine, read: tiling.Read, height: int, width: int, *, size: tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """Yield finished rows, (h, W, 3) float32, top to bottom.

    Args:
        engine: a network that keeps the size.
        read: gives windows of the input; it is read twice where the picture is shrunk, so it has to keep all of it.
        height, width: of the input.
        size: width and height that the network sees; `None`: see `working_size`.

    Raises:
        MemoryExhaustedError: even the shrunk picture does not fit.
    """
    target = size or working_size(engine, width, height)
    step = max(1, tiling.SLICE_BYTES // (width * 12))
    if target == (width, height):
        whole = _run(engine, read(0, height, 0, width))
        for y in range(0, height, step):
            yield whole[y : y + step]
        return
    small = resample.rows(lambda a, b: read(a, b, 0, width), (width, height), target, 0, target[1], resample.BICUBIC)
    slope, offset = lines(np.clip(small, 0, 1), np.clip(_run(engine, np.clip(small, 0, 1)), 0, 1))
    both = np.concatenate([slope, offset], axis=2)
    for y in range(0, height, step):
        end = min(height, y + step)
        line = resample.rows(lambda a, b: both[a:b], target, (width, height), y, end, resample.BILINEAR)
        yield read(y, end, 0, width) * line[..., :3] + line[..., 3:]


def lines(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset for every pixel and channel that make `after` of `before` as nearly as one line can.

    before, after: (h, w, 3) float32. Where the input is flat its slope cannot be seen; there it is the gain, the ratio
    of the means.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        side = 2 * RADIUS + 1
        out: np.ndarray = cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)
        return out.reshape(values.shape)

    low, high = mean(before), mean(after)
    variance = np.maximum(mean(before * before) - low * low, 0)
    gain = high / np.maximum(low, 1e-3)
    slope = (mean(before * after) - low * high + TRUST * gain) / (variance + TRUST)
    return mean(slope), mean(high - slope * low)


def _run(engine: Engine, picture: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]
    return engine.run(x)[0].permute(1, 2, 0).cpu().numpy()
