"""Extends the canvas of a picture: new borders, filled from the picture inwards out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgfix.errors import InputError, UsageError
from imgfix.media.mask import Length, parse_length

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform
    from imgfix.runtime.engine import Engine
    from imgfix.tasks.inpaint import InpaintOptions

SIDES = ("left", "top", "right", "bottom")
LARGEST = 8  # times a side, beyond which hardly any of the result would be picture
STEP = 0.25  # of a side: how far one step reaches; a wider border is filled in several, each seeing the last

_EXAMPLE = "give sides with pixels or percent: left=200,top=10% (or all=15%)"


@dataclass(frozen=True)
class Margins:
    """How many pixels are added at each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the extended picture."""
        return width + self.left + self.right, height + self.top + self.bottom


@dataclass(frozen=True)
class Expansion:
    """What `expand` asks for: a length for each side, percent being of the picture's width or height."""

    left: Length
    top: Length
    right: Length
    bottom: Length

    def of(self, width: int, height: int) -> Margins:
        """In pixels, for a picture. Raises InputError when the result would be absurdly large."""
        margins = Margins(
            round(self.left.of(width)),
            round(self.top.of(height)),
            round(self.right.of(width)),
            round(self.bottom.of(height)),
        )
        new_width, new_height = margins.size(width, height)
        if new_width > LARGEST * width or new_height > LARGEST * height:
            raise InputError(
                f"`expand` would make {new_width}x{new_height} of {width}x{height}",
                hint=f"a side grows at most {LARGEST} times",
            )
        if (new_width, new_height) == (width, height):
            raise InputError("`expand` adds less than one pixel", hint=_EXAMPLE)
        return margins


def parse_expansion(text: str) -> Expansion:
    """Read `left=200,top=10%`; `x` and `y` mean both sides of a direction, `all` all four. Raises UsageError."""
    sides: dict[str, Length] = {}
    several = {"all": SIDES, "x": ("left", "right"), "y": ("top", "bottom")}
    for part in text.replace(" ", "").split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in (*SIDES, *several):
            raise UsageError(f"`expand` {text}: '{part}' is no side with a length", hint=_EXAMPLE)
        length = parse_length(value, f"`expand` {text}")
        sides.update(dict.fromkeys(several.get(name, (name,)), length))
    if all(length.value == 0 for length in sides.values()):
        raise UsageError(f"`expand` {text} adds nothing", hint=_EXAMPLE)
    none = Length(0)
    return Expansion(*(sides.get(name, none) for name in SIDES))


def expand(
    pixels: np.ndarray,
    margins: Margins,
    filler: Engine | str,
    *,
    options: InpaintOptions | None = None,
    colour: ColourTransform | None = None,
    alpha: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Add filled borders to a picture, whose own pixels stay bit-identical.

    A wide border is filled in steps, from the picture outwards. pixels: (H, W, C) uint8 or uint16. filler: as for
    `inpaint`. Returns the new pixels, (H', W', C), and the new alpha or None: a border is as transparent as the edge it
    continues, so that a cut-out gets no frame.
    """
    from imgfix.tasks.inpaint import InpaintOptions, inpaint

    how = replace(options or InpaintOptions(), feather=0.0)  # the picture's own pixels stay
    height, width, channels = pixels.shape
    new_width, new_height = margins.size(width, height)
    canvas = np.zeros((new_height, new_width, channels), pixels.dtype)
    rows, columns = slice(margins.top, margins.top + height), slice(margins.left, margins.left + width)
    canvas[rows, columns] = pixels
    sheet = None
    if alpha is not None:
        added = (rows.start, new_height - rows.stop), (columns.start, new_width - columns.stop)
        sheet = np.pad(alpha, added, mode="edge")
    top, bottom, left, right = rows.start, rows.stop, columns.start, columns.stop
    steps = list(_steps((top, bottom, left, right), new_width, new_height))
    for done, (outer, inner) in enumerate(steps):
        part = (slice(outer[0], outer[1]), slice(outer[2], outer[3]))
        mask = np.ones((outer[1] - outer[0], outer[3] - outer[2]), np.float32)
        mask[inner[0] - outer[0] : inner[1] - outer[0], inner[2] - outer[2] : inner[3] - outer[2]] = 0
        seen = sheet[part] if sheet is not None else None

        def told(part_done: int, parts: int, done: int = done) -> None:
            if progress:
                progress(done * 100 + 100 * part_done // parts, len(steps) * 100)

        canvas[part] = inpaint(canvas[part], mask, filler, how, colour=colour, alpha=seen, progress=told)
    return canvas, sheet


Bounds = tuple[int, int, int, int]


def _steps(inner: Bounds, width: int, height: int) -> list[tuple[Bounds, Bounds]]:
    """Ever larger rectangles, from the picture to the whole canvas: (outer, inner) of each step."""
    found = []
    while inner != (0, height, 0, width):
        top, bottom, left, right = inner
        down, across = max(32, round(STEP * (bottom - top))), max(32, round(STEP * (right - left)))
        outer = (max(0, top - down), min(height, bottom + down), max(0, left - across), min(width, right + across))
        found.append((outer, inner))
        inner = outer
    return found
