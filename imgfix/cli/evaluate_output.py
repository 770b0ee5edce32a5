"""What `imgfix evaluate` prints: the table, or JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imgfix.cli.options import Reporting
from imgfix.cli.report import print_json
from imgfix.pipelines.evaluate_files import MeasurementFiles, Table, number

if TYPE_CHECKING:
    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import Standing
    from imgfix.tasks.measurement import Measurement


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers as JSON can hold them: infinity (identical pictures) and NaN become null."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


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


@dataclass(frozen=True)
class Output:
    """Where the results of one command go."""

    reporting: Reporting
    files: MeasurementFiles

    def compared(
        self, protocol: Protocol, found: Sequence[Measurement], of_sets: Mapping[str, float], crop: bool
    ) -> None:
        """Write the outcome of comparing files."""
        from imgfix.metrics.protocol import METRICS
        from imgfix.tasks.evaluate import means

        metrics = [name for name in protocol.metrics if METRICS[name].kind != "set"]
        summary = {**means(found), **of_sets}
        lines = [[item.result.name, *(number(name, item.values.get(name)) for name in metrics)] for item in found]
        headings = ["picture", *(METRICS[name].heading for name in metrics)]
        foot = ["mean", *(number(name, summary.get(name)) for name in metrics)]
        if self.reporting.json:
            _object(summary=finite(summary), pictures=len(found), protocol=protocol.name, stated=protocol.describe())
        else:
            echo(f"protocol {protocol.name}: {protocol.describe()}")
            if metrics and found:
                echo(table(headings, lines, [foot]))
            for name, value in of_sets.items():
                echo(f"{METRICS[name].label} {number(name, value)}")
        self.files.compared(protocol, found, summary, Table(headings, lines, foot), crop)

    def ranked(
        self, name: str, protocol: Protocol, damage: str, found: Sequence[Standing], files: Sequence[Path]
    ) -> None:
        """Write the outcome of a benchmark."""
        from imgfix.metrics.protocol import METRICS
        from imgfix.pipelines.units import size_in_words

        headings = [
            "model", *(METRICS[metric].heading for metric in protocol.metrics), "parameters", "mult-adds", "s/picture",
            "peak memory",
        ]  # fmt: skip
        lines = [
            [
                item.name,
                *(number(metric, item.values.get(metric)) for metric in protocol.metrics),
                _short(item.parameters),
                _short(item.multiply_adds),
                f"{item.seconds:.3f}",
                size_in_words(item.peak_bytes) if item.peak_bytes is not None else "-",
            ]
            for item in found
        ]
        if self.reporting.json:
            _object(benchmark=name, protocol=protocol.name, stated=protocol.describe(), damage=damage)
        else:
            echo(f"{name}, damage: {damage}; protocol {protocol.name}: {protocol.describe()}")
            echo(table(headings, lines))
        self.files.ranked(name, protocol, found, files, Table(headings, lines))


def _short(count: int | None) -> str:
    """A large count as the papers give it: `1.21 M`, `40.9 G`."""
    if count is None:
        return "-"
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def echo(text: str) -> None:
    """Text of one or several lines on stdout; names in it cannot act on the terminal."""
    from imgfix.media.names import printable_lines

    typer.echo(printable_lines(text))


def _object(**values: Any) -> None:
    print_json(values)
