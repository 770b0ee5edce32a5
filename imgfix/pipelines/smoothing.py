"""What makes the frames between frames: settled once for all files, opened when a clip needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgfix.errors import ModelError
from imgfix.pipelines import models
from imgfix.pipelines.options import SMOOTHING, ClipOptions

if TYPE_CHECKING:
    from imgfix.pipelines.models import Models
    from imgfix.tasks.interpolate import Between

TASK = "interpolate"


class Smoothing:
    """The model or method of `smooth`. Raises ModelError: none is here, or it does something else."""

    def __init__(self, clips: ClipOptions, models: Models) -> None:
        self._models = models
        self.choice = None
        self._between: Between | None = None
        if clips.smooth is None:
            return
        try:
            self.choice = models.choose(TASK, also=SMOOTHING, model=clips.smooth_model)
        except ModelError as error:
            if clips.smooth_model == "auto":
                error.add_hint(f"or use `smooth_model` {SMOOTHING[0]}, optical flow that needs no weights")
            raise

    @property
    def name(self) -> str | None:
        """Of what makes them; None where none are made."""
        return None if self.choice is None else self.choice.name

    def missing(self) -> int | None:
        """Bytes to fetch first, None where that is nothing."""
        if self.choice is None or self.choice.name in SMOOTHING:
            return None
        return models.bytes_to_pull(self.choice)

    def between(self, dry: bool = False) -> Between | None:
        """What makes the frames; None where none are made, or, in a plan, where the model has to be fetched first.

        dry: only a plan will be made. Raises ModelError, DownloadError.
        """
        from imgfix.tasks.interpolate import ByFlow, ByNetwork

        if self.choice is None:
            return None
        if self._between is None:
            missing = self.missing()
            if dry and missing is not None:
                self._models.listener.missing(self.choice.name, missing)
                return None
            if self.choice.name in SMOOTHING:
                self._models.listener.classical(self.choice.name)
                self._between = ByFlow()
            else:
                self._between = ByNetwork(self._models.open(self.choice, TASK))
        return self._between
