"""Frames that were made one by one, made steady: what each shows is averaged along the motion with the frames before.

A network for pictures invents other details in every frame, which flickers. Here each result is blended with the last
blended one, moved to where things are now: a recursive average along the motion, as denoisers of video have used for
long (Dubois & Sabri, "Noise reduction in image sequences using motion-compensated temporal filtering", IEEE
Transactions on Communications 32, 1984). Nothing is kept where the moved picture and the new one disagree when both
are seen at the size of the input: there something appeared, turned or changed. Averages are softer than what they are
of, so the finest detail of the blend is given back the energy that it has in the new frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from imgfix.nets import motion
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks.around import Around
from imgfix.tasks.sequence import Division, Estimate, FrameResult, Restart, prefixed, unprefixed

SHARE = 0.9
"""Of the past in the blend, where both agree."""
TOLERANCE = 0.08
"""Difference at the size of the input, of 1, at which the share has fallen to a third."""
DRIFT = 6 / 255
"""Differences of broad colours below this are averaged away, larger ones followed at once, such as fades."""
ENERGY = 2.0
"""The most by which fine detail is amplified to have the new frame's energy."""
RESTART_EVERY = 16
"""Frames between two places where the work can be taken up: the memory is as large as a result."""
_AREA = 17
"""Pixels of a side over which energy is measured."""
_BAND = 256
_EDGE = 12
"""Rows around a band that its result depends on: the area's half, and the fine detail's filter."""
_TOP = 65535.0
_INNER = "task."
"""Before the names of what the task inside remembers."""


@dataclass(frozen=True)
class _Memory:
    """What is carried from frame to frame."""

    result: np.ndarray
    """(H', W', 3) uint16: the last blend."""
    small: np.ndarray
    """(H, W, 3) uint8: the same at the size of the input."""


class Steady(Around):
    """A `SequenceTask`: another one, which makes each frame on its own, and its results made steady.

    Args:
        task: what makes the frames; results may be larger than the input.
    """

    def estimate(self, width: int, height: int) -> Estimate | None:
        """See `SequenceTask.estimate`."""
        one = super().estimate(width, height)
        if one is None:
            return None
        across, down = self.size(width, height)
        seconds = 2e-7 * across * down + 2e-7 * width * height
        return replace(one, seconds=one.seconds + seconds, host_bytes=one.host_bytes + 24 * across * down)

    def division(self, width: int, height: int) -> Division | None:
        """See `SequenceTask.division`: what is remembered goes back to the first frame of the scene."""
        inner = self.task.division(width, height)
        if inner is None or inner.scenes:
            return None
        return Division(math.lcm(RESTART_EVERY, inner.places), sure=False)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """See `SequenceTask.run`; every 16th frame of a scene, and its first, is a place to begin."""
        finder = CutFinder()  # told the results, in which there is less noise
        memory: _Memory | None = None
        before: np.ndarray | None = None
        shown: np.ndarray | None = None
        since = 0
        inner = restart
        if restart is not None:
            inner = Restart(restart.index, restart.first_input, unprefixed(restart.state, _INNER))
            if "steady.result" in restart.state:
                memory = _Memory(restart.state["steady.result"], restart.state["steady.small"])
                before, shown = restart.state["steady.before"], restart.state["steady.shown"]
                since = int(restart.state["steady.since"])
                finder.is_cut(before)
        size = 1, 1

        def measured() -> Iterator[np.ndarray]:
            nonlocal size
            for frame in frames:
                size = frame.shape[1], frame.shape[0]
                yield frame

        for made in self.task.run(measured(), inner):
            cut = finder.is_cut(made.frame)
            if cut:
                memory, before, shown, since = None, None, None, 0
            place = _place(made.restart, memory, before, shown, since) if since % RESTART_EVERY == 0 else None
            if before is None or shown is None or not np.array_equal(before, made.frame):
                shown, memory = blended(made.frame, memory, size)
            before, since = made.frame, since + 1
            yield FrameResult(shown, place, made.scene | {cut})


def blended(made: np.ndarray, memory: _Memory | None, size: tuple[int, int]) -> tuple[np.ndarray, _Memory]:
    """One frame made steady.

    Args:
        made: (H', W', 3|4) uint8 or uint16, with alpha last, which stays as it is.
        memory: of the frame before; None at the start of a scene.
        size: width and height of the input.

    Returns:
        The frame that is shown, of the type of `made`, and what the next one needs.
    """
    colours = made[..., :3]
    new = _deep(colours)
    if memory is None:
        return made, _Memory(new, _shrunk(new, size))
    small = _shrunk(new, size)
    flow = _flow(small, memory.small)
    moved = motion.fetch(memory.small, flow, cubic=True).astype(np.float32)
    missing = (small - moved) / np.float32(255)
    share, drift = _agreement(missing)
    height, width = new.shape[:2]
    blend, shown = np.empty_like(new), np.empty_like(made)
    for y0 in range(0, height, _BAND):
        y1 = min(height, y0 + _BAND)
        top, bottom = max(0, y0 - _EDGE), min(height, y1 + _EDGE)
        rows = _Rows.of(top, bottom, (height, width), small.shape[:2])
        past = _moved(memory.result, flow, rows) + rows.of_small(drift)
        now = new[top:bottom].astype(np.float32) / np.float32(_TOP)
        mixed = now + (past - now) * rows.of_small(share)[..., None]
        part = slice(y0 - top, y1 - top)
        blend[y0:y1] = np.clip(mixed[part] * np.float32(_TOP) + np.float32(0.5), 0, _TOP)
        final = _as_lively(mixed, now)[part]
        limit = np.iinfo(made.dtype).max
        shown[y0:y1, :, :3] = np.clip(final * np.float32(limit) + np.float32(0.5), 0, limit)
    if made.shape[2] == 4:
        shown[..., 3] = made[..., 3]
    return shown, _Memory(blend, _shrunk(blend, size))


def _deep(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.uint16) * np.uint16(257) if pixels.dtype == np.uint8 else np.ascontiguousarray(pixels)


def _shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H', W', 3) uint16 -> (H, W, 3) uint8."""
    kind = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_LINEAR
    small = cv2.resize(pixels, size, interpolation=kind) if size != pixels.shape[1::-1] else pixels
    return ((small.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flow(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where the pixels of one (H, W, 3) uint8 lie in the other, (H, W, 2)."""
    one, two = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (source, target))
    return motion.dense_inverse_search(one, two, fine=True)


def _agreement(missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From what the moved past lacks, (H, W, 3): its share in the blend, (H, W), and the part of it to be added."""
    apart = cv2.blur(np.abs(missing).mean(axis=2), (3, 3), borderType=cv2.BORDER_REPLICATE)
    share = SHARE * np.exp(-((apart / np.float32(TOLERANCE)) ** 2))
    broad = cv2.GaussianBlur(missing, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE)
    return share, broad * (1 - np.exp(-((np.abs(broad) / np.float32(DRIFT)) ** 2)))


@dataclass(frozen=True)
class _Rows:
    """Rows of a result, and where they lie in what has the size of the input."""

    top: int
    bottom: int
    maps: tuple[np.ndarray, np.ndarray] | None
    """Columns and rows; None: both have the same size."""

    @classmethod
    def of(cls, top: int, bottom: int, result: tuple[int, int], small: tuple[int, int]) -> _Rows:
        """result, small: height and width."""
        if result == small:
            return cls(top, bottom, None)
        y = (np.arange(top, bottom, dtype=np.float32) + 0.5) * (small[0] / result[0]) - 0.5
        x = (np.arange(result[1], dtype=np.float32) + 0.5) * (small[1] / result[1]) - 0.5
        across, down = np.meshgrid(x, y)
        return cls(top, bottom, (across, down))

    def of_small(self, values: np.ndarray) -> np.ndarray:
        """The same rows of values at the size of the input, enlarged to that of the result."""
        if self.maps is None:
            return values[self.top : self.bottom]
        return cv2.remap(values, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _moved(result: np.ndarray, flow: np.ndarray, rows: _Rows) -> np.ndarray:
    """Rows of a picture (H', W', 3) uint16 moved along a flow at the size of the input, in [0, 1]."""
    height, width = result.shape[:2]
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    moved = motion.fetch(result, rows.of_small(flow) * scale, origin=(rows.top, 0), cubic=True)
    return moved.astype(np.float32) / np.float32(_TOP)


def _as_lively(mixed: np.ndarray, now: np.ndarray) -> np.ndarray:
    """The blend with the energy of fine detail that the new frame has, where it has more; (h, w, 3)."""
    fine = [each - cv2.GaussianBlur(each, (5, 5), 0, borderType=cv2.BORDER_REPLICATE) for each in (mixed, now)]
    own, wanted = (cv2.blur((each**2).mean(axis=2), (_AREA, _AREA), borderType=cv2.BORDER_REPLICATE) for each in fine)
    gain = np.sqrt((wanted + np.float32(1e-6)) / (own + np.float32(1e-6))).clip(1, ENERGY)
    return mixed + (gain - 1)[..., None] * fine[0]


def _place(
    inner: Restart | None, memory: _Memory | None, before: np.ndarray | None, shown: np.ndarray | None, since: int
) -> Restart | None:
    if inner is None:
        return None
    state = prefixed(inner.state, _INNER)
    if memory is not None and before is not None and shown is not None:
        state |= {
            "steady.result": memory.result, "steady.small": memory.small, "steady.before": before,
            "steady.shown": shown, "steady.since": np.array(since),
        }  # fmt: skip
    return Restart(inner.index, inner.first_input, state)
