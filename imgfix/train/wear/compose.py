"""A photo worn: lookalikes drawn into it, printed and aged, damaged, and scanned, with the mask of the damage."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.train.wear import lookalikes, marks
from imgfix.train.wear.ageing import printed, scanned
from imgfix.train.wear.marks import Mark

HIDDEN = 0.3
"""How much of the picture is hidden, of the most that a mark hides, from which a pixel counts as damaged."""
SEEN = 0.045
"""How much, of 1, damage changes a pixel that is to be found."""
FAINT = 0.012
"""A change below this is none; between the two nothing is learned."""


@dataclass(frozen=True)
class Plan:
    """How often what is drawn."""

    clean: float = 0.2
    """Part of the pictures without damage."""
    lookalikes: float = 0.45
    """Part of the pictures that get lookalikes of damage, one or two kinds."""
    kinds: tuple[float, ...] = (4.0, 2.5, 1.5, 1.5, 1.2, 1.0, 0.8, 0.8)
    """How often each of `imgfix.train.wear.marks.KINDS`."""


@dataclass(frozen=True)
class Worn:
    """A damaged picture."""

    picture: np.ndarray
    """(H, W, 3) uint8."""
    mask: np.ndarray
    """(H, W) bool: what is damaged, and can be seen to be."""
    care: np.ndarray
    """(H, W) bool: where the mask is certain; not at soft edges, nor where damage cannot be seen."""
    whole: np.ndarray
    """(H, W, 3) float32: the print without the damage, not scanned."""


def wear(photo: np.ndarray, plan: Plan, rng: np.random.Generator) -> Worn:
    """Wear a photo (H, W, 3) uint8 down; its sides are multiples of nothing and at least 64 pixels."""
    picture = photo.astype(np.float32) / np.float32(255)
    if rng.random() < plan.lookalikes:
        for name in rng.choice(list(lookalikes.KINDS), int(rng.integers(1, 3)), replace=False):
            lookalikes.KINDS[str(name)](picture, rng)
    whole = printed(np.clip(picture, 0, 1), rng)
    if rng.random() < plan.clean:
        mask = np.zeros(whole.shape[:2], bool)
        return Worn(scanned(whole, rng), mask, ~mask, whole)
    chances = np.asarray(plan.kinds, np.float64) / sum(plan.kinds)
    count = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))
    names = rng.choice(list(marks.KINDS), count, replace=False, p=chances)
    made = whole.copy()
    covered = np.zeros(whole.shape[:2], np.float32)
    for name in names:
        for mark in marks.KINDS[str(name)](whole.shape[:2], rng):
            np.maximum(covered, _hidden(mark), out=covered)
            _lay(made, mark)
    change = np.abs(made - whole).max(axis=2)
    mask = (covered >= HIDDEN) & (change >= SEEN)
    around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    care = mask | (~around & (change < FAINT))
    return Worn(scanned(made, rng), mask, care, whole)


def _hidden(mark: Mark) -> np.ndarray:
    """The mark's alpha as a part of its highest; of a stain, as it is: a faint one is left where it is."""
    return mark.alpha * (np.float32(1) - mark.colour.mean()) if mark.multiplies else _relative(mark.alpha)


def _relative(alpha: np.ndarray) -> np.ndarray:
    most = float(alpha.max(initial=0))
    return alpha / np.float32(most) if most > 0 else alpha


def _lay(picture: np.ndarray, mark: Mark) -> None:
    rows, columns = (np.flatnonzero(mark.alpha.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    below, colour = picture[part], mark.colour if mark.colour.ndim == 1 else mark.colour[part]
    below += ((below * colour if mark.multiplies else colour) - below) * mark.alpha[part][..., None]
