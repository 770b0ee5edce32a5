"""Pictures with the masks of the things in them, for detectors to learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Labelled:
    """A picture and what is in it."""

    picture: np.ndarray
    """(H, W, 3) uint8, sRGB."""
    masks: tuple[np.ndarray, ...]
    """One for each thing: (H, W) bool, none of them empty."""
    classes: tuple[int, ...]
    """What each thing is, from 1."""
    row: int = 0
    """Which sample of the run this is."""


class LabelledDataset(Protocol):
    """Where the pictures of a training come from."""

    names: tuple[str, ...]
    """Of the classes from 1 on."""
    facts: tuple[str, ...]
    """Lines for the start of the run."""

    def draw(self, seed: int, row: int) -> Labelled:
        """A sample to learn from, a square of the recipe's crop: a pure function of its arguments."""
        ...

    def held_out(self, count: int) -> list[Labelled]:
        """At most so many pictures to measure with, always the same."""
        ...
