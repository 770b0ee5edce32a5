"""Composites to learn from and to measure with."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import torch

from imgfix.train.job import Draw
from imgfix.train.jobs.common import left_out
from imgfix.train.labelled import Labelled
from imgfix.train.overlays.assets import Assets, load_assets
from imgfix.train.overlays.compose import KINDS, Plan, compose, larger
from imgfix.train.pool import Pool, load_photos
from imgfix.train.recipe import Recipe

_MEGAPIXELS = 250
"""Photos kept in memory."""
_HELD_OUT_SEED = -1


class Settings(Protocol):
    """What of `imgfix.train.jobs.select.Options` this needs."""

    @property
    def fonts(self) -> tuple[str, ...]: ...
    @property
    def stickers(self) -> tuple[str, ...]: ...
    @property
    def val_fonts(self) -> tuple[str, ...]: ...
    @property
    def val_stickers(self) -> tuple[str, ...]: ...
    @property
    def none(self) -> float: ...
    @property
    def scene(self) -> float: ...


class OverlayDataset:
    """See `imgfix.train.labelled.LabelledDataset`; the classes are `imgfix.train.overlays.compose.KINDS`."""

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.crop, self.plan = recipe.crop, Plan(none=settings.none, scene=settings.scene)
        self.assets = load_assets(settings.fonts, settings.stickers)
        self.other_assets = load_assets(
            settings.val_fonts or settings.fonts, settings.val_stickers or settings.stickers
        )
        photos = load_photos(
            recipe.photos, crop=recipe.crop, device=torch.device("cpu"), held_out=recipe.val,
            fraction=recipe.val_fraction, megapixels=_MEGAPIXELS,
        )  # fmt: skip
        self.training, self.measured = photos.training, photos.held_out
        self.names = KINDS
        made_of = f"{len(self.assets.fonts['latin'])} fonts, {len(self.assets.stickers)} stickers"
        photos_used = f"composites over {len(self.training)} photos, {len(self.measured)} more to measure with"
        self.facts = (f"{photos_used}; {made_of}", *left_out(photos.skipped))

    def draw(self, seed: int, row: int) -> Labelled:
        """See `LabelledDataset.draw`."""
        return self._made(self.training, self.assets, seed, row)

    def held_out(self, count: int) -> list[Labelled]:
        """See `LabelledDataset.held_out`."""
        return [self._made(self.measured, self.other_assets, _HELD_OUT_SEED, row) for row in range(count)]

    def _made(self, photos: Pool, assets: Assets, seed: int, row: int) -> Labelled:
        draw = Draw(seed, row, 0, 1, 1)
        rng = np.random.default_rng(draw.seed_for("composite"))
        photo = photos.pixels_of(int(rng.integers(len(photos))))
        side = min(round(self.crop * larger(rng)), *photo.shape[:2])
        top, left = (int(rng.integers(0, length - side + 1)) for length in photo.shape[:2])
        cut = photo[top : top + side, left : left + side]
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)  # threads that wait for each other cost more than these small pictures
        try:
            made = compose(np.ascontiguousarray(cut), (self.crop, self.crop), assets, self.plan, rng)
        finally:
            cv2.setNumThreads(before)
        masks = tuple(one.mask for one in made.instances)
        return Labelled(made.picture, masks, tuple(KINDS.index(one.kind) + 1 for one in made.instances), row)
