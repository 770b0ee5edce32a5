"""The part of a picture or a clip that `restore` and `upscale` work on, where it is not all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.pipelines.choosing import TASKS, ModelTools, own_names, write_mask
from imgfix.pipelines.followed import SavedMasks
from imgfix.pipelines.region import Region
from imgfix.pipelines.result import Facts

if TYPE_CHECKING:
    from imgfix.media.picture import Picture
    from imgfix.pipelines.models import Models
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.pipelines.options import PartRequest
    from imgfix.tasks.frames import ResampledFrames
    from imgfix.tasks.sequence import SequenceTask

    Find = Callable[[], Any]
    IfFound = Callable[[Find, str], tuple[Any, tuple[str, ...]]]


@dataclass(frozen=True)
class MovingPart:
    """Some work on a part of every frame."""

    task: SequenceTask
    said: str
    binding: dict[str, Any] = field(default_factory=dict)
    """What the frames depend on besides."""
    notes: tuple[str, ...] = ()
    nothing: bool = False
    """There is no such part, and nothing is worked on."""


class Part:
    """What a request says of it. if_found: as of `Pipeline.if_found`.

    Raises UsageError, ModelError: no such model.
    """

    def __init__(self, asked: PartRequest, models: Models, overwrite: bool, if_found: IfFound) -> None:
        from imgfix.tasks.part import Edge

        named = models.choose(TASKS, model=asked.detector) if asked.detector != "auto" else None
        self.region = Region.of_request(asked, own_names(named), whole=True)
        self.edge = Edge(asked.except_, asked.feather)
        self.tools = ModelTools(models, named, "detector")
        self._save_mask, self._overwrite, self._listener = asked.save_mask, overwrite, models.listener
        self._if_found = if_found

    @classmethod
    def of(cls, asked: PartRequest, models: Models, overwrite: bool, if_found: IfFound) -> Part | None:
        """None: all of it is worked on."""
        return cls(asked, models, overwrite, if_found) if asked.has_region else None

    @property
    def _instead(self) -> str:
        """What is done where there is no such part."""
        return "all of it is worked on" if self.edge.rest else "nothing is worked on"

    def prepare(self) -> None:
        """Open what finds it, so that what is wrong is said before any work. Raises ModelError, MissingExtraError."""
        self.tools.prepare(self.region.choices)

    def of_picture(
        self, picture: Picture, source: object, relative: Path | None, save: Path | None = None
    ) -> tuple[np.ndarray, Facts]:
        """The share of the work in each pixel, (H, W) float32 in [0, 1], and what is said of it.

        save: where the mask of what is worked on is written. Raises as `Region.of_picture`, and OutputError.
        """
        from imgfix.media import mask as masks

        found, notes = self._if_found(
            lambda: self.region.of_picture(picture, source, relative, self.tools), self._instead
        )
        if found is None:
            mask = np.zeros((picture.height, picture.width), np.float32)
        else:
            mask, notes = found
        weight = self.edge.weight(mask)
        if save is not None:
            write_mask(save, weight)
        share, words = masks.coverage(weight), self.summary(weight)
        return weight, Facts(coverage=share, summary=(words,), notes=tuple(notes))

    def summary(self, weight: np.ndarray | float) -> str:
        """What is said of it: `12.3 % worked on`."""
        from imgfix.media import mask as masks

        share = weight if isinstance(weight, float) else masks.coverage(weight)
        return f"{masks.percent(share)} worked on"

    def refuse_moving(self, source: object) -> None:
        """Raise UsageError for what is asked of a clip and is for single pictures."""
        self.region.refuse_moving(source)

    def of_moving(
        self,
        task: SequenceTask,
        moving: Moving,
        relative: Path | None,
        alone: bool,
        plain: ResampledFrames | None = None,
        dry: bool = False,
    ) -> MovingPart:
        """Some work on a part of every frame.

        plain: what the rest of a frame becomes, None for the frame itself. dry: a plan is made. Raises as
        `Region.of_moving`.
        """
        from imgfix.tasks.as_it_is import AsItIs
        from imgfix.tasks.part import PartOfFrames

        saved = None
        if self._save_mask is not None and not dry:
            saved = SavedMasks(self._save_mask, moving, relative, alone, self._overwrite)
        there, notes = self._if_found(
            lambda: self.region.of_moving(moving, relative, alone, self.tools, self._listener, dry), self._instead
        )
        if there is None:
            said, binding = self.summary(float(self.edge.rest)), {"part": self._instead}
            if self.edge.rest:
                return MovingPart(task, said, binding, notes)
            return MovingPart(AsItIs() if plain is None else plain, said, binding, notes, nothing=True)
        found, share, digest, notes = there
        if saved is not None:
            saved.write(found)
        binding = {
            **self.region.binding,
            "mask": digest,
            **{f"edge {key}": value for key, value in asdict(self.edge).items()},
        }
        words = self.summary(1 - share if self.edge.rest else share)
        rest = None if plain is None else plain.enlarged
        return MovingPart(PartOfFrames(task, found, self.edge, rest), words, binding, tuple(notes))
