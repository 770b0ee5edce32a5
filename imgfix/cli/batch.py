"""Runs the items of a command one after the other; one that fails does not stop the rest."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from imgfix.cli import as_told
from imgfix.cli.console import Console, Tick
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, ImgfixError
from imgfix.media.files import stamp
from imgfix.pipelines.tally import Aside, Nothing, Tally
from imgfix.runtime import interrupts

T = TypeVar("T")
NOTHING = Nothing()


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


def run(
    items: Iterable[Item[T]],
    work: Callable[[T, Tick], Outcome],
    console: Console,
    report: Report,
    unit: str = "tiles",
    aside: Aside = NOTHING,
    total: int | None = None,
) -> ExitCode:
    """Do the work for each item and tell what became of it; aside: what was found besides, which is only counted.

    Items with a problem that is known come first; those of an iterator as they come. total: of what an iterator gives.

    Returns 0 when all went well, 130 after Ctrl-C (what is finished stays), the exit code of the failures when nothing
    else happened and they agree, else 1.
    """
    tally = Tally(len(items) if isinstance(items, Sequence) else total)
    if isinstance(items, Sequence):
        # What cannot be done is said at once, and not after hours of work on what stands before it.
        items = sorted(items, key=lambda item: item.problem is None)
    with interrupts.answered(), console.progress(unit, files=tally.total) as progress:
        for item in items:
            tally.come += 1
            told, before = False, stamp(item.target) if item.target else None
            try:
                interrupts.check()
                if item.problem is not None:
                    raise item.problem
                if item.skipped is not None:
                    outcome = Outcome(line=item.skipped, status="skipped", facts={"reason": item.skipped})
                else:
                    with progress.file(item.source, item.unit) as tick:
                        outcome = work(item.job, tick)
                with interrupts.held():  # none is told twice or not counted
                    told = True
                    report.tell(item.source, item.target, outcome)
                    _count(tally, outcome)
                if tally.come == tally.total:
                    interrupts.check()
            except BrokenPipeError:
                raise  # nobody reads the results any more
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                # What a signal raises inside a library may come out of it as an error of another kind.
                if interrupts.came() is None and isinstance(error, Exception):
                    failure = as_told(error, item.source)
                    report.tell_failure(item.source, item.target, failure)
                    console.traceback(error)
                    tally.failures[failure.exit_code] += 1
                    continue
                # It can come between the moment when the result is in its place and the one when it is told.
                whole = told or (item.target is not None and stamp(item.target) not in (before, None))
                if not told:
                    report.tell_interrupted(item.source, item.target, whole)
                    tally.done += whole
                return _interrupted(error, item.source, whole, tally, console)
    return concluded(tally, console, report, aside)


def _interrupted(error: BaseException, source: str, whole: bool, tally: Tally, console: Console) -> ExitCode:
    """Say where a batch was interrupted; whole: the item is finished. Raises what ends the process."""
    kept = "; ".join(getattr(error, "__notes__", ())) or None  # what a clip has finished already
    where = f"interrupted after {source} was finished" if whole else f"interrupted at {source}"
    console.error(f"{where}: {tally.left}", kept)
    if isinstance(error, SystemExit):
        raise error
    asked = interrupts.came() or signal.SIGINT
    if asked != signal.SIGINT:  # SIGTERM, and it came out as an error of another kind
        raise interrupts.asked_for(asked) from None
    return ExitCode.INTERRUPTED


def _count(tally: Tally, outcome: Outcome) -> None:
    if outcome.status == "planned":
        tally.expected += outcome.facts.get("seconds") or 0
    if outcome.status == "skipped":
        tally.reasons[outcome.line] += 1
    tally.done += outcome.status == "done"


def concluded(tally: Tally, console: Console, report: Report, aside: Aside) -> ExitCode:
    """Say how a batch ended; returns its exit code."""
    counted = tally.summary(aside)
    if counted is not None and tally.failures:
        console.error(f"{tally.failed} of {tally.come} items failed: {counted}")
    elif counted is not None and not report.json:
        console.say(counted)
    return tally.code


def never(job: object, tick: Tick) -> Outcome:
    """The work of a batch in which nothing is left to do."""
    raise AssertionError("an item without work was worked on")
