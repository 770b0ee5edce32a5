"""Runs the items of a command one after the other; one that fails does not stop the rest."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TypeVar

from imgfix.cli import as_told
from imgfix.cli.console import Console, Tick
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, ImgfixError
from imgfix.media.files import stamp
from imgfix.pipelines.units import time_in_words

T = TypeVar("T")


@dataclass(frozen=True)
class Item(Generic[T]):
    """One thing to do, with the names it goes by in messages."""

    source: str
    target: str | None
    job: T
    problem: ImgfixError | None = None
    """Known before any work: its output exists, its input is missing."""
    skipped: str | None = None
    """Why it is left out, when it is."""
    unit: str | None = None
    """What its progress is counted in, where that is not the unit of the batch."""


class _CtrlC:
    """Lets Ctrl-C wait while an item is told, so that none is told twice or not counted."""

    came = False

    @contextlib.contextmanager
    def waits(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGINT)
        # Where it is ignored, as in the background of a shell, it stays so; only the main thread can be interrupted.
        if not callable(before) or threading.current_thread() is not threading.main_thread():
            yield
            return
        signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True

    def check(self) -> None:
        """Raises KeyboardInterrupt if it waits."""
        if self.came:
            raise KeyboardInterrupt


def run(
    items: Sequence[Item[T]],
    work: Callable[[T, Tick], Outcome],
    console: Console,
    report: Report,
    unit: str = "tiles",
    elsewhere: int = 0,
) -> ExitCode:
    """Do the work for each item and tell what became of it; elsewhere: items of other shards, which are only counted.
    Items with a problem that is known come first.

    Returns 0 when all went well, 130 after Ctrl-C (what is finished stays), the exit code of the failures when nothing
    else happened and they agree, else 1.
    """
    # What cannot be done is said at once, and not after hours of work on what stands before it.
    items = sorted(items, key=lambda item: item.problem is None)
    failures: list[ExitCode] = []
    expected = 0.0
    finished: set[int] = set()
    ctrl_c = _CtrlC()
    with console.progress(unit, files=len(items)) as progress:
        for number, item in enumerate(items):
            try:
                before = stamp(item.target) if item.target else None
                ctrl_c.check()
                if item.problem is not None:
                    raise item.problem
                if item.skipped is not None:
                    outcome = Outcome(line=item.skipped, status="skipped", facts={"reason": item.skipped})
                else:
                    with progress.file(item.source, item.unit) as tick:
                        outcome = work(item.job, tick)
                with ctrl_c.waits():
                    report.tell(item.source, item.target, outcome)
                    if outcome.status == "planned":
                        expected += outcome.facts.get("seconds") or 0
                    if outcome.status == "done":
                        finished.add(number)
            except KeyboardInterrupt as interrupt:
                # Ctrl-C can come between the moment when the result is in its place and the one when it is told.
                whole = number in finished or (item.target is not None and stamp(item.target) not in (before, None))
                if number not in finished:
                    report.tell_interrupted(item.source, item.target, whole)
                if whole:
                    finished.add(number)
                left = len(items) - len(finished) - len(failures)
                kept = "; ".join(getattr(interrupt, "__notes__", ())) or None  # what a clip has finished already
                where = f"interrupted after {item.source} was finished" if whole else f"interrupted at {item.source}"
                console.error(f"{where}: {len(finished)} done, {left} not", kept)
                return ExitCode.INTERRUPTED
            except BrokenPipeError:
                raise  # nobody reads the results any more
            except Exception as error:
                told = as_told(error, item.source)
                report.tell_failure(item.source, item.target, told)
                console.traceback(error)
                failures.append(told.exit_code)
    if ctrl_c.came:
        console.error(f"interrupted after {items[-1].source} was finished: {len(finished)} done, 0 not")
        return ExitCode.INTERRUPTED
    if len(items) > 1 or elsewhere:
        counted = _counted(items, len(finished), len(failures), elsewhere)
        counted += f", about {time_in_words(expected)} for all" if expected else ""
        if failures:
            console.error(f"{len(failures)} of {len(items)} items failed: {counted}")
        elif not report.json:
            console.say(counted)
    if not failures:
        return ExitCode.OK
    if len(failures) == len(items) and len(set(failures)) == 1:
        return failures[0]
    return ExitCode.SOME_FAILED


def _counted(items: Sequence[Item[T]], done: int, failed: int, elsewhere: int) -> str:
    """`3 done, 1 failed, 2 left out (the output exists already), 9 in other shards`."""
    reasons = [item.skipped for item in items if item.skipped is not None and item.problem is None]
    words = [f"{done} done"] if done else []
    words += [f"{failed} failed"] if failed else []
    if reasons:
        words.append(f"{len(reasons)} left out ({', '.join(dict.fromkeys(reasons))})")
    planned = len(items) - done - failed - len(reasons)
    words += [f"{planned} planned"] if planned else []
    words += [f"{elsewhere} in other shards"] if elsewhere else []
    return ", ".join(words if items else ["0 done", *words])


def never(job: object, tick: Tick) -> Outcome:
    """The work of a batch in which nothing is left to do."""
    raise AssertionError("an item without work was worked on")
