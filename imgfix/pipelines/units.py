"""Sizes, counts, durations and tables as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def size_in_words(count: float) -> str:
    """A number of bytes as people read it: `17 MB`, `1.3 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def time_in_words(seconds: float) -> str:
    """A duration as people read it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count_in_words(count: int | None) -> str:
    """A large count as the papers give it: `1.21 M`, `40.9 G`."""
    if count is None:
        return "-"
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def table(headings: Sequence[str], lines: Sequence[Sequence[str]], foot: Sequence[Sequence[str]] = ()) -> str:
    """Columns of text, the first one to the left, numbers to the right."""
    everything = [headings, *lines, *foot]
    widths = [max(len(line[column]) for line in everything) for column in range(len(headings))]

    def written(line: Sequence[str]) -> str:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    parts = [written(headings), rule, *map(written, lines)]
    return "\n".join([*parts, rule, *map(written, foot)] if foot else parts)
