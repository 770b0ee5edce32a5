"""What `imgfix evaluate` prints: the table, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgfix.cli.options import Reporting
from imgfix.cli.report import print_json
from imgfix.pipelines.evaluate_files import MeasurementFiles, Table, finite, number
from imgfix.pipelines.units import count_in_words, table

if TYPE_CHECKING:
    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import Standing
    from imgfix.tasks.measurement import Measurement


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
            print_json(
                {"summary": finite(summary), "pictures": len(found)}
                | {"protocol": protocol.name, "stated": protocol.describe()}
            )
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
                count_in_words(item.parameters),
                count_in_words(item.multiply_adds),
                f"{item.seconds:.3f}",
                size_in_words(item.peak_bytes) if item.peak_bytes is not None else "-",
            ]
            for item in found
        ]
        if self.reporting.json:
            print_json({"benchmark": name, "protocol": protocol.name, "stated": protocol.describe(), "damage": damage})
        else:
            echo(f"{name}, damage: {damage}; protocol {protocol.name}: {protocol.describe()}")
            echo(table(headings, lines))
        self.files.ranked(name, protocol, found, files, Table(headings, lines))


def echo(text: str) -> None:
    """Text of one or several lines on stdout; names in it cannot act on the terminal."""
    from imgfix.media.names import printable_lines

    typer.echo(printable_lines(text))
