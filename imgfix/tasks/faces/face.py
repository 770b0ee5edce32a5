"""One face: where it is, how it is turned, and the square in which a network sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

TEMPLATE = np.array([[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]]) / 512
"""Where eyes, nose and corners of the mouth are in a picture of FFHQ, of its side: the means over the data set
(Karras et al., 2018, arXiv 1812.04948) as facexlib publishes them. Restorers of faces are trained on such squares."""
SURE = 0.9
"""Score from which a find is taken for a face that can be restored. Of photos, below it are faces behind masks, hands
and hair, of which a network would invent the rest, and the faces of dogs (up to 0.88)."""
_NARROW = 0.5
"""Distance of the eyes from each other, of their distance from the mouth; 0.96 on average from the front."""
_ASIDE = 0.75
"""Where the tip of the nose is between the eyes: 0 in the middle, 1 below an eye."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found; in pixels of the picture, x before y."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom."""
    points: np.ndarray = field(repr=False)
    """(5, 2) float64: the eye on the left of the picture, the other, the tip of the nose, the corners of the mouth."""
    score: float = 1.0
    """How sure the detector is, 0 to 1."""

    @property
    def size(self) -> float:
        """Its larger side."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    @property
    def left_alone(self) -> str:
        """Why it is better left as it is, in words; empty: it can be restored."""
        if self.score < SURE:
            return "it is not sure to be a face"
        return "it is seen from the side" if in_profile(self.points) else ""

    def to_square(self, side: int) -> np.ndarray:
        """(2, 3) float64: the similarity transform from the picture to a square of `side` pixels around the face."""
        return similarity(self.points, TEMPLATE * side)

    def in_words(self) -> str:
        """`the face of 40x52 pixels at 120,80`."""
        left, top, right, bottom = (round(edge) for edge in self.box)
        return f"the face of {right - left}x{bottom - top} pixels at {left},{top}"


def similarity(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Rotation, scale and shift that bring points onto others with the least squared error.

    In the complex plane that is the straight line a * z + b fitted to them. Raises ValueError when all points are one.

    Args:
        points, onto: (n, 2).

    Returns:
        (2, 3) float64, as of `cv2.warpAffine`.
    """
    z, w = (np.asarray(each, np.float64) @ np.array([1, 1j]) for each in (points, onto))
    from_mean = z - z.mean()
    spread = float((np.abs(from_mean) ** 2).sum())
    if not spread > 0:
        raise ValueError("the landmarks of a face lie on one point")
    a = (from_mean.conj() * (w - w.mean())).sum() / spread
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def in_profile(points: np.ndarray) -> bool:
    """Whether a face is turned so far that one half of it is hidden.

    Then the eyes come close to each other against the distance to the mouth, or the nose leaves the space between them.
    """
    right, left, nose, *mouth = np.asarray(points, np.float64) @ np.array([1, 1j])
    between, down = left - right, (mouth[0] + mouth[1]) / 2 - (left + right) / 2
    if abs(between) <= _NARROW * abs(down):
        return True
    aside = 2 * ((nose - (left + right) / 2) / between).real
    return bool(abs(aside) > _ASIDE)
