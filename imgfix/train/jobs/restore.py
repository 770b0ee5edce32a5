"""Training one blind restorer for noise and JPEG damage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.nets.contextffdnet import ContextFFDNet
from imgfix.nets.ffdnet import BlindFFDNet
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
    sheet_column,
    starting_net,
)
from imgfix.train.pool import Pool, load_pairs, load_photos
from imgfix.train.recipe import Recipe
from imgfix.train.spoil import Spoiling, as_validated, spoil


@dataclass(frozen=True)
class Options(LossWeights, Spoiling):
    """Settings of `imgfix train restore`."""

    level: float = 0.0
    """Weight of the ratio by which the damage is off that the network finds. True is for a BlindFFDNet the level
    at which FFDNet does best; for a ContextFFDNet that and the deviation of noise in luma and in chroma, and the JPEG
    quality."""
    val_crop: int = 384
    """Largest side of a validation picture."""


FAINT = 1 / 255
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
        if self.options.level and not isinstance(self.net, BlindFFDNet | ContextFFDNet):
            raise UsageError(f"level = {self.options.level}: {self.key} finds no level", hint="leave level out")
        if self.options.level and recipe.input:
            raise UsageError("level does not go with pairs, whose damage is not known", hint="leave level out")
        if recipe.crop % 16:
            raise UsageError(f"crop = {recipe.crop}: must be a multiple of 16")
        self.loss_terms = Losses(self.options, recipe, device)
        self.metric = Metric(self.loss_terms, device)
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
            self.validation = as_validated(clean, self.options)
        held = len(next(iter(self.validation.values())))
        self._facts += [
            f"{len(self.training)} pictures, {self.training.megapixels:.0f} megapixels; {held} held out",
            *left_out(skipped),
        ]

    def networks(self) -> dict[str, nn.Module]:
        judge = self.loss_terms.discriminator
        return {"net": self.net} | ({"discriminator": judge} if judge is not None else {})

    def players(self, step: int) -> tuple[str, ...]:
        return self.loss_terms.players(step)

    def sample(self, draw: Draw) -> Batch:
        crop = self.recipe.crop
        if self.pairs is not None:
            low, high = self.pairs
            windows = low.windows(draw, crop)
            return {"input": low.take(windows, crop), "target": high.take(windows, crop)}
        target = self.training.take(self.training.windows(draw, crop + 8), crop + 8)
        target, damaged, level, found = spoil(target, self.options, draw.cpu_generator, draw.generator)
        top, left = torch.randint(0, 8, (2,), generator=draw.cpu_generator).tolist()
        rows, columns = slice(top, top + crop), slice(left, left + crop)
        cut = {"input": damaged[..., rows, columns], "target": target[..., rows, columns]}
        return cut | {"level": level, "damage": found}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            return self.loss_terms.discriminator_terms(networks, batch, step)
        if self.options.level and isinstance(self.net, ContextFFDNet):
            context = self.net.context(batch["input"])
            terms = self.loss_terms.net_terms(networks, batch, self.net.restored(batch["input"], context), step)
            seen, told = self.net.damage(context).mean((2, 3)), self.net.told(context).mean((1, 2, 3))
            parts = _apart(seen, batch["damage"]) + _apart(told, batch["level"].flatten())
            terms["level"] = self.options.level * parts
            return terms
        terms = self.loss_terms.net_terms(networks, batch, networks["net"](batch["input"]), step)
        if self.options.level:
            assert isinstance(self.net, BlindFFDNet)
            terms["level"] = self.options.level * _apart(self.net.levels(batch["input"])[:, :1], batch["level"])
        return terms

    def validate(self, net: nn.Module) -> Validation:
        samples: dict[str, Tensor] = {}
        shown = self.recipe.sheet_rows
        made = {
            name: [net(low).float().clamp(0, 1) for low, _ in pairs] for name, pairs in self.validation.items()
        }  # fmt: skip
        for name, pairs in self.validation.items():
            samples[name] = sheet_column([low for low, _ in pairs[:shown]], 256)
            samples[f"{name} restored"] = sheet_column(made[name][:shown], 256)
            samples["target"] = sheet_column([high for _, high in pairs[:shown]], 256)
        metrics = self._measured(made)
        return Validation(metrics, _score(metrics), samples, self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """What the damaged pictures themselves get."""
        metrics = self._measured(
            {name: [low.clamp(0, 1) for low, _ in pairs] for name, pairs in self.validation.items()}
        )
        return Baseline("the input", metrics, _score(metrics))

    def _measured(self, made: Mapping[str, list[Tensor]]) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for name, pairs in self.validation.items():
            both = zip(made[name], (high for _, high in pairs), strict=True)
            rows = [{"psnr": float(psnr(a, b).clamp(max=100))} | self.metric(a, b) for a, b in both]
            metrics |= {f"{key}_{name}": value for key, value in mean_of(rows).items()}
        return metrics

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


def _score(metrics: Mapping[str, float]) -> float:
    # Beyond 50 dB nobody sees a difference; what is clean must not outweigh the rest.
    values = [min(value, 50.0) for key, value in metrics.items() if key.startswith("psnr")]
    return sum(values) / len(values)


def _apart(found: Tensor, true: Tensor) -> Tensor:
    """By which ratio two levels differ, on average, as a logarithm."""
    return ((found.float() + FAINT) / (true + FAINT)).log().abs().mean()
