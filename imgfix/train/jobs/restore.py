"""Training one blind restorer for noise and JPEG damage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.nets.ffdnet import BlindFFDNet
from imgfix.train.job import Batch, Draw, NetIdentity
from imgfix.train.jobs.base import PairedJob, load_material
from imgfix.train.jobs.common import LossWeights, centre, folded_config, left_out, mean_of, sheet_column
from imgfix.train.recipe import Recipe
from imgfix.train.spoil import VALIDATED, Spoiling, as_validated, spoil


@dataclass(frozen=True)
class Options(LossWeights, Spoiling):
    """Settings of `imgfix train restore`."""

    level: float = 0.0
    """Weight of the ratio by which a BlindFFDNet is off from the level at which FFDNet does best."""
    unsure: float = 0.0
    """How far off the level is that a network is told, where it has to be told one: the deviation of its logarithm."""
    val_crop: int = 384
    """Largest side of a validation picture."""


FAINT = 1 / 255
"""Added to both levels before their ratio is taken: what differs below it is of no weight."""
DEFAULTS = {"crop": 128, "batch": 16, "lr": 5e-4}


def build(recipe: Recipe, device: torch.device) -> RestoreJob:
    """Make the job; raises ImgfixError for unusable photos, pairs, models or sizes."""
    return RestoreJob(recipe, device)


PictureSets = dict[str, list[Tensor]]
"""By the name of a set of held-out pictures."""


class RestoreJob(PairedJob[PictureSets]):
    """See `imgfix.train.job.TrainJob`."""

    BASELINE = "the input"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        described = self._start(task="restore", key="gateunet", config={}, check={"scale": 1}).described
        self.told = described.get("in_channels", 3) > described.get("out_channels", 3)
        if self.options.level and not isinstance(self.net, BlindFFDNet):
            raise UsageError(f"level = {self.options.level}: {self.key} finds no level", hint="leave level out")
        if self.options.level and recipe.input:
            raise UsageError("level does not go with pairs, whose damage is not known", hint="leave level out")
        if self.told and recipe.input:
            raise UsageError(f"{self.key} has to be told a level, which is not known of pairs", hint="leave them out")
        if recipe.crop % 16:
            raise UsageError(f"crop = {recipe.crop}: must be a multiple of 16")
        self._judge_by(self.options)
        # Crops are cut 8 larger and trimmed, so that JPEG's grid of blocks falls anywhere.
        self.material = load_material(recipe, device, crop=recipe.crop + 8)
        side, limit = self.options.val_crop, recipe.val_limit
        if self.material.inputs is not None:
            both = self.material.held_out_pairs(limit)
            self.validation = {"pairs": [(centre(low, side, 16), centre(high, side, 16)) for low, high in both]}
        else:
            clean = [centre(picture, side, 16) for picture in self.material.held_out_pictures(limit)]
            self.validation = as_validated(clean, self.options)
        held_out = len(next(iter(self.validation.values())))
        self._facts += [self.material.facts(held_out), *left_out(self.material.skipped)]

    def sample(self, draw: Draw) -> Batch:
        crop, photos = self.recipe.crop, self.material.training
        if self.material.inputs is not None:
            return self.material.pairs(draw, crop)
        target = photos.take(photos.windows(draw, crop + 8), crop + 8)
        target, damaged, level, _ = spoil(target, self.options, draw.cpu_generator, draw.generator)
        top, left = torch.randint(0, 8, (2,), generator=draw.cpu_generator).tolist()
        rows, columns = slice(top, top + crop), slice(left, left + crop)
        cut = {"input": damaged[..., rows, columns], "target": target[..., rows, columns]}
        if self.options.unsure:
            level = level * (self.options.unsure * torch.randn(level.shape, generator=draw.cpu_generator)).exp().to(
                level
            )
        return cut | {"level": level}

    def net_losses(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if self.told:
            made = networks["net"](with_level(batch["input"], batch["level"]))
            return self.loss_terms.net_terms(networks, batch, made, step)
        terms = super().net_losses(networks, batch, step)
        if self.options.level:
            assert isinstance(self.net, BlindFFDNet)
            terms["level"] = self.options.level * _apart(self.net.levels(batch["input"])[:, :1], batch["level"])
        return terms

    def results(self, net: nn.Module) -> PictureSets:
        return {
            name: [net(self._seen(name, low)).float().clamp(0, 1) for low, _ in pairs]
            for name, pairs in self.validation.items()
        }

    def _seen(self, name: str, low: Tensor) -> Tensor:
        """What the network is given of a held-out picture, of the set of this name."""
        return with_level(low, low.new_full((1, 1, 1, 1), VALIDATED[name] / 255)) if self.told else low

    def without_net(self) -> PictureSets:
        return {name: [low.clamp(0, 1) for low, _ in pairs] for name, pairs in self.validation.items()}

    def samples(self, made: PictureSets) -> dict[str, Tensor]:
        samples: dict[str, Tensor] = {}
        shown = self.recipe.sheet_rows
        for name, pairs in self.validation.items():
            samples[name] = sheet_column([low for low, _ in pairs[:shown]], 256)
            samples[f"{name} restored"] = sheet_column(made[name][:shown], 256)
            samples["target"] = sheet_column([high for _, high in pairs[:shown]], 256)
        return samples

    def measured(self, made: PictureSets) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for name, pairs in self.validation.items():
            both = zip(made[name], (high for _, high in pairs), strict=True)
            rows = [{"psnr": float(psnr(a, b).clamp(max=100))} | self.metric(a, b) for a, b in both]
            metrics |= {f"{key}_{name}": value for key, value in mean_of(rows).items()}
        return metrics

    def score(self, metrics: Mapping[str, float]) -> float:
        # Beyond 50 dB nobody sees a difference; what is clean must not outweigh the rest.
        values = [min(value, 50.0) for key, value in metrics.items() if key.startswith("psnr")]
        return sum(values) / len(values)

    def identity(self) -> NetIdentity:
        return NetIdentity(
            self.key, folded_config(self.key, self.config), {"task": "restore", "degradation": "noise, JPEG"}
        )


def with_level(x: Tensor, level: Tensor) -> Tensor:
    """Pictures (N, C, H, W) with a last channel that tells the level, (N, 1, 1, 1)."""
    return torch.cat([x, level.to(x).expand(x.shape[0], 1, *x.shape[-2:])], dim=1)


def _apart(found: Tensor, true: Tensor) -> Tensor:
    """By which ratio two levels differ, on average, as a logarithm."""
    return ((found.float() + FAINT) / (true + FAINT)).log().abs().mean()
