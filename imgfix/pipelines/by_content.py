"""The model `auto` for single pictures: what a picture shows decides among the models that are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from imgfix.pipelines.models import ModelChoice

if TYPE_CHECKING:
    from imgfix.tasks.content import Kind

PLAIN: Mapping[str, str] = MappingProxyType({"pixels": "nearest", "text": "bicubic", "screen": "bicubic"})
"""What is resampled, and how. Bicubic keeps the colours of letters and thin lines better than Lanczos, which
overshoots, and than any network; see `tests/bench/content.py`."""


@dataclass(frozen=True)
class Fitting:
    """The model for one picture."""

    choice: ModelChoice
    usual: ModelChoice
    """The one for photos, whose scale holds where no size is asked for."""
    content: str | None = None
    """What the picture shows, in a word; None where nobody looked, because a model was named."""
    why: str = ""

    @property
    def summary(self) -> tuple[str, ...]:
        """For the line of a result: said where the picture is not enlarged like a photo."""
        return () if self.content in (None, "photo") else (f"{self.content}: {self.choice.name}",)


def fitting(pixels: np.ndarray, alpha: np.ndarray | None, usual: ModelChoice, accelerated: bool, scale: int) -> Fitting:
    """The model for a picture.

    Args:
        pixels, alpha: as of `imgfix.tasks.content.look`.
        usual: what photos get.
        accelerated: whether there is a device that makes even large models quick.
        scale: how many times the picture is to grow.
    """
    from imgfix.tasks.content import look

    found = look(pixels, alpha)
    content = "pixel art" if found.kind == "pixels" else found.kind
    return Fitting(_choice(found.kind, usual, accelerated, scale), usual, content, found.why)


def _choice(kind: Kind, usual: ModelChoice, accelerated: bool, scale: int) -> ModelChoice:
    from imgfix.zoo import auto

    if kind in PLAIN:
        return ModelChoice(PLAIN[kind])
    drawn = auto.for_drawings(usual.name, scale, patient=accelerated) if kind == "drawing" else None
    return ModelChoice(drawn) if drawn is not None else usual


def frame_of(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and alpha of a frame (H, W, 3|4)."""
    return picture[..., :3], picture[..., 3] if picture.shape[2] == 4 else None
