"""Runs the items of a command one after the other; one that fails does not stop the rest."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from imgfix.cli import as_told
from imgfix.cli.console import Console, Tick
from imgfix.cli.report import Outcome, Report
from imgfix.errors import ExitCode, ImgfixError
from imgfix.media.files import stamp
from imgfix.pipelines.units import time_in_words
from imgfix.runtime import interrupts

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


def run(
    items: Sequence[Item[T]],
    work: Callable[[T, Tick], Outcome],
    console: Console,
    report: Report,
    unit: str = "tiles",
    elsewhere: int = 0,
    passed: Sequence[str] = (),
) -> ExitCode:
    """Do the work for each item and tell what became of it; elsewhere: items of other shards, which are only counted.
    passed: what was found besides, in words. Items with a problem that is known come first.

    Returns 0 when all went well, 130 after Ctrl-C (what is finished stays), the exit code of the failures when nothing
    else happened and they agree, else 1.
    """
    # What cannot be done is said at once, and not after hours of work on what stands before it.
    items = sorted(items, key=lambda item: item.problem is None)
    failures: list[ExitCode] = []
    expected = 0.0
    finished: set[int] = set()
    told: set[int] = set()
    with interrupts.answered(), console.progress(unit, files=len(items)) as progress:
        for number, item in enumerate(items):
            before = stamp(item.target) if item.target else None
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
                    told.add(number)
                    report.tell(item.source, item.target, outcome)
                    if outcome.status == "planned":
                        expected += outcome.facts.get("seconds") or 0
                    if outcome.status == "done":
                        finished.add(number)
                if number == len(items) - 1:
                    interrupts.check()
            except BrokenPipeError:
                raise  # nobody reads the results any more
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                # What a signal raises inside a library may come out of it as an error of another kind.
                if interrupts.came() is None and isinstance(error, Exception):
                    failure = as_told(error, item.source)
                    report.tell_failure(item.source, item.target, failure)
                    console.traceback(error)
                    failures.append(failure.exit_code)
                    continue
                # It can come between the moment when the result is in its place and the one when it is told.
                whole = number in told or (item.target is not None and stamp(item.target) not in (before, None))
                if number not in told:
                    report.tell_interrupted(item.source, item.target, whole)
                    finished |= {number} if whole else set()
                left = len(items) - len(finished) - len(failures)
                kept = "; ".join(getattr(error, "__notes__", ())) or None  # what a clip has finished already
                where = f"interrupted after {item.source} was finished" if whole else f"interrupted at {item.source}"
                console.error(f"{where}: {len(finished)} done, {left} not", kept)
                if isinstance(error, SystemExit):
                    raise
                asked = interrupts.came() or signal.SIGINT
                if asked != signal.SIGINT:  # SIGTERM, and it came out as an error of another kind
                    raise interrupts.asked_for(asked) from None
                return ExitCode.INTERRUPTED
    if len(items) > 1 or elsewhere or passed:
        counted = _counted(items, len(finished), len(failures), elsewhere)
        counted += f", about {time_in_words(expected)} for all" if expected else ""
        counted = "; ".join([counted, *passed])
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
