"""Several fills of one picture to choose from: the best under the name of the result, the others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgfix.errors import OutputError, UsageError

if TYPE_CHECKING:
    from imgfix.media.picture import Picture

ROOM = 0.6
"""How much of its surroundings a sheet shows on each side of what is filled, as a share of its longer side."""
SIDE = 360
"""Longest side of a picture on a sheet."""


def places(target: Any, count: int) -> list[Any]:
    """Where the variants of a result go, the best first. Raises UsageError: several do not fit into a stream."""
    if target is None or count == 1:
        return [target] * count
    if not isinstance(target, Path):
        raise UsageError(f"{count} `variants` are as many files, and a stream takes one", hint="name a file: `output`")
    return [target, *(target.with_name(f"{target.stem}-{number}{target.suffix}") for number in range(2, count + 1))]


def check_free(files: Sequence[Any], taken: set[Path], overwrite: bool) -> None:
    """Raise OutputError where a variant would take the place of a file. taken: what this batch has written."""
    for place in files[1:]:
        if place is not None and place.exists() and not overwrite:
            raise OutputError(f"{place} exists already", hint="use `overwrite` or another `output`")
    twice = next((place for place in files if place in taken), None)
    if twice is not None:
        raise OutputError(f"{twice}: another result has this name", hint="use another `output`, such as {stem}_filled")
    taken.update(place for place in files if place is not None)


def sheet(pictures: Sequence[Picture], hole: tuple[int, int, int, int] | None) -> np.ndarray:
    """The pictures side by side, numbered from the best: what was filled and some of what is around it.

    hole: top, bottom, left, right; None: all of it. Returns (h, w, 3) uint8.
    """
    from imgfix.pipelines.choosing import seen
    from imgfix.tasks.squares import contact_sheet

    height, width = pictures[0].height, pictures[0].width
    top, bottom, left, right = hole or (0, height, 0, width)
    room = round(ROOM * max(bottom - top, right - left))
    rows, columns = slice(max(0, top - room), bottom + room), slice(max(0, left - room), right + room)
    shown = [seen(picture)[rows, columns] for picture in pictures]
    factor = SIDE / max(shown[0].shape[:2])
    if factor < 1:
        size = max(1, round(shown[0].shape[1] * factor)), max(1, round(shown[0].shape[0] * factor))
        shown = [cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in shown]
    return contact_sheet(shown, [str(number) for number in range(1, len(shown) + 1)])
