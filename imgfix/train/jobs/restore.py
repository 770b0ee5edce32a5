"""Training one blind restorer for noise and JPEG damage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.nets.ffdnet import BlindFFDNet
from imgfix.runtime.resize import round_to_bytes
from imgfix.tasks.restore import level_of_quality
from imgfix.train.degrade import jpeg
from imgfix.train.job import Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.common import (
    Judges,
    Metric,
    Terms,
    centre,
    folded,
    folded_config,
    left_out,
    mean_of,
    sheet_column,
    starting_net,
)
from imgfix.train.pool import Pool, load_pairs, load_photos
from imgfix.train.recipe import Recipe


@dataclass(frozen=True)
class Options(Terms):
    """Settings of `imgfix train restore`."""

    sigma: tuple[float, float] = (0.0, 60.0)
    """Standard deviation of the noise, of 255."""
    quality: tuple[float, float] = (5.0, 95.0)
    """JPEG quality."""
    only_noise: float = 0.4
    """Part of the samples with noise and no JPEG."""
    only_jpeg: float = 0.4
    """Part of the samples with JPEG and no noise; the rest has both."""
    shot: float = 0.25
    """Part of the noise that grows with brightness, as a sensor's does."""
    grey: float = 0.15
    """Part of the samples that are grey."""
    level: float = 0.0
    """Weight of the ratio by which the level is off that a BlindFFDNet finds. True is the noise's deviation, and for
    JPEG the level at which FFDNet does best."""
    val_crop: int = 384
    """Largest side of a validation picture."""


FAINT = 2 / 255
"""Added to both levels before their ratio is taken: what differs below it is of no weight."""
DEFAULTS = {"crop": 128, "batch": 16, "lr": 5e-4}


def build(recipe: Recipe, device: torch.device) -> RestoreJob:
    """Make the job; raises ImgfixError for unusable photos, pairs, models or sizes."""
    return RestoreJob(recipe, device)


class RestoreJob:
    """See `imgfix.train.job.TrainJob`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, recipe.options or Options(), device
        start, self._facts = starting_net(recipe, device, task="restore", key="gateunet", config={}, check={"scale": 1})
        self.net, self.key, self.config = start.net, start.key, start.config
        if self.options.level and not isinstance(self.net, BlindFFDNet):
            raise UsageError(f"level = {self.options.level}: {self.key} finds no level", hint="leave level out")
        if self.options.level and recipe.input:
            raise UsageError("level does not go with pairs, whose damage is not known", hint="leave level out")
        if recipe.crop % 16:
            raise UsageError(f"crop = {recipe.crop}: must be a multiple of 16")
        self.judges = Judges(self.options, recipe, device)
        self.metric = Metric(self.judges, device)
        self.pairs: tuple[Pool, Pool] | None = None
        if recipe.input and recipe.target:
            low, high, low_val, high_val, skipped = load_pairs(
                recipe.input, recipe.target, scale=1, crop=recipe.crop, device=device, fraction=recipe.val_fraction
            )
            self.pairs, self.training = (low, high), high
            count = min(len(low_val), recipe.val_limit)
            cut = [
                tuple(centre(side.picture(i), self.options.val_crop, 16) for side in (low_val, high_val))
                for i in range(count)
            ]
            self.validation = {"pairs": [(low_picture, high_picture) for low_picture, high_picture in cut]}
        else:
            photos = load_photos(
                # Crops are cut 8 larger and trimmed, so that JPEG's grid of blocks falls anywhere.
                recipe.photos,
                crop=recipe.crop + 8,
                device=device,
                held_out=recipe.val,
                fraction=recipe.val_fraction,
            )
            self.training, skipped = photos.training, photos.skipped
            clean = [
                centre(photos.held_out.picture(i), self.options.val_crop, 16)
                for i in range(min(len(photos.held_out), recipe.val_limit))
            ]
            self.validation = {
                "noise25": [(_noisy(picture, 25.0, i), picture) for i, picture in enumerate(clean)],
                "jpeg10": [(_compressed(picture, 10.0), picture) for picture in clean],
            }
        held = len(next(iter(self.validation.values())))
        self._facts += [
            f"{len(self.training)} pictures, {self.training.megapixels:.0f} megapixels; {held} held out",
            *left_out(skipped),
        ]

    def networks(self) -> dict[str, nn.Module]:
        judge = self.judges.discriminator
        return {"net": self.net} | ({"discriminator": judge} if judge is not None else {})

    def players(self, step: int) -> tuple[str, ...]:
        return self.judges.players(step)

    def sample(self, draw: Draw) -> Batch:
        crop = self.recipe.crop
        if self.pairs is not None:
            low, high = self.pairs
            windows = low.windows(draw, crop)
            return {"input": low.take(windows, crop), "target": high.take(windows, crop)}
        target = self.training.take(self.training.windows(draw, crop + 8), crop + 8)
        target, damaged, level = spoil(target, self.options, draw.cpu_generator, draw.generator)
        top, left = torch.randint(0, 8, (2,), generator=draw.cpu_generator).tolist()
        rows, columns = slice(top, top + crop), slice(left, left + crop)
        return {"input": damaged[..., rows, columns], "target": target[..., rows, columns], "level": level}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            return self.judges.discriminator_terms(networks, batch, step)
        terms = self.judges.net_terms(networks, batch, networks["net"](batch["input"]), step)
        if self.options.level:
            assert isinstance(self.net, BlindFFDNet)
            found, true = self.net.levels(batch["input"])[:, :1].float(), batch["level"]
            terms["level"] = self.options.level * ((found + FAINT) / (true + FAINT)).log().abs().mean()
        return terms

    def validate(self, net: nn.Module) -> Validation:
        metrics: dict[str, float] = {}
        samples: dict[str, Tensor] = {}
        shown = self.recipe.sheet_rows
        for name, pairs in self.validation.items():
            rows, results = [], []
            for low, high in pairs:
                result = net(low).float().clamp(0, 1)
                rows.append({"psnr": float(psnr(result, high).clamp(max=100))} | self.metric(result, high))
                results.append(result)
            metrics |= {f"{key}_{name}": value for key, value in mean_of(rows).items()}
            samples[name] = sheet_column([low for low, _ in pairs[:shown]], 256)
            samples[f"{name} restored"] = sheet_column(results[:shown], 256)
            samples["target"] = sheet_column([high for _, high in pairs[:shown]], 256)
        values = [value for key, value in metrics.items() if key.startswith("psnr")]
        return Validation(metrics, sum(values) / len(values), samples)

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        return {"input": batch["input"], "target": batch["target"]}

    def identity(self) -> NetIdentity:
        return NetIdentity(
            self.key, folded_config(self.key, self.config), {"task": "restore", "degradation": "noise, JPEG"}
        )

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return folded(net)

    def facts(self) -> list[str]:
        return list(self._facts)


def spoil(x: Tensor, options: Options, cpu: torch.Generator, device: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Add noise, JPEG damage or both.

    Args:
        x: (N, 3, H, W) in [0, 1].
        options: ranges and chances.
        cpu: draws the choices.
        device: draws the noise, on the device of `x`.

    Returns:
        the target (some samples turned grey) and the damaged batch on the 8-bit grid, both like `x`; and how strong
        the damage is, as the deviation of noise (N, 1, 1, 1).
    """
    count = x.shape[0]
    grey, kind, shot, coarse = torch.rand(4, count, generator=cpu)
    low, high = options.sigma
    sigma = (low + (high - low) * torch.rand(count, generator=cpu)) / 255
    low, high = options.quality
    quality = low + (high - low) * torch.rand(count, generator=cpu) ** 1.5  # strong compression is the harder part
    half = torch.rand(count, generator=cpu) < 0.5
    columns = [v.to(x.device)[:, None, None, None] for v in (grey, kind, shot, coarse, sigma)]
    grey, kind, shot, coarse, sigma = columns
    weights = x.new_tensor([0.299, 0.587, 0.114])[:, None, None]
    is_grey = grey < options.grey
    x = torch.where(is_grey, (x * weights).sum(1, keepdim=True), x)
    noise = torch.randn(x.shape, generator=device, device=x.device)
    noise = torch.where(is_grey | (coarse < 0.15), noise[:, :1], noise)
    level = torch.where(shot < options.shot, (2 * x.clamp(0, 1)).sqrt(), torch.ones_like(x))
    has_jpeg, has_both = kind >= options.only_noise, kind >= options.only_noise + options.only_jpeg
    part = torch.where(has_both, 0.5, torch.where(has_jpeg, 0.0, 1.0))
    noisy = x + part * noise * sigma * level
    # Synthetic noise in the tests of the field is neither clipped nor rounded; in files it is both.
    rounded = round_to_bytes(noisy)
    compressed = jpeg(rounded, quality.to(x.device), half.to(x.device))
    kept = torch.where((coarse > 0.5) & ~is_grey, noisy, rounded)
    artefacts = x.new_tensor([level_of_quality(q) / 255 for q in quality.tolist()])[:, None, None, None]
    strength = torch.hypot(part * sigma * level.mean((1, 2, 3), keepdim=True), artefacts * has_jpeg)
    return x, torch.where(has_jpeg, compressed, kept), strength


def _noisy(picture: Tensor, sigma: float, seed: int) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed)).to(picture.device)
    return picture + noise * sigma / 255


def _compressed(picture: Tensor, quality: float) -> Tensor:
    count = picture.shape[0]
    full_chroma = torch.zeros(count, dtype=torch.bool, device=picture.device)
    return jpeg(picture, torch.full((count,), quality, device=picture.device), ~full_chroma)
