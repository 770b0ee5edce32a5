"""What a run shows while it goes: how far it is for a bar, or a plain line now and then where nobody draws one."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Protocol

from imgfix.errors import worded
from imgfix.train.job import Baseline, Validation
from imgfix.train.recipe import Recipe
from imgfix.train.schedule import progress

PLAIN_SECONDS = 10.0
"""Least time between two plain lines."""

Bar = Callable[[float, str, str], None]
"""Told how far a run is: its part that is done, 0 to 1; the place in words ("step 40/100"); loss, rate and speed."""


class Reporter(Protocol):
    """Where a run is told of: a command line's console, a page, a test. Fields in a text are named as in errors."""

    def said(self, text: str) -> None:
        """A line of interest."""

    def warned(self, text: str) -> None:
        """Something that the user should know although the run goes on."""

    def training(self) -> AbstractContextManager[Bar | None]:
        """The run goes on while the block runs; gives its bar, or None where none is drawn."""


class Silent:
    """A `Reporter` for Python: says nothing, but warns as Python does."""

    def said(self, text: str) -> None:
        """See `Reporter.said`."""

    def warned(self, text: str) -> None:
        """See `Reporter.warned`."""
        warnings.warn(worded(text), RuntimeWarning, stacklevel=2)

    def training(self) -> AbstractContextManager[Bar | None]:
        """See `Reporter.training`."""
        return nullcontext()


class Display:
    """Shows loss, speed and the time that is left.

    Args:
        recipe: how many steps and minutes there are.
        reporter: where to; None shows nothing but warnings.
    """

    def __init__(self, recipe: Recipe, reporter: Reporter | None = None) -> None:
        self.recipe, self._silent = recipe, reporter is None
        self._reporter: Reporter = Silent() if reporter is None else reporter
        self.losses: dict[str, float] = {}
        """Of the last logged step."""
        self._drawing: AbstractContextManager[Bar | None] = nullcontext()
        self._bar: Bar | None = None
        self._speed = 0.0
        self._last: tuple[float, int] | None = None
        self._said = 0.0

    def __enter__(self) -> Display:
        self._drawing = self._reporter.training()
        self._bar = self._drawing.__enter__()
        if self._bar is not None:
            self._bar(0.0, self._place(0, 0.0), "starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar = None
        self._drawing.__exit__(kind, error, trace)

    def line(self, text: str) -> None:
        """Say a line."""
        self._reporter.said(text)

    def warn(self, text: str) -> None:
        """Say a line that matters even to those who want silence."""
        self._reporter.warned(text)

    def validation(self, step: int, found: Validation, better: bool) -> None:
        """Say what a validation found, beside what the pictures get without a network."""
        notes = ["best so far"] if better else []
        if found.baseline is not None and found.score <= found.baseline.score:
            notes.append(f"no better than {found.baseline.name} yet")
        words = f" ({', '.join(notes)})" if notes else ""
        self.line(f"step {step}: held-out pictures: {measured(found.metrics, found.baseline)}{words}")

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave out of the speed what is no step."""
        begun = time.monotonic()
        yield
        if self._last is not None:
            self._last = (self._last[0] + time.monotonic() - begun, self._last[1])

    def step(self, done: int, rate: float, seconds: float, logged: bool) -> None:
        """Show how things stand after `done` steps and `seconds` of the whole run."""
        now = time.monotonic()
        if self._last is None:
            self._last = (now, done)
        elif now - self._last[0] > 0.5 and done > self._last[1]:
            speed = (done - self._last[1]) / (now - self._last[0])
            self._speed = speed if self._speed == 0 else 0.8 * self._speed + 0.2 * speed
            self._last = (now, done)
        if self._silent:
            return
        text = self._text(done, rate, seconds)
        if self._bar is not None:
            where = progress(self.recipe, done, seconds)
            self._bar(where, self._place(done, seconds), text)
        elif done == self.recipe.steps or (logged and now - self._said >= PLAIN_SECONDS):
            self._said = now
            self.line(f"{self._place(done, seconds)}  {text}")

    def _place(self, done: int, seconds: float) -> str:
        """How far the run is: in steps, or in time where that is what ends it."""
        if self.recipe.minutes is None or done / self.recipe.steps > seconds / (60 * self.recipe.minutes):
            return f"step {done}/{self.recipe.steps}"
        return f"step {done}, {duration(seconds)} of {duration(60 * self.recipe.minutes)}"

    def _text(self, done: int, rate: float, seconds: float) -> str:
        parts = [f"loss {self.losses['loss']:.4g}"] if "loss" in self.losses else []
        parts.append(f"rate {rate:.2g}")
        if self._speed:
            left = (self.recipe.steps - done) / self._speed
            if self.recipe.minutes is not None:
                left = min(left, 60 * self.recipe.minutes - seconds)
            speed = f"{self._speed:.1f} steps/s" if self._speed >= 1 else f"{1 / self._speed:.1f} s/step"
            parts += [speed, f"{duration(left)} left"]
        return "  ".join(parts)


def measured(metrics: Mapping[str, float], baseline: Baseline | None) -> str:
    """`psnr 30.12 (bicubic 28.43)`."""
    words = []
    for name, value in metrics.items():
        known = baseline is not None and name in baseline.metrics
        words.append(f"{name} {value:.4g}" + (f" ({baseline.name} {baseline.metrics[name]:.4g})" if known else ""))  # type: ignore[union-attr]
    return ", ".join(words)


def duration(seconds: float) -> str:
    """Write a time span the way people say it: 45 s, 12 min, 3 h 20 min."""
    seconds = max(0, round(seconds))
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
