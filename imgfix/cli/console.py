"""What the user reads: everything here goes to stderr, so that stdout stays free for data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from imgfix.errors import worded
from imgfix.media.names import printable
from imgfix.pipelines.option_names import option
from imgfix.runtime import interrupts

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Tick = Callable[[int, int], None]
"""Called with (done, total) while something runs."""

_NAME_WIDTH, _BAR_WIDTH, _COUNTS_WIDTH = 32, 40, 24
_STARTING = "starting ..."


@dataclass(frozen=True)
class Console:
    """Messages and progress bars on stderr."""

    quiet: bool = False
    """Only warnings and errors."""
    verbose: bool = False
    """Tracebacks with errors, reasons with choices."""
    _passing: list[str] = field(default_factory=list, repr=False, compare=False)
    """What stands on the terminal until the next line comes."""

    @cached_property
    def rich(self) -> RichConsole:
        """The console that draws; made on first use because rich takes a while to import."""
        from rich.console import Console as RichConsole

        # soft_wrap: a path must survive being copied from a narrow terminal or grepped in a log.
        return RichConsole(file=sys.stderr, highlight=False, soft_wrap=True)

    def starting(self) -> None:
        """Show at once that something happens, until the first line comes: libraries take seconds to load."""
        if not self.quiet and sys.stderr.isatty():
            self._passing.append(_STARTING)
            sys.stderr.write(f"{_STARTING}\r")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._passing:
            sys.stderr.write(f"{' ' * len(self._passing.pop())}\r")

    def say(self, text: str) -> None:
        """One line of information; silent under --quiet."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """One line that only --verbose shows."""
        if self.verbose and not self.quiet:
            self._line(text, "dim")

    def warn(self, text: str, hint: str | None = None) -> None:
        """Something the user should know although the work goes on."""
        self._marked("warning", "yellow", text, hint)

    def error(self, text: str, hint: str | None = None) -> None:
        """Something that failed, and the remedy."""
        self._marked("error", "bold red", text, hint)

    def traceback(self, error: BaseException) -> None:
        """The traceback of an error; only --verbose shows it."""
        if self.verbose:
            import traceback

            for line in "".join(traceback.format_exception(error)).rstrip().split("\n"):
                self._line(line, "dim")

    @property
    def interactive(self) -> bool:
        """Whether progress bars make sense: stderr is a terminal and silence was not asked for."""
        return not self.quiet and self._drawn and self.rich.is_terminal

    @property
    def _drawn(self) -> bool:
        """Whether rich is needed; for plain lines in a log it is not even imported."""
        return "rich" in self.__dict__ or sys.stderr.isatty() or bool(os.environ.get("FORCE_COLOR"))

    @contextmanager
    def progress(self, unit: str = "tiles", files: int | None = 1) -> Iterator[Progress]:
        """Bars for a number of files (None: not known) and the steps inside one; nothing is drawn but on a terminal."""
        if not self.interactive:
            yield Progress()
            return
        self._clear()
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            ProgressColumn,
            Task,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.table import Column
        from rich.text import Text

        class Speed(ProgressColumn):
            """Frames a second, for clips."""

            def render(self, task: Task) -> Text:
                if task.fields.get("unit") != "frames" or not task.speed:
                    return Text("")
                return Text(f"{task.speed:.1f} fps" if task.speed >= 1 else f"{1 / task.speed:.1f} s a frame")

        narrow = self.rich.width < 60
        what = TextColumn("{task.fields[unit]}", markup=False)
        counts: tuple[ProgressColumn, ...] = (MofNCompleteColumn(), *(() if narrow else (what, Speed())))
        if unit == "bytes":
            counts = (DownloadColumn(),)
        width = self.rich.width
        name = min(_NAME_WIDTH, max(8, (width - _COUNTS_WIDTH) // 2))
        bars = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(max(3, min(_BAR_WIDTH, width - name - _COUNTS_WIDTH))),
            *counts,
            TimeRemainingColumn(compact=True),
            console=self.rich,
            transient=True,
            speed_estimate_period=120,  # a frame may take a minute
        )
        with bars:
            whole = bars.add_task("all files", total=files, unit="files") if files != 1 else None
            yield Progress(bars, unit, whole, name)

    @contextmanager
    def training(self) -> Iterator[Callable[[float, str, str], None] | None]:
        """The bar of a training (see `imgfix.train.progress.Bar`); None unless stderr is a terminal."""
        if not self.interactive:
            yield None
            return
        self._clear()
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        place = TextColumn("{task.fields[place]}", table_column=Column(no_wrap=True, min_width=13))
        state = TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
        bar = () if self.rich.width < 80 else (BarColumn(bar_width=None),)
        with RichProgress(place, *bar, state, console=self.rich, transient=True) as bars:
            task = bars.add_task("train", total=1.0, place="", state="")
            yield lambda part, place, state: bars.update(task, completed=part, place=place, state=state)

    def _line(self, text: str, style: str | None = None, start: tuple[str, str] | None = None) -> None:
        """start: a word before the text, and its style."""
        self._clear()
        text = printable(worded(text, option))
        if not self._drawn:
            print((start[0] if start else "") + text, file=sys.stderr, flush=True)
            return
        from rich.text import Text

        self.rich.print(Text.assemble(*([start] if start else []), (text, style or "")), emoji=False)

    def _marked(self, word: str, style: str, text: str, hint: str | None) -> None:
        self._line(text, start=(f"{word}: ", style))
        if hint:
            self._line(f"  {hint}", "dim")


class Progress:
    """The two bars of a batch: files, and steps (tiles, bytes) of the file at hand."""

    def __init__(
        self,
        bars: RichProgress | None = None,
        unit: str = "tiles",
        files: TaskID | None = None,
        name_width: int = _NAME_WIDTH,
    ) -> None:
        """name_width: columns that a file's name may take; its end is kept."""
        self._bars, self._name_width = bars, name_width
        self._unit = unit
        self._files = files

    @contextmanager
    def file(self, name: str, unit: str | None = None) -> Iterator[Tick]:
        """The bar of one file; gives the function that moves it."""
        if self._bars is None:
            yield _no_tick
            return
        bars = self._bars
        name = printable(name)
        short = name if len(name) <= self._name_width else "..." + name[3 - self._name_width :]
        task = bars.add_task(short, total=None, unit=unit or self._unit)

        def tick(done: int, total: int) -> None:
            interrupts.check()
            bars.update(task, completed=done, total=total or None)

        try:
            yield tick
        finally:
            bars.remove_task(task)
            if self._files is not None:
                bars.advance(self._files)


def _no_tick(done: int, total: int) -> None:
    """Progress that nobody looks at."""
    interrupts.check()
