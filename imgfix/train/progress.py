"""What a run shows while it goes: a bar on a terminal, a plain line now and then elsewhere, all on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from imgfix.train.recipe import Recipe

PLAIN_SECONDS = 10.0
"""Least time between two plain lines."""


class Display:
    """Shows loss, speed and the time that is left.

    Args:
        recipe: how many steps and minutes there are.
        console: where to; None shows nothing but warnings.
    """

    def __init__(self, recipe: Recipe, console: Console | None = None) -> None:
        self.recipe, self.console = recipe, console
        self.losses: dict[str, float] = {}
        """Of the last logged step."""
        self._bar: Progress | None = None
        self._task: Any = None
        self._speed = 0.0
        self._last: tuple[float, int] | None = None
        self._said = 0.0

    def __enter__(self) -> Display:
        if self.console is not None and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[state]}"),
                console=self.console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("train", total=self.recipe.steps, state="starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Say a line."""
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """Say a line that matters even to those who want silence."""
        console = self.console or Console(stderr=True)
        console.print(f"warning: {text}", markup=False, highlight=False, style="yellow")

    def validation(self, step: int, metrics: dict[str, float], better: bool) -> None:
        """Say what a validation found."""
        values = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.line(f"step {step}: held-out pictures: {values}{' (best so far)' if better else ''}")

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
        if self.console is None:
            return
        text = self._text(done, rate, seconds)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, state=text)
        elif done == self.recipe.steps or (logged and now - self._said >= PLAIN_SECONDS):
            self._said = now
            self.line(f"step {done}/{self.recipe.steps}  {text}")

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


def duration(seconds: float) -> str:
    """Write a time span the way people say it: 45 s, 12 min, 3 h 20 min."""
    seconds = max(0, round(seconds))
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
