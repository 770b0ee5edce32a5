"""What prints suffer: scratches, dust and tears, found or given as a mask and filled; and fading, measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.pipelines.options import RestoreRequest
from imgfix.pipelines.result import Progress, Result

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import Picture
    from imgfix.pipelines.models import DamageModels
    from imgfix.tasks.fading import Fading


@dataclass(frozen=True)
class Marks:
    """Where a print is damaged."""

    mask: np.ndarray
    """(H, W) float32, above 0 = damaged."""
    share: float
    """Part of the picture."""
    given: bool
    """Whether the mask was handed in, not found."""
    notes: tuple[str, ...] = ()

    def in_words(self, done: str = "") -> str:
        """`scratches on 0.41 % filled`; done: what was done about them."""
        from imgfix.media import mask as masks

        if self.share == 0:
            return "the mask is empty" if self.given else "no scratches found"
        what = "mask" if self.given else "scratches"
        return " ".join(word for word in (what, "on", masks.percent(self.share), done) if word)


class Prints:
    """The part of `imgfix restore` that is about prints. engines: open the filler."""

    def __init__(self, request: RestoreRequest, engines: DamageModels) -> None:
        self.request, self._engines = request, engines

    def marks(self, picture: Picture, weight: np.ndarray | None, source: Any, relative: Path | None) -> Marks:
        """What is damaged: of the mask that was given, or found.

        weight: (H, W), 0 where the picture is not worked on. Raises InputError: the mask does not fit.
        """
        from imgfix.media import mask as masks
        from imgfix.pipelines.region import Region
        from imgfix.tasks import scratches

        if self.request.scratch_mask is not None:
            given = self.request.scratch_mask
            region = Region(mask=Path(given) if isinstance(given, str) else given)
            mask, notes = region.given(source, relative, (picture.width, picture.height))
            mask = _within(mask, weight)
            if mask.any():
                masks.check(mask)
            return Marks(mask, masks.coverage(mask), True, tuple(notes))
        mask = _within(scratches.find(srgb(picture)), weight)
        return Marks(mask, masks.coverage(mask), False)

    def filled(self, picture: Picture, marks: Marks, progress: Progress) -> tuple[np.ndarray, Result]:
        """The pixels with the damage filled (the same array where there is none), and what is said of it."""
        from imgfix.media import colour
        from imgfix.tasks.inpaint import InpaintOptions, inpaint

        if marks.share == 0:
            return picture.pixels, Result(coverage=0.0, summary=(marks.in_words(),), notes=marks.notes)
        filler = self._engines.filler()
        transform = colour.transform(picture.metadata, picture.channels)
        pixels = inpaint(
            picture.pixels, marks.mask, filler, InpaintOptions(tta=False), colour=transform, alpha=picture.alpha,
            progress=progress,
        )  # fmt: skip
        name = filler if isinstance(filler, str) else filler.descriptor.name
        said = (marks.in_words("filled"),)
        return pixels, Result(coverage=marks.share, summary=said, filler=name, notes=marks.notes)

    def fading(self, pixels: np.ndarray, transform: ColourTransform, alpha: np.ndarray | None) -> Fading | None:
        """How faded the print is, where that is to be undone; `None` for not at all.

        pixels: as the file has them, damage filled. alpha: what is transparent is not looked at.
        """
        from imgfix.tasks import fading

        if not self.request.fades:
            return None
        hidden = None if alpha is None else (alpha == 0).astype(np.float32)
        return fading.find(transform.to_srgb(pixels), hidden)


def srgb(picture: Picture) -> np.ndarray:
    """The picture as (H, W, 3) float32 in [0, 1], sRGB-encoded."""
    from imgfix.media import colour

    return colour.transform(picture.metadata, picture.channels).to_srgb(picture.pixels)


def _within(mask: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """A mask without what lies outside the part that is worked on."""
    return mask if weight is None else np.where(weight >= 0.5, mask, 0)
