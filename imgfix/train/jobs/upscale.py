"""Training an upscaler: classic bicubic inputs, real-world damage, or the user's own pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from imgfix.degradations import TRAINED
from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.nets.srvgg import SRVGG
from imgfix.runtime.resize import downscale, resize
from imgfix.train.degrade import LIGHT, Damage, damage
from imgfix.train.job import Baseline, Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.common import (
    Losses,
    LossWeights,
    Metric,
    centre,
    folded,
    folded_config,
    left_out,
    mean_of,
    score_of,
    sheet_column,
    starting_net,
)
from imgfix.train.pool import Pool, load_pairs, load_photos
from imgfix.train.prune_depth import prune_depth
from imgfix.train.recipe import Recipe


@dataclass(frozen=True)
class Options(LossWeights):
    """Settings of `imgfix train upscale`."""

    scale: int = 4
    """Output pixels per input pixel along a side."""
    degradation: Literal["bicubic", "real", "light", "mixed"] = "bicubic"
    """What happens to the photos: classic bicubic shrinking; Real-ESRGAN's second-order damage; a gentle form of it;
    or `mixed`: per step one of real (60 %), light (30 %) and bicubic (10 %)."""
    val_crop: int = 512
    """Largest side of a validation picture."""


DEFAULTS = {"crop": 192, "batch": 16, "lr": 5e-4}
NET_DEFAULTS = {"rrdbnet": {"lr": 1e-4}}


def build(recipe: Recipe, device: torch.device) -> UpscaleJob:
    """Make the job; raises ImgfixError for unusable photos, pairs, models or sizes."""
    return UpscaleJob(recipe, device)


class UpscaleJob:
    """See `imgfix.train.job.TrainJob`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, recipe.options or Options(), device
        options, scale = self.options, self.options.scale
        if recipe.crop % scale:
            raise UsageError(f"crop = {recipe.crop} is not a multiple of the scale {scale}")
        start, self._facts = starting_net(
            recipe, device, task="upscale", key="repgate", config={"scale": scale}, check={"scale": scale}
        )
        self.net, self.key, self.config = start.net, start.key, start.config
        self.loss_terms = Losses(options, recipe, device)
        self.metric = Metric(self.loss_terms, device)
        if "discriminator" in self.loss_terms.players(10**9) and recipe.crop % 8:
            raise UsageError(f"crop = {recipe.crop}: the discriminator needs a multiple of 8")
        self.pairs: tuple[Pool, Pool] | None = None
        if recipe.input and recipe.target:
            low, high, low_val, high_val, skipped = load_pairs(
                recipe.input, recipe.target, scale=scale, crop=recipe.crop, device=device, fraction=recipe.val_fraction
            )
            self.pairs, self.training = (low, high), high
            self.validation = [
                (low_val.picture(i), high_val.picture(i)) for i in range(min(len(low_val), recipe.val_limit))
            ]
        else:
            photos = load_photos(
                recipe.photos, crop=recipe.crop, device=device, held_out=recipe.val, fraction=recipe.val_fraction
            )
            self.training, skipped = photos.training, photos.skipped
            self.validation = [
                self._validation_pair(photos.held_out.picture(i), i)
                for i in range(min(len(photos.held_out), recipe.val_limit))
            ]
        self._follow()
        self._facts += [
            f"{len(self.training)} pictures, {self.training.megapixels:.0f} MP; {len(self.validation)} held out",
            *left_out(skipped),
        ]

    def networks(self) -> dict[str, nn.Module]:
        judge = self.loss_terms.discriminator
        return {"net": self.net} | ({"discriminator": judge} if judge is not None else {})

    def players(self, step: int) -> tuple[str, ...]:
        return self.loss_terms.players(step)

    def sample(self, draw: Draw) -> Batch:
        crop, scale = self.recipe.crop, self.options.scale
        if self.pairs is not None:
            low, high = self.pairs
            windows = low.windows(draw, crop // scale)
            return {"input": low.take(windows, crop // scale), "target": high.take(windows, crop // scale, scale)}
        target = self.training.take(self.training.windows(draw, crop), crop)
        return {"input": self._damaged(target, draw.cpu_generator, draw.generator), "target": target}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            return self.loss_terms.discriminator_terms(networks, batch, step)
        return self.loss_terms.net_terms(networks, batch, networks["net"](batch["input"]), step)

    def validate(self, net: nn.Module) -> Validation:
        results = [net(low).float().clamp(0, 1) for low, _ in self.validation]
        metrics = self._measured(results)
        shown = self.recipe.sheet_rows
        inputs = [self._enlarged(low, high) for low, high in self.validation[:shown]]
        samples = {
            "bicubic": sheet_column(inputs, 384),
            "output": sheet_column(results[:shown], 384),
            "target": sheet_column([high for _, high in self.validation[:shown]], 384),
        }
        return Validation(metrics, score_of(metrics), samples, self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """What bicubic gets."""
        metrics = self._measured([self._enlarged(low, high).clamp(0, 1) for low, high in self.validation])
        return Baseline("bicubic", metrics, score_of(metrics))

    def _measured(self, results: list[Tensor]) -> dict[str, float]:
        rows = []
        for result, (_, high) in zip(results, self.validation, strict=True):
            border = min(self.options.scale, min(high.shape[-2:]) // 4)
            row = {"psnr": float(psnr(result, high, y=True, border=border).clamp(max=100))}
            rows.append(row | self.metric(result, high))
        return mean_of(rows)

    @staticmethod
    def _enlarged(low: Tensor, high: Tensor) -> Tensor:
        return resize(low, (high.shape[-2], high.shape[-1]), "cubic")

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        return {"input": batch["input"], "target": batch["target"]}

    def identity(self) -> NetIdentity:
        scale = self.options.scale
        facts = {
            "task": "upscale",
            "scale": scale,
            "degradation": "bicubic" if self.options.degradation == "bicubic" else "real-world",
            "facts": {
                "gan_trained": bool(self.options.adversarial),
                "expects": TRAINED[self.options.degradation],
            },
        }
        return NetIdentity(self.key, folded_config(self.key, self.config), facts)

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return folded(net)

    def facts(self) -> list[str]:
        return list(self._facts)

    def _follow(self) -> None:
        """Where a shallow SRVGG starts from a deep one, fit its layers to it: far better than random weights."""
        recipe = self.recipe
        if self.key != "srvgg" or not (recipe.model and recipe.net_config):
            return
        from imgfix import zoo

        deep = zoo.load(recipe.model).net
        if isinstance(deep, SRVGG) and isinstance(self.net, SRVGG) and len(deep.body) > len(self.net.body):
            parts = [self.sample(Draw(recipe.seed, step, 0, 1, 8, self.device))["input"] for step in range(12)]
            unexplained = prune_depth(deep.to(self.device), self.net, torch.cat(parts))
            self._facts.append(f"layers fitted to {recipe.model}; unexplained at the end: {unexplained[-1]:.2f}")

    def _damaged(self, target: Tensor, cpu: torch.Generator, device: torch.Generator) -> Tensor:
        kind = self.options.degradation
        if kind == "mixed":
            choice = float(torch.rand((), generator=cpu))
            kind = "real" if choice < 0.6 else "light" if choice < 0.9 else "bicubic"
        if kind == "bicubic":
            return downscale(target, self.options.scale)
        return damage(target, self.options.scale, LIGHT if kind == "light" else Damage(), cpu, device)

    def _validation_pair(self, picture: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Damage a held-out picture, the same way in every run."""
        target = centre(picture, self.options.val_crop, 8 * self.options.scale)
        cpu = torch.Generator().manual_seed(number)
        device = torch.Generator(device=target.device).manual_seed(number)
        return self._damaged(target, cpu, device), target
