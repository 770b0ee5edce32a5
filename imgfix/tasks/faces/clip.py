"""Faces restored in the frames of a clip."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np

from imgfix.runtime.engine import Engine
from imgfix.tasks.faces.face import Face
from imgfix.tasks.faces.find import FaceFinder
from imgfix.tasks.faces.restore import SIDE, FaceRequest, restore_faces
from imgfix.tasks.faces.tracks import RADIUS, steady
from imgfix.tasks.lookahead import looked_ahead
from imgfix.tasks.sequence import Estimate, FrameResult, Restart
from imgfix.tasks.upscale import PROCESS_BYTES

_STATE = "faces"


class FaceFrames:
    """A `SequenceTask` that restores the faces of every frame; nothing is carried across a scene cut.

    Args:
        finder: finds them.
        engine: restores them, as of `restore_faces`.
        share: of the change, 0 to 1.
    """

    held = RADIUS + 1

    def __init__(self, finder: FaceFinder, engine: Engine, share: float = 1.0) -> None:
        self.finder, self.engine, self.share = finder, engine, share
        self.frames = self.with_faces = 0
        """Frames that were made, and those in which a face was restored."""

    @property
    def fills_cpu(self) -> bool:
        """Whether a network keeps the processor busy."""
        return self.engine.placement.on_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out: the same."""
        return width, height

    def estimate(self, width: int, height: int) -> Estimate:
        """What one frame with one face takes; measures the model the first time."""
        pixels = (self.engine.descriptor.native_size or SIDE) ** 2
        taken, on_host = round(self.engine.bytes_per_pixel * pixels), self.engine.placement.on_cpu
        host = PROCESS_BYTES + width * height * 3 * (RADIUS + 8)
        return Estimate(
            tiles=1,
            tile=(width, height),
            seconds=self.engine.cost.seconds_per_pixel * pixels,
            host_bytes=host + (taken if on_host else 0),
            device_bytes=0 if on_host else taken,
        )

    def division(self, width: int, height: int) -> None:
        """See `SequenceTask.division`: one process tells whether there was a face in any frame."""

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; each frame is a place to begin."""
        first = 0 if restart is None else restart.index
        past: deque[list[Face]] = deque(maxlen=RADIUS)
        if restart is not None and _STATE in restart.state:
            past.extend(_unpacked(restart.state[_STATE]))
        for number, seen in enumerate(looked_ahead(frames, self._found, RADIUS), start=first):
            if seen.new_scene:
                past.clear()
            wanted = steady(list(past), seen.own, seen.later)
            state = {_STATE: _packed(list(past))} if past else {}
            yield FrameResult(
                self._made(seen.frame, wanted), Restart(number, number, state), frozenset((seen.new_scene,))
            )
            past.append(seen.own)

    def _found(self, frame: np.ndarray) -> list[Face]:
        return self.finder.find(frame[..., :3])

    def _made(self, frame: np.ndarray, wanted: list[FaceRequest]) -> np.ndarray:
        self.frames += 1
        self.with_faces += bool(wanted)
        if not wanted:
            return frame
        wanted = [FaceRequest(one.face, one.share * self.share) for one in wanted]
        alpha = np.ascontiguousarray(frame[..., 3]) if frame.shape[2] == 4 else None
        made = restore_faces(np.ascontiguousarray(frame[..., :3]), wanted, self.engine, alpha=alpha)
        return made if alpha is None else np.concatenate([made, alpha[..., None]], axis=2)


def _packed(past: list[list[Face]]) -> np.ndarray:
    """(faces, 16) float64: frame, box, landmarks and score of each; a frame without a face has one row of zeros."""
    rows = []
    for number, found in enumerate(past):
        rows += [[number, *face.box, *face.points.ravel(), face.score] for face in found] or [[number, *[0.0] * 15]]
    return np.array(rows, np.float64)


def _unpacked(rows: np.ndarray) -> list[list[Face]]:
    past: list[list[Face]] = []
    for row in rows:
        if int(row[0]) == len(past):
            past.append([])
        if row[1:].any():
            left, top, right, bottom = (float(edge) for edge in row[1:5])
            past[-1].append(Face((left, top, right, bottom), row[5:15].reshape(5, 2).copy(), float(row[15])))
    return past
