"""Steps done one after the other in one pass: one decode at the start, one encode at the end, nothing lost between.

A picture goes from step to step as `imgfix.pipelines.pictures.Carried`; of what moves each step sees the frames as the
one before leaves them (`AfterStep`). The values between two steps have the depth of the file, so that the result is
that of the verbs run one after the other with lossless files between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, joined

if TYPE_CHECKING:
    from imgfix.media.picture import Picture
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.tasks.sequence import SequenceTask


@dataclass(frozen=True)
class MovingStep:
    """The work of one step on something that moves."""

    task: SequenceTask
    facts: Facts
    model: str
    """Hash of the model, or the name of a method."""
    binding: Mapping[str, Any]
    """Options that change the frames."""
    record: Mapping[str, Any] | None = None
    idle: bool = False
    """Nothing is left to do."""
    quality: int | None = None
    """As of `Result.quality`."""


class AfterStep:
    """Something that moves, as a step leaves it to the next one: all but size and frames are those of the file.

    dry: only a plan is made, and the frames are those of the file in the size that they will have.
    """

    def __init__(self, moving: Moving, task: SequenceTask, dry: bool) -> None:
        self._moving, self._task, self._dry = moving, task, dry
        self.size = task.size(*moving.size)
        turned = moving.shown != moving.size
        self.shown = self.size[::-1] if turned else self.size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._moving, name)

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        if self._dry:
            return self.rough()
        return (made.frame for made in self._task.run(self._moving.frames()))

    def rough(self) -> Iterator[np.ndarray]:
        """See `Moving.rough`."""
        return (resized(frame, self.size) for frame in self._moving.rough())


def chained(stages: Sequence[MovingStep]) -> MovingStep:
    """Several stages as one."""
    from imgfix.tasks.chain import Chain

    whole = stages[0]
    for number, stage in enumerate(stages[1:], start=2):
        whole = MovingStep(
            Chain(whole.task, stage.task),
            replace(
                stage.facts,
                summary=(*whole.facts.summary, *stage.facts.summary),
                restored=stage.facts.restored or whole.facts.restored,
                notes=joined(whole.facts.notes, stage.facts.notes),
            ),
            f"{whole.model} {stage.model}",
            {**whole.binding, **{f"step {number}, {name}": value for name, value in stage.binding.items()}},
            stage.record,
            whole.idle and stage.idle,
            max(whole.quality or 0, stage.quality or 0) or None,
        )
    return whole


def together(results: Sequence[Result]) -> Result:
    """What is said of several steps on one picture; the last one wrote it."""
    return replace(results[-1], **_of_all(results), seconds=sum(result.seconds or 0 for result in results))


def planned(plans: Sequence[Plan]) -> Plan:
    """What several steps on one picture would take: times are added, the largest need of memory holds."""
    times = [plan.seconds for plan in plans if plan.seconds is not None]
    needs = [plan.memory_bytes for plan in plans if plan.memory_bytes is not None]
    return replace(
        plans[-1],
        **_of_all(plans),
        seconds=sum(times) if times else None,
        memory_bytes=max(needs) if needs else None,
    )


def _of_all(facts: Sequence[Facts]) -> dict[str, Any]:
    """The fields that are those of all steps together."""
    return {
        "input": facts[0].input,
        "summary": tuple(phrase for each in facts for phrase in each.summary),
        "restored": next((each.restored for each in reversed(facts) if each.restored is not None), None),
        "notes": joined(*(each.notes for each in facts)),
    }


def part_of(progress: Progress, at: int, number: int) -> Progress:
    """What the step of a place tells, as a part of so many steps that count alike."""
    return progress if number == 1 else lambda done, total: progress(at * total + done, number * total)


def resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels (H, W, C) in another width and height, for a first look; the same array where nothing changes."""
    import cv2

    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    shrinks = size[0] * size[1] < width * height
    made = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(made[..., None] if made.ndim == 2 else made)


def as_planned(picture: Picture, output: FileFacts | None) -> Picture:
    """A picture in the size that a step would give it, for the plan of the next one."""
    if output is None or output.size == (picture.width, picture.height):
        return picture
    alpha = None if picture.alpha is None else resized(picture.alpha[..., None], output.size)[..., 0]
    return replace(picture, pixels=resized(picture.pixels, output.size), alpha=alpha)
