"""Training an upscaler: classic bicubic inputs, real-world damage, or the user's own pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from imgfix.degradations import TRAINED
from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.nets.srvgg import SRVGG
from imgfix.runtime.resize import downscale, resize
from imgfix.train.degrade import LIGHT, Damage, damage
from imgfix.train.job import Batch, Draw, NetIdentity
from imgfix.train.jobs.base import PairedJob, load_material
from imgfix.train.jobs.common import LossWeights, centre, folded_config, left_out, mean_of, sheet_column
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


Pictures = list[Tensor]


class UpscaleJob(PairedJob[Pictures]):
    """See `imgfix.train.job.TrainJob`."""

    BASELINE = "bicubic"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        scale = self.options.scale
        if recipe.crop % scale:
            raise UsageError(f"crop = {recipe.crop} is not a multiple of the scale {scale}")
        self._start(task="upscale", key="repgate", config={"scale": scale}, check={"scale": scale})
        self._judge_by(self.options)
        if "discriminator" in self.loss_terms.players(10**9) and recipe.crop % 8:
            raise UsageError(f"crop = {recipe.crop}: the discriminator needs a multiple of 8")
        self.material = load_material(recipe, device, crop=recipe.crop, scale=scale)
        if self.material.inputs is not None:
            self.validation = list(self.material.held_out_pairs(recipe.val_limit))
        else:
            held_out = self.material.held_out_pictures(recipe.val_limit)
            self.validation = [self._validation_pair(picture, number) for number, picture in enumerate(held_out)]
        self._follow()
        self._facts += [self.material.facts(len(self.validation)), *left_out(self.material.skipped)]

    def sample(self, draw: Draw) -> Batch:
        crop, photos = self.recipe.crop, self.material.training
        if self.material.inputs is not None:
            return self.material.pairs(draw, crop)
        target = photos.take(photos.windows(draw, crop), crop)
        return {"input": self._damaged(target, draw.cpu_generator, draw.generator), "target": target}

    def results(self, net: nn.Module) -> Pictures:
        return [net(low).float().clamp(0, 1) for low, _ in self.validation]

    def without_net(self) -> Pictures:
        return [self._enlarged(low, high).clamp(0, 1) for low, high in self.validation]

    def samples(self, made: Pictures) -> dict[str, Tensor]:
        shown = self.validation[: self.recipe.sheet_rows]
        return {
            "bicubic": sheet_column([self._enlarged(low, high) for low, high in shown], 384),
            "output": sheet_column(made[: len(shown)], 384),
            "target": sheet_column([high for _, high in shown], 384),
        }

    def measured(self, made: Pictures) -> dict[str, float]:
        rows = []
        for result, (_, high) in zip(made, self.validation, strict=True):
            border = min(self.options.scale, min(high.shape[-2:]) // 4)
            row = {"psnr": float(psnr(result, high, y=True, border=border).clamp(max=100))}
            rows.append(row | self.metric(result, high))
        return mean_of(rows)

    @staticmethod
    def _enlarged(low: Tensor, high: Tensor) -> Tensor:
        return resize(low, (high.shape[-2], high.shape[-1]), "cubic")

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
