"""Clips that were taken in too little light, brightened frame by frame, and all frames of a scene alike.

The network sees one frame at a time and makes each as bright as it likes. What a frame is to become is told by the
mean of what the frames of its scene so far ask for, so that nothing flickers and what moves keeps its brightness.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks import exposure
from imgfix.tasks.around import Around
from imgfix.tasks.exposure import Wanted
from imgfix.tasks.restore_frames import RestoreFrames
from imgfix.tasks.samples import to_floats
from imgfix.tasks.sequence import FrameResult, Restart, prefixed, unprefixed

SLOWEST = 1 / 16
"""Share that a frame has in what its scene asks for, once many have been seen."""
_INNER = "task."


class BrightenFrames(Around):
    """A `SequenceTask`: the networks that brighten, and what they make brought to the brightness of the scene.

    Args:
        task: undoes JPEG artefacts and low light (`RestoreOptions.until_light`) with its whole strength.
        strength: share of the result in what comes out.
    """

    def __init__(self, task: RestoreFrames, strength: float = 1.0) -> None:
        super().__init__(task)
        self.strength = strength

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `imgfix.tasks.sequence.SequenceTask.run`."""
        finder, waiting = CutFinder(), deque[np.ndarray]()
        aim, seen = None, 0
        inner = restart
        if restart is not None:
            inner = Restart(restart.index, restart.first_input, unprefixed(restart.state, _INNER))
            if "light.aim" in restart.state:
                aim, seen = Wanted(*restart.state["light.aim"].tolist()), int(restart.state["light.seen"])
                finder.is_cut(restart.state["light.before"])

        def noted() -> Iterator[np.ndarray]:
            for frame in frames:
                waiting.append(frame)
                yield frame

        before: np.ndarray | None = None if restart is None else restart.state.get("light.before")
        for made in self.task.run(noted(), inner):
            dark = waiting.popleft()
            state = prefixed(made.restart.state, _INNER) if made.restart is not None else {}
            if finder.is_cut(made.frame):
                aim, seen = None, 0
            elif aim is not None and before is not None:
                state |= {"light.aim": np.array(aim.values), "light.seen": np.array(seen), "light.before": before}
            place = None if made.restart is None else Restart(made.restart.index, made.restart.first_input, state)
            given = to_floats(dark[..., :3])
            own = exposure.wanted(given)
            seen += 1
            aim = own if aim is None else aim.mixed(own, max(SLOWEST, 1 / seen))
            before = made.frame
            yield FrameResult(self._settled(given, made.frame, aim), place)

    def _settled(self, given: np.ndarray, made: np.ndarray, aim: Wanted) -> np.ndarray:
        bright = to_floats(made[..., :3])
        lit = exposure.measure(given, bright, aim).settled(bright)
        lit = given + np.float32(self.strength) * (lit - given)
        top = np.iinfo(made.dtype).max
        out = made.copy()
        out[..., :3] = np.clip(lit * np.float32(top) + np.float32(0.5), 0, top)
        return out
