"""What pipelines say while they work, as lines on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from imgfix.cli.console import Console
from imgfix.pipelines.models import Listener, ModelChoice, announcement
from imgfix.pipelines.result import Progress
from imgfix.pipelines.units import size_in_words, time_in_words

if TYPE_CHECKING:
    from imgfix.runtime.device import Placement
    from imgfix.zoo.descriptor import Descriptor


class ConsoleListener(Listener):
    """Says it on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def announced(self, model: Descriptor, placement: Placement, choice: ModelChoice) -> None:
        """The first line: model, device, precision; and the better models, with what they would cost here."""
        self._console.say(announcement(model, placement))
        self._console.detail(placement.why)
        if choice.slower is not None:
            name, times = choice.slower.name, choice.slower.times
            self._console.say(f"better: --model {name}, which takes about {times:.0f} times as long")
        if choice.better is not None:
            self._console.say(f"better: {choice.better}, after imgfix weights pull {choice.better}{_cost(choice)}")

    def classical(self, method: str) -> None:
        """See `Listener.classical`."""
        self._console.say(f"{method} (classical) on cpu, the file's own precision")

    @contextmanager
    def pulling(self, name: str, size: int) -> Iterator[Progress]:
        """See `Listener.pulling`."""
        start = time.monotonic()
        self._console.say(f"pulling {name} ({size_in_words(size) if size else 'size not known'})")
        with self._console.progress("bytes") as progress, progress.file(name) as tick:
            yield tick
        self._console.say(f"pulled {name} in {time_in_words(time.monotonic() - start)}")

    def missing(self, name: str, size: int) -> None:
        """See `Listener.missing`."""
        known = size_in_words(size) if size else "size not known"
        self._console.say(f"would pull {name} ({known}) first; memory and time are known after that")

    def expecting(self, source: str, seconds: float) -> None:
        """See `Listener.expecting`."""
        self._console.say(f"{source}: about {time_in_words(seconds)}")

    def said(self, text: str) -> None:
        """See `Listener.said`."""
        self._console.say(text)

    def training(self) -> AbstractContextManager[Callable[[float, str, str], None] | None]:
        """See `Listener.training`."""
        return self._console.training()

    def detail(self, text: str) -> None:
        """See `Listener.detail`."""
        self._console.detail(text)

    def warned(self, text: str) -> None:
        """See `Listener.warned`."""
        self._console.warn(text)


def _cost(choice: ModelChoice) -> str:
    """How much longer the better model would take, where that is much."""
    from imgfix.zoo import auto

    times = auto.times_as_long(choice.name, str(choice.better))
    return f"; it takes about {times:.0f} times as long" if times >= 2 else ""
