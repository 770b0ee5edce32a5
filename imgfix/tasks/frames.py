"""Frame by frame: any image upscaler, or a filter, as a `SequenceTask`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from imgfix.runtime.engine import Engine
from imgfix.tasks.resampling import SCALE, Resampling, resampled
from imgfix.tasks.sequence import ALONE, Division, Estimate, FrameResult, Restart, SequenceTask
from imgfix.tasks.upscale import Upscale, UpscaleOptions, target_size, upscale
from imgfix.tasks.video_upscale import open_sequence


class EachFrame(ABC):
    """Enlarges each frame on its own; one that equals the frame before is not computed again.

    Args:
        scale: that of the method, where no size is asked for.
        options: size and look, the same for every frame.
    """

    held = 1

    def __init__(self, scale: int, options: UpscaleOptions) -> None:
        self.scale = scale
        self.options = options
        self.repeated = 0

    @abstractmethod
    def _enlarged(self, colours: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        """(H, W, 3) and (H, W) -> (H', W', 3), with alpha (H', W', 4)."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what comes out."""
        return target_size(width, height, self.options, self.scale)

    def enlarged(self, frame: np.ndarray) -> np.ndarray:
        """One frame, (H, W, 3) or (H, W, 4) with alpha last."""
        alpha = np.ascontiguousarray(frame[..., 3]) if frame.shape[2] == 4 else None
        return self._enlarged(np.ascontiguousarray(frame[..., :3]) if alpha is not None else frame, alpha)

    def division(self, width: int, height: int) -> Division:
        """See `SequenceTask.division`: each frame is made alone."""
        return ALONE

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Work on a clip; each frame is a place to begin."""
        before: tuple[np.ndarray, np.ndarray] | None = None
        for number, frame in enumerate(frames, start=restart.first_input if restart is not None else 0):
            if before is not None and (before[0] is frame or np.array_equal(before[0], frame)):
                self.repeated += 1
                made = before[1]
            else:
                made = self.enlarged(frame)
            before = frame, made
            yield FrameResult(made, Restart(number, number))


class FrameByFrame(EachFrame):
    """Frame by frame through a model for the task `upscale`."""

    def __init__(self, engine: Engine, options: UpscaleOptions) -> None:
        super().__init__(engine.scale, options)
        self.engine = engine

    @property
    def fills_cpu(self) -> bool:
        """See `imgfix.tasks.sequence.SequenceTask`."""
        return self.engine.placement.on_cpu

    def estimate(self, width: int, height: int, dtype: type = np.uint8, channels: int = 3) -> Estimate:
        """What one frame takes."""
        return Upscale(_blank(width, height, dtype, channels), self.engine, self.options, still=False).estimate()

    def _enlarged(self, colours: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        return upscale(colours, self.engine, self.options, alpha=alpha, still=False)


class ResampledFrames(EachFrame):
    """Frame by frame through a filter, one of `imgfix.tasks.resampling.METHODS`."""

    fills_cpu = False

    def __init__(self, method: str, options: UpscaleOptions) -> None:
        super().__init__(SCALE, options)
        self.method = method

    def estimate(self, width: int, height: int, dtype: type = np.uint8, channels: int = 3) -> Estimate:
        """What one frame takes."""
        return Resampling(_blank(width, height, dtype, channels), self.method, self.options).estimate()

    def _enlarged(self, colours: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        return resampled(colours, self.method, self.options, alpha=alpha)


def _blank(width: int, height: int, dtype: type, channels: int) -> np.ndarray:
    return np.broadcast_to(np.zeros((), dtype), (height, width, channels))  # takes no memory


def sequence_for(
    engine: Engine | str, options: UpscaleOptions, width: int, height: int, multiple: tuple[int, int] = (1, 1)
) -> SequenceTask:
    """What upscales a clip with frames of this size by the engine's model, or by a filter that is named.

    multiple: what width and height of the result have to be multiples of; the size asked for is rounded to it.
    Raises as `video_upscale.open_sequence`.
    """
    fitted = _rounded(SCALE if isinstance(engine, str) else engine.scale, options, width, height, multiple)
    if isinstance(engine, str):
        return ResampledFrames(engine, fitted)
    if engine.descriptor.frames == 1:
        return FrameByFrame(engine, fitted)
    return open_sequence(engine, fitted)


def _rounded(scale: int, options: UpscaleOptions, width: int, height: int, multiple: tuple[int, int]) -> UpscaleOptions:
    size = target_size(width, height, options, scale)
    across, down = (max(step, round(side / step) * step) for side, step in zip(size, multiple, strict=True))
    if (across, down) == size:
        return options
    return replace(options, scale=None, long_side=None, megapixels=None, width=across, height=down)
