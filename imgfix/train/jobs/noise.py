"""Training a network that reads the noise level of a picture, through the denoiser that will be told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.metrics.psnr import psnr
from imgfix.train.job import Baseline, Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import NetJob, load_material
from imgfix.train.jobs.common import centre, left_out, sheet_column
from imgfix.train.placement import channels_last
from imgfix.train.pool import Pool
from imgfix.train.recipe import Recipe
from imgfix.train.spoil import Spoiling, as_measured, spoil


@dataclass(frozen=True)
class Options(Spoiling):
    """Settings of `imgfix train noise`."""

    told: float = 1.0
    """Weight of the error, in dB, of what the denoiser makes when told the level that was read."""
    level: float = 3.0
    """Weight of the ratio by which the deviations in luma and chroma are off, and the level of what has no noise."""
    window: int = 96
    """Side of the part of a crop that the denoiser is given."""
    halved: float = 0.5
    """Part of the batches whose photos are brought down to half their size first, which makes texture finer."""
    val_crop: int = 256
    """Largest side of a validation picture."""


FAINT = 1 / 255
"""Added to both levels before their ratio is taken: what differs below it is of no weight."""
SEEN = 2.0 / 255
"""A deviation in luma from which a clean validation picture counts as taken for a noisy one."""
_LEAST_ERROR = (0.7 / 255) ** 2
DEFAULTS = {"crop": 192, "batch": 16, "lr": 1e-3, "teacher": "ffdnet-color"}


def build(recipe: Recipe, device: torch.device) -> NoiseJob:
    """Make the job; raises ImgfixError for unusable photos, models or sizes."""
    return NoiseJob(recipe, device)


class NoiseJob(NetJob):
    """See `imgfix.train.job.TrainJob`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        if recipe.input:
            raise UsageError("noise is made for the photos; pairs cannot be given")
        if recipe.crop % 8 or not 8 <= self.options.window <= recipe.crop or self.options.window % 2:
            raise UsageError(
                f"crop = {recipe.crop}, window = {self.options.window}: does not fit",
                hint="give a crop that is a multiple of 8, and an even window within it",
            )
        self._start(task="noise", key="noiselevel", config={}, check={})
        self.denoiser = _denoiser(recipe, device)
        # Crops are cut 8 larger and trimmed, so that JPEG's grid of blocks falls anywhere.
        photos = load_material(recipe, device, crop=(recipe.crop + 8) * (2 if self.options.halved else 1))
        self.training: Pool = photos.training
        clean = [centre(picture, self.options.val_crop, 16) for picture in photos.held_out_pictures(recipe.val_limit)]
        self.validation = as_measured(clean)
        self._facts += [photos.facts(len(clean)), *left_out(photos.skipped)]

    def sample(self, draw: Draw) -> Batch:
        crop = self.recipe.crop + 8
        halved = torch.rand((), generator=draw.cpu_generator).item() < self.options.halved
        side = 2 * crop if halved else crop
        target = self.training.take(self.training.windows(draw, side), side)
        if halved:
            target = F.avg_pool2d(target, 2)
        target, damaged, _, parts = spoil(target, self.options, draw.cpu_generator, draw.generator)
        top, left = torch.randint(0, 8, (2,), generator=draw.cpu_generator).tolist()
        rows, columns = slice(top, top + self.recipe.crop), slice(left, left + self.recipe.crop)
        y, x = torch.randint(0, self.recipe.crop - self.options.window + 1, (2,), generator=draw.cpu_generator).tolist()
        return {
            "input": damaged[..., rows, columns],
            "target": target[..., rows, columns],
            "damage": parts,
            "window": torch.tensor([y, x]),
        }

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        read, damage = networks["net"](batch["input"]), batch["damage"]
        y, x = batch["window"].tolist()
        part = (..., slice(y, y + self.options.window), slice(x, x + self.options.window))
        made = self._told(batch["input"][part], read[:, :1]).float()
        error = (made - batch["target"][part]).square().mean((1, 2, 3))
        noisy = damage[:, 0] > 0
        # A JPEG without noise is not for the denoiser to undo: its level is none, whatever would gain.
        counts = noisy | (damage[:, 2] < 0.09)
        decibel = 10 * (error + _LEAST_ERROR).log10() * counts
        deviations = _apart(read[:, 1:], damage[:, :2]).mean()
        none = (_apart(read[:, 0], torch.zeros_like(read[:, 0])) * ~noisy).mean()
        return {"told": self.options.told * decibel.mean(), "level": self.options.level * (deviations + none)}

    def _told(self, picture: Tensor, level: Tensor) -> Tensor:
        """What the denoiser makes of a batch when told these levels, (N, 1)."""
        told = level.to(picture.dtype)[..., None, None].expand(-1, 1, *picture.shape[-2:])
        made: Tensor = self.denoiser(torch.cat([picture, told], dim=1))
        return made

    def validate(self, net: nn.Module) -> Validation:
        metrics: dict[str, float] = {}
        samples: dict[str, Tensor] = {}
        shown = self.recipe.sheet_rows
        for name, pairs in self.validation.items():
            results, values, reads = [], [], []
            for low, high in pairs:
                read = net(low)
                results.append(self._told(low, read[:, :1]).float().clamp(0, 1))
                values.append(float(psnr(results[-1], high).clamp(max=50)))
                reads.append(read[0].cpu() * 255)
            metrics[f"psnr_{name}"] = sum(values) / len(values)
            metrics[f"luma_{name}"] = float(torch.stack(reads)[:, 1].mean())
            if name in ("clean", "jpeg40", "jpeg80"):
                metrics[f"taken_{name}"] = sum(float(read[1]) >= SEEN * 255 for read in reads) / len(reads)
            samples[name] = sheet_column([low for low, _ in pairs[:shown]], 256)
            samples[f"{name} denoised"] = sheet_column(results[:shown], 256)
        return Validation(metrics, _score(metrics), samples, self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """The pictures as they are, of which nothing is taken for noise."""
        kept = {
            f"psnr_{name}": sum(float(psnr(low, high).clamp(max=50)) for low, high in pairs) / len(pairs)
            for name, pairs in self.validation.items()
        }
        return Baseline("the input", kept, _score(kept))

    def identity(self) -> NetIdentity:
        return NetIdentity(self.key, dict(self.config), {"task": "noise", "degradation": "noise"})


def _score(metrics: Mapping[str, float]) -> float:
    """Mean PSNR of what is noisy or clean, less 2 dB where every clean picture is taken for a noisy one."""
    known = [value for key, value in metrics.items() if key.startswith("psnr") and "jpeg" not in key]
    taken = [value for key, value in metrics.items() if key.startswith("taken")]
    return sum(known) / len(known) - 2 * sum(taken) / max(1, len(taken))


def _denoiser(recipe: Recipe, device: torch.device) -> nn.Module:
    if not recipe.teacher:
        raise UsageError("no denoiser is given whose level is to be read", hint="add `teacher=ffdnet-color`")
    model = zoo.load(recipe.teacher)
    if model.descriptor.in_channels != 4 or model.descriptor.out_channels != 3:
        raise ModelError(f"{recipe.teacher} is not a denoiser of colour pictures that is told a level")
    net = model.net.to(device).eval().requires_grad_(False)
    if recipe.channels_last:
        channels_last(net, device)
    return net


def _apart(found: Tensor, true: Tensor) -> Tensor:
    """By which ratio levels differ, as a logarithm."""
    return ((found.float() + FAINT) / (true + FAINT)).log().abs()
