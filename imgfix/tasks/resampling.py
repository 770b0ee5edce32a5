"""A still picture enlarged by plain resampling: what `imgfix.tasks.upscale` does with a network, without one.

The samples of the file are resampled as they are: no colour conversion, any number of channels, 8 or 16 bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from imgfix.media.picture import SampleRange
from imgfix.runtime.prefetch import prefetch
from imgfix.tasks import resample
from imgfix.tasks.alpha import bleed_alpha
from imgfix.tasks.sequence import Estimate
from imgfix.tasks.upscale import PROCESS_BYTES, UpscaleOptions, quantised, target_size

Rows = Callable[[int, int], np.ndarray]
"""(y0, y1) -> (y1 - y0, W', C) of the result."""

SCALE = 4
"""Where no size is asked for."""
_FILTERS = {"bicubic": resample.BICUBIC, "lanczos": resample.LANCZOS}
METHODS = ("nearest", *_FILTERS)
_BAND_BYTES = 32 << 20
_PROBE = 256


class Resampling:
    """One enlargement by a filter, planned: its size is known before any work, its rows come when asked for.

    Args:
        pixels: (H, W, C) uint8 or uint16, of any colour space.
        method: one of `METHODS`. `nearest` repeats samples and makes up none, hidden colours included; `bicubic` and
            `lanczos` are Pillow's, antialiased where the picture shrinks.
        options: the size; the rest is for networks.
        alpha: (H, W) of the same type, not premultiplied.

    Raises:
        InputError: the picture would have to grow more than 16 times.
    """

    def __init__(
        self, pixels: np.ndarray, method: str, options: UpscaleOptions, *, alpha: np.ndarray | None = None
    ) -> None:
        self.method, self.pixels, self.alpha = method, pixels, alpha
        self.size = (pixels.shape[1], pixels.shape[0])
        self.width, self.height = target_size(*self.size, options, SCALE)
        channels = pixels.shape[2] + (alpha is not None)
        self._step = max(1, _BAND_BYTES // (self.width * channels * 4))

    def kept(self, samples: SampleRange | None) -> SampleRange | None:
        """The numbers behind the result, of those behind the pixels: repeated ones are the very same."""
        if samples is None or samples.stored is None or self.method != "nearest":
            return samples
        return replace(samples, stored=resample.Nearest(samples.stored, (self.width, self.height)))

    @property
    def tiles(self) -> int:
        """Bands that the result is made of."""
        return -(-self.height // self._step)

    def estimate(self) -> Estimate:
        """What it will take; times the filter on a small picture, some milliseconds."""
        samples = self.pixels.shape[2] + (self.alpha is not None)
        band = min(self._step, self.height) * self.width * samples * 4
        kept = self.size[0] * self.size[1] * samples * self.pixels.dtype.itemsize
        return Estimate(
            tiles=self.tiles,
            tile=self.size,
            seconds=self.width * self.height * samples * _seconds_per_sample(self.method),
            host_bytes=PROCESS_BYTES + kept + 4 * band,
            device_bytes=0,
        )

    def bands(
        self, progress: Callable[[int, int], None] | None = None, *, threaded: bool = True
    ) -> Iterator[np.ndarray]:
        """Yield the result's rows, top to bottom: (h, W', C), with alpha (h, W', C + 1), of the input's type.

        progress: told (done, total) bands. threaded: see `imgfix.tasks.upscale.Upscale.bands`.
        """
        made = self._made(progress)
        return prefetch(made) if threaded else made

    def _made(self, progress: Callable[[int, int], None] | None) -> Iterator[np.ndarray]:
        colours, shares = self._planes()
        for number, y0 in enumerate(range(0, self.height, self._step), start=1):
            y1 = min(self.height, y0 + self._step)
            band = colours(y0, y1)
            if shares is not None:
                band = np.concatenate([band, shares(y0, y1)], axis=2)
            yield np.ascontiguousarray(band)
            if progress is not None:
                progress(number, self.tiles)

    def _planes(self) -> tuple[Rows, Rows | None]:
        """What gives the rows of the colours, and of alpha."""
        alpha = None if self.alpha is None else self.alpha[..., None]
        if self.method == "nearest":
            return self._nearest(self.pixels), None if alpha is None else self._nearest(alpha)
        colours = self.pixels if self.alpha is None else bleed_alpha(self.pixels, self.alpha)
        # Bicubic has no second lobe: it leaves no halo in the transparency.
        return (
            self._filtered(colours, _FILTERS[self.method]),
            None if alpha is None else self._filtered(alpha, resample.BICUBIC),
        )

    def _nearest(self, samples: np.ndarray) -> Rows:
        target = (self.width, self.height)
        return lambda y0, y1: resample.nearest(samples, target, y0, y1)

    def _filtered(self, samples: np.ndarray, by: resample.Filter) -> Rows:
        top = np.float32(np.iinfo(samples.dtype).max)
        target = (self.width, self.height)

        def read(y0: int, y1: int) -> np.ndarray:
            return samples[y0:y1].astype(np.float32) / top

        return lambda y0, y1: quantised(resample.rows(read, self.size, target, y0, y1, by), samples.dtype)


def resampled(
    pixels: np.ndarray, method: str, options: UpscaleOptions | None = None, *, alpha: np.ndarray | None = None
) -> np.ndarray:
    """A picture enlarged by plain resampling; arguments and errors as of `Resampling`.

    Returns:
        (H', W', C) of the same type, or (H', W', C + 1) with alpha last.
    """
    job = Resampling(pixels, method, options or UpscaleOptions(), alpha=alpha)
    return np.concatenate(list(job.bands(threaded=False)))


@cache
def _seconds_per_sample(method: str) -> float:
    """Seconds for a sample of the result, on one small picture."""
    job = Resampling(np.zeros((_PROBE, _PROBE, 1), np.uint8), method, UpscaleOptions(scale=2))
    start = time.perf_counter()
    for _ in job.bands(threaded=False):
        pass
    return (time.perf_counter() - start) / (job.width * job.height)
