"""Fills masked regions of a picture: arrays in, arrays out.

Every pixel where the mask is zero comes back bit-identical: the fill is mixed in in the picture's own integers, and
pixels of weight zero are never written. Only the holes are resampled, so a large picture stays as sharp as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgfix.media import mask as masks
from imgfix.media.colour import ColourTransform
from imgfix.media.mask import Bounds
from imgfix.tasks import classical, grain, holes, looks
from imgfix.tasks.alpha import bleed_alpha
from imgfix.tasks.composite import composite

if TYPE_CHECKING:
    from imgfix.runtime.engine import Engine

Progress = Callable[[int, int], None]

CLASSICAL_NATIVE = 1024  # pixels: the classical methods look only at the rim, so windows are for speed alone


@dataclass(frozen=True)
class InpaintOptions:
    """How a mask is filled."""

    feather: float = 0.0
    """Pixels over which the fill fades out beyond the mask; farther away nothing changes."""
    tta: bool | None = None
    """Join several runs of a network into one fill; `None`: for small pictures and for large holes."""
    grain: bool = True
    """Give the fill the noise of its surroundings, where they have any."""
    look: int = 0
    """How a network sees the picture, 0 to 7, see `imgfix.tasks.looks`: each gives another fill."""


def inpaint(
    pixels: np.ndarray,
    mask: np.ndarray,
    filler: Engine | str,
    options: InpaintOptions | None = None,
    *,
    colour: ColourTransform | None = None,
    alpha: np.ndarray | None = None,
    progress: Progress | None = None,
    still: bool = True,
) -> np.ndarray:
    """Fill the masked part of a picture.

    Args:
        pixels: (H, W, C) uint8 or uint16; C is what `colour` takes, 1 or 3 without it. Not changed.
        mask: (H, W) float32 in [0, 1], 1 = fill; values between blend.
        filler: an engine with a model for the task `inpaint`, or `telea` or `ns`.
        options: how.
        colour: converts the file's colours to sRGB and back; without it they are sRGB or grey.
        alpha: (H, W) of the type of `pixels`; what is transparent and not masked does not lend its colour to the fill.
        progress: told (done, total) groups of holes.
        still: as of `imgfix.tasks.upscale.upscale`.

    Returns:
        An array like `pixels`, bit-identical wherever the (feathered) mask is zero.
    """
    options = options or InpaintOptions()
    weight = masks.feather(mask, options.feather)
    result = pixels.copy()
    # Soft edges are unknown too: something of what is to be removed is in them, and only there the fill can be trusted.
    unknown = weight > 0
    if still and not isinstance(filler, str):
        filler = filler.for_samples(pixels.dtype)
    filling = _filling(filler, colour, pixels.shape[2], options)
    groups = holes.find(unknown, filling.native)
    for done, group in enumerate(groups):
        if progress:
            progress(done, len(groups))
        _fill_group(result, weight, unknown, alpha, group, filling, options)
    if progress:
        progress(len(groups), len(groups))
    return result


def _fill_group(
    result: np.ndarray,
    weight: np.ndarray,
    unknown: np.ndarray,
    alpha: np.ndarray | None,
    group: holes.Group,
    filling: _Filling,
    options: InpaintOptions,
) -> None:
    window = filling.window(group, weight.shape)
    view = _slices(window)
    hole = unknown[view]
    box = _slices(group.box)
    mine = group.owns()
    if hole.all():
        # Nothing known in sight: only possible for a mask of the whole picture, which callers refuse.
        return
    seen = result[view]
    if alpha is not None:
        shown = np.where(hole, 0, alpha[view])
        seen = bleed_alpha(seen, shown)
    fill = filling.fill(seen, hole)[_inner(group.box, window)]
    if options.grain:
        fill = _grainy(fill, result, unknown, alpha, group.box)
    composite(result[box], fill, np.where(mine, weight[box], 0))
    unknown[box] &= ~mine


def _grainy(
    fill: np.ndarray, pixels: np.ndarray, unknown: np.ndarray, alpha: np.ndarray | None, box: Bounds
) -> np.ndarray:
    """The fill of a box with the grain of what is around the box."""
    rows, columns = masks.around(box, grain.ROOM, unknown.shape)
    around = rows.start, rows.stop, columns.start, columns.stop
    view, inner = _slices(around), _inner(box, around)
    placed = pixels[view].copy()
    placed[inner] = fill
    hidden = None if alpha is None else alpha[view] == 0
    return grain.matched(placed, pixels[view], unknown[view], hidden=hidden)[inner]


class _Filling:
    """Fills the hole of a window, in the picture's own integers."""

    native = CLASSICAL_NATIVE

    def window(self, group: holes.Group, shape: tuple[int, ...]) -> Bounds:
        """The part of the picture to look at for a group."""
        return group.window

    def fill(self, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """(h, w, C) unsigned and (h, w) bool -> (h, w, C) unsigned, of which the hole is of interest."""
        raise NotImplementedError


class _Classical(_Filling):
    def __init__(self, method: str) -> None:
        self.method = method

    def window(self, group: holes.Group, shape: tuple[int, ...]) -> Bounds:
        rows, columns = masks.around(group.box, classical.MARGIN, shape)
        return rows.start, rows.stop, columns.start, columns.stop

    def fill(self, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return classical.fill(pixels, hole, self.method)


class _Generative(_Filling):
    def __init__(self, engine: Engine, colour: ColourTransform, tta: bool | None, look: int) -> None:
        from imgfix.tasks.generative import Filler

        self.filler, self.look = Filler(engine, tta), look
        self.native = self.filler.native
        self.colour = colour

    def fill(self, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        seen = looks.turned(self.colour.to_srgb(pixels), self.look)
        rgb = self.filler.fill(seen, looks.turned(hole, self.look))
        return self.colour.from_srgb(looks.back(rgb, self.look), pixels.dtype)


def _filling(filler: Engine | str, colour: ColourTransform | None, channels: int, options: InpaintOptions) -> _Filling:
    if isinstance(filler, str):
        return _Classical(filler)
    if colour is None:
        from imgfix.media import colour as colours
        from imgfix.media.picture import Metadata

        colour = colours.transform(Metadata(), channels)
    return _Generative(filler, colour, options.tta, options.look)


def _slices(box: Bounds) -> tuple[slice, slice]:
    return slice(box[0], box[1]), slice(box[2], box[3])


def _inner(box: Bounds, window: Bounds) -> tuple[slice, slice]:
    top, bottom, left, right = box
    return slice(top - window[0], bottom - window[0]), slice(left - window[2], right - window[2])
