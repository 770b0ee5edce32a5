"""A clip of grey pictures written without loss, such as the masks of another clip."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from imgfix.media.files import atomic_path

_FULL_RANGE = 2


def write_grey(path: Path, frames: Iterator[np.ndarray], rate: float) -> None:
    """Write (H, W) uint8 frames as FFV1 in a container that holds it (`.mkv`, `.avi`).

    rate: frames a second, the same from beginning to end. Raises OutputError.
    """
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream("ffv1", rate=Fraction(rate).limit_denominator(60000))
                stream.width, stream.height, stream.pix_fmt = frame.shape[1], frame.shape[0], "gray"
                stream.codec_context.color_range = _FULL_RANGE
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="gray")
            picture.color_range = _FULL_RANGE
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode(None))
