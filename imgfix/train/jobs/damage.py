"""Training a network that finds the damage of prints, on damage drawn over photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.tasks import scratches
from imgfix.train.job import Baseline, Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import NetJob
from imgfix.train.jobs.common import left_out, sheet_column
from imgfix.train.pool import Pool, load_photos
from imgfix.train.recipe import Recipe
from imgfix.train.wear.compose import Plan, Worn, wear


@dataclass(frozen=True)
class Options(Plan):
    """Settings of `imgfix train damage`."""

    zoom: tuple[float, float] = (0.8, 3.0)
    """How much larger than a crop the part of a photo is that becomes one, evenly over the logarithm."""
    rare: float = 2.0
    """How many times more a damaged pixel weighs in the cross entropy, for they are few."""
    overlap: float = 0.5
    """Weight of the overlap of the mask with the damage (Dice, Milletari et al. 2016, arXiv 1606.04797)."""
    val_crop: int = 384
    """Largest side of a validation picture."""


DEFAULTS = {"crop": 256, "batch": 8, "lr": 1e-3}
SURE = 0.5
"""Chance from which a pixel counts as damaged."""
NEAR = 3
"""Pixels from damage within which a mark is right, for the edge of a scratch is where one wants it."""
_LEAST = 64
_HELD_OUT_SEED = -1


def build(recipe: Recipe, device: torch.device) -> DamageJob:
    """Make the job; raises ImgfixError for unusable photos, models or sizes."""
    return DamageJob(recipe, device)


class DamageJob(NetJob):
    """See `imgfix.train.job.TrainJob`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options = recipe.options or Options()
        if recipe.input:
            raise UsageError("damage is drawn over the photos; pairs cannot be given")
        if recipe.crop % 16 or recipe.crop < _LEAST or self.options.val_crop < _LEAST:
            raise UsageError(
                f"crop = {recipe.crop}, val_crop = {self.options.val_crop}: does not fit",
                hint=f"give a crop that is a multiple of 16; both are at least {_LEAST}",
            )
        low, high = self.options.zoom
        if not 0.25 <= low <= high:
            raise UsageError(f"zoom = {self.options.zoom}: give two numbers, of at least 0.25, the lower one first")
        self._start(task="damage", key="damageunet", config={}, check={"out_channels": 1})
        photos = load_photos(
            recipe.photos, crop=_LEAST, device=torch.device("cpu"), held_out=recipe.val, fraction=recipe.val_fraction
        )
        self.training = photos.training
        count = min(len(photos.held_out), recipe.val_limit)
        self.validation = [one for number in range(count) for one in self._measured(photos.held_out, number)]
        self._facts += [
            f"{len(self.training)} pictures, {self.training.megapixels:.0f} megapixels; {count} held out",
            *left_out(photos.skipped),
        ]

    def _measured(self, photos: Pool, number: int) -> list[Worn]:
        """A held-out photo with damage, and with nothing but lookalikes."""
        found = []
        for salt, plan in (("damaged", Plan(clean=0, lookalikes=0.3)), ("whole", Plan(clean=1, lookalikes=1))):
            rng = np.random.default_rng(Draw(_HELD_OUT_SEED, number, 0, 1, 1).seed_for(salt))
            photo = photos.pixels_of(number)
            side = min(self.options.val_crop, *(length // 16 * 16 for length in photo.shape[:2]))
            found.append(_worn(photo, side, plan, min(2.0, self.options.zoom[1]), rng))
        return found

    def sample(self, draw: Draw) -> Batch:
        made = [self._drawn(draw.seed, row) for row in draw.rows]
        return {
            "input": torch.stack([_tensor(one.picture) for one in made]).to(self.device),
            "target": torch.stack([_plane(one.mask) for one in made]).to(self.device),
            "care": torch.stack([_plane(one.care) for one in made]).to(self.device),
        }

    def _drawn(self, seed: int, row: int) -> Worn:
        rng = np.random.default_rng(Draw(seed, row, 0, 1, 1).seed_for("wear"))
        photo = self.training.pixels_of(int(rng.integers(len(self.training))))
        low, high = np.log(self.options.zoom)
        return _worn(photo, self.recipe.crop, self.options, float(np.exp(rng.uniform(low, high))), rng)

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        chance = networks["net"](batch["input"]).float().clamp(1e-6, 1 - 1e-6)
        target, care = batch["target"], batch["care"]
        surprise = self.options.rare * target * chance.log() + (1 - target) * (1 - chance).log()
        found = chance * care
        shared = 2 * (found * target).sum() / (found.sum() + target.sum() + 1)
        return {
            "entropy": -10 * (surprise * care).mean(),
            "overlap": self.options.overlap * (1 - shared),
        }

    def validate(self, net: nn.Module) -> Validation | None:
        if not self.validation:
            return None
        found = [net(_tensor(one.picture)[None].to(self.device))[0, 0].float().cpu().numpy() for one in self.validation]
        masks = [chance >= SURE for chance in found]
        metrics = scores(self.validation, masks)
        rows = list(range(min(self.recipe.sheet_rows, len(masks))))
        samples = {
            "input": sheet_column([_tensor(self.validation[i].picture)[None] for i in rows], 384),
            "found": sheet_column([_marked(self.validation[i].picture, masks[i]) for i in rows], 384),
            "target": sheet_column([_marked(self.validation[i].picture, self.validation[i].mask) for i in rows], 384),
        }
        return Validation(metrics, metrics["f1"], samples, self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """What the finder without a network gets, which knows scratches and dust alone."""
        masks = [scratches.find(one.picture.astype(np.float32) / 255) > 0 for one in self.validation]
        metrics = scores(self.validation, masks)
        return Baseline("the finder without a network", metrics, metrics["f1"])

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        marked = batch["input"] * 0.6
        marked[:, :1] = torch.maximum(marked[:, :1], batch["target"])
        marked[:, 1:2] = torch.maximum(marked[:, 1:2], 0.6 * (1 - batch["care"]))
        return {"input": batch["input"], "target": marked}

    def identity(self) -> NetIdentity:
        return NetIdentity(self.key, dict(self.config), {"task": "damage"})


def scores(pictures: Sequence[Worn], masks: Sequence[np.ndarray]) -> dict[str, float]:
    """Precision, recall, their harmonic mean, intersection over union, and what is marked where nothing is damaged.

    All pixels of all pictures together. A marked pixel is right when damage is within `NEAR` pixels; pixels that the
    truth is not certain of count for neither.

    Args:
        pictures: with the truth.
        masks: what was found in each, (H, W) bool.
    """
    right = marked = hit = damaged = both = either = false = undamaged = 0
    for one, mask in zip(pictures, masks, strict=True):
        near = cv2.dilate(one.mask.astype(np.uint8), np.ones((2 * NEAR + 1,) * 2, np.uint8)) > 0
        right += int((mask & near).sum())
        marked += int((mask & (near | one.care)).sum())
        hit += int((mask & one.mask).sum())
        damaged += int(one.mask.sum())
        both += int((mask & one.mask & one.care).sum())
        either += int(((mask | one.mask) & one.care).sum())
        if not one.mask.any():
            false += int(mask.sum())
            undamaged += mask.size
    precision, recall = right / max(marked, 1), hit / max(damaged, 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "iou": both / max(either, 1),
        "false": false / max(undamaged, 1),
    }


def _worn(photo: np.ndarray, side: int, plan: Plan, zoom: float, rng: np.random.Generator) -> Worn:
    """A square of a photo (H, W, 3) uint8, turned, brought to `side` pixels and worn down."""
    cut = min(round(side * zoom), *photo.shape[:2])
    top, left = (int(rng.integers(0, length - cut + 1)) for length in photo.shape[:2])
    square = np.rot90(photo[top : top + cut, left : left + cut], int(rng.choice([0, 0, 0, 1, 2, 3])))
    if rng.random() < 0.5:
        square = square[:, ::-1]
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # threads that wait for each other cost more than these small pictures
    try:
        how = cv2.INTER_AREA if cut > side else cv2.INTER_CUBIC
        return wear(cv2.resize(np.ascontiguousarray(square), (side, side), interpolation=how), plan, rng)
    finally:
        cv2.setNumThreads(before)


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255


def _plane(mask: np.ndarray) -> Tensor:
    return torch.from_numpy(mask).float()[None]


def _marked(picture: np.ndarray, mask: np.ndarray) -> Tensor:
    shown = _tensor(picture)[None] * 0.6
    shown[0, 0] = torch.maximum(shown[0, 0], torch.from_numpy(mask).float())
    return shown
