"""Frames with what was found in those that follow, scene by scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from imgfix.runtime.scene_cuts import CutFinder

Found = TypeVar("Found")


@dataclass(frozen=True)
class Ahead(Generic[Found]):
    """A frame, what was found in it, and in the ones after it in the same scene."""

    frame: np.ndarray
    own: Found
    later: list[Found]
    new_scene: bool
    """Whether a cut lies before it."""


def looked_ahead(
    frames: Iterator[np.ndarray], look: Callable[[np.ndarray], Found], radius: int
) -> Iterator[Ahead[Found]]:
    """Every frame in order, after `radius` more of its scene were looked at, or as many as there are.

    frames: (H, W, 3|4) uint8 or uint16. look: what is found in a frame; asked once for each, in order.
    """
    finder = CutFinder()
    waiting: deque[tuple[np.ndarray, Found]] = deque()
    following: np.ndarray | None = None  # first frame of the next scene
    ended = new_scene = False
    while True:
        while not ended and following is None and len(waiting) <= radius:
            frame = next(frames, None)
            if frame is None:
                ended = True
            elif finder.is_cut(frame):
                following = frame
            else:
                waiting.append((frame, look(frame)))
        if waiting:
            frame, own = waiting.popleft()
            yield Ahead(frame, own, [found for _, found in waiting], new_scene)
            new_scene = False
        elif following is not None:
            waiting.append((following, look(following)))
            following, new_scene = None, True
        else:
            return
