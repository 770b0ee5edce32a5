"""Training an inpainter: photos with drawn holes, taught by a larger model and by a discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.tasks import classical
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
from imgfix.train.masks import KINDS, draw_masks
from imgfix.train.pool import load_photos
from imgfix.train.recipe import Recipe


@dataclass(frozen=True)
class Options(LossWeights):
    """Settings of `imgfix train inpaint`."""

    masks: tuple[float, ...] = (1.0, 2.0, 3.0, 2.0, 3.0, 1.0)
    """How often each kind of mask is drawn: thin, medium and thick strokes, boxes, shapes of objects, borders."""
    known: float = 0.2
    """Weight of the pixel loss outside the hole, where the net only has to copy."""
    hole: float = 1.0
    """Weight of the pixel loss inside the hole."""


DEFAULTS = {"crop": 256, "batch": 8, "lr": 1e-4, "net": "migan"}


def build(recipe: Recipe, device: torch.device) -> InpaintJob:
    """Make the job; raises ImgfixError for unusable photos, models or sizes."""
    return InpaintJob(recipe, device)


class InpaintJob:
    """See `imgfix.train.job.TrainJob`; "input" has the mask in channel 0 (1 = fill) and the picture in 1 to 3."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, recipe.options or Options(), device
        if len(self.options.masks) != len(KINDS) or sum(self.options.masks) <= 0 or min(self.options.masks) < 0:
            raise UsageError(f"masks = {self.options.masks}: give {len(KINDS)} weights for {', '.join(KINDS)}")
        if recipe.input:
            raise UsageError("inpainting makes its own holes", hint="give a folder of photos instead of `input`")
        config = {"resolution": recipe.crop} if recipe.crop & (recipe.crop - 1) == 0 else {}
        start, self._facts = starting_net(
            recipe, device, task="inpaint", key="migan", config=config, check={"in_channels": 4}
        )
        self.net, self.key, self.config = start.net, start.key, start.config
        multiple = int(start.described.get("size_multiple", 1))
        if recipe.crop % multiple:
            raise UsageError(f"crop = {recipe.crop}: this network needs a multiple of {multiple}")
        self.loss_terms = Losses(self.options, recipe, device, conditions=1)
        self.metric = Metric(self.loss_terms, device)
        photos = load_photos(
            recipe.photos, crop=recipe.crop, device=device, held_out=recipe.val, fraction=recipe.val_fraction
        )
        self.training = photos.training
        clean = [
            centre(photos.held_out.picture(i), recipe.crop, multiple)
            for i in range(min(len(photos.held_out), recipe.val_limit))
        ]
        self.validation = [
            (picture, self._masks([(-1, number)], picture.shape[-2], picture.shape[-1]))
            for number, picture in enumerate(clean)
        ]
        self._facts += [
            f"{len(self.training)} pictures, {self.training.megapixels:.0f} MP; {len(self.validation)} held out",
            *left_out(photos.skipped),
        ]

    def networks(self) -> dict[str, nn.Module]:
        judge = self.loss_terms.discriminator
        return {"net": self.net} | ({"discriminator": judge} if judge is not None else {})

    def players(self, step: int) -> tuple[str, ...]:
        return self.loss_terms.players(step)

    def sample(self, draw: Draw) -> Batch:
        crop = self.recipe.crop
        target = self.training.take(self.training.windows(draw, crop), crop)
        mask = self._masks([(draw.seed, row) for row in draw.rows], crop, crop)
        return {"input": torch.cat((mask, target * (1 - mask)), dim=1), "target": target, "condition": mask}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            return self.loss_terms.discriminator_terms(networks, batch, step)
        mask, target = batch["condition"], batch["target"]
        result = networks["net"](batch["input"]).float()
        filled = result * mask + target * (1 - mask)
        # Divided by their share of the picture, so that small holes weigh as much as large ones.
        share = mask.mean(dim=(1, 2, 3), keepdim=True)
        trust = self.options.hole * mask / share.clamp(min=0.01) / 4
        found = self.loss_terms.net_terms(networks, batch, filled, step, trust)
        if self.options.known:
            outside = (result - target).abs() * (1 - mask)
            found["known"] = self.options.known * outside.mean()
        return found

    def validate(self, net: nn.Module) -> Validation | None:
        if not self.validation:
            return None
        results = []
        for target, mask in self.validation:
            result = net(torch.cat((mask, target * (1 - mask)), dim=1)).float().clamp(0, 1)
            results.append(result * mask + target * (1 - mask))
        metrics, shown = self._measured(results), self.recipe.sheet_rows
        inputs = [target * (1 - mask) + mask for target, mask in self.validation[:shown]]
        samples = {
            "input": sheet_column(inputs, 256),
            "output": sheet_column(results[:shown], 256),
            "target": sheet_column([target for target, _ in self.validation[:shown]], 256),
        }
        return Validation(metrics, score_of(metrics), samples, self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """What the best method without a network gets."""
        metrics = self._measured([_telea(target, mask) for target, mask in self.validation])
        return Baseline("telea", metrics, score_of(metrics))

    def _measured(self, results: list[Tensor]) -> dict[str, float]:
        pairs = zip(results, (target for target, _ in self.validation), strict=True)
        return mean_of([{"psnr": float(psnr(a, b).clamp(max=100))} | self.metric(a, b) for a, b in pairs])

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        mask = batch["condition"].expand(-1, 3, -1, -1)
        return {"input": batch["input"][:, 1:] + mask, "mask": mask, "target": batch["target"]}

    def identity(self) -> NetIdentity:
        facts: dict[str, object] = {"task": "inpaint", "facts": {"gan_trained": bool(self.options.adversarial)}}
        return NetIdentity(self.key, folded_config(self.key, self.config), facts)

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return folded(net)

    def facts(self) -> list[str]:
        return list(self._facts)

    def _masks(self, seeds: list[tuple[int, int]], height: int, width: int) -> Tensor:
        # Seeds are counted from 0; what validation draws must not meet what training draws.
        seeds = [(seed + 1, row) for seed, row in seeds]
        return torch.from_numpy(draw_masks(self.options.masks, height, width, seeds)).to(self.device)


def _telea(target: Tensor, mask: Tensor) -> Tensor:
    """(1, 3, H, W) in [0, 1] with the hole filled from its edge."""
    pixels = (target[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()
    filled = classical.fill(pixels, mask[0, 0].cpu().numpy() > 0.5, "telea")
    made = torch.from_numpy(filled).permute(2, 0, 1)[None].to(target) / 255
    return made * mask + target * (1 - mask)
