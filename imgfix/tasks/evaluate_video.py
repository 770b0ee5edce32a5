"""Measuring clips frame by frame, and how they flicker."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.metrics.protocol import Protocol, measure
from imgfix.tasks.measurement import Measurement, fit


def frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a clip, upright or not as they are stored: (H, W, 3) float64 in [0, 1]. Raises InputError."""
    import av

    from imgfix.media.video.opening import reading

    try:
        with reading(path) as container:
            if not container.streams.video:
                raise InputError(f"{path} has no picture track", hint="give a video")
            for frame in container.decode(video=0):
                deep = frame.format.components[0].bits > 8
                values = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
                yield values / (65535.0 if deep else 255.0)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: not a readable video ({error})", hint="see whether it plays") from error


def count(path: Path) -> int:
    """Frames the container announces, 0 when it does not say."""
    import av

    from imgfix.media.video.opening import reading

    try:
        with reading(path) as container:
            return container.streams.video[0].frames if container.streams.video else 0
    except (av.FFmpegError, OSError):
        return 0


def evaluate_clip(
    result: Path,
    reference: Path | None,
    protocol: Protocol,
    *,
    crop: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """The numbers of a clip: each metric's mean over frames, and the warping error over neighbouring frames.

    Frames are compared in their order. Without a reference the flow is the clip's own. Raises InputError when a file
    cannot be read, the sizes differ, or one clip has more frames than the other.
    """
    total = count(result)
    others: Iterator[np.ndarray | None] = frames(reference) if reference else iter(lambda: None, 0)
    sums: dict[str, list[float]] = {}
    previous: tuple[np.ndarray, np.ndarray] | None = None
    number, size = 0, (0, 0)
    timed = protocol.of_kind("video")
    for first in frames(result):
        second = next(others, None)
        if second is None and reference is not None:
            raise InputError(f"{reference} ends after {number} frames, {result} goes on", hint="cut them to one length")
        if second is not None:
            first, second = fit(first, second, (str(result), str(reference)), crop)
        try:
            for name, value in measure(protocol, first, second).items():
                sums.setdefault(name, []).append(value)
        except ValueError as error:
            raise InputError(f"{result}, frame {number}: {error}", hint="leave that metric out") from error
        flow_frame = first if second is None else second
        if timed and previous is not None:
            for metric in timed:
                value = metric.function(previous[0], first, previous[1], flow_frame)
                sums.setdefault(metric.name, []).append(value)
        previous = first, flow_frame
        number, size = number + 1, (first.shape[1], first.shape[0])
        if progress:
            progress(number, max(total, number))
    if reference is not None and next(others, None) is not None:
        raise InputError(f"{result} ends after {number} frames, {reference} goes on", hint="cut them to one length")
    if number == 0:
        raise InputError(f"{result} holds no frames", hint="give another video")
    values = {}
    for name, found in sums.items():
        sound = [value for value in found if not math.isnan(value)]
        values[name] = sum(sound) / len(sound) if sound else math.nan
    return Measurement(result, reference, values, size, frames=number)
