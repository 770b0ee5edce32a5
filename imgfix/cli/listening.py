"""What pipelines say while they work, as lines on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imgfix.cli.console import Console, size_in_words, time_in_words
from imgfix.pipelines.models import Listener
from imgfix.pipelines.result import Progress

if TYPE_CHECKING:
    from imgfix.runtime.device import Placement
    from imgfix.zoo.descriptor import Descriptor


class ConsoleListener(Listener):
    """Says it on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def announced(self, model: Descriptor, placement: Placement, better: str | None) -> None:
        """The first line: model, device, precision; and the better model, if there is one to pull."""
        scale = f" (x{model.scale})" if model.scale > 1 else ""
        self._console.say(f"{model.name}{scale} on {placement}")
        self._console.detail(placement.why)
        if better:
            self._console.say(f"better: {better}, after imgfix weights pull {better}")

    def classical(self, method: str) -> None:
        """See `Listener.classical`."""
        self._console.say(f"{method} (classical) on cpu, the file's own precision")

    @contextmanager
    def pulling(self, name: str, size: int) -> Iterator[Progress]:
        """See `Listener.pulling`."""
        start = time.monotonic()
        self._console.say(f"pulling {name} ({size_in_words(size)})")
        with self._console.progress("bytes") as progress, progress.file(name) as tick:
            yield tick
        self._console.say(f"pulled {name} in {time_in_words(time.monotonic() - start)}")

    def missing(self, name: str, size: int) -> None:
        """See `Listener.missing`."""
        self._console.say(f"would pull {name} ({size_in_words(size)}) first; memory and time are known after that")

    def expecting(self, source: str, seconds: float) -> None:
        """See `Listener.expecting`."""
        self._console.say(f"{source}: about {time_in_words(seconds)}")

    def said(self, text: str) -> None:
        """See `Listener.said`."""
        self._console.say(text)

    def detail(self, text: str) -> None:
        """See `Listener.detail`."""
        self._console.detail(text)

    def warned(self, text: str) -> None:
        """See `Listener.warned`."""
        self._console.warn(text)
