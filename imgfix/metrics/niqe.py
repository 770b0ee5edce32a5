"""NIQE: how far a picture's local statistics are from those of undamaged photographs, without a reference.

Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal Processing Letters 20
(2013), with the settings of the authors' MATLAB release: blocks of 96x96 on the luma rounded to 8 bit, two scales.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from imgfix.metrics.arrays import Pixels, as_batch, luma, shave
from imgfix.metrics.ssim import gaussian_window
from imgfix.nets.niqe import PristineModel

BLOCK = 96
WINDOW, SIGMA = 7, 7 / 6
# Products of neighbours: to the right, below, and along both diagonals.
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@cache
def load() -> PristineModel:
    """The published model of undamaged photographs, pulled when missing. Raises ModelError or DownloadError."""
    from imgfix import zoo

    net = zoo.load("niqe-pristine").net
    assert isinstance(net, PristineModel)
    return net


@cache
def shape_table() -> tuple[Tensor, Tensor]:
    """Shape parameters of a generalised Gaussian from 0.2 to 10, and the moment ratio each one has."""
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    log = torch.lgamma
    return shapes, torch.exp(2 * log(2 / shapes) - log(1 / shapes) - log(3 / shapes))


def asymmetric_gaussian(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fit an asymmetric generalised Gaussian to each row by moments: (B, n) -> shape, left, right scale, (B,) each."""
    left = values.clamp(max=0).square().sum(1) / (values < 0).sum(1)
    right = values.clamp(min=0).square().sum(1) / (values > 0).sum(1)
    skew = (left / right).sqrt()
    ratio = values.abs().mean(1).square() / values.square().mean(1)
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = shape_table()
    # The table rises with the shape, so that the nearest ratio is found by halving.
    place = torch.searchsorted(ratios, wanted.nan_to_num(0.0)).clamp(1, len(ratios) - 1)
    nearer = (wanted - ratios[place - 1]).abs() <= (ratios[place] - wanted).abs()
    shape = shapes[torch.where(nearer, place - 1, place)]
    shape = torch.where(wanted.isnan(), wanted, shape)
    scale = torch.exp((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2)
    return shape, left.sqrt() * scale, right.sqrt() * scale


def block_features(blocks: Tensor) -> Tensor:
    """The 18 features of one scale: (B, h, w) -> (B, 18)."""
    shape, left, right = asymmetric_gaussian(blocks.flatten(1))
    features = [shape, (left + right) / 2]
    for shift in SHIFTS:
        product = blocks * torch.roll(blocks, shift, dims=(1, 2))
        shape, left, right = asymmetric_gaussian(product.flatten(1))
        mean = (right - left) * torch.exp(torch.lgamma(2 / shape) - torch.lgamma(1 / shape))
        features += [shape, mean, left, right]
    return torch.stack(features, dim=1)


def normalised(grey: Tensor) -> Tensor:
    """Contrast-normalised luma: (1, 1, H, W) in [0, 255] -> the same shape, roughly mean 0 and deviation 1."""
    window = gaussian_window(WINDOW, SIGMA)
    window = torch.outer(window, window)[None, None]
    padded = functional.pad(grey, [WINDOW // 2] * 4, mode="replicate")
    mean = functional.conv2d(padded, window)
    deviation = (functional.conv2d(padded.square(), window) - mean.square()).abs().sqrt()
    values = (grey - mean) / (deviation + 1)
    # In flat areas only rounding is left, and its sign would be counted as texture by the fits.
    return torch.where(values.abs() < 1e-6, 0.0, values)


def cut(grey: Tensor, side: int) -> Tensor:
    """Blocks of a picture: (1, 1, H, W) -> (B, side, side)."""
    return grey.unfold(2, side, side).unfold(3, side, side).reshape(-1, side, side)


def niqe(picture: Pixels, *, border: int = 0, model: PristineModel | None = None) -> float:
    """NIQE of one picture (1, C, H, W) or (H, W, C) in [0, 1]; lower is closer to an undamaged photograph.

    `border` cuts that many pixels off each side first; what does not fill a block of 96x96 at the right and below is
    left out. Raises ValueError when there are fewer than two blocks, ModelError or DownloadError without the model.
    """
    from imgfix.runtime.resize import resize

    pristine = model or load()
    batch = shave(as_batch(picture).double().cpu(), border)
    rows, columns = batch.shape[2] // BLOCK, batch.shape[3] // BLOCK
    if rows * columns < 2:
        raise ValueError(f"NIQE needs at least two blocks of {BLOCK}x{BLOCK}, got {batch.shape[3]}x{batch.shape[2]}")
    grey = (luma(batch) * 255).round()[..., : rows * BLOCK, : columns * BLOCK]
    half = resize(grey, (grey.shape[2] // 2, grey.shape[3] // 2))
    features = torch.cat(
        [block_features(cut(normalised(grey), BLOCK)), block_features(cut(normalised(half), BLOCK // 2))], dim=1
    )
    # A block without any contrast has no features; the others speak for the picture.
    sound = features[features.isfinite().all(dim=1)]
    if len(sound) < 2:
        raise ValueError("NIQE needs texture in at least two blocks of the picture")
    difference = pristine.mean - sound.mean(dim=0)
    spread = (pristine.covariance + torch.cov(sound.T)) / 2
    return float((difference @ torch.linalg.pinv(spread) @ difference).sqrt())
