"""What became of each item: JSON lines on stdout with --json, one short line each on stderr without."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

from imgfix.cli.console import Console
from imgfix.errors import ImgfixError, worded
from imgfix.pipelines.option_names import option

Status = Literal["done", "planned", "skipped", "failed", "interrupted"]


@dataclass(frozen=True)
class Outcome:
    """What one item gave."""

    line: str
    """For people, behind the names of the item."""
    facts: dict[str, Any] = field(default_factory=dict)
    """For programs: sizes, model, seconds ..."""
    status: Status = "done"
    warnings: tuple[str, ...] = ()
    """What the user should know about this item although it worked."""


@dataclass(frozen=True)
class Report:
    """Tells the outcome of items, as text or as JSON."""

    console: Console
    json: bool = False

    def tell(self, source: str, target: str | None, outcome: Outcome) -> None:
        """An item that is done, planned or left out."""
        for warning in outcome.warnings:
            self.console.warn(f"{source}: {warning}")
        if self.json:
            warned = {"warnings": [worded(each, option) for each in outcome.warnings]} if outcome.warnings else {}
            self._object(source=source, target=target, status=outcome.status, error=None, **outcome.facts, **warned)
        elif outcome.status == "skipped":
            self.console.say(f"{source}: left out, {outcome.line}")
        else:
            self.console.say(f"{source} -> {target}  {outcome.line}" if target else f"{source}  {outcome.line}")

    def tell_failure(self, source: str, target: str | None, error: ImgfixError) -> None:
        """An item that failed; the message goes to stderr in both forms."""
        self.console.error(error.message, error.hint)
        if self.json:
            self._object(
                source=source,
                target=target,
                status="failed",
                error=error.message,
                hint=error.hint,
                exit_code=int(error.exit_code),
            )

    def tell_interrupted(self, source: str, target: str | None, whole: bool = False) -> None:
        """The item that was being worked on when Ctrl-C came; `whole`: its result was in its place already."""
        if self.json:
            status, error = ("done", None) if whole else ("interrupted", "interrupted")
            self._object(source=source, target=target, status=status, error=error)

    def _object(self, **values: Any) -> None:
        print_json(values)


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    from imgfix.media.names import json_text

    text = json_text(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal that is not UTF-8
        text = json.dumps(value)
    # Flushed line by line: `| jq` and friends should see an item as soon as it is done.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
