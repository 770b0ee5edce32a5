"""Training an inpainter: photos with drawn holes, taught by a larger model and by a discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.metrics.psnr import psnr
from imgfix.tasks import classical
from imgfix.train.job import Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import PairedJob, load_material
from imgfix.train.jobs.common import LossWeights, centre, folded_config, left_out, mean_of, sheet_column
from imgfix.train.masks import KINDS, draw_masks
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


Pictures = list[Tensor]


class InpaintJob(PairedJob[Pictures]):
    """See `imgfix.train.job.TrainJob`; "input" has the mask in channel 0 (1 = fill) and the picture in 1 to 3."""

    BASELINE = "telea"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        if len(self.options.masks) != len(KINDS) or sum(self.options.masks) <= 0 or min(self.options.masks) < 0:
            raise UsageError(f"masks = {self.options.masks}: give {len(KINDS)} weights for {', '.join(KINDS)}")
        if recipe.input:
            raise UsageError("inpainting makes its own holes", hint="give a folder of photos instead of `input`")
        config = {"resolution": recipe.crop} if recipe.crop & (recipe.crop - 1) == 0 else {}
        start = self._start(task="inpaint", key="migan", config=config, check={"in_channels": 4})
        multiple = int(start.described.get("size_multiple", 1))
        if recipe.crop % multiple:
            raise UsageError(f"crop = {recipe.crop}: this network needs a multiple of {multiple}")
        self._judge_by(self.options, conditions=1)
        self.material = load_material(recipe, device, crop=recipe.crop)
        held_out = self.material.held_out_pictures(recipe.val_limit)
        clean = [centre(picture, recipe.crop, multiple) for picture in held_out]
        self.validation = [
            (picture, self._masks([(-1, number)], picture.shape[-2], picture.shape[-1]))
            for number, picture in enumerate(clean)
        ]
        self._facts += [self.material.facts(len(self.validation)), *left_out(self.material.skipped)]

    def sample(self, draw: Draw) -> Batch:
        crop, photos = self.recipe.crop, self.material.training
        target = photos.take(photos.windows(draw, crop), crop)
        mask = self._masks([(draw.seed, row) for row in draw.rows], crop, crop)
        return {"input": torch.cat((mask, target * (1 - mask)), dim=1), "target": target, "condition": mask}

    def net_losses(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
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
        return super().validate(net) if self.validation else None

    def results(self, net: nn.Module) -> Pictures:
        results = []
        for target, mask in self.validation:
            result = net(torch.cat((mask, target * (1 - mask)), dim=1)).float().clamp(0, 1)
            results.append(result * mask + target * (1 - mask))
        return results

    def without_net(self) -> Pictures:
        return [_telea(target, mask) for target, mask in self.validation]

    def samples(self, made: Pictures) -> dict[str, Tensor]:
        shown = self.validation[: self.recipe.sheet_rows]
        return {
            "input": sheet_column([target * (1 - mask) + mask for target, mask in shown], 256),
            "output": sheet_column(made[: len(shown)], 256),
            "target": sheet_column([target for target, _ in shown], 256),
        }

    def measured(self, made: Pictures) -> dict[str, float]:
        pairs = zip(made, (target for target, _ in self.validation), strict=True)
        return mean_of([{"psnr": float(psnr(a, b).clamp(max=100))} | self.metric(a, b) for a, b in pairs])

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        mask = batch["condition"].expand(-1, 3, -1, -1)
        return {"input": batch["input"][:, 1:] + mask, "mask": mask, "target": batch["target"]}

    def identity(self) -> NetIdentity:
        facts: dict[str, object] = {"task": "inpaint", "facts": {"gan_trained": bool(self.options.adversarial)}}
        return NetIdentity(self.key, folded_config(self.key, self.config), facts)

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
