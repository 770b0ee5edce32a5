"""Damage for training restorers: noise of sensors and of developed photos, JPEG, both, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from imgfix.degradations import DEVELOPED_LEVEL, level_of_quality
from imgfix.runtime.resize import round_to_bytes
from imgfix.train.degrade import jpeg
from imgfix.train.developed import Developed, developed_noise

_LUMA = (0.299, 0.587, 0.114)
_WHITE_LUMA, _WHITE_CHROMA = 0.669, 0.622
"""Deviation in luma and (a mean of both planes) chroma of white noise of deviation 1 in R, G and B."""


@dataclass(frozen=True)
class Spoiling:
    """How pictures are damaged for a restorer."""

    sigma: tuple[float, float] = (0.0, 60.0)
    """Standard deviation of the noise, of 255."""
    quality: tuple[float, float] = (5.0, 95.0)
    """JPEG quality."""
    clean: float = 0.0
    """Part of the samples that stay as they are, half of them saved as a JPEG of 92 to 98."""
    only_noise: float = 0.4
    """Part of the others with noise and no JPEG."""
    only_jpeg: float = 0.4
    """Part of the others with JPEG and no noise; the rest has both."""
    developed: float = 0.0
    """Part of the noise that is correlated and coloured as in developed photos."""
    developed_luma: tuple[float, float] = (0.7, 16.0)
    """Its mean deviation in luma, of 255, evenly over the logarithm."""
    camera_quality: tuple[float, float] = (75.0, 98.0)
    """JPEG quality of samples that have both JPEG and developed noise: the camera's own."""
    twice: float = 0.0
    """Part of the JPEGs that were one before, of quality 60 to 95 and with blocks elsewhere."""
    shot: float = 0.25
    """Part of the noise that grows with brightness, as a sensor's does."""
    grey: float = 0.15
    """Part of the samples that are grey."""


def spoil(
    x: Tensor, options: Spoiling, cpu: torch.Generator, device: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Damage a batch.

    Args:
        x: (N, 3, H, W) in [0, 1].
        options: ranges and chances.
        cpu: draws the choices.
        device: draws the noise, on the device of `x`.

    Returns:
        the target (some samples turned grey) and the damaged batch on the 8-bit grid, both like `x`; how strong the
        damage is, as the level that FFDNet is best told (N, 1, 1, 1); and in parts (N, 3): the deviation in luma and in
        chroma, and the JPEG, 1 - quality / 100.
    """
    count = x.shape[0]
    grey, kind, shot, coarse = torch.rand(4, count, generator=cpu)
    low, high = options.sigma
    sigma = (low + (high - low) * torch.rand(count, generator=cpu)) / 255
    low, high = options.quality
    quality = low + (high - low) * torch.rand(count, generator=cpu) ** 1.5  # strong compression is the harder part
    half = torch.rand(count, generator=cpu) < 0.5
    clean, developed, twice, first = torch.rand(4, count, generator=cpu)
    is_clean, is_developed = clean < options.clean, developed < options.developed
    has_jpeg, has_both = kind >= options.only_noise, kind >= options.only_noise + options.only_jpeg
    has_noise = (~has_jpeg | has_both) & ~is_clean
    low, high = options.camera_quality
    camera = low + (high - low) * torch.rand(count, generator=cpu)
    quality = torch.where(has_both & is_developed, camera, quality)
    quality = torch.where(is_clean, 92 + 6 * first, quality)
    has_jpeg = torch.where(is_clean, kind > 0.5, has_jpeg)
    artefacts = torch.tensor([level_of_quality(q) / 255 for q in quality.tolist()])

    def column(values: Tensor) -> Tensor:
        return values.to(x.device)[:, None, None, None]

    grey, shot, coarse, sigma = column(grey), column(shot), column(coarse), column(sigma)
    is_grey = grey < options.grey
    x = torch.where(is_grey, (x * x.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True), x)

    white = torch.randn(x.shape, generator=device, device=x.device)
    one_plane = is_grey | (coarse < 0.15)
    white = torch.where(one_plane, white[:, :1], white)
    level = torch.where(shot < options.shot, (2 * x.clamp(0, 1)).sqrt(), torch.ones_like(x))
    part = torch.where(column(has_both), 0.5, 1.0) * column(has_noise)
    deviation = part * sigma * level.mean((1, 2, 3), keepdim=True)
    noise = part * white * sigma * level
    strengths = torch.cat(
        [
            deviation * torch.where(one_plane, 1.0, _WHITE_LUMA),
            deviation * torch.where(one_plane, 0.0, _WHITE_CHROMA),
        ],
        dim=1,
    )[..., 0, 0]
    if options.developed:
        chosen = column(is_developed & has_noise)
        drawn, levels = developed_noise(x, Developed(luma=options.developed_luma), cpu, device)
        luma = (drawn * x.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
        drawn = torch.where(is_grey, luma, drawn)
        levels = levels * torch.cat([torch.ones_like(levels[:, :1]), (~is_grey).float()[:, 0, 0]], dim=1)
        noise = torch.where(chosen, drawn, noise)
        strengths = torch.where(chosen[:, 0, 0], levels, strengths)
        deviation = torch.where(chosen, DEVELOPED_LEVEL * levels[:, :1, None, None], deviation)
    noisy = x + noise
    # Synthetic noise in the tests of the field is neither clipped nor rounded; in files it is both.
    rounded = round_to_bytes(noisy)
    before = rounded
    if options.twice:
        # Blocks begin elsewhere after a crop: the first JPEG leaves out 3 rows and 5 columns.
        again = before.clone()
        again[..., 3:, 5:] = jpeg(before[..., 3:, 5:], (60 + 35 * first).to(x.device), half.to(x.device))
        before = torch.where(column(twice < options.twice), again, before)
    compressed = jpeg(before, quality.to(x.device), half.to(x.device))
    kept = torch.where((coarse > 0.5) & ~is_grey & column(has_noise & ~is_developed), noisy, rounded)
    strength = torch.hypot(deviation, column(artefacts * (has_jpeg & ~is_clean)))
    parts = torch.cat([strengths, ((1 - quality / 100) * has_jpeg).to(x.device)[:, None]], dim=1)
    return x, torch.where(column(has_jpeg), compressed, kept), strength, parts


VALIDATED = {
    "noise25": 25.0, "jpeg10": level_of_quality(10), "developed5": DEVELOPED_LEVEL * 5, "jpeg40": level_of_quality(40),
    "jpeg80": level_of_quality(80), "clean": 0.0,
}  # fmt: skip
"""The names that `as_validated` gives, and the level, of 255, that FFDNet is best told of each."""


def as_validated(clean: Sequence[Tensor], options: Spoiling) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Pairs of damaged and clean pictures by the name of their damage; the same for every run.

    clean: pictures (1, 3, H, W) in [0, 1].
    """
    pairs = {
        "noise25": [(_noisy(picture, 25.0, i), picture) for i, picture in enumerate(clean)],
        "jpeg10": [(compressed(picture, 10.0), picture) for picture in clean],
    }
    if options.developed:
        pairs["developed5"] = [
            (compressed(developed(picture, 5.0, i), 95.0), picture) for i, picture in enumerate(clean)
        ]
    if options.clean:
        pairs["jpeg40"] = [(compressed(picture, 40.0), picture) for picture in clean]
        pairs["jpeg80"] = [(compressed(picture, 80.0), picture) for picture in clean]
        pairs["clean"] = [(picture, picture) for picture in clean]
    return pairs


def developed(picture: Tensor, luma: float, seed: int) -> Tensor:
    """A picture (1, 3, H, W) with noise of a developed photo, of this deviation in luma (of 255), on the 8-bit grid."""
    ranges = Developed(luma=(luma, luma), chroma=(0.45, 0.55), grain=(0.6, 0.7))
    cpu = torch.Generator().manual_seed(seed)
    noise, _ = developed_noise(picture.cpu(), ranges, cpu, cpu)
    return round_to_bytes(picture + noise.to(picture.device))


def compressed(picture: Tensor, quality: float) -> Tensor:
    """A batch as a JPEG of this quality, 4:2:0."""
    count = picture.shape[0]
    halved = torch.ones(count, dtype=torch.bool, device=picture.device)
    return jpeg(picture, torch.full((count,), quality, device=picture.device), halved)


def _noisy(picture: Tensor, sigma: float, seed: int) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed)).to(picture.device)
    return picture + noise * sigma / 255


def as_measured(clean: Sequence[Tensor]) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Pairs as of `as_validated`, for measuring noise: three levels, white noise, and what is to be left alone."""
    pairs = {
        f"developed{luma}": [(compressed(developed(one, float(luma), i), 95.0), one) for i, one in enumerate(clean)]
        for luma in (2, 4, 7)
    }
    pairs["noise10"] = [(round_to_bytes(_noisy(one, 10.0, i)), one) for i, one in enumerate(clean)]
    pairs["clean"] = [(one, one) for one in clean]
    pairs |= {f"jpeg{quality}": [(compressed(one, float(quality)), one) for one in clean] for quality in (40, 80)}
    return pairs
