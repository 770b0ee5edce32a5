"""The faces that `restore` restores when all else is done: the two models for it, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgfix.errors import ModelError
from imgfix.pipelines.models import DamageModels, ModelChoice, Models, bytes_to_pull
from imgfix.pipelines.result import FaceFacts, Progress, StepFacts

if TYPE_CHECKING:
    import numpy as np

    from imgfix.media.colour import ColourTransform
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.faces.clip import FaceFrames
    from imgfix.tasks.faces.face import Face
    from imgfix.tasks.faces.find import FaceFinder

FINDER = "yunet"
"""What finds faces for a restorer that is named, and is fetched with it."""
TASK = "faces"


class Faces:
    """Finds faces and restores them; both models are opened when they are first needed.

    share: of what the network changes, 0 to 1. named: the restorer, None for the best on this machine.
    """

    def __init__(self, models: Models, engines: DamageModels, share: float, named: ModelChoice | None = None) -> None:
        self._models, self._engines, self._share, self._named = models, engines, share, named
        self._frames: FaceFrames | None = None

    def bytes_to_pull(self) -> int | None:
        """Of the finder, where it would be fetched with the restorer that is named; None: it would not."""
        return bytes_to_pull(ModelChoice(FINDER)) if self._named is not None else None

    def prepare(self) -> None:
        """Open both models. Raises ModelError that names all that is missing."""
        missing = []
        for open_one in (lambda: self.engine, lambda: self.finder):
            try:
                open_one()
            except ModelError as error:
                hint = error.hint or ""
                if self._named is not None or not hint.startswith(_PULL):
                    raise
                missing.append(hint.removeprefix(_PULL))
        if missing:
            raise ModelError("the models that find and restore faces are not both here", hint=_PULL + " ".join(missing))

    @property
    def engine(self) -> Engine:
        """What restores a face. Raises ModelError."""
        engine = self._engines(TASK)
        facts = engine.descriptor
        if (facts.scale, facts.in_channels, facts.out_channels) != (1, 3, 3):
            raise ModelError(f"{facts.name} does not make a face of a face", hint="see: imgfix weights list")
        return engine

    @property
    def finder(self) -> FaceFinder:
        """What finds faces. Raises ModelError."""
        from imgfix.tasks.faces.find import FaceFinder
        from imgfix.zoo import auto

        choice = ModelChoice(FINDER) if self._named is not None else ModelChoice(*auto.resolve(TASK))
        device = str(self.engine.placement.device)
        return self._models.ready("face finder", choice, TASK, lambda model: FaceFinder(model, device))

    def find(self, pixels: np.ndarray, transform: ColourTransform) -> list[Face]:
        """The faces of a picture."""
        return self.finder.find(pixels, transform)

    def restore(
        self, pixels: np.ndarray, transform: ColourTransform, alpha: np.ndarray | None, progress: Progress
    ) -> tuple[np.ndarray, list[Face]]:
        """The pixels with the faces in them restored (the same array where there are none), and all that were found."""
        from imgfix.tasks.faces.restore import FaceRequest, restore_faces

        found = self.find(pixels, transform)
        wanted = [FaceRequest(face, self._share) for face in found if not face.left_alone]
        if not wanted:
            return pixels, found
        engine = self.engine.for_samples(pixels.dtype)
        return restore_faces(pixels, wanted, engine, colour=transform, alpha=alpha, progress=progress), found

    def seconds(self, found: Sequence[Face]) -> float:
        """Time that restoring them takes, roughly; measures the model the first time."""
        side = self.engine.descriptor.native_size or 512
        number = sum(not face.left_alone for face in found)
        return number * side**2 * self.engine.cost.seconds_per_pixel if number else 0.0

    def frames(self) -> FaceFrames:
        """The work on a clip."""
        from imgfix.tasks.faces.clip import FaceFrames

        self._frames = FaceFrames(self.finder, self.engine, self._share)
        return self._frames

    @property
    def notes(self) -> list[str]:
        """What is to be said of a clip once its frames were made."""
        if self._frames is None or self._frames.with_faces or not self._frames.frames:
            return []
        return ["no face was found that could be restored"]

    def step(self) -> StepFacts:
        """The restorer as one of the steps of a restoration."""
        facts, where = self.engine.descriptor, self.engine.placement
        return StepFacts((TASK,), facts.name, None, str(where.device), where.precision, where.engine)

    def in_words(self, found: Sequence[Face]) -> str:
        """`2 of 3 faces by gfpgan-1.4`."""
        number = sum(not face.left_alone for face in found)
        if not number:
            return f"none of {_faces(len(found))} restored" if found else "no faces found"
        several = _faces(number) if number == len(found) else f"{number} of {_faces(len(found))}"
        return f"{several} by {self.engine.descriptor.name}"


_PULL = "imgfix weights pull "


def _faces(number: int) -> str:
    return "1 face" if number == 1 else f"{number} faces"


def notes_of(found: Sequence[Face]) -> list[str]:
    """What was left, a sentence each."""
    return [f"{face.in_words()} is left as it is: {face.left_alone}" for face in found if face.left_alone]


def facts_of(found: Sequence[Face]) -> tuple[FaceFacts, ...]:
    """The same as values."""
    return tuple(FaceFacts(face.box, face.score, face.left_alone or None) for face in found)
