"""Filling a region of every frame of a clip, steadily: what other frames show comes from there, the rest is made once.

For each frame, in this order:

1. What neighbouring frames show of the background, up to `reach` frames before and after, fetched along the motion of
   the surroundings, matched in brightness and colour at the rim of the hole.
2. What was made for an earlier frame, fetched along the motion from there and bent so that it joins what surrounds it.
3. The rest by the filler that single pictures have (a network, or a classical method); anew, where what was made before
   does not fit any more what has come into view around it.

Outside the mask every pixel is bit-identical.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.errors import InputError
from imgfix.media import mask as masks
from imgfix.nets.motion import fetch
from imgfix.runtime.engine import Engine
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks import grain
from imgfix.tasks.background import Chain, Motion, MotionPair, grey, hidden, measure, spread
from imgfix.tasks.composite import composite
from imgfix.tasks.inpaint import InpaintOptions, inpaint
from imgfix.tasks.sequence import FrameResult, Restart
from imgfix.tasks.upscale import quantised

Masks = np.ndarray | Callable[[int, np.ndarray], np.ndarray]
"""One mask (H, W) float32 in [0, 1], 1 = fill, for all frames, or the number of a frame and the frame to its mask."""

Part = tuple[slice, slice]
RING = 8  # pixels around a hole where brightness is compared
LARGEST_MATCH = 0.2  # of the range: a larger difference is no change of light but another thing
LEAST_MATCH = 0.25  # share of the pixels around a hole that have to match
SURE = 0.99
ALIKE = 0.12
"""Of the range: a larger difference between the last fill and what is fetched is another thing, not noise."""
KEPT = 0.5
"""Share of the last fill in the next."""
SEAM = 3  # pixels around what is carried where it has to join what is known
NOISE = 0.02  # of the range: differences along the seam that say nothing
TORN = 0.05
"""Of the range, root mean square along that seam since the fill was made, beyond noise: what is carried does not belong
there any more, and is made anew."""


@dataclass(frozen=True)
class VideoInpaintOptions:
    """How the holes of a clip are filled."""

    reach: int = 10
    """Frames before and after that are looked at for what the hole hides."""
    feather: float = 0.0
    """Pixels over which the fill fades out beyond the mask."""
    restart_every: int = 16
    """Frames between two places where the work can be taken up."""
    tta: bool | None = None
    """As of `imgfix.tasks.inpaint.InpaintOptions`, for what the filler makes."""
    grain: bool = True
    """Give the fill the noise of its surroundings, anew in each frame."""


@dataclass
class _Frame:
    """A frame of the window, with what was found out about it."""

    number: int
    pixels: np.ndarray
    weight: np.ndarray
    """(H, W) float32, share of the fill."""
    luma: np.ndarray
    hole: np.ndarray
    """(h, w) bool at the flow's size."""
    starts_scene: bool
    onward: MotionPair | None = None
    """Motion to the next frame, where it belongs to the same scene."""

    @property
    def unknown(self) -> np.ndarray:
        return self.weight > 0


@dataclass
class _Anchor:
    """Filled frames that later ones take from, (H, W, 3) float32 in [0, 1]."""

    filled: np.ndarray
    """The one whose fill was made or looked at anew last; what no frame shows is taken from it directly, so that it is
    resampled once and not at every frame."""
    age: int
    """Frames since."""
    chain: Chain
    """Motion from the last frame back to it."""
    last: np.ndarray
    """The last one."""
    strain: float = 0.0
    """How far what surrounds the hole had changed by then since the fill was made, as TORN counts."""


class VideoInpaint:
    """A `SequenceTask` that fills the same or a moving region of every frame.

    Args:
        mask: one for all frames, or a function of the frame's number and the frame. White is filled.
        filler: an engine with a model for the task `inpaint`, or `telea` or `ns`.
        options: how far it looks, and how the fill is joined.
    """

    fills_cpu = False  # most of the time motion is searched for, on one core

    def __init__(self, mask: Masks, filler: Engine | str, options: VideoInpaintOptions | None = None) -> None:
        self.mask, self.filler, self.options = mask, filler, options or VideoInpaintOptions()
        self.seen, self.carried, self.made = 0, 0, 0
        """Hole pixels that came from other frames, from an earlier fill, and from the filler."""

    @property
    def held(self) -> int:
        """Frames that wait for those after them."""
        return self.options.reach + 1

    def estimate(self, width: int, height: int) -> None:
        """Not known: it depends on how much of the holes other frames show."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The same."""
        return width, height

    def division(self, width: int, height: int) -> None:
        """See `SequenceTask.division`: fills are carried on from frame to frame, and what is followed is followed from
        the first frame on."""

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        """Fill a clip.

        Raises:
            InputError: a mask has another size than its frame.
        """
        reach, every = self.options.reach, self.options.restart_every
        first = restart.first_input if restart is not None else 0
        at = restart.index if restart is not None else 0
        anchor = _taken_up(restart)
        finder = CutFinder()
        window: list[_Frame] = []
        source = enumerate(frames, start=first)
        ended = False
        while True:
            while not ended and (not window or window[-1].number < at + reach):
                number, frame = next(source, (0, None))
                if frame is None:
                    ended = True
                    break
                self._append(window, number, frame, finder)
            if not window or window[-1].number < at:
                return
            while window[0].number < at - reach:
                window.pop(0)
            current = window[at - window[0].number]
            if current.starts_scene:
                anchor = None
            place = Restart(at, window[0].number, _stored(anchor)) if at % every == 0 else None
            pixels, anchor = self._filled(window, current, anchor)
            yield FrameResult(pixels, place)
            at += 1

    def _append(self, window: list[_Frame], number: int, frame: np.ndarray, finder: CutFinder) -> None:
        mask = self.mask(number, frame) if callable(self.mask) else self.mask
        if mask.shape != frame.shape[:2]:
            raise InputError(
                f"frame {number} is {frame.shape[1]}x{frame.shape[0]}, its mask {mask.shape[1]}x{mask.shape[0]}",
                hint="give a mask of the size of the clip",
            )
        weight = masks.feather(mask, self.options.feather)
        cut = finder.is_cut(frame)
        added = _Frame(number, frame, weight, grey(frame), hidden(weight > 0), cut)
        if window and not cut:
            before = window[-1]
            before.onward = measure(before.luma, added.luma, before.hole, added.hole)
        window.append(added)

    def _filled(
        self, window: list[_Frame], current: _Frame, anchor: _Anchor | None
    ) -> tuple[np.ndarray, _Anchor | None]:
        """Fill one frame; also gives what the next one can take from."""
        if anchor is not None:
            before = window[current.number - window[0].number - 1]
            assert before.onward is not None
            # Its own first step back, then on along the way that the frame before went.
            longer = Chain(*current.luma.shape)
            longer.extend(before.onward.back)
            longer.extend(Motion(anchor.chain.flow, anchor.chain.sure))
            anchor = _Anchor(anchor.filled, anchor.age + 1, longer, anchor.last, anchor.strain)
        if not current.unknown.any():
            # What was made waits for the hole to come back, as long as the way to it is short.
            return current.pixels.copy(), anchor if anchor is not None and anchor.age < self.options.reach else None
        part = _surroundings(current.unknown)
        top = np.float32(np.iinfo(current.pixels.dtype).max)
        picture = current.pixels[part][..., :3].astype(np.float32) / top
        missing = current.unknown[part].copy()
        wanted = int(missing.sum())
        self._from_neighbours(window, current, part, picture, missing)
        left = int(missing.sum())
        self.seen += wanted - left
        if anchor is not None and left < wanted:
            assert before.onward is not None
            self._steady(current, part, picture, current.unknown[part] & ~missing, anchor.last, before.onward.back)
        strain = 0.0
        if anchor is not None and left:
            got, sure = _look(anchor.filled, anchor.chain, None, part)
            usable = missing & (sure >= SURE)
            joined, change = _joined(picture, ~missing, got, usable)
            strain = anchor.strain + change
            if strain < TORN:
                picture[usable] = joined[usable]
                missing &= ~usable
            self.carried += left - int(missing.sum())
        made_here = int(missing.sum())
        result = current.pixels.copy()
        known = result[..., :3].copy()
        known[part][current.unknown[part]] = quantised(picture, known.dtype)[current.unknown[part]]
        if made_here:
            mask = np.zeros(current.weight.shape, np.float32)
            mask[part] = missing
            known = inpaint(known, mask, self.filler, InpaintOptions(tta=self.options.tta, grain=False), still=False)
            self.made += made_here
        mixed = current.pixels[..., :3].copy()
        # What later frames take from this one is without grain: noise that is carried along would stand still.
        composite(mixed, self._grainy(known, current) if self.options.grain else known, current.weight)
        result[..., :3] = mixed
        filled = known.astype(np.float32) / top
        if anchor is None or made_here or anchor.age >= self.options.reach:
            strain = 0.0 if made_here == left else strain
            return result, _Anchor(filled, 0, Chain(*current.luma.shape), filled, strain)
        return result, _Anchor(anchor.filled, anchor.age, anchor.chain, filled, anchor.strain)

    def _grainy(self, known: np.ndarray, current: _Frame) -> np.ndarray:
        """A filled frame (H, W, 3), its fill with the grain of what is around it."""
        rows, columns = np.flatnonzero(current.unknown.any(axis=1)), np.flatnonzero(current.unknown.any(axis=0))
        view = (
            slice(max(0, int(rows[0]) - grain.ROOM), int(rows[-1]) + 1 + grain.ROOM),
            slice(max(0, int(columns[0]) - grain.ROOM), int(columns[-1]) + 1 + grain.ROOM),
        )
        result = known.copy()
        here = current.pixels[view][..., :3]
        result[view] = grain.matched(known[view], here, current.unknown[view], number=current.number)
        return result

    def _steady(
        self, current: _Frame, part: Part, picture: np.ndarray, here: np.ndarray, last: np.ndarray, step: Motion
    ) -> None:
        """Mix what was fetched with the last frame's fill, where both show the same: `picture` is changed.

        From frame to frame other sources are the nearest, and each is a little off in its own way.
        """
        chain = Chain(*current.luma.shape)
        chain.extend(step)
        got, sure = _look(last, chain, None, part)
        light = _light(current, part, got, sure >= SURE)
        if light is None:
            return
        got = got + light
        alike = here & (sure >= SURE) & (np.abs(got - picture).max(axis=2) < ALIKE)
        picture[alike] += KEPT * (got - picture)[alike]

    def _from_neighbours(
        self, window: list[_Frame], current: _Frame, part: Part, picture: np.ndarray, missing: np.ndarray
    ) -> None:
        """Fill what frames before and after show; `picture` and `missing` are changed."""
        here = current.number - window[0].number
        sides = [_Side(current, part), _Side(current, part)]
        for distance in range(1, self.options.reach + 1):
            for side, step in zip(sides, (-1, 1), strict=True):
                index = here + step * distance
                inside = 0 <= index < len(window)
                motion = window[index if step < 0 else index - 1].onward if inside and not side.over else None
                if motion is None:
                    side.over = True
                else:
                    side.go(motion.back if step < 0 else motion.there, window[index], distance)
            if all(side.over for side in sides):
                break
        total, weight = np.zeros_like(picture), np.zeros(missing.shape, np.float32)
        for side in sides:
            near = np.where(side.have, 1 / side.distance, 0).astype(np.float32)
            total += side.colours * near[..., None]
            weight += near
        usable = missing & (weight > 0)
        picture[usable] = total[usable] / weight[usable, None]
        missing &= ~usable


class _Side:
    """What the frames on one side of a frame show of its hole, the nearest first."""

    def __init__(self, current: _Frame, part: Part) -> None:
        self.current, self.part = current, part
        self.missing = current.unknown[part]
        self.chain = Chain(*current.luma.shape)
        self.colours = np.zeros((*self.missing.shape, 3), np.float32)
        self.have = np.zeros(self.missing.shape, bool)
        self.distance = np.ones(self.missing.shape, np.float32)
        self.over = False
        small_height, small_width = current.luma.shape
        size = (small_width, small_height)
        self.small = cv2.resize(current.unknown.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0

    def go(self, step: Motion, other: _Frame, distance: int) -> None:
        """Look into one more frame."""
        self.chain.extend(step)
        # Most frames show nothing new: at the small size that is found out quickly.
        if not (fetch((~other.hole).astype(np.float32), self.chain.flow, 0.0)[self.small] > 0).any():
            return
        top = np.float32(np.iinfo(other.pixels.dtype).max)
        values = other.pixels[..., :3].astype(np.float32) / top
        got, sure = _look(values, self.chain, ~other.unknown, self.part)
        usable = self.missing & ~self.have & (sure >= SURE)
        light = _light(self.current, self.part, got, sure >= SURE) if usable.any() else None
        if light is not None:
            self.colours[usable] = (got + light)[usable]
            self.distance[usable] = distance
            self.have |= usable
        self.over = bool(self.have[self.missing].all())


def _surroundings(unknown: np.ndarray) -> Part:
    """The part of a frame that holds all of the hole and some rows and columns around it."""
    rows, columns = np.flatnonzero(unknown.any(axis=1)), np.flatnonzero(unknown.any(axis=0))
    room = 2 * RING
    return (
        slice(max(0, int(rows[0]) - room), int(rows[-1]) + 1 + room),
        slice(max(0, int(columns[0]) - room), int(columns[-1]) + 1 + room),
    )


def _look(values: np.ndarray, chain: Chain, known: np.ndarray | None, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Colours of another frame at the places a chain leads to from a part of this, and how sure they are, 0 to 1."""
    height, width = values.shape[:2]
    small_height, small_width = chain.sure.shape
    scale = np.array([width / small_width, height / small_height], np.float32)
    flow = np.ascontiguousarray(cv2.resize(chain.flow, (width, height), interpolation=cv2.INTER_LINEAR)[part]) * scale
    sure = cv2.resize(chain.sure, (width, height), interpolation=cv2.INTER_LINEAR)[part]
    shown = np.ones((height, width), np.float32) if known is None else known.astype(np.float32)
    origin = part[0].start, part[1].start
    return fetch(values, flow, origin=origin), np.minimum(sure, fetch(shown, flow, 0.0, origin))


def _light(current: _Frame, part: Part, got: np.ndarray, sure: np.ndarray) -> np.ndarray | None:
    """Difference in light between a frame and what was fetched for it: seen around the hole, carried into it.

    None where hardly anything around the hole resembles what was fetched: it is of quite another light, or another
    thing.
    """
    unknown = current.unknown[part]
    around = cv2.dilate(unknown.astype(np.uint8), np.ones((2 * RING + 1,) * 2, np.uint8)) > 0
    top = np.float32(np.iinfo(current.pixels.dtype).max)
    difference = current.pixels[part][..., :3].astype(np.float32) / top - got
    known = around & ~unknown & sure
    ring = known & (np.abs(difference).max(axis=2) < LARGEST_MATCH)
    if ring.sum() < LEAST_MATCH * known.sum():
        return None
    # Fine differences are noise and motion that is a little off; only broad ones are light.
    count = cv2.boxFilter(ring.astype(np.float32), -1, (RING, RING), normalize=False)
    total = cv2.boxFilter(difference * ring[..., None], -1, (RING, RING), normalize=False)
    return spread(total / np.maximum(count, 1)[..., None], ring)


def _joined(picture: np.ndarray, known: np.ndarray, got: np.ndarray, usable: np.ndarray) -> tuple[np.ndarray, float]:
    """What was fetched, bent so that it joins what is known around it without a seam, and how far it was bent.

    The difference along the seam is carried smoothly into the inside, as a membrane (Perez et al. 2003, Poisson image
    editing; here by pull and push, which is nearly the same and quick).
    """
    around = cv2.dilate(usable.astype(np.uint8), np.ones((2 * SEAM + 1,) * 2, np.uint8)) > 0
    # Also where the motion is not sure: it must not tear there either.
    seam = around & known
    if not seam.any():
        return got, 0.0
    window = (2 * SEAM + 1,) * 2
    count = cv2.boxFilter(seam.astype(np.float32), -1, window, normalize=False)
    total = cv2.boxFilter((picture - got) * seam[..., None], -1, window, normalize=False)
    # Fine differences are noise, and texture that is a little off.
    difference = total / np.maximum(count, 1)[..., None]
    bent = float(np.sqrt(np.square(difference[seam]).mean()))
    return np.clip(got + spread(difference, seam), 0, 1), max(0.0, bent - NOISE)


def _stored(anchor: _Anchor | None) -> dict[str, np.ndarray]:
    if anchor is None:
        return {}
    numbers = {"filled": anchor.filled, "flow": anchor.chain.flow, "sure": anchor.chain.sure, "last": anchor.last}
    return numbers | {"age": np.array(anchor.age), "strain": np.array(anchor.strain)}


def _taken_up(restart: Restart | None) -> _Anchor | None:
    if restart is None or not restart.state:
        return None
    chain = Chain(1, 1)
    chain.flow, chain.sure = restart.state["flow"], restart.state["sure"]
    state = restart.state
    return _Anchor(state["filled"], int(state["age"]), chain, state["last"], float(state["strain"]))
