"""Work on a part of a picture or of every frame, mixed with what stays, softly at the edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.media import mask as masks
from imgfix.runtime.rows import Rows
from imgfix.tasks import resample
from imgfix.tasks.around import Around
from imgfix.tasks.composite import composite
from imgfix.tasks.sequence import FrameResult, Restart, SequenceTask

EDGE = 0.004
"""Share of the longer side over which the edge of a part fades out, where nobody says how much."""
EDGE_LEAST = 2.0
_NOTHING = 1e-5
"""Weights that differ less from 0 or 1 are taken for it, or what is outside would not stay as it is."""

MaskAt = Callable[[int, np.ndarray], np.ndarray]
"""(number of a frame, frame) -> (H, W) float32 in [0, 1], lying as the frame does."""


@dataclass(frozen=True)
class Edge:
    """How a mask becomes the share of the work in each pixel."""

    rest: bool = False
    """What is outside the mask is worked on, instead of what is inside."""
    width: float | None = None
    """Pixels over which it fades out, always on the side of what is worked on around the mask; None: by the size."""

    def weight(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) in [0, 1] -> (H, W), 1 where the work is seen in full.

        What the mask holds is worked on in full, or with `rest` stays in full: the edge lies outside it.
        """
        width = self.width if self.width is not None else max(EDGE_LEAST, EDGE * max(mask.shape))
        soft = masks.feather(mask, width)
        return 1 - soft if self.rest else soft


def mixed(before: np.ndarray, made: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Two pictures of one size and type as one; where the weight is 0 the samples are those of `before`, bit by bit.

    before, made: (H, W, C) uint8 or uint16. weight: (H, W) float32 in [0, 1].
    """
    out = before.copy()
    composite(out, made, weight)
    return out


def mixed_bands(
    before: Iterator[np.ndarray], made: Iterator[np.ndarray], weight: np.ndarray, size: tuple[int, int]
) -> Iterator[np.ndarray]:
    """The same for two streams of bands of a size (width, height), cut where they like; (h, W, C) as those of `made`.

    weight: (H, W) float32 in [0, 1], perhaps smaller or larger than the result: it is resampled band by band.
    """
    own = weight.shape[::-1]
    plain, y = Rows(before), 0
    for band in made:
        rows = slice(y, y + len(band))
        part = weight[rows] if own == size else _resampled(weight, size, rows)
        yield mixed(plain.read(rows.start, rows.stop), band, part)
        y = rows.stop
        plain.forget(y)


def _resampled(weight: np.ndarray, size: tuple[int, int], rows: slice) -> np.ndarray:
    part = resample.rows(
        lambda top, bottom: weight[top:bottom, :, None], weight.shape[::-1], size, rows.start, rows.stop,
        resample.BILINEAR,
    )  # fmt: skip
    return _settled(part[..., 0])


def _settled(weight: np.ndarray) -> np.ndarray:
    return np.where(weight < _NOTHING, 0, np.where(weight > 1 - _NOTHING, 1, weight)).astype(np.float32)


class PartOfFrames(Around):
    """A `SequenceTask`: another one, whose frames are seen in a part alone.

    Args:
        task: does the work, on whole frames.
        mask_at: which part of a frame.
        edge: how it fades out.
        plain: what the rest of a frame becomes, of the size of the result; None: the frame itself.
    """

    def __init__(
        self, task: SequenceTask, mask_at: MaskAt, edge: Edge, plain: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        super().__init__(task)
        self.mask_at, self.edge, self.plain = mask_at, edge, plain

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`."""
        waiting: dict[int, np.ndarray] = {}
        index, first = (0, 0) if restart is None else (restart.index, restart.first_input)

        def kept() -> Iterator[np.ndarray]:
            for number, frame in enumerate(frames, start=first):
                if number >= index:  # earlier ones are only seen again by the model
                    waiting[number] = frame
                yield frame

        for number, result in enumerate(self.task.run(kept(), restart), start=index):
            frame = waiting.pop(number)
            weight = self.edge.weight(self.mask_at(number, frame))
            before = frame if self.plain is None else self.plain(frame)
            if weight.shape != before.shape[:2]:
                size = before.shape[1], before.shape[0]
                weight = _settled(cv2.resize(weight, size, interpolation=cv2.INTER_LINEAR))
            yield FrameResult(mixed(before, result.frame, weight), result.restart, result.scene)
