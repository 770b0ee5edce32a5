"""Restoration of clips, frame by frame, with one decision for all frames.

What `auto` finds is found in the first frames and then held: a level that went up and down from frame to frame would be
seen as flicker. Where a clip is taken up again, what was found travels along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np

from imgfix.tasks import restore
from imgfix.tasks.estimate import Damage
from imgfix.tasks.noise_meter import NoiseMeter
from imgfix.tasks.restore import EngineFor, RestoreOptions, RestoreStep
from imgfix.tasks.sequence import ALONE, Division, Estimate, FrameResult, Restart
from imgfix.tasks.upscale import PROCESS_BYTES

LOOKED_AT = 5
"""Frames that the damage is estimated from."""
_UNKNOWN = -1.0


class RestoreFrames:
    """A `imgfix.tasks.sequence.SequenceTask`: noise, JPEG artefacts and the like, frame by frame.

    Args:
        options: as for pictures, but that noise and JPEG are found once a clip.
        engine_for: the engine for a kind of damage.
        found: what `look` found in the first frames already.
    """

    def __init__(self, options: RestoreOptions, engine_for: EngineFor, found: Damage | None = None) -> None:
        self.options = options.filled()
        self.engine_for = engine_for
        self.found = found
        """What `auto` found, once the first frames were seen."""
        self.steps: list[RestoreStep] = []
        """The runs that follow from it."""
        self.notes: list[str] = []
        """What had to be left, a sentence each."""

    @property
    def held(self) -> int:
        """Frames that wait until the damage is known."""
        return LOOKED_AT if self.options.estimates and self.found is None else 1

    @property
    def fills_cpu(self) -> bool:
        """Whether a network works on the processor, as far as that is known before the first frames were looked at."""
        if self.options.estimates and self.found is None:
            return False
        return any(step.engine.placement.on_cpu for step in restore.steps(self.options, self.found, self.engine_for)[0])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out: the same."""
        return width, height

    def estimate(self, width: int, height: int) -> Estimate:
        """What one frame takes, where it is known what is to be undone; measures the models, a second or two each."""
        made, _ = restore.steps(self.options, self.found, self.engine_for)
        blank: np.ndarray = np.broadcast_to(np.zeros((), np.uint8), (height, width, 3))
        work = restore.Restore(blank, made, self.options, still=False)
        windows = [
            (step.engine, plan.rows.window * plan.columns.window if plan is not None else width * height)
            for step, plan in zip(made, work.plans(), strict=True)
        ]
        taken = max((round(engine.bytes_per_pixel * area) for engine, area in windows), default=0)
        on_host = all(engine.placement.on_cpu for engine, _ in windows)
        host = PROCESS_BYTES + 4 * width * height * 3 * 4
        return Estimate(
            tiles=work.tiles,
            tile=(width, height),
            seconds=work.seconds(),
            host_bytes=host + (taken if on_host else 0),
            device_bytes=0 if on_host else taken,
        )

    def division(self, width: int, height: int) -> Division | None:
        """See `SequenceTask.division`: each frame is made alone, once the damage is known."""
        return None if self.options.estimates and self.found is None else ALONE

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Restore a clip; see `imgfix.tasks.sequence.SequenceTask.run`. Raises ModelError as `restore.steps` does."""
        number = 0 if restart is None else restart.index
        if restart is not None and "found" in restart.state:
            self.found = _unpacked(restart.state["found"])
        elif self.options.estimates and self.found is None:
            first = list(islice(frames, LOOKED_AT))
            if not first:
                return
            self.found = look(first)
            frames = chain(first, frames)
        self.steps, self.notes = restore.steps(self.options, self.found, self.engine_for)
        state = {} if self.found is None else {"found": _packed(self.found)}
        before: tuple[np.ndarray, np.ndarray] | None = None
        for frame in frames:
            repeated = before is not None and (before[0] is frame or np.array_equal(before[0], frame))
            before = frame, before[1] if before is not None and repeated else self._one(frame)
            yield FrameResult(before[1], Restart(number, number, state))
            number += 1

    def _one(self, frame: np.ndarray) -> np.ndarray:
        alpha = np.ascontiguousarray(frame[..., 3]) if frame.shape[2] == 4 else None
        pixels = np.ascontiguousarray(frame[..., :3])
        done = restore.restore(pixels, self.steps, self.options, alpha=alpha, still=False)
        return done if alpha is None else np.concatenate([done, alpha[..., None]], axis=2)


def look(frames: Sequence[np.ndarray], meter: NoiseMeter | None = None) -> Damage:
    """What the first frames of a clip tell of its damage; (H, W, 3|4) uint8 or uint16. meter: as of `restore.find`."""
    return _typical([restore.find(frame[..., :3], meter=meter) for frame in frames])


def _typical(found: list[Damage]) -> Damage:
    """The damage in the middle; a quality only if most frames show one."""
    noise = float(np.median([one.noise for one in found]))
    qualities = sorted(one.jpeg for one in found if one.jpeg is not None)
    if 2 * len(qualities) <= len(found):
        return Damage(noise, None)
    return Damage(noise, qualities[len(qualities) // 2], "pixels")


def _packed(found: Damage) -> np.ndarray:
    return np.array([found.noise, _UNKNOWN if found.jpeg is None else found.jpeg], np.float64)


def _unpacked(state: np.ndarray) -> Damage:
    noise, quality = (float(value) for value in state)
    return Damage(noise, None, "") if quality == _UNKNOWN else Damage(noise, int(quality), "pixels")
