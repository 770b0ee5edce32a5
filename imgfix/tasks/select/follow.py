"""What was chosen in one frame of a clip, followed through the others: by its motion, and by being looked at again."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from imgfix.errors import InputError, NothingFound
from imgfix.media import mask as masks
from imgfix.nets.motion import dense_inverse_search, fetch
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.tasks.background import grey
from imgfix.tasks.select.choose import Selector, Tools, choose, without_specks
from imgfix.tasks.select.pixels import as_bytes
from imgfix.tasks.select.segment import Segmenter

EVERY = 8
"""Frames after which what has a name is looked for again."""
SAME = 0.3
"""Masks that overlap more than this (intersection over union) are one thing."""
AGREE = 0.6
"""What is drawn anew is taken where it overlaps what the motion leads to by this."""
HIDDEN = 0.08
"""A thing of which less than this share of its usual area is left has gone behind something."""
LIKE = 0.5
"""How alike the colours of a thing have to stay (Bhattacharyya coefficient)."""
FOUND = 45.0
"""Levels of 255 (root mean square) that a place may differ from what was lost, to be looked at."""
WITHIN = 0.85
"""What is drawn anew is also taken where so much of it lies in what the motion leads to: the rest went behind
something."""
PATIENCE = 3
"""A thing that was looked for again so often in vain is not there any more."""
SMALLEST = 12
"""Pixels of the smallest part that is followed."""
_MARGIN = 0.05
_BINS = (8, 8, 8)


class Masks:
    """A mask for each frame, packed; frames that were never told of have an empty one."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._packed: dict[int, bytes] = {}
        self.count = 0

    def put(self, number: int, mask: np.ndarray) -> None:
        """Add (H, W) bool to what a frame has."""
        self.count = max(self.count, number + 1)
        if mask.any():
            whole = mask | self.get(number)
            self._packed[number] = zlib.compress(np.packbits(whole).tobytes(), 1)

    def get(self, number: int) -> np.ndarray:
        """(H, W) bool."""
        width, height = self.size
        packed = self._packed.get(number)
        if packed is None:
            return np.zeros((height, width), bool)
        bits = np.frombuffer(zlib.decompress(packed), np.uint8)
        return np.unpackbits(bits, count=width * height).reshape(height, width).astype(bool)

    @property
    def first(self) -> int:
        """Number of the first frame that has any."""
        return min(self._packed)

    @property
    def empty(self) -> bool:
        """Whether no frame has anything."""
        return not self._packed


@dataclass(frozen=True)
class FollowRequest:
    """What is followed."""

    choices: tuple[Selector, ...]
    least: float | None
    """How sure a detector has to be."""
    at: int | None = None
    """Number of the frame in which it is chosen; None: the first, and again and again where it has a name."""

    @property
    def again(self) -> bool:
        """Whether it is looked for in later frames too: what is found by its kind, and not at a place of one frame."""
        placed = any(each.kind in ("point", "box") or each.number is not None for each in self.choices)
        return self.at is None and not placed

    @property
    def drawn(self) -> bool:
        """Whether a network draws it anew in each frame; writing and the subject move as they are."""
        return any(each.kind in ("point", "box", "object") for each in self.choices)


@dataclass(frozen=True)
class _Thing:
    """One thing on its way."""

    mask: np.ndarray
    """(H, W) bool, where it was seen last."""
    colours: np.ndarray
    area: float
    patch: np.ndarray
    """(h, w, 3) uint8, what it looked like when it was last seen well."""
    shape: np.ndarray
    """(h, w) bool, which of the patch is its own."""
    lost: bool = False
    missed: int = 0


def follow(
    frames: Iterator[np.ndarray], tools: Tools, request: FollowRequest, progress: Callable[[int], None] | None = None
) -> Masks:
    """The masks of what was chosen, for every frame.

    Each part of the mask is a thing. From frame to frame it is moved along the optical flow, and a segmenter draws it
    anew, with the moved mask, its box and its middle as the prompt; what it draws is taken where both agree. A thing
    that goes behind another one is lost; it is looked for by its looks until the scene ends, and followed again. After
    a cut only what has a name is looked for. With `at`, the way back to the beginning of the scene is followed too.

    frames: (H, W, 3|4) uint8 or uint16, upright. Raises InputError: nothing of it is in the frame it is chosen in, or
    in none.
    """
    path = _Path(tools, request)
    for number, frame in enumerate(frames):
        path.go(number, as_bytes(frame[..., :3]))
        if progress is not None:
            progress(number + 1)
    return path.ended()


@dataclass
class _Seen:
    """A frame that may be gone back to."""

    number: int
    rgb: np.ndarray
    luma: np.ndarray


@dataclass
class _Path:
    """The way through a clip."""

    tools: Tools
    request: FollowRequest
    things: list[_Thing] = field(default_factory=list)
    behind: deque[_Seen] = field(default_factory=deque)
    """Earlier frames of the scene that may have to be gone back to, the last at the end."""
    found: Masks | None = None
    refusal: InputError | None = None
    _cuts: CutFinder = field(default_factory=CutFinder)
    _chosen: bool = False
    _scene: int = 0

    def go(self, number: int, rgb: np.ndarray) -> None:
        """One frame further."""
        if self.found is None:
            self.found = Masks((rgb.shape[1], rgb.shape[0]))
        here = _Seen(number, rgb, grey(rgb))
        if self._cuts.is_cut(rgb):
            self.things, self._scene = [], number
            self.behind.clear()
        if self.things and self.behind:
            motion = _motion(here.luma, self.behind[-1].luma, rgb.shape)
            before, self.things = self.things, [self._moved(thing, here, motion) for thing in self.things]
            for old, thing in zip(before, self.things, strict=True):
                if old.lost and not thing.lost:  # some of it was seen before it was known again
                    self._go_back(thing, here)
        if self._is_time(number):
            self._choose(here)
        self.found.put(number, _union(self.things, rgb.shape))
        self.behind.append(here)
        waits = self.request.at is not None and number < self.request.at
        while len(self.behind) > EVERY and not waits:
            self.behind.popleft()

    def ended(self) -> Masks:
        """The masks. Raises InputError."""
        if self.found is None:
            raise InputError("the clip has no frame", hint="choose another part of it")
        if self.request.at is not None and not self._chosen:
            raise InputError("`at` is behind the end of the clip", hint="choose an earlier moment")
        if self.found.empty:
            raise self.refusal or NothingFound("nothing was found in any frame", hint="choose it with `point`")
        return self.found

    def _is_time(self, number: int) -> bool:
        if self.request.at is not None:
            return number == self.request.at
        return number == 0 if not self.request.again else (number - self._scene) % EVERY == 0

    def _choose(self, here: _Seen) -> None:
        self._chosen = True
        try:
            mask = choose(here.rgb, self.request.choices, self.tools, least=self.request.least).mask >= 0.5
        except InputError as error:
            if not self.request.again:
                raise
            self.refusal = self.refusal or error
            mask = np.zeros(here.rgb.shape[:2], bool)
        fresh = _parts(mask)
        kept = []
        for thing in self.things:
            same = any(not thing.lost and _overlap(thing.mask, part) > SAME for part in fresh)
            if not same and thing.missed + 1 < PATIENCE:
                kept.append(replace(thing, missed=thing.missed + 1))
        known = self.found.get(here.number - 1) if self.found is not None and here.number > self._scene else None
        for part in fresh:
            thing = _thing(here.rgb, part)
            kept.append(thing)
            near = masks.dilate(part.astype(np.float32), max(3.0, 0.02 * max(part.shape))) > 0
            if known is None or not (known & near).any():
                self._go_back(thing, here)
        self.things = kept

    def _go_back(self, thing: _Thing, here: _Seen) -> None:
        """Follow a thing that is new to where it came from."""
        assert self.found is not None
        later = here
        for earlier in reversed(self.behind):
            thing = self._moved(thing, earlier, _motion(earlier.luma, later.luma, earlier.rgb.shape))
            if thing.lost and self.request.at is None:
                return
            self.found.put(earlier.number, _union([thing], earlier.rgb.shape))
            later = earlier

    def _moved(self, thing: _Thing, here: _Seen, motion: np.ndarray) -> _Thing:
        """The thing in the next frame. motion: (H, W, 2), from there to where its pixels were."""
        if thing.lost:
            return self._searched(thing, here)
        moved = fetch(thing.mask.astype(np.float32), motion, 0.0) >= 0.5
        if moved.sum() < max(SMALLEST, HIDDEN * thing.area / 2):
            return replace(thing, lost=True)
        mask = self._drawn(here.rgb, moved, thing)
        if mask is None:
            mask = moved
        colours = _colours(here.rgb, mask)
        share = mask.sum() / thing.area
        if share < HIDDEN or _alike(colours, thing.colours) < LIKE:
            return replace(thing, lost=True)
        if not 0.9 < share < 1.4:  # partly hidden, or more than itself: what it looks like is known better
            return replace(thing, mask=mask, area=0.98 * thing.area + 0.02 * float(mask.sum()))
        patch, shape = _cut_out(here.rgb, mask)
        return replace(
            thing, mask=mask, patch=patch, shape=shape, area=0.9 * thing.area + 0.1 * float(mask.sum()),
            colours=0.9 * thing.colours + 0.1 * colours,
        )  # fmt: skip

    def _drawn(self, rgb: np.ndarray, moved: np.ndarray, thing: _Thing) -> np.ndarray | None:
        """What a segmenter draws where a mask was moved to; None where the two do not agree."""
        if not self.request.drawn:
            return None
        mask = _prompted(self.tools.segmenter(), rgb, moved)
        if _overlap(mask, moved) >= AGREE:
            return mask
        hidden = mask.any() and (mask & moved).sum() >= WITHIN * mask.sum()
        return mask if hidden and _alike(_colours(rgb, mask), thing.colours) >= (1 + LIKE) / 2 else None

    def _searched(self, thing: _Thing, here: _Seen) -> _Thing:
        """Look for a thing that was lost, by what it looked like."""
        place = _place_of(thing, here.rgb)
        if place is None:
            return thing
        mask = place
        if self.request.drawn:
            drawn = self._drawn(here.rgb, place, thing)
            if drawn is None:
                return thing
            mask = drawn
        colours = _colours(here.rgb, mask)
        if _alike(colours, thing.colours) < (1 + LIKE) / 2 or not 0.5 < mask.sum() / thing.area < 2:
            return thing
        return replace(thing, mask=mask, lost=False, missed=0)


def _prompted(segmenter: Segmenter, rgb: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The thing that a mask is of, drawn anew."""
    edges = masks.bounds(moved)
    assert edges is not None
    top, bottom, left, right = edges
    across, down = _MARGIN * (right - left) + 1, _MARGIN * (bottom - top) + 1
    height, width = moved.shape
    box = (max(0.0, left - across), max(0.0, top - down), min(width, right + across), min(height, bottom + down))
    inner = cv2.distanceTransform(np.pad(moved.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(inner.argmax()), inner.shape)
    found = segmenter.segment(segmenter.embed(rgb), [(float(x), float(y))], box=box, rough=moved).inside
    # Nothing leaps: what lies far outside the box belongs to something else.
    room = np.zeros_like(moved)
    room[
        max(0, int(top - 3 * down)) : int(bottom + 3 * down), max(0, int(left - 3 * across)) : int(right + 3 * across)
    ] = 1
    return without_specks(found & room)


def _motion(here: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """From each pixel of a frame to where it is in another, (H, W, 2) in pixels."""
    flow = dense_inverse_search(here, other)
    height, width = shape[:2]
    scale = np.array([width / here.shape[1], height / here.shape[0]], np.float32)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale


def _parts(mask: np.ndarray) -> list[np.ndarray]:
    """The parts of a mask that do not touch, each (H, W) bool."""
    number, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return [labels == index for index in range(1, number) if facts[index, cv2.CC_STAT_AREA] >= SMALLEST]


def _thing(rgb: np.ndarray, mask: np.ndarray) -> _Thing:
    patch, shape = _cut_out(rgb, mask)
    return _Thing(mask, _colours(rgb, mask), float(mask.sum()), patch, shape)


def _cut_out(rgb: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = masks.bounds(mask)
    assert edges is not None
    top, bottom, left, right = edges
    return rgb[top:bottom, left:right].copy(), mask[top:bottom, left:right].copy()


def _colours(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Distribution of the colours of a part, adding up to one."""
    found = cv2.calcHist([rgb], [0, 1, 2], mask.astype(np.uint8), _BINS, [0, 256] * 3).ravel()
    return found / max(float(found.sum()), 1.0)


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """The Bhattacharyya coefficient of two distributions, 0 to 1."""
    return float(np.sqrt(one * other).sum())


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 0.0


def _union(things: Sequence[_Thing], shape: tuple[int, ...]) -> np.ndarray:
    found = np.zeros(shape[:2], bool)
    for thing in things:
        if not thing.lost:
            found |= thing.mask
    return found


def _place_of(thing: _Thing, rgb: np.ndarray) -> np.ndarray | None:
    """Where in a frame the looks of a thing are found again, as its mask there; None: nowhere."""
    shrink = min(1.0, 24 / max(1, min(thing.patch.shape[:2])))  # enough to tell it
    size = max(4, round(thing.patch.shape[1] * shrink)), max(4, round(thing.patch.shape[0] * shrink))
    small = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    patch = cv2.resize(thing.patch, size, interpolation=cv2.INTER_AREA)
    shape = cv2.resize(thing.shape.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    if small.shape[0] < size[1] or small.shape[1] < size[0] or not shape.any():
        return None
    weights = np.repeat(shape[..., None], 3, axis=2)
    off = cv2.matchTemplate(small, patch, cv2.TM_SQDIFF, mask=weights)
    least, _, (x, y), _ = cv2.minMaxLoc(off)
    if least > FOUND**2 * weights.sum():
        return None
    found = np.zeros(rgb.shape[:2], bool)
    top, left = round(y / shrink), round(x / shrink)
    place = found[top : top + thing.shape.shape[0], left : left + thing.shape.shape[1]]
    place |= thing.shape[: place.shape[0], : place.shape[1]]
    return found if found.sum() >= SMALLEST else None
