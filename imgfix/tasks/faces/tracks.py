"""The faces of a clip followed over its frames, and where each is in one frame once the jitter is taken out.

A detector is right to a pixel or two in every frame, and each time a little otherwise. A face that is put upright by
that would tremble. So a line is fitted to what was found of the same face in the frames around, weighted by their
distance in time; it follows a face that moves evenly without lagging behind. A frame or two in which it was not found
are bridged, and a face that comes or goes fades in or out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgfix.tasks.faces.face import SURE, Face, in_profile
from imgfix.tasks.faces.restore import FaceRequest

RADIUS = 4
"""Frames looked at on either side."""
_SIGMA = 2.0
"""Frames; the standard deviation of the weights."""
_GAP = 2
"""Frames in a row in which a face may be missing and is still the same."""
_AWAY = 0.6
"""Of its size, how far a face moves at most from one frame to the next."""
_LARGER = 1.4
"""How many times as large it is at most."""
_SEEN, _ALL = 0.6, 0.95
"""Share of the frames around in which a face can be restored: up to the first nothing is done, from the second all."""

Track = dict[int, Face]
"""One face by the frame's distance from the one that is looked at."""


def steady(past: Sequence[Sequence[Face]], now: Sequence[Face], ahead: Sequence[Sequence[Face]]) -> list[FaceRequest]:
    """The faces of a frame that are to be restored, where they are without jitter, and how much of each.

    Args:
        past: what was found in the frames before it in its scene, the last one last; `RADIUS` of them at most.
        now: what was found in it.
        ahead: the same for those after it, the next one first.
    """
    frames = {number - len(past): found for number, found in enumerate(past)}
    frames |= {0: now, **dict(enumerate(ahead, start=1))}
    weights = {at: float(np.exp(-0.5 * (at / _SIGMA) ** 2)) for at in frames}
    wanted = []
    for track in _tracks(frames):
        if max(face.score for face in track.values()) < SURE:
            continue
        good = [at for at in _bridged(track) if not in_profile(track[_nearest(at, track)].points)]
        seen = sum(weights[at] for at in good) / sum(weights.values())
        share = min(1.0, max(0.0, (seen - _SEEN) / (_ALL - _SEEN)))
        if share > 0:
            wanted.append(FaceRequest(_fitted(track, weights), share))
    return wanted


def _tracks(frames: dict[int, Sequence[Face]]) -> list[Track]:
    """Every face that is in the frame at 0, or in frames just before and just after it."""
    found = [_followed(0, face, frames) for face in frames[0]]
    for at in range(-1, -_GAP - 1, -1):  # lost for a moment, and found again
        for face in frames.get(at, ()):
            if any(track.get(at) is face for track in found):
                continue
            track = _followed(at, face, frames)
            if 0 not in track and any(later > 0 for later in track):
                found.append(track)
    return found


def _followed(start: int, face: Face, frames: dict[int, Sequence[Face]]) -> Track:
    track = {start: face}
    for step in (1, -1):
        last, missing, at = face, 0, start + step
        while at in frames and missing <= _GAP:
            same = _same(last, frames[at])
            if same is None:
                missing += 1
            else:
                track[at], last, missing = same, same, 0
            at += step
    return track


def _same(face: Face, others: Sequence[Face]) -> Face | None:
    """Which of the faces of the next frame is this one."""
    near = []
    for other in others:
        away = float(np.linalg.norm(other.points.mean(axis=0) - face.points.mean(axis=0)))
        larger = max(face.size, other.size) / max(min(face.size, other.size), 1e-6)
        if away <= _AWAY * face.size and larger <= _LARGER:
            near.append((away, other))
    return min(near, key=lambda each: each[0])[1] if near else None


def _bridged(track: Track) -> range:
    """The frames from the first to the last in which it was found: gaps between are none."""
    return range(min(track), max(track) + 1)


def _nearest(at: int, track: Track) -> int:
    """The frame nearest to one in which a face was found."""
    return min(track, key=lambda known: (abs(known - at), known))


def _fitted(track: Track, weights: dict[int, float]) -> Face:
    """Where a face is in the frame at 0 by a line through where it was found, by weighted least squares."""
    at = np.array(sorted(track), np.float64)
    weight = np.array([weights[int(each)] for each in at])
    places = np.stack([np.concatenate([track[int(each)].points.ravel(), track[int(each)].box]) for each in at])
    weight /= weight.sum()
    mean, middle = weight @ at, weight @ places
    spread = float(weight @ (at - mean) ** 2)
    slope = (weight * (at - mean)) @ places / spread if spread > 0 else 0.0
    values = middle - mean * slope
    left, top, right, bottom = (float(edge) for edge in values[10:])
    score = track[_nearest(0, track)].score
    return Face((left, top, right, bottom), values[:10].reshape(5, 2), score)
