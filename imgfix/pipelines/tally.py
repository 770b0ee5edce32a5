"""What became of the items of a batch, counted, however many they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from imgfix.errors import ExitCode
from imgfix.pipelines.units import time_in_words


class Aside(Protocol):
    """What was found besides the items; known when all of them are."""

    @property
    def elsewhere(self) -> int:
        """Items of other shards."""

    @property
    def passed(self) -> Sequence[str]:
        """What folders held besides, in words."""


@dataclass(frozen=True)
class Nothing:
    """Nothing was found besides."""

    elsewhere: int = 0
    passed: Sequence[str] = ()


@dataclass
class Tally:
    """Counts of a batch, the line it ends with and its exit code."""

    total: int | None
    """Items; None: not known before the end."""
    come: int = 0
    done: int = 0
    expected: float = 0.0
    """Seconds, of what was planned."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why items were left out."""
    failures: Counter[ExitCode] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Items that failed."""
        return self.failures.total()

    @property
    def left(self) -> str:
        """What an interruption leaves: `3 done, 5 not`."""
        rest = "the rest" if self.total is None else self.total - self.done - self.failed
        return f"{self.done} done, {rest} not"

    @property
    def code(self) -> ExitCode:
        """0 when all went well, that of the failures when nothing else happened and they agree, else 1."""
        if not self.failures:
            return ExitCode.OK
        alike = len(self.failures) == 1 and self.failed == self.come
        return next(iter(self.failures)) if alike else ExitCode.SOME_FAILED

    def summary(self, aside: Aside) -> str | None:
        """`3 done, 1 failed, 2 left out (the output exists already), 9 in other shards`; None for a single item."""
        if self.come < 2 and not aside.elsewhere and not aside.passed:
            return None
        left_out = self.reasons.total()
        words = [f"{self.done} done"] if self.done or not self.come else []
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{left_out} left out ({', '.join(self.reasons)})"] if left_out else []
        planned = self.come - self.done - self.failed - left_out
        words += [f"{planned} planned"] if planned else []
        words += [f"{aside.elsewhere} in other shards"] if aside.elsewhere else []
        expected = f", about {time_in_words(self.expected)} for all" if self.expected else ""
        return "; ".join([", ".join(words) + expected, *aside.passed])
