"""Gives a fill the grain of the picture around it.

What fills holes draws smooth: sensor noise and film grain are not in it, and a hole in a grainy picture shows as a
clean patch. The grain is measured in the flattest blocks of the known picture - how strong it is at each brightness,
how it is correlated from pixel to pixel and from channel to channel - and noise of the same kind is drawn into the
fill, as much as it lacks. Where the picture is clean nothing is added.

Source of the idea: noise estimation from flat blocks (Olsen, "Estimation of noise in images: an evaluation", 1993) and
synthesis of a stationary Gaussian field by its power spectrum (Galerne et al., "Random phase textures", IEEE TIP 2011).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

BLOCK = 16  # pixels along a side of the blocks that are measured
STRIDE = 8  # pixels between blocks
MOST_BLOCKS = 8000  # spread over the picture: more say nothing new
ROOM = 128  # pixels of picture around a hole in which its grain is looked for
LEAST = 1.0 / 255  # deviation of the flattest blocks, of 1, from which on a picture counts as grainy
MOST = 28.0 / 255  # deviation of the flattest blocks, of 1, above which it is texture and no grain
FLATTEST = (0.15, 0.05, 0.015)  # quantiles of the blocks' deviations that may stand for the grain alone, tried in turn
ALIKE = 1.3  # times that deviation, up to which a block shows nothing but grain
FEW = 12  # blocks that must be so
# What noise is like and texture is not, measured over 20 photos with and without noise added, and 24 film scans.
FARTHEST = (0.21, 0.1)  # correlation at 2 and 3 pixels
UNEVEN = 1.4  # the most uneven quarter of a block over the most even, the median of the blocks
PEAKED = 3.35  # kurtosis: 3 is a normal distribution's
LEVELS = 4  # brightness ranges measured apart
SWING = 1.6  # times, up or down, that the grain of one range may differ from that of all
LOCAL = 15  # pixels around a place in which the grain that a fill already has is measured
CLIPPED = 3.0 / 255  # distance from black and white, of 1, within which grain is cut off
MANY = 0.02  # share of samples there, above which a block tells too little grain


@dataclass(frozen=True)
class Grain:
    """The noise of a picture."""

    kernels: np.ndarray
    """(C, C, BLOCK, BLOCK) float32: white noise of deviation 1 in channel j, filtered with [i, j], summed over j, is
    the noise of channel i, samples in [0, 1]."""
    levels: np.ndarray
    """(n) float32, ascending: mean brightness of the ranges that were measured, in [0, 1]."""
    spread: np.ndarray
    """(n) float32: high-pass deviation of the mean of the channels in each range, samples in [0, 1]."""
    overall: float
    """High-pass deviation of the noise that `kernels` make."""


def measure(pixels: np.ndarray, hole: np.ndarray) -> Grain | None:
    """The grain of the known part of a picture.

    pixels: (h, w, C) uint8 or uint16, of which what is in the hole is not looked at. hole: (h, w) bool. Returns None
    where there is none, or too little that is flat enough to tell it from texture.
    """
    samples = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    at = _known_blocks(hole)
    if len(at) < FEW:
        return None
    blocks = _blocks(samples, at)  # (n, BLOCK, BLOCK, C)
    brightness = blocks.mean(axis=(1, 2, 3))
    ends = ((blocks < CLIPPED) | (blocks > 1 - CLIPPED)).mean(axis=(1, 2, 3)) > MANY
    cut_off, cut_at = brightness[ends], at[ends]
    blocks, brightness, at = blocks[~ends], brightness[~ends], at[~ends]
    if len(blocks) < FEW:
        return None
    rest = _without_shade(blocks)
    luma = rest.mean(axis=3)
    deviation = luma.std(axis=(1, 2))
    flat = _noise_alone(luma, deviation)
    if flat is None:
        return None
    kernels = _kernels(rest[flat])
    levels, spread = _by_brightness(_spreads(samples, at), brightness, luma, deviation, flat)
    if len(cut_off):
        levels, spread = _with_ends(levels, spread, cut_off, _spreads(samples, cut_at))
    trial = _field(kernels, (128, 128), np.random.default_rng(0))
    return Grain(kernels, levels, spread, float(high_pass(trial.mean(axis=2)).std()))


def matched(
    fill: np.ndarray, pixels: np.ndarray, hole: np.ndarray, *, hidden: np.ndarray | None = None, number: int = 0
) -> np.ndarray:
    """A fill with as much of the surroundings' grain as it lacks.

    Args:
        fill: (h, w, C) like `pixels`: what the hole is filled with.
        pixels: (h, w, C) uint8 or uint16: the picture; what is in the hole is not looked at.
        hole: (h, w) bool.
        hidden: (h, w) bool: what else is not to be measured, as it is transparent.
        number: of the frame. The noise depends on the picture and on this alone: the same input gives the same bytes.

    Returns:
        An array like `fill`, or `fill` itself where nothing is added; of interest is the hole.
    """
    grain = measure(pixels, hole if hidden is None else hole | hidden) if hole.any() else None
    if grain is None:
        return fill
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    part = (
        slice(max(0, int(rows[0]) - LOCAL), int(rows[-1]) + 1 + LOCAL),
        slice(max(0, int(columns[0]) - LOCAL), int(columns[-1]) + 1 + LOCAL),
    )
    top = np.float32(np.iinfo(fill.dtype).max)
    inside = hole[part]
    shown = np.where(inside[..., None], fill[part], pixels[part]).astype(np.float32) / top
    mean = shown.mean(axis=2)
    wanted = np.interp(cv2.GaussianBlur(mean, (0, 0), 3), grain.levels, grain.spread).astype(np.float32)
    has = _local_spread(mean, inside)
    lacking = np.sqrt(np.maximum(0, wanted * wanted - has * has)) / grain.overall
    seed = zlib.crc32(np.where(hole[..., None], 0, pixels).tobytes(), number)
    noise = _field(grain.kernels, inside.shape, np.random.default_rng(seed))
    result = fill.copy()
    grainy = np.clip(shown + lacking[..., None] * noise, 0, 1)
    result[part][inside] = np.floor(grainy[inside] * top + 0.5).astype(fill.dtype)
    return result


def high_pass(plane: np.ndarray) -> np.ndarray:
    """(h, w) float32 -> what a Gaussian of one pixel takes away: the fine detail, noise among it."""
    return plane - cv2.GaussianBlur(plane, (0, 0), 1)


def _known_blocks(hole: np.ndarray) -> np.ndarray:
    """(n, 2) rows and columns of the top left corners of blocks in which all is known."""
    height, width = hole.shape
    if min(height, width) < BLOCK:
        return np.zeros((0, 2), np.int64)
    counted = cv2.integral(hole.astype(np.uint8))
    inside = counted[BLOCK:, BLOCK:] - counted[:-BLOCK, BLOCK:] - counted[BLOCK:, :-BLOCK] + counted[:-BLOCK, :-BLOCK]
    found = np.argwhere(inside[::STRIDE, ::STRIDE] == 0) * STRIDE
    return found[:: max(1, -(-len(found) // MOST_BLOCKS))]


def _blocks(samples: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(h, w, C) and (n, 2) -> (n, BLOCK, BLOCK, C)."""
    views = np.lib.stride_tricks.sliding_window_view(samples, (BLOCK, BLOCK), axis=(0, 1))
    return np.moveaxis(views[at[:, 0], at[:, 1]], 1, -1)


def _without_shade(blocks: np.ndarray) -> np.ndarray:
    """Blocks (n, BLOCK, BLOCK, C) without the surface of second order that fits them: what light and shade do."""
    y, x = np.mgrid[-1 : 1 : BLOCK * 1j, -1 : 1 : BLOCK * 1j].reshape(2, -1)
    surfaces, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1))
    surfaces = surfaces.astype(np.float32)
    flat = np.moveaxis(blocks, 3, 1).reshape(-1, BLOCK * BLOCK)
    rest = flat - (flat @ surfaces) @ surfaces.T
    return np.moveaxis(rest.reshape(len(blocks), blocks.shape[3], BLOCK, BLOCK), 1, 3)


def _noise_alone(rest: np.ndarray, deviation: np.ndarray) -> np.ndarray | None:
    """(n) bool: which of the blocks (n, BLOCK, BLOCK) hold noise and nothing else; None where there is no noise."""
    for quantile in FLATTEST:
        floor = float(np.quantile(deviation, quantile))
        flat: np.ndarray = deviation <= ALIKE * floor
        if LEAST <= floor <= MOST and flat.sum() >= FEW and _like_noise(rest[flat]):
            return flat
    return None


def _like_noise(rest: np.ndarray) -> bool:
    """Whether blocks (n, BLOCK, BLOCK) without their shade hold noise: even, normal, of short correlation."""
    power = np.square(rest).mean()
    for distance, most in zip((2, 3), FARTHEST, strict=True):
        across = (rest[:, :, distance:] * rest[:, :, :-distance]).mean()
        down = (rest[:, distance:] * rest[:, :-distance]).mean()
        if (across + down) / 2 > most * power:
            return False
    half = BLOCK // 2
    quarters = rest.reshape(len(rest), 2, half, 2, half).std(axis=(2, 4)).reshape(len(rest), -1)
    uneven = float(np.median(quarters.max(axis=1) / np.maximum(quarters.min(axis=1), 1e-6)))
    kurtosis = float((np.mean(rest**4, axis=(1, 2)) / np.square(np.mean(rest**2, axis=(1, 2)))).mean())
    return uneven <= UNEVEN and kurtosis <= PEAKED


def _kernels(rest: np.ndarray) -> np.ndarray:
    """The filters that give white noise the spectrum, and the channels the correlation, of (n, BLOCK, BLOCK, C)."""
    spectrum = np.fft.fft2(rest.astype(np.float64), axes=(1, 2)) / BLOCK
    power = np.einsum("nyxi,nyxj->yxij", spectrum, spectrum.conj()) / len(rest)
    values, vectors = np.linalg.eigh(power)
    root = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ vectors.conj().swapaxes(-1, -2)
    kernels = np.fft.fftshift(np.fft.ifft2(root, axes=(0, 1)).real, axes=(0, 1))
    return np.ascontiguousarray(kernels.transpose(2, 3, 0, 1).astype(np.float32))


def _field(kernels: np.ndarray, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """(h, w, C) float32 of noise."""
    channels = len(kernels)
    white = random.standard_normal((*shape[:2], channels), dtype=np.float32)
    found = np.zeros_like(white)
    for out in range(channels):
        for source in range(channels):
            plane = np.ascontiguousarray(white[..., source])
            found[..., out] += cv2.filter2D(plane, -1, kernels[out, source], borderType=cv2.BORDER_REFLECT_101)
    return found


def _spreads(samples: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(n) high-pass variance of the blocks at these places."""
    fine = high_pass(samples.mean(axis=2))
    views = np.lib.stride_tricks.sliding_window_view(fine, (BLOCK, BLOCK))
    # Without the rim, where what lies beyond the block - the hole, at worst - is mixed in.
    return views[at[:, 0], at[:, 1], 4:-4, 4:-4].reshape(len(at), -1).var(axis=1)


def _by_brightness(
    variance: np.ndarray, brightness: np.ndarray, rest: np.ndarray, deviation: np.ndarray, flat: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The high-pass deviation of the flattest blocks in each range of brightness that has enough of them."""
    overall = float(np.sqrt(variance[flat].mean()))
    floor = float(deviation[flat].max()) / ALIKE
    levels, spread = [], []
    for some in np.array_split(np.argsort(brightness, kind="stable"), LEVELS):
        least = float(np.quantile(deviation[some], FLATTEST[0]))
        mine = some[deviation[some] <= ALIKE * least]
        # A range in which all is textured tells nothing of its own.
        if not (floor / SWING <= least <= floor * SWING and _like_noise(rest[mine])):
            mine = some[flat[some]]
        if len(mine) < FEW:
            continue
        levels.append(float(brightness[mine].mean()))
        spread.append(float(np.clip(np.sqrt(variance[mine].mean()), overall / SWING, overall * SWING)))
    if not levels:
        return np.array([0.5], np.float32), np.array([overall], np.float32)
    return np.array(levels, np.float32), np.array(spread, np.float32)


def _with_ends(
    levels: np.ndarray, spread: np.ndarray, brightness: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The levels and one more at black and at white, where noise is cut off and there is less of it."""
    for end in (brightness < 0.5, brightness >= 0.5):
        if end.sum() < FEW:
            continue
        mine = end & (variance <= np.quantile(variance[end], FLATTEST[0]))
        level, here = float(brightness[mine].mean()), float(np.sqrt(variance[mine].mean()))
        if (level < levels[0] or level > levels[-1]) and here < spread.min():
            levels, spread = np.append(levels, np.float32(level)), np.append(spread, np.float32(here))
            order = np.argsort(levels)
            levels, spread = levels[order], spread[order]
    return levels, spread


def _local_spread(mean: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(h, w) float32: high-pass deviation of a fill around each place, what is outside the hole left out."""
    # The rim of the hole may be a step, which is no grain.
    core = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    core = core if core.any() else inside.astype(np.float32)
    fine = np.square(high_pass(mean)) * core
    total = cv2.boxFilter(fine, -1, (LOCAL, LOCAL), normalize=False)
    count = cv2.boxFilter(core, -1, (LOCAL, LOCAL), normalize=False)
    everywhere = float(fine.sum() / core.sum())
    return np.sqrt(np.where(count > 0, total / np.maximum(count, 1), everywhere))
