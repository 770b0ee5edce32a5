"""What `imgfix evaluate` writes: the table, JSON, CSV, the comparison sheet and the HTML page."""

from __future__ import annotations

import csv as csv_module
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from imgfix.cli.options import Reporting
from imgfix.cli.report import print_json
from imgfix.errors import OutputError

if TYPE_CHECKING:
    import numpy as np

    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import Standing
    from imgfix.tasks.measurement import Measurement


def refuse_existing(targets: Sequence[Path | None], overwrite: bool) -> None:
    """Raise OutputError before any work when a file to be written is there already."""
    for target in targets:
        if target is not None and target.exists() and not overwrite:
            raise OutputError(f"{target} exists already", hint="use --overwrite, or another name")


def number(name: str, value: float | None) -> str:
    """A number with the digits its metric is usually given with."""
    from imgfix.metrics.protocol import METRICS

    if value is None or math.isnan(value):
        return "-"
    return "identical" if math.isinf(value) else f"{value:.{METRICS[name].decimals}f}"


def in_words(values: Mapping[str, float]) -> str:
    """Numbers in one line: `PSNR 28.43 dB, SSIM 0.8111`."""
    from imgfix.metrics.protocol import METRICS

    return ", ".join(
        f"{METRICS[name].label} {number(name, value)} {METRICS[name].unit}".rstrip() for name, value in values.items()
    )


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
    csv: Path | None
    sheet: Path | None
    report: Path | None
    rows: int

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
        if self.csv is not None:
            rows = [
                [str(item.result), str(item.reference or ""), *(item.values.get(name, "") for name in metrics)]
                for item in found
            ]
            rows.append(["mean", "", *(summary.get(name, "") for name in metrics)])
            _write_csv(self.csv, ["result", "reference", *metrics], rows)
        if (self.sheet or self.report) and found:
            self._draw(protocol, found, summary, _html(headings, lines, foot), crop)

    def ranked(
        self, name: str, protocol: Protocol, damage: str, found: Sequence[Standing], files: Sequence[Path]
    ) -> None:
        """Write the outcome of a benchmark."""
        from imgfix.cli.console import size_in_words
        from imgfix.metrics.protocol import METRICS

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
        if self.csv is not None:
            rows = [
                [item.name, *(item.values.get(metric, "") for metric in protocol.metrics), item.parameters,
                 item.multiply_adds, item.seconds, item.peak_bytes]
                for item in found
            ]  # fmt: skip
            heads = ["model", *protocol.metrics, "parameters", "multiply_adds", "seconds", "peak_bytes"]
            _write_csv(self.csv, heads, rows)
        if (self.sheet or self.report) and found:
            self._draw_ranked(name, protocol, found, files, _html(headings, lines, None))

    def _draw(
        self,
        protocol: Protocol,
        found: Sequence[Measurement],
        summary: Mapping[str, float],
        table_html: str,
        crop: bool,
    ) -> None:
        """The worst pictures, as a sheet and as a page."""
        from imgfix.media.jobs import VIDEO_EXTENSIONS
        from imgfix.tasks.measurement import fit, read
        from imgfix.tasks.report_page import Comparison
        from imgfix.tasks.sheet import Panel, Row

        still = [item for item in found if item.reference and item.result.suffix.lower() not in VIDEO_EXTENSIONS]
        if not still:
            self.reporting.console.warn("there is no picture with a reference to draw, so no sheet and no page")
            return
        rows, comparisons = [], []
        for item in _worst_first(protocol, still)[: self.rows]:
            assert item.reference is not None
            result, reference = fit(
                read(item.result)[0], read(item.reference)[0], (str(item.result), str(item.reference)), crop
            )
            words = in_words(item.values)
            panels = (Panel("reference", reference), Panel(item.result.name, result, words))
            rows.append(Row(item.reference.name, panels))
            numbers = [(words, "")] if words else []
            comparisons.append(Comparison(item.result.name, result, reference, "result", "reference", numbers))
        self._write_drawn(
            f"protocol {protocol.name}: mean {in_words(summary)}", protocol.describe(), table_html, rows, comparisons
        )

    def _draw_ranked(
        self, name: str, protocol: Protocol, found: Sequence[Standing], files: Sequence[Path], table_html: str
    ) -> None:
        from imgfix.tasks.measurement import read
        from imgfix.tasks.report_page import Comparison
        from imgfix.tasks.sheet import Panel, Row

        rows, comparisons = [], []
        for index in range(min(len(item.results) for item in found)):
            height, width = found[0].results[index].shape[:2]
            reference: np.ndarray = read(files[index])[0][:height, :width]
            panels = [Panel("reference", reference)]
            for item in found:
                words = in_words(item.pictures[index].values)
                panels.append(Panel(item.name, item.results[index], words))
                comparisons.append(
                    Comparison(f"{files[index].name}: {item.name}", item.results[index], reference, item.name,
                               "reference", [(words, "")])
                )  # fmt: skip
            rows.append(Row(files[index].name, tuple(panels)))
        self._write_drawn(f"{name}, protocol {protocol.name}", protocol.describe(), table_html, rows, comparisons)

    def _write_drawn(
        self, title: str, subtitle: str, table_html: str, rows: Sequence[Any], comparisons: Sequence[Any]
    ) -> None:
        from imgfix.media import image
        from imgfix.media.files import atomic_path
        from imgfix.tasks import report_page, sheet

        if self.sheet is not None:
            image.write(self.sheet, image.Picture(sheet.draw(rows, title)))
            self.reporting.console.say(f"sheet: {self.sheet}")
        if self.report is not None:
            with (
                atomic_path(self.report) as temporary,
                temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream,
            ):
                for piece in report_page.page(title, subtitle, table_html, comparisons):
                    stream.write(piece)
            self.reporting.console.say(f"page: {self.report}")


def _worst_first(protocol: Protocol, found: Sequence[Measurement]) -> list[Measurement]:
    from imgfix.metrics.protocol import METRICS

    leading = METRICS[next((name for name in protocol.metrics if METRICS[name].kind == "pair"), protocol.metrics[0])]
    sign = 1 if leading.higher_is_better else -1
    return sorted(found, key=lambda item: sign * item.values.get(leading.name, 0.0))


def _short(count: int | None) -> str:
    """A large count as the papers give it: `1.21 M`, `40.9 G`."""
    if count is None:
        return "-"
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def _html(headings: Sequence[str], lines: Sequence[Sequence[str]], foot: Sequence[str] | None) -> str:
    from imgfix.tasks import report_page

    return report_page.table(headings, lines, foot)


def _write_csv(target: Path, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from imgfix.media.files import atomic_path

    with (
        atomic_path(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv_module.writer(stream, lineterminator="\n")
        writer.writerow(headings)
        writer.writerows(rows)


def echo(text: str) -> None:
    """Text of one or several lines on stdout; names in it cannot act on the terminal."""
    from imgfix.media.names import printable_lines

    typer.echo(printable_lines(text))


def _object(**values: Any) -> None:
    print_json(values)
