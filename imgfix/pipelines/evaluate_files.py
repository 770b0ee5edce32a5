"""Files that a measurement is written to: the table as CSV, zoomed details on a sheet, an HTML page with sliders."""

from __future__ import annotations

import csv as csv_module
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import OutputError
from imgfix.pipelines.models import Listener

if TYPE_CHECKING:
    import numpy as np

    from imgfix.metrics.protocol import Protocol
    from imgfix.tasks.benchmark import Standing
    from imgfix.tasks.measurement import Measurement


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers as JSON can hold them: infinity (identical pictures) and NaN become null."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


@dataclass(frozen=True)
class Table:
    """What is measured, as text: one line per file or model."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    foot: Sequence[str] | None = None
    """The line of means."""


@dataclass(frozen=True)
class MeasurementFiles:
    """The files that are asked for; None for those that are not."""

    csv: Path | None = None
    sheet: Path | None = None
    page: Path | None = None
    rows: int = 12
    """Pictures on the sheet and the page, the worst first."""
    listener: Listener = field(default_factory=Listener)

    def check(self, overwrite: bool) -> None:
        """Raise OutputError before any work when a file to be written is there already."""
        for target in (self.csv, self.sheet, self.page):
            if target is not None and target.exists() and not overwrite:
                raise OutputError(f"{target} exists already", hint="use `overwrite`, or another name")

    @property
    def draws(self) -> bool:
        """Whether pictures are shown, so that results have to be kept."""
        return self.sheet is not None or self.page is not None

    def compared(
        self, protocol: Protocol, found: Sequence[Measurement], summary: Mapping[str, float], table: Table, crop: bool
    ) -> None:
        """Write the outcome of comparing files; crop: as they were compared. Raises OutputError."""
        from imgfix.metrics.protocol import METRICS

        metrics = [name for name in protocol.metrics if METRICS[name].kind != "set"]
        if self.csv is not None:
            rows = [
                [str(item.result), str(item.reference or ""), *(item.values.get(name, "") for name in metrics)]
                for item in found
            ]
            rows.append(["mean", "", *(summary.get(name, "") for name in metrics)])
            _write_csv(self.csv, ["result", "reference", *metrics], rows)
        if self.draws and found:
            self._draw(protocol, found, summary, _html(table), crop)

    def ranked(
        self, name: str, protocol: Protocol, found: Sequence[Standing], files: Sequence[Path], table: Table
    ) -> None:
        """Write the outcome of a benchmark. Raises OutputError."""
        if self.csv is not None:
            rows = [
                [item.name, *(item.values.get(metric, "") for metric in protocol.metrics), item.parameters,
                 item.multiply_adds, item.seconds, item.peak_bytes]
                for item in found
            ]  # fmt: skip
            heads = ["model", *protocol.metrics, "parameters", "multiply_adds", "seconds", "peak_bytes"]
            _write_csv(self.csv, heads, rows)
        if self.draws and found:
            self._draw_ranked(name, protocol, found, files, _html(table))

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
            self.listener.warned("there is no picture with a reference to draw, so no sheet and no page")
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
            self.listener.said(f"sheet: {self.sheet}")
        if self.page is not None:
            with (
                atomic_path(self.page) as temporary,
                temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream,
            ):
                for piece in report_page.page(title, subtitle, table_html, comparisons):
                    stream.write(piece)
            self.listener.said(f"page: {self.page}")


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


def _worst_first(protocol: Protocol, found: Sequence[Measurement]) -> list[Measurement]:
    from imgfix.metrics.protocol import METRICS

    leading = METRICS[next((name for name in protocol.metrics if METRICS[name].kind == "pair"), protocol.metrics[0])]
    sign = 1 if leading.higher_is_better else -1
    return sorted(found, key=lambda item: sign * item.values.get(leading.name, 0.0))


def _html(table: Table) -> str:
    from imgfix.tasks import report_page

    return report_page.table(table.headings, table.lines, table.foot)


def _write_csv(target: Path, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    from imgfix.media.files import atomic_path

    with (
        atomic_path(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv_module.writer(stream, lineterminator="\n")
        writer.writerow(headings)
        writer.writerows(rows)
