"""Tables as lines of plain text: cut to the width of a terminal, or whole, for grep and awk.

rich lays out finer ones, but loading it and laying out a few hundred rows takes longer than finding them.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Collection, Sequence

from imgfix.media.names import printable

GAP = "  "


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = (), width: int | None = None
) -> list[str]:
    """One line of titles and one for each row, aligned; the columns of `right` to the right.

    width: of the terminal, at which lines are cut; `None` leaves them whole.
    """
    lines = [titles, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(titles))]
    found = []
    for line in lines:
        padded = []
        for cell, title, room in zip(line, titles, widths, strict=True):
            space = " " * (room - cells(cell))
            padded.append(space + cell if title in right else cell + space)
        found.append(_cut(GAP.join(padded).rstrip(), width))
    return found


def pairs(values: Sequence[tuple[str, Sequence[str]]], width: int | None = None) -> list[str]:
    """Names, each with its lines beside it; lines longer than the terminal (`width`) are folded."""
    indent = max((cells(name) for name, _ in values), default=0) + len(GAP)
    found = []
    for name, lines in values:
        pieces = [piece for line in lines for piece in _folded(printable(line), width and max(20, width - indent))]
        for number, piece in enumerate(pieces):
            first = "" if number else name
            found.append(first + " " * (indent - cells(first)) + piece)
    return found


def _folded(text: str, width: int | None) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""] if width else [text]


def _cut(text: str, width: int | None) -> str:
    if width is None or cells(text) <= width:
        return text
    while text and cells(text) > width - 3:
        text = text[:-1]
    return f"{text}..."
