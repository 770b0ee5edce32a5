"""Super-resolution of a still picture: arrays in, arrays out.

Everything is a stream of bands (some rows, float32, sRGB-encoded): tiles through the model, colour held to the input's,
resampled to the size asked for, mixed with plain resampling, converted back to the file's colour space. The whole
result is in memory only if the caller collects it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from imgfix.errors import InputError, UsageError
from imgfix.runtime import tiling
from imgfix.runtime.engine import Engine
from imgfix.runtime.prefetch import prefetch
from imgfix.runtime.rows import Below, Rows
from imgfix.tasks import resample
from imgfix.tasks.alpha import bleed_alpha, flat_as_it_was
from imgfix.tasks.colour_fix import colour_fix
from imgfix.tasks.sequence import Estimate

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform

Correction = Callable[[Iterator[np.ndarray], tiling.Read, int, int, int], Iterator[np.ndarray]]
"""(bands, input, width, height, scale) -> bands: something done to every pass of the model."""

LARGEST_SCALE = 16
PROCESS_BYTES = 400 << 20  # the interpreter and its libraries
_SLACK = 1.02  # a size rounded up by a pixel or two is no reason for another pass of the model


@dataclass(frozen=True)
class UpscaleOptions:
    """What an upscale is asked for. At most one of scale, width/height, long_side and megapixels decides the size."""

    scale: float | None = None
    """1 to 16, times the size of the input; `None` and no other size: the model's own scale."""
    width: int | None = None
    """Pixels; alone it keeps the shape of the picture, with `height` it sets both."""
    height: int | None = None
    long_side: int | None = None
    megapixels: float | None = None
    tta: bool = False
    """Mean of the eight turned and mirrored runs: slower by eight, a little better."""
    color_fix: bool | None = None
    """Keep the input's low-frequency colour; `None`: for models trained adversarially."""
    blend: float = 0.0
    """Share of plain Lanczos resampling in the result, 0 to 1."""
    tile: int | None = None
    """Side of the windows that the model is given, overlap included; `None`: from free memory."""

    def __post_init__(self) -> None:
        asked = [
            self.scale is not None, self.width is not None or self.height is not None,
            self.long_side is not None, self.megapixels is not None,
        ]  # fmt: skip
        if sum(asked) > 1:
            raise UsageError("choose one of `scale`, `width`/`height`, `long_side` and `megapixels`")
        if self.scale is not None and not 1 <= self.scale <= LARGEST_SCALE:
            raise UsageError(f"`scale` {self.scale:g} is out of range", hint=f"choose 1 to {LARGEST_SCALE}")
        for name in ("width", "height", "long_side", "megapixels"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"--{name.replace('_', '-')} must be above zero")
        if not 0 <= self.blend <= 1:
            raise UsageError("`blend` is a share from 0 to 1")


def target_size(width: int, height: int, options: UpscaleOptions, model_scale: int) -> tuple[int, int]:
    """Width and height of the result, in pixels, at least 1.

    Raises:
        InputError: the picture would have to grow more than 16 times.
    """
    fx = fy = options.scale if options.scale is not None else float(model_scale)
    if options.width is not None or options.height is not None:
        fx = (options.width or 0) / width or (options.height or 0) / height
        fy = (options.height or 0) / height or fx
    elif options.long_side is not None:
        fx = fy = options.long_side / max(width, height)
    elif options.megapixels is not None:
        fx = fy = math.sqrt(options.megapixels * 1e6 / (width * height))
    if max(fx, fy) > LARGEST_SCALE:
        raise InputError(
            f"{width}x{height} pixels would have to grow {max(fx, fy):.1f} times",
            hint=f"a picture grows at most {LARGEST_SCALE} times in one go",
        )
    return max(1, math.floor(width * fx + 0.5)), max(1, math.floor(height * fy + 0.5))


def passes(size: tuple[int, int], target: tuple[int, int], model_scale: int) -> int:
    """How often the model runs one after the other so that its result is at least as large as the target."""
    if model_scale == 1:
        return 1
    factor = max(target[0] / size[0], target[1] / size[1])
    return max(1, math.ceil(math.log(max(1.0, factor / _SLACK)) / math.log(model_scale) - 1e-9))


class SelfEnsemble:
    """Runs an engine on the eight turned and mirrored forms of its input and takes the mean.

    Source: Timofte et al., "Seven ways to improve example-based single image super resolution", 2016, arXiv 1511.02228.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H * scale, W * scale)."""
        total: Tensor | None = None
        for turned in (False, True):
            for axes in ((), (2,), (3,), (2, 3)):
                y = x.flip(axes)
                y = self.engine.run(y.transpose(2, 3).contiguous() if turned else y)
                y = (y.transpose(2, 3) if turned else y).flip(axes)
                total = y if total is None else total + y
        assert total is not None
        return total / 8


def upscale(
    pixels: np.ndarray,
    engine: Engine,
    options: UpscaleOptions | None = None,
    *,
    alpha: np.ndarray | None = None,
    colour: ColourTransform | None = None,
    progress: tiling.Progress | None = None,
    still: bool = True,
) -> np.ndarray:
    """Upscale a picture.

    Args:
        pixels: (H, W, C) uint8 or uint16; C is what `colour` takes, 1 or 3 without it.
        engine: a model for the task `upscale` (any model that returns 3 channels will do).
        options: the size, and how to get there.
        alpha: (H, W) of the same type, not premultiplied.
        colour: converts the file's colours; `None`: they are sRGB or grey already.
        progress: told (done, total) tiles.
        still: above 8 bits in fp32, where the engine chose its precision; frames, which an encoder takes more from than
            half precision does, stay in the engine's.

    Returns:
        (H', W', C) of the same type, or (H', W', C + 1) with alpha last.
    """
    job = Upscale(pixels, engine, options or UpscaleOptions(), alpha=alpha, colour=colour, still=still)
    channels = pixels.shape[2] + (alpha is not None)
    out = np.empty((job.height, job.width, channels), pixels.dtype)
    at = 0
    for band in job.bands(progress, threaded=False):
        out[at : at + len(band)] = band
        at += len(band)
    return out


class Upscale:
    """One upscale, planned: its size is known before any work is done, its rows come when asked for.

    Arguments and errors as of `upscale`.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        engine: Engine,
        options: UpscaleOptions,
        *,
        alpha: np.ndarray | None = None,
        colour: ColourTransform | None = None,
        still: bool = True,
    ) -> None:
        self.engine = engine.for_samples(pixels.dtype) if still else engine
        self.options = options
        self.dtype = pixels.dtype
        self.channels = pixels.shape[2]
        self.size = (pixels.shape[1], pixels.shape[0])
        self.width, self.height = target_size(*self.size, options, engine.scale)
        self.passes = passes(self.size, (self.width, self.height), engine.scale)
        self.alpha = alpha
        # The colour of what cannot be seen must not leak into what can: the model looks around every pixel.
        self.pixels = pixels if alpha is None else bleed_alpha(pixels, alpha)
        self._colour = colour
        self._to_srgb = colour.to_srgb if colour is not None else _to_float
        fix = options.color_fix
        self.color_fix = engine.descriptor.gan_trained if fix is None else fix

    def plans(self) -> list[tiling.Plan]:
        """The tiles of every pass of the model over the colours."""
        (width, height), s = self.size, self.engine.scale
        return [
            tiling.plan_for(self.engine, height * s**n, width * s**n, self.options.tile) for n in range(self.passes)
        ]

    def estimate(self) -> Estimate:
        """What the upscale will take; measures the model on a small picture, a second or two the first time."""
        plans, s = self.plans(), self.engine.scale
        runs = 8 if self.options.tta else 1
        seconds = sum(plan.pixels for plan in plans) * self.engine.cost.seconds_per_pixel * runs
        # While a row of tiles is made, the one before it is still being written.
        sheets = [2 * plan.rows.window * plan.columns.length * s**2 * 3 * 4 for plan in plans]
        pixels = self.size[0] * self.size[1] * self.dtype.itemsize * (self.channels + (self.alpha is not None))
        host = PROCESS_BYTES + pixels + max(sheets) + 4 * tiling.SLICE_BYTES
        window = max(plan.rows.window * plan.columns.window for plan in plans)
        device = round(self.engine.bytes_per_pixel * window)
        on_host = self.engine.placement.on_cpu
        return Estimate(
            tiles=sum(plan.tiles for plan in plans),
            tile=(plans[0].columns.window, plans[0].rows.window),
            seconds=seconds,
            host_bytes=host + (device if on_host else 0),
            device_bytes=0 if on_host else device,
        )

    def bands(self, progress: tiling.Progress | None = None, *, threaded: bool = True) -> Iterator[np.ndarray]:
        """Yield the result's rows, top to bottom: (h, W', C), with alpha (h, W', C + 1), of the input's type.

        threaded: the network works on while a band is converted here and encoded by the caller. Callers that do
        neither gain nothing by it, and a thread for each of many small pictures costs a third of their time.
        """
        y = 0
        floats = self._floats(progress)
        for band, share in prefetch(floats) if threaded else floats:
            out = self._colours(np.clip(band, 0, 1, out=band), y)
            if share is not None:
                out = np.concatenate([out, quantised(share, self.dtype)], axis=2)
            y += len(band)
            yield np.ascontiguousarray(out)

    # -- stages --------------------------------------------------------------------------------------------------------

    def _floats(self, progress: tiling.Progress | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Bands of the size asked for, (h, W', 3) float32, each with its alpha (h, W', 1) or None."""
        plans = self.plans()
        times = 1 if self.alpha is None else 2
        count = _Count(times * sum(plan.tiles for plan in plans), progress)
        runner = SelfEnsemble(self.engine) if self.options.tta else self.engine
        fix = colour_fix if self.color_fix else None
        colours = self._resized(self._passed(self._window, plans, runner, fix, count), self._window, resample.LANCZOS)
        if self.alpha is None:
            for band in colours:
                yield band, None
            return
        # Bicubic has no second lobe: it rings only towards what is clipped, and leaves no halo in the transparency.
        passed = self._passed(self._opacity, plans, self.engine, flat_as_it_was, count, constant=True)
        shares = Rows(self._resized(passed, self._opacity, resample.BICUBIC))
        y = 0
        for band in colours:
            shares.forget(y)
            yield band, shares.read(y, y + len(band))
            y += len(band)

    def _window(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray:
        return self._to_srgb(self.pixels[y0:y1, x0:x1])

    def _opacity(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> np.ndarray:
        """Alpha as a grey picture: the network draws its edges as well as those in the colours."""
        assert self.alpha is not None
        return _to_float(self.alpha[y0:y1, x0:x1, None])

    def _passed(
        self,
        read: tiling.Read,
        plans: list[tiling.Plan],
        runner: tiling.Runner,
        corrected: Correction | None,
        count: _Count,
        *,
        constant: bool = False,
    ) -> Iterator[np.ndarray]:
        """A picture after all passes of the model, at scale ** passes."""
        (width, height), s = self.size, self.engine.scale
        bands: Iterator[np.ndarray] = iter(())
        for plan in plans:
            bands = tiling.bands(
                self.engine, read, height, width, plan, runner=runner, skip_constant=constant, progress=count.step
            )
            if corrected is not None:
                bands = corrected(bands, read, width, height, s)
            width, height = width * s, height * s
            read = Below(bands, keep=2 * plan.overlap + plan.rows.window)
        return bands

    def _resized(self, bands: Iterator[np.ndarray], plain: tiling.Read, by: resample.Filter) -> Iterator[np.ndarray]:
        """Brought to the size asked for, and mixed with the input resampled to it."""
        factor = self.engine.scale**self.passes
        size, target = (self.size[0] * factor, self.size[1] * factor), (self.width, self.height)
        y = 0
        for band in bands if size == target else resample.stream(bands, size, target, by):
            share = np.float32(self.options.blend)
            if share > 0:
                other = resample.rows(
                    lambda a, b: plain(a, b, 0, self.size[0]), self.size, target, y, y + len(band), by
                )
                band = band * (1 - share) + other[..., : band.shape[2]] * share
            y += len(band)
            yield band

    def _colours(self, band: np.ndarray, y: int) -> np.ndarray:
        """A finished band, in the colours of the file; `y` is its first row."""
        if self._colour is None:
            return _grey(band, self.dtype) if self.channels == 1 else quantised(band, self.dtype)
        return self._colour.from_srgb(band, self.dtype, self._lost(y, y + len(band)))

    def _lost(self, y0: int, y1: int) -> np.ndarray | None:
        """What the colours beyond sRGB lost on the way to the model, enlarged; most bands lost nothing."""
        assert self._colour is not None
        top, bottom = resample.span(self.size[1], self.height, y0, y1, resample.BILINEAR)
        lost = self._colour.lost(self.pixels[top:bottom])
        if lost is None:
            return None
        target = (self.width, self.height)
        return resample.rows(lambda a, b: lost[a - top : b - top], self.size, target, y0, y1, resample.BILINEAR)


class _Count:
    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.total, self.progress, self.done = total, progress, 0

    def step(self, done: int, total: int) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _to_float(pixels: np.ndarray) -> np.ndarray:
    """Grey or RGB as it is -> (h, w, 3) float32 in [0, 1]."""
    rgb = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb


def _grey(rgb: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """(h, w, 3) float32 -> (h, w, 1): the luma of ITU-R BT.601, as Pillow takes it."""
    return quantised(rgb @ np.array([[0.299], [0.587], [0.114]], np.float32), dtype)


def quantised(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """[0, 1] float -> the full range of an unsigned integer type, rounded half up, clipped."""
    top = np.iinfo(dtype).max
    return (np.clip(values, 0, 1) * np.float32(top) + np.float32(0.5)).astype(dtype)
