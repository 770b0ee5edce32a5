"""From what a user says of a part of a picture (click, box, name, subject, writing) to its mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import cv2
import numpy as np

from imgfix.errors import InputError, NothingFound, UsageError
from imgfix.media import mask as masks
from imgfix.media.mask import Box, Length
from imgfix.tasks.select import text as writing
from imgfix.tasks.select.detect import DEFAULT_SCORE, Detection, Detector
from imgfix.tasks.select.instances import InstanceDetector, inside, one_of_each
from imgfix.tasks.select.names import canonical, nearest
from imgfix.tasks.select.segment import Point, Segmenter
from imgfix.tasks.select.subject import SubjectFinder
from imgfix.tasks.select.text import TextReader, Writing

Sign = Literal["+", "&", "-"]
Kind = Literal["point", "box", "subject", "background", "object", "text", "overlay"]

EDGE = 0.008
"""Share of the longer side by which things are widened so that no halo of them stays: their shadow, their soft edge."""
EDGE_LEAST = 3.0
SPECK = 0.003
"""Share of a thing below which a part of it that lies apart, or a hole in it, is taken for a fault of the network."""
OVERLAY_SCORE = 0.9
"""From which score on something laid over the picture is taken: what is taken wrongly is gone from the photo."""
FAINT = 0.2
"""A thing that was named is taken from this score on, where nothing of its name is surer."""
LETTERS = 0.25
"""Share of the letters' height by which writing is widened."""


@dataclass(frozen=True)
class Selector:
    """One thing that a user said.

    All of `+` is joined, then only what is in every `&` is kept, then all of `-` is taken away; without any `+` it
    begins with the whole picture.
    """

    kind: Kind
    sign: Sign = "+"
    at: tuple[Length, Length] | None = None
    """For a point: x and y."""
    positive: bool = True
    """For a point: whether it is on the thing, or says what is not part of it."""
    box: Box | None = None
    name: str = ""
    """For an object its name, one of COCO's."""
    number: int | None = None
    """For an object which one of that name, counted from left to right from 1; None: all of them."""
    text: str = ""
    """For text what it says."""


@dataclass(frozen=True)
class Thing:
    """Something that was found and chosen."""

    kind: str
    name: str
    """COCO's name, what a text says, else the kind."""
    number: int
    """Among those of its name, from left to right, from 1."""
    score: float | None
    """How sure the network is, 0 to 1; None where it does not say."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    area: int
    """Pixels of its mask, of its box where no mask was made."""


@dataclass(frozen=True)
class Selection:
    """The mask of everything that was chosen."""

    mask: np.ndarray
    """(H, W) float32 in [0, 1]."""
    things: tuple[Thing, ...]


class Tools(Protocol):
    """What finds things, each made ready when it is first asked for."""

    def segmenter(self) -> Segmenter:
        """Masks from points and boxes."""
        ...

    def detector(self) -> Detector | InstanceDetector:
        """Boxes of things with names."""
        ...

    def subject(self) -> SubjectFinder:
        """The main subject."""
        ...

    def reader(self) -> TextReader:
        """Writing."""
        ...

    def overlays(self) -> InstanceDetector:
        """What was laid over a picture."""
        ...


# -- what a user writes ------------------------------------------------------------------------------------------------


def parse_sign(text: str) -> tuple[Sign, str]:
    """The sign in front of a value, `+` where there is none, and the rest."""
    word = text.strip()
    if word[:1] in ("+", "&", "-"):
        return word[0], word[1:].strip()  # type: ignore[return-value]
    return "+", word


def parse_point(text: str, *, on: bool = True) -> Selector:
    """Read `x,y`, each in pixels or percent. Raises UsageError."""
    sign, rest = parse_sign(text)
    parts = rest.replace(" ", "").split(",")
    if len(parts) != 2:
        raise UsageError(f"`point` {text}: not a point", hint="give x,y such as 120,80 or 50%,30%")
    x, y = (masks.parse_length(part, f"`point` {text}") for part in parts)
    return Selector("point", sign, at=(x, y), positive=on)


def parse_box(text: str) -> Selector:
    """Read `x,y,w,h` around a thing. Raises UsageError."""
    sign, rest = parse_sign(text)
    return Selector("box", sign, box=masks.parse_box(rest))


def parse_object(text: str, names: Sequence[str] = ()) -> Selector:
    """Read `dog` or `dog:2`. Raises UsageError for a name that nothing has.

    names: those of the detector, where they are its own and not COCO's.
    """
    sign, rest = parse_sign(text)
    word, colon, digits = rest.partition(":")
    number = int(digits) if digits.strip().isdecimal() else 0
    if colon and number < 1:
        raise UsageError(
            f"`object` {text}: '{digits}' is no number",
            hint=f"they are counted from left to right: {word.strip() or 'person'}:1",
        )
    name = canonical(word) if not names else next((one for one in names if one == word.strip()), None)
    if name is None:
        close = nearest(word) if not names else list(names)
        raise UsageError(
            f"`object` {text}: '{word.strip()}' is not among the names that can be found",
            hint=f"near it: {', '.join(close)}" if close else "`point` or `box_object` choose anything else",
        )
    return Selector("object", sign, name=name, number=number if colon else None)


def parse_text(text: str) -> Selector:
    """Read what a text says, `*` for all writing. Raises UsageError when it is empty."""
    sign, rest = parse_sign(text)
    if not rest:
        raise UsageError("`text` is empty", hint="say what it reads, or '*' for all writing")
    return Selector("text", sign, text=rest)


# -- from choices to a mask --------------------------------------------------------------------------------------------


def choose(
    rgb: np.ndarray,
    choices: Sequence[Selector],
    tools: Tools,
    *,
    dilate: float | None = 0.0,
    least: float | None = None,
    base: np.ndarray | None = None,
) -> Selection:
    """The mask of what was chosen in a picture.

    rgb: (H, W, 3) or grey (H, W, 1), uint8 or uint16, sRGB. dilate: pixels by which what adds to the mask is widened,
    None for what leaves no halo of it; what is taken away, and the background, stay as they are. least: how sure the
    detector has to be, None: as of `least_score`; where no object of a name is that sure, the surest is taken. base:
    (H, W), a mask that the choices are joined with.
    Raises InputError: a point or box outside, nothing of that name or text (what was found is listed), no subject,
    nothing left; UsageError: nothing was chosen; MissingExtraError, ModelError: what finds it is not here.
    """
    if not choices:
        raise UsageError(
            "nothing says what to choose", hint="give `point`, `box_object`, `object`, `subject`, `text` or `overlay`"
        )
    finder = _Finder(rgb, tools, dilate, least)
    whole: dict[Sign, list[np.ndarray]] = {"+": [] if base is None else [base], "&": [], "-": []}
    for sign in whole:
        prompts = [choice for choice in choices if choice.sign == sign and choice.kind in ("point", "box")]
        if prompts:
            whole[sign].append(finder.prompted(prompts, sign))
    for choice in choices:
        if choice.kind not in ("point", "box"):
            whole[choice.sign].append(finder.named(choice))
    found = masks.combine(*whole["+"]) if whole["+"] else np.ones(rgb.shape[:2], np.float32)
    for part in whole["&"]:
        found = np.minimum(found, part)
    for part in whole["-"]:
        found = np.minimum(found, 1 - part)
    if not float(found.max(initial=0)) >= 0.5:
        raise InputError("nothing is left of what was chosen", hint="look at each part of it alone first")
    return Selection(found, tuple(finder.things))


@dataclass
class _Finder:
    """Looks at one picture, each network once."""

    rgb: np.ndarray
    tools: Tools
    dilate: float | None
    least: float | None
    things: list[Thing] = field(default_factory=list)
    _detections: list[Detection] | None = None
    _lines: list[Writing] | None = None
    _subject: np.ndarray | None = None

    @property
    def _size(self) -> tuple[int, int]:
        return self.rgb.shape[1], self.rgb.shape[0]

    def named(self, choice: Selector) -> np.ndarray:
        """The mask of an object, the subject, all but it, or writing."""
        makers: dict[str, Callable[[Selector], np.ndarray]] = {
            "object": self._object, "subject": self._main, "background": self._rest, "text": self._text,
            "overlay": self._overlay,
        }  # fmt: skip
        return makers[choice.kind](choice)

    def prompted(self, prompts: Sequence[Selector], sign: Sign) -> np.ndarray:
        """What points and boxes mean: each box, all points together, and alone the points that are left outside."""
        segmenter = self.tools.segmenter()
        on = [self._place(choice) for choice in prompts if choice.kind == "point" and choice.positive]
        off = [self._place(choice) for choice in prompts if choice.kind == "point" and not choice.positive]
        boxes = [self._corners(choice.box) for choice in prompts if choice.box is not None]
        if not on and not boxes:
            raise UsageError("only points that are not on it were given", hint="give a point on it, or a box around it")
        picture = segmenter.embed(self.rgb)
        found = [("box", segmenter.segment(picture, not_points=off, box=box)) for box in boxes]
        if on:
            joint = segmenter.segment(picture, on, off)
            found.append(("point", joint))
            # Clicks on several things mean all of them; those that the joint mask has not are looked at alone.
            outside = [(x, y) for x, y in on if not joint.inside[int(y), int(x)]]
            found += [("point", segmenter.segment(picture, [point], off)) for point in outside if len(on) > 1]
        return masks.combine(*(self._kept(kind, kind, 1, part.inside, part.quality, sign) for kind, part in found))

    def _object(self, choice: Selector) -> np.ndarray:
        if self._detections is None:
            self._detections = self.tools.detector().find(self.rgb, min(FAINT, self._sure))
        all_of_it = [one for one in self._detections if one.name == choice.name]
        # Someone who names a thing knows that it is there: the surest of it is taken, though it may be no sure find.
        own = sorted((one for one in all_of_it if one.score >= self._sure), key=_middle) or all_of_it[:1]
        if not own:
            raise NothingFound(f"no {choice.name} was found", hint=self._others(choice.name))
        if choice.number is not None and choice.number > len(own):
            raise InputError(
                f"there is no {choice.name}:{choice.number}, only {len(own)} found", hint="counted from left to right"
            )
        wanted = range(len(own)) if choice.number is None else [choice.number - 1]
        parts = self._drawn([own[index] for index in wanted])
        found = [
            self._kept("object", choice.name, index + 1, part, own[index].score, choice.sign)
            for index, part in zip(wanted, parts, strict=True)
        ]
        return masks.combine(*found)

    def _drawn(self, things: Sequence[Detection]) -> list[np.ndarray]:
        """Which pixels (H, W) are each thing's: the detector's own masks, else what is found in the boxes."""
        if all(one.mask is not None for one in things):
            return [inside(one, *self.rgb.shape[:2]) for one in things]
        segmenter = self.tools.segmenter()
        parts = segmenter.segment_boxes(segmenter.embed(self.rgb), [one.box for one in things])
        return [part.inside for part in parts]

    @property
    def _sure(self) -> float:
        """From which score on an object is taken."""
        return least_score("object", self.least)

    def _others(self, name: str) -> str:
        """What there is instead."""
        counts: dict[str, int] = {}
        for one in self._detections or ():
            if one.score < self._sure:
                continue
            counts[one.name] = counts.get(one.name, 0) + 1
        if not counts:
            return "nothing else was found either; `point` x,y chooses anything"
        return f"found: {', '.join(f'{one} ({count})' if count > 1 else one for one, count in counts.items())}"

    def _main(self, choice: Selector) -> np.ndarray:
        return self._kept("subject", "subject", 1, self._subject_map() >= 0.5, None, choice.sign)

    def _rest(self, choice: Selector) -> np.ndarray:
        inside = self._subject_map() < 0.5
        self._add("background", "background", 1, inside, None)
        return inside.astype(np.float32)  # never widened: that would take a part of the subject

    def _subject_map(self) -> np.ndarray:
        if self._subject is None:
            self._subject = self.tools.subject().find(self.rgb)
        if self._subject is None:
            raise NothingFound("no main subject was found", hint="`point` x,y or `object` NAME choose one")
        return self._subject

    def _text(self, choice: Selector) -> np.ndarray:
        if self._lines is None:
            self._lines = self.tools.reader().read(self.rgb)
        own = writing.matching(self._lines, choice.text)
        if not own:
            said = ", ".join(f"'{line.text}'" for line in self._lines[:8])
            more = " ..." if len(self._lines) > 8 else ""
            what = "no writing" if choice.text in writing.EVERYTHING else f"no writing that says '{choice.text}'"
            raise NothingFound(f"{what} was found", hint=f"found: {said}{more}" if said else "`box` fills a rectangle")
        widened = choice.sign == "+"
        margin = LETTERS if self.dilate is None and widened else 0.0
        shape = self.rgb.shape[:2]
        for number, line in enumerate(own, 1):
            self._add("text", line.text, number, writing.mask_of([line], shape) > 0, line.score)
        found = writing.mask_of(own, shape, margin)
        return masks.dilate(found, (self.dilate or 0.0) if widened else 0.0)

    def _overlay(self, choice: Selector) -> np.ndarray:
        least = least_score("overlay", self.least)
        own = sorted(one_of_each(self.tools.overlays().find(self.rgb, least)), key=_middle)
        if not own:
            raise NothingFound(
                "nothing that was laid over the picture was found",
                hint="a lower `score` takes what is less sure; `text` '*' finds writing, `box` fills a rectangle",
            )
        counts: dict[str, int] = {}
        parts = []
        for one in own:
            counts[one.name] = counts.get(one.name, 0) + 1
            part = inside(one, *self.rgb.shape[:2])
            parts.append(self._kept("overlay", one.name, counts[one.name], part, one.score, choice.sign))
        return masks.combine(*parts)

    def _kept(
        self, kind: str, name: str, number: int, inside: np.ndarray, score: float | None, sign: Sign
    ) -> np.ndarray:
        """Remember a thing, and give its mask, as wide as was asked for where it adds to the whole."""
        inside = without_specks(inside)
        self._add(kind, name, number, inside, score)
        width = self.dilate if self.dilate is not None else reach(self._size)
        return masks.dilate(inside.astype(np.float32), width if sign == "+" else 0.0)

    def _add(self, kind: str, name: str, number: int, inside: np.ndarray, score: float | None) -> None:
        edges = masks.bounds(inside)
        if edges is None:
            return
        top, bottom, left, right = edges
        rated = round(float(np.clip(score, 0, 1)), 3) if score is not None else None
        self.things.append(Thing(kind, name, number, rated, (left, top, right, bottom), int(inside.sum())))

    def _place(self, choice: Selector) -> Point:
        assert choice.at is not None
        width, height = self._size
        x, y = choice.at[0].of(width), choice.at[1].of(height)
        # 100 % means the last pixel of a side.
        x, y = x - (x == width and choice.at[0].percent), y - (y == height and choice.at[1].percent)
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"the point {x:g},{y:g} is outside the picture, which is {width}x{height}",
                hint="a point is x,y counted from the left top corner of the upright picture",
            )
        return x, y

    def _corners(self, box: Box) -> tuple[float, float, float, float]:
        edges = masks.bounds(masks.from_box(box, self._size) > 0)  # raises for a box outside
        assert edges is not None
        top, bottom, left, right = edges
        return left, top, right, bottom


def least_score(kind: Kind, asked: float | None) -> float:
    """From which score on something is taken that a detector finds; asked: by the user."""
    if asked is not None:
        return asked
    return OVERLAY_SCORE if kind == "overlay" else DEFAULT_SCORE


def reach(size: tuple[int, int]) -> float:
    """Pixels by which things in a picture of a size are widened so that no halo of them stays."""
    return max(EDGE_LEAST, EDGE * max(size))


def without_specks(inside: np.ndarray) -> np.ndarray:
    """A mask (H, W) bool without the specks that a network leaves around and inside a thing."""
    found = inside
    for filled in (True, False):  # islands, then holes
        _, labels, facts, _ = cv2.connectedComponentsWithStats((found == filled).astype(np.uint8), connectivity=8)
        areas = facts[1:, cv2.CC_STAT_AREA]
        if areas.size > 1:
            small = np.flatnonzero(areas < SPECK * inside.sum()) + 1
            found = np.where(np.isin(labels, small), not filled, found)
    return found


def _middle(one: Detection) -> float:
    return one.box[0] + one.box[2]


def list_things(rgb: np.ndarray, tools: Tools, *, least: float | None = None) -> list[Thing]:
    """Everything in a picture that has a name, by name and from left to right."""
    found = tools.detector().find(rgb, least_score("object", least))
    things = []
    for name in dict.fromkeys(one.name for one in found):
        own = sorted((one for one in found if one.name == name), key=_middle)
        for number, one in enumerate(own, 1):
            things.append(Thing("object", name, number, round(one.score, 3), one.box, round(one.area)))
    return things
