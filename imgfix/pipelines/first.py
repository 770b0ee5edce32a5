"""Noise and JPEG artefacts that are found, taken away before something else is done in the same pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgfix.pipelines.models import DamageModels
from imgfix.pipelines.moving import work
from imgfix.pipelines.restore import facts_of, in_words, look_at, look_at_picture
from imgfix.pipelines.result import Facts

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.media.picture import Picture
    from imgfix.pipelines.models import Models
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.pipelines.result import Progress
    from imgfix.tasks.restore import Step
    from imgfix.tasks.sequence import SequenceTask


class First:
    """What `imgfix restore` does when nothing is named, as a first stage.

    Args:
        models: those of the run.
        tile: side of the tiles; None: as it fits.
    """

    def __init__(self, models: Models, tile: int | None) -> None:
        from imgfix.tasks.restore import RestoreOptions

        self.engines = DamageModels(models)
        self.wanted = RestoreOptions(tile=tile).filled()

    def picture(self, picture: Picture, transform: ColourTransform, progress: Progress) -> tuple[Picture, Facts]:
        """The same picture restored, or as it is where nothing was found; and what is to be said of it."""
        from imgfix.tasks import restore

        self.engines.pixels, self.engines.dry = picture.width * picture.height, False
        found, steps, notes = look_at_picture(picture, picture.pixels, transform, self.wanted, self.engines)
        facts = Facts(summary=tuple(in_words(found, steps)), restored=facts_of(found, steps), notes=tuple(notes))
        if not steps:
            return picture, facts
        pixels = restore.restore(
            picture.pixels, steps, self.wanted, alpha=picture.alpha, colour=transform, progress=progress
        )  # fmt: skip
        return replace(picture, pixels=pixels), facts

    def moving(self, moving: Moving, dry: bool = False, steady: bool = False) -> tuple[SequenceTask, list[Step], Facts]:
        """The work on each frame, the runs of networks for it, and what is to be said; dry: only a plan is made."""
        self.engines.pixels, self.engines.dry = work.pixels(moving), dry
        return look_at(moving, self.wanted, self.engines, steady)
