"""What is written in a picture, where it stands and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import cv2
import numpy as np

from imgfix.errors import MissingExtraError
from imgfix.tasks.select.pixels import as_bytes

EVERYTHING = ("*", "all")
"""What stands for all writing, whatever it says."""

Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""x and y of the left top, right top, right bottom and left bottom corner, as it is read."""


@dataclass(frozen=True)
class Writing:
    """A line of writing, or a word of it."""

    text: str
    score: float
    """How sure the reader is, 0 to 1."""
    corners: Corners
    words: tuple[Writing, ...] = ()
    """Of a line its words, where they could be told apart."""

    @property
    def height(self) -> float:
        """Of its letters, in pixels."""
        left_top, right_top, right_bottom, left_bottom = (np.array(corner) for corner in self.corners)
        return float((np.linalg.norm(left_bottom - left_top) + np.linalg.norm(right_bottom - right_top)) / 2)


class TextReader:
    """Finds and reads writing, with the library `rapidocr` (PP-OCR; Apache-2.0), which brings its own models.

    Raises MissingExtraError when it is not installed.
    """

    def __init__(self) -> None:
        try:
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingExtraError("finding text", "text") from None
        self._read = RapidOCR(params={"Global.log_level": "critical"})

    def read(self, rgb: np.ndarray) -> list[Writing]:
        """The lines in a picture, (H, W, 3) uint8 or uint16, in reading order."""
        # The library wants OpenCV's order of the channels.
        found: Any = self._read(np.ascontiguousarray(as_bytes(rgb)[..., ::-1]), return_word_box=True)
        if found.boxes is None:
            return []
        words = found.word_results or [()] * len(found.boxes)
        return [
            Writing(str(text), float(score), _corners(box), tuple(_word(word) for word in own if word[2] is not None))
            for text, score, box, own in zip(found.txts, found.scores, found.boxes, words, strict=True)
        ]


def _corners(box: Any) -> Corners:
    a, b, c, d = ((float(x), float(y)) for x, y in np.asarray(box).reshape(4, 2))
    return a, b, c, d


def _word(word: Any) -> Writing:
    return Writing(str(word[0]), float(word[1]), _corners(word[2]))


def matching(lines: Sequence[Writing], wanted: str) -> list[Writing]:
    """What says `wanted`: a part of a word or line is enough, `*` and `?` stand for letters; case does not count.

    Where a word matches only that word is given, else the line.
    """
    pattern = wanted.strip().casefold()
    if pattern in EVERYTHING:
        return list(lines)
    found: list[Writing] = []
    for line in lines:
        words = [word for word in line.words if _says(word.text, pattern)]
        if words and " " not in pattern:
            found += words
        elif _says(line.text, pattern):
            found.append(line)
    return found


def _says(text: str, pattern: str) -> bool:
    plain = text.casefold()
    return fnmatchcase(plain, pattern) if any(sign in pattern for sign in "*?") else pattern in plain


def mask_of(lines: Sequence[Writing], shape: tuple[int, int], margin: float = 0.0) -> np.ndarray:
    """(H, W) float32, 1 where they stand, each widened by `margin` times the height of its letters."""
    whole = np.zeros(shape, np.uint8)
    for line in lines:
        own = np.zeros(shape, np.uint8)
        cv2.fillPoly(own, [np.round(np.array(line.corners)).astype(np.int32)], 1)
        reach = round(margin * line.height)
        if reach > 0:
            shape_of_brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
            whole |= cv2.dilate(own, shape_of_brush).astype(np.uint8)
        whole |= own
    return whole.astype(np.float32)
