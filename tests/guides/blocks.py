"""The code blocks of a Markdown page, with what a comment above them says about running them.

<!-- test: slow --> marks the block slow, <!-- test: network --> says that it fetches something, <!-- test: needs jq -->
skips it where that program is not installed, <!-- test: served --> has a server run meanwhile, whose address replaces
the usual one, <!-- test: each alone --> says that its lines are alternatives, <!-- test: stand-in --> has networks
found by stand-ins (`tests.guides.stand_in`), <!-- test: fails --> expects an error, and
<!-- test: not run, because ... --> leaves it out with a reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN = ("sh", "console", "python", "js")
"""Languages that are executed; of a `console` block the lines after `$ ` are commands, the others what they print."""
CHECKED = ("toml", "json")
"""Languages that are parsed."""
SHOWN = ("text", "dockerfile")
"""Languages that are neither."""

_FENCE = re.compile(r"```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- test: (?P<words>(?:(?!-->).)*) -->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Where its first line of code is, counted from 1."""
    language: str
    text: str
    words: tuple[str, ...]
    """What the comment above it says, split at semicolons."""

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def left_out(self) -> str | None:
        """Why it is not run."""
        return next((word.removeprefix("not run, ") for word in self.words if word.startswith("not run, ")), None)

    @property
    def programs(self) -> list[str]:
        """Programs it needs that may not be installed."""
        return [name for word in self.words if word.startswith("needs ") for name in word.split()[1:]]

    @property
    def scripts(self) -> list[str]:
        """What shells are given, each in a folder of its own."""
        if self.language == "console":
            return ["\n".join(line[2:] for line in self.text.splitlines() if line.startswith(("$ ", "> ")))]
        if "each alone" not in self.words:
            return [self.text]
        joined = self.text.replace("\\\n", "")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]

    @property
    def shown(self) -> str:
        """What a console block says that its commands print."""
        return "\n".join(line for line in self.text.splitlines() if not line.startswith(("$ ", "> ")))


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        comment = _COMMENT.search(text[: match.start()])
        words = tuple(" ".join(word.split()) for word in comment["words"].split(";")) if comment else ()
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(page, line, match["language"], match["text"], words))
    return found


def prints(shown: str, printed: str) -> bool:
    """Whether what was printed is what the page shows, `...` standing for anything and runs of blanks being equal."""

    def plain(text: str) -> str:
        return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())

    parts = (re.escape(part) for part in plain(shown).split("..."))
    return re.fullmatch(".*?".join(parts), plain(printed), re.DOTALL) is not None
