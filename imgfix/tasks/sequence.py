"""The seam between files of many frames (read, written, taken up again) and what is done to the frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from imgfix.runtime.prefetch import prefetch


@dataclass(frozen=True)
class Restart:
    """A place where the work can be taken up again with the same result as without a break."""

    index: int
    """Number of the frame that is made first afterwards, from 0."""
    first_input: int
    """Number of the frame that has to be fed first: the same, or an earlier one that the model has to see again."""
    state: dict[str, np.ndarray] = field(default_factory=dict)
    """What the model remembers of the frames before, as arrays that can be stored; empty for most."""


def prefixed(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """What a task inside another one remembers, under names that are not those of the other."""
    return {prefix + name: value for name, value in state.items()}


def unprefixed(state: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The reverse: the part that `prefixed` made."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class FrameResult:
    """One finished frame."""

    frame: np.ndarray
    """(H', W', C) of the type of what came in; C is 3, or 4 with alpha last, as what came in."""
    restart: Restart | None = None
    """How to begin with exactly this frame; `None` where the work cannot be taken up."""
    scene: frozenset[bool] = frozenset()
    """Whether a scene begins with it, as those tasks found that carry nothing across a cut; empty: there are none."""


@dataclass(frozen=True)
class Division:
    """Where work can begin without having seen all frames before, and still gives what one run over all would give."""

    places: int = 1
    """Every so many frames of a scene the work can be taken up with what was remembered."""
    fresh: int | None = None
    """Every so many also without it; None: only with the first frame of a scene."""
    before: int = 0
    """Frames of the scene that have to be seen first then."""
    left: int = 1
    """Frames that the scene must still have at such a place, if it is not its first frame."""
    scenes: bool = True
    """Frames are counted from scene cuts, and nothing is carried across one; else from the beginning of the clip."""
    sure: bool = True
    """The cuts are those of the clip's own frames, not of what another task made of them."""

    def begin(self, index: int, scene: int) -> Restart:
        """How to begin with a frame, where that is possible; scene: the first frame of its scene."""
        return Restart(index, max(scene, index - self.before))


ALONE = Division(fresh=1, scenes=False)
"""Each frame is made alone."""


@dataclass(frozen=True)
class Estimate:
    """What some work will take, roughly."""

    tiles: int
    """Windows of the colours, in all passes of the model."""
    tile: tuple[int, int]
    """Width and height of those of the first pass, overlap included."""
    seconds: float
    host_bytes: int
    device_bytes: int
    """On a device with memory of its own, else 0."""


class SequenceTask(Protocol):
    """Makes one frame out of each frame, in order. Built once a clip, on one thread."""

    @property
    def held(self) -> int:
        """How many frames that came in may be waiting at once before the first is given back; 1: none waits."""
        ...

    @property
    def fills_cpu(self) -> bool:
        """Whether a network keeps all cores of the processor busy."""
        ...

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out."""
        ...

    def estimate(self, width: int, height: int) -> Estimate | None:
        """What one frame takes; measures the model the first time. None: that is not known before the work."""
        ...

    def division(self, width: int, height: int) -> Division | None:
        """How frames of that size can be divided among processes; None: one has to make them all."""
        ...

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Work on a clip.

        Args:
            frames: (H, W, 3) sRGB-encoded, or (H, W, 4) with alpha last, uint8 or uint16, all of one size and type.
                With `restart` they begin at its `first_input`.
            restart: as an earlier run on the same clip gave it, perhaps in another process.

        Returns:
            One a frame that came in, in order; with `restart` from frame `restart.index` on. The bytes do not depend on
            where a run was taken up.
        """
        ...


def stages(
    task: SequenceTask, frames: Iterator[np.ndarray], restart: Restart | None = None, depth: int = 1
) -> Iterator[FrameResult]:
    """Work on a clip as one of three stages at once: decoded frames and results are prefetched.

    Nothing is prefetched from a network that fills the processor: each of its layers waits for the slowest core, so
    that a core taken away for a while holds up all the others. (The threads of decoder and encoder work beside it all
    the same.)

    Args:
        task, frames, restart: as of `SequenceTask.run`.
        depth: frames that wait between two stages.
    """
    made = task.run(prefetch(frames, depth), restart)
    return made if task.fills_cpu else prefetch(made, depth)
