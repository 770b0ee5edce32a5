"""How much noise a picture holds, and at which quality it was a JPEG, from the pixels and what the file says.

Noise: patches with so little texture that noise alone explains it are looked for, and the smallest variance that they
have in any direction is taken (Liu, Tanaka, Okutomi, "Single-Image Noise Level Estimation for Blind Denoising", IEEE
Transactions on Image Processing 22, 2013). JPEG: in a picture that was one, the cosine coefficients of its 8x8 blocks
lie near multiples of the steps of its quantisation table (Fan, de Queiroz, "Identification of Bitmap Compression
History", IEEE Transactions on Image Processing 12, 2003); the table of libjpeg's whose steps fit best is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from imgfix.media import jpeg
from imgfix.media.picture import JpegSettings

PATCH = 7
MOST_PATCHES = 40_000
LEAST_PATCHES = 400
ROUNDS = 4
DIFFERENCES = 2 * PATCH * (PATCH - 2) * 0.5  # energy of the differences in a patch of noise of variance 1
TEXTURED = 1.9
CONFIDENCE = 4.753  # deviations of a normal distribution that leave a millionth

MOST_BLOCKS = 3_000
LEAST_VALUES = 40  # coefficients that a table is judged by
COHERENT = 0.25  # mean cosine, 1 = all on multiples of the steps, 0 = anywhere
SURE = 3.2  # what the mean cosine times the root of their number has to reach: 4.5 deviations of chance
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
# Coefficients of low frequency, (row, column): the others are mostly zero.
FREQUENCIES = tuple((v, u) for v in range(5) for u in range(5) if 0 < u + v <= 4)


@dataclass(frozen=True)
class Damage:
    """What was found in a picture."""

    noise: float
    """Standard deviation of the noise, of 255."""
    jpeg: int | None
    """Quality, 1 to 100 on libjpeg's scale; `None`: no trace of it."""
    seen_in: Literal["file", "pixels", ""] = ""
    """Where the quality is known from."""

    def in_words(self) -> str:
        """`noise 12, JPEG quality 40`."""
        words = [f"noise {self.noise:.1f} of 255"]
        if self.jpeg is not None:
            words.append(f"JPEG quality {self.jpeg}" + (" (in the pixels)" if self.seen_in == "pixels" else ""))
        return ", ".join(words)


def damage(rgb: np.ndarray, file: JpegSettings | None = None, stored: np.ndarray | None = None) -> Damage:
    """Noise and JPEG quality of a picture.

    Args:
        rgb: (H, W, 3) float in [0, 1], sRGB-encoded.
        file: how the file is encoded, where it is a JPEG.
        stored: the same in the file's own colours, where traces of a JPEG are looked for; `None`: they are not.
    """
    grey = bool(np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 0], rgb[..., 2]))
    noise = float(np.mean([noise_level(rgb[..., n]) for n in range(1 if grey else 3)]))
    found = None if file is None else file.quality
    inside = None if stored is None else jpeg_quality(stored @ _LUMA)
    if inside is not None and (found is None or inside < found - 3):
        return Damage(noise, inside, "pixels")
    return Damage(noise, found, "file" if found is not None else "")


def noise_level(plane: np.ndarray) -> float:
    """Standard deviation of the noise of one channel, of 255; (H, W) float in [0, 1]. 0 where nothing can be said."""
    patches = _patches(plane.astype(np.float32) * 255)
    if len(patches) < LEAST_PATCHES:
        return 0.0
    flat = patches.reshape(len(patches), -1)
    texture = _texture(patches)
    limit = _texture_of_noise()
    variance = _smallest_variance(flat)
    for _ in range(ROUNDS):
        weak = texture < variance * limit
        if weak.sum() < LEAST_PATCHES:
            break
        flat, texture = flat[weak], texture[weak]
        before, variance = variance, _smallest_variance(flat)
        if math.isclose(before, variance, rel_tol=1e-3):
            break
    # Noise has a known ratio of differences to variance. Where all that is left has far more, it is print or fabric.
    if float(np.median(texture)) > TEXTURED * DIFFERENCES * variance:
        return 0.0
    return math.sqrt(variance)


def _patches(plane: np.ndarray) -> np.ndarray:
    """(n, 7, 7) patches spread over the picture, with as little black and white as can be: noise is cut off there."""
    height, width = plane.shape
    if min(height, width) < PATCH:
        return np.empty((0, PATCH, PATCH), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(plane, (PATCH, PATCH))
    step = max(1, math.ceil(math.sqrt(windows.shape[0] * windows.shape[1] / MOST_PATCHES)))
    # Odd steps, so that patches fall on every place of a grid of eight.
    found = windows[:: step | 1, :: step | 1].reshape(-1, PATCH, PATCH)
    ends = ((found < 0.5) | (found > 254.5)).mean(axis=(1, 2))
    for share in (0.0, 0.1, 0.3):
        inside = ends <= share
        if inside.sum() >= MOST_PATCHES // 20:
            break
    return found[inside]


def _texture(patches: np.ndarray) -> np.ndarray:
    """Energy of the central differences along rows and columns."""
    across = (patches[:, :, 2:] - patches[:, :, :-2]) / 2
    down = (patches[:, 2:] - patches[:, :-2]) / 2
    energy: np.ndarray = np.square(across).sum(axis=(1, 2)) + np.square(down).sum(axis=(1, 2))
    return energy


def _texture_of_noise() -> float:
    """Energy that noise of variance 1 exceeds only once in a million patches (a gamma distribution's quantile)."""
    shape = (PATCH**2 - 1) / 2
    return DIFFERENCES * (1 - 1 / (9 * shape) + CONFIDENCE / (3 * math.sqrt(shape))) ** 3


def _smallest_variance(flat: np.ndarray) -> float:
    centred = flat - flat.mean(axis=0)
    covariance = centred.T @ centred / (len(flat) - 1)
    least = float(np.linalg.eigvalsh(covariance.astype(np.float64))[0])
    # The smallest of many measured variances is below the true one; by how much follows from their number.
    return max(0.0, least) / (1 - math.sqrt(flat.shape[1] / len(flat))) ** 2


# --- JPEG -------------------------------------------------------------------------------------------------------------


def jpeg_quality(luma: np.ndarray) -> int | None:
    """Quality at which a picture was once a JPEG, 1 to 100; `None` where its pixels show no trace of one.

    luma: (H, W) float in [0, 1]. A picture that was resized, turned by anything but quarter turns, or made noisy after
    it was a JPEG shows none.
    """
    if min(luma.shape) < 64:
        return None
    best: tuple[float, int] | None = None
    for top, left in _grids(luma):
        blocks = _blocks(luma[top:, left:])
        found = _best_table(blocks)
        if found is not None and (best is None or found > best):
            best = found
    return best[1] if best else None


def _grids(luma: np.ndarray) -> list[tuple[int, int]]:
    """Where blocks may begin: at the corner, and where steps between neighbours are largest."""
    places = []
    for axis in (0, 1):
        steps = np.abs(np.diff(luma, axis=axis)).mean(axis=1 - axis)
        steps = steps[: len(steps) // 8 * 8].reshape(-1, 8)
        # Median over the picture: one real edge is not a grid.
        around = (np.roll(steps, 1, axis=1) + np.roll(steps, -1, axis=1)) / 2
        places.append((int(np.argmax(np.median(steps - around, axis=0))) + 1) % 8)
    return [(0, 0), (places[0], places[1])] if places != [0, 0] else [(0, 0)]


def _blocks(luma: np.ndarray) -> np.ndarray:
    """Cosine coefficients of blocks spread over the picture, (n, 8, 8), of pixels in [0, 255]."""
    rows, columns = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    blocks = blocks[:: max(1, len(blocks) // MOST_BLOCKS)] * 255
    cosine = cv2.dct(np.eye(8), flags=cv2.DCT_ROWS)  # one transform a row: its transpose is the matrix of it
    coefficients: np.ndarray = cosine.T @ blocks @ cosine
    # Where black or white was cut off, the values are no longer those that were decoded.
    inside = (blocks.min(axis=(1, 2)) > 0) & (blocks.max(axis=(1, 2)) < 255)
    return coefficients[inside]


def _best_table(blocks: np.ndarray) -> tuple[float, int] | None:
    """The table that fits best: (score, quality)."""
    best: tuple[float, int] | None = None
    values = [blocks[:, v, u] for v, u in FREQUENCIES]
    for quality in range(2, 100):
        table = np.reshape(jpeg.luminance_table(quality), (8, 8))
        total, count = 0.0, 0
        for value, (v, u) in zip(values, FREQUENCIES, strict=True):
            step = int(table[v, u])
            told = value[np.abs(value) > 0.5 * step]  # what was rounded to zero tells nothing
            total += float(np.cos(told * (2 * math.pi / step)).sum())
            count += len(told)
        if count < LEAST_VALUES or total / count < COHERENT:
            continue
        score = total / math.sqrt(count)
        if score < SURE:
            continue
        if best is None or score >= best[0]:
            best = score, quality
    return best
