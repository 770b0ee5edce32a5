"""How far a network sees: the pixels that a result depends on, followed back layer by layer along one side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """Pixels from `low` to `high`, both included; 0 is one that windows and folds begin at."""

    low: int
    high: int

    def grown(self, pixels: int) -> Span:
        """Before convolutions that reach so far together."""
        return Span(self.low - pixels, self.high + pixels)

    def shrunk(self, times: int = 2) -> Span:
        """Before the picture was made so many times larger, each pixel from one."""
        return Span(self.low // times, self.high // times)

    def spread(self, times: int = 2) -> Span:
        """Before the picture was made so many times smaller, each pixel from a square."""
        return Span(self.low * times, self.high * times + times - 1)

    def windowed(self, window: int, shift: int) -> Span:
        """Before attention in windows, which begin at multiples of `window` and `shift` further on."""
        low = (self.low - shift) // window * window + shift
        high = (self.high - shift) // window * window + shift + window - 1
        return Span(low, high)

    def joined(self, other: Span) -> Span:
        """What either of the two needs."""
        return Span(min(self.low, other.low), max(self.high, other.high))


def farthest(needs: Callable[[int], Span], places: Iterable[int], scale: int = 1) -> int:
    """Pixels on each side of one that can change its result.

    Args:
        needs: place of a result along one side to the input pixels it depends on.
        places: results that stand for all others.
        scale: results an input pixel has along one side.
    """
    return max(
        max(place // scale - span.low, span.high - place // scale) for place in places for span in (needs(place),)
    )


def unet(place: int, stage: Callable[[Span, int], Span], levels: int = 3) -> Span:
    """What a result of a U-Net depends on; what passes beside the deeper levels needs less and is not counted.

    Args:
        place: of the result.
        stage: what a level's blocks need; called with levels from 0 to the bottom and back to 0. Its first and last
            convolution reach one pixel.
        levels: halvings of the size.
    """
    span = Span(place, place).grown(1)
    for level in range(levels):
        span = stage(span, 2 * levels - level).shrunk()
    span = stage(span, levels)
    for level in reversed(range(levels)):
        span = stage(span.spread(), level)
    return span.grown(1)
