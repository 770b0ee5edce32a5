"""A batch that Ctrl-C ends: every item is told once and counted right, at whatever moment it comes."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from imgfix.cli import batch
from imgfix.cli.batch import Item
from imgfix.cli.console import Console, Tick
from imgfix.cli.report import Outcome, Report

Told = tuple[int, list[tuple[str, str]], str]


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Report, str], Told]:
    """Three items; at `moment` of the second one Ctrl-C comes. Exit code, (item, status) as told, what is said."""

    def go(report: Report, moment: str, last: int = 1) -> Told:
        def work(name: str, tick: Tick) -> Outcome:
            if moment == "at work" and name == str(last):
                ctrl_c()
            (tmp_path / name).write_text("done")
            if moment == "when it is in its place" and name == str(last):
                ctrl_c()
            return Outcome("")

        items = [Item(f"{name}.in", str(tmp_path / name), name) for name in "012"]
        code = batch.run(items, work, Console(), report)
        told = capsys.readouterr()
        rows = [json.loads(line) for line in told.out.splitlines()]
        return int(code), [(Path(row["target"]).name, row["status"]) for row in rows], told.err

    return go


class Interrupted(Report):
    """Ctrl-C comes when the second item has just been written to stdout."""

    def tell(self, source: str, target: str | None, outcome: Outcome) -> None:
        super().tell(source, target, outcome)
        if source.startswith("1"):
            ctrl_c()


def test_at_work(run: Callable[..., Told]) -> None:
    code, told, said = run(Report(Console(), json=True), "at work")
    assert (code, told) == (130, [("0", "done"), ("1", "interrupted")])
    assert "interrupted at 1.in: 1 done, 2 not" in said


def test_when_the_result_is_in_its_place(run: Callable[..., Told]) -> None:
    code, told, said = run(Report(Console(), json=True), "when it is in its place")
    assert (code, told) == (130, [("0", "done"), ("1", "done")])
    assert "interrupted after 1.in was finished: 2 done, 1 not" in said


def test_while_it_is_told(run: Callable[..., Told]) -> None:
    code, told, said = run(Interrupted(Console(), json=True), "")
    assert (code, told) == (130, [("0", "done"), ("1", "done"), ("2", "interrupted")])
    assert "interrupted at 2.in: 2 done, 1 not" in said


def test_at_the_very_end(run: Callable[..., Told]) -> None:
    code, told, said = run(Report(Console(), json=True), "when it is in its place", last=2)
    assert (code, [status for _, status in told]) == (130, ["done"] * 3)
    assert "3 done, 0 not" in said


def test_not_at_all(run: Callable[..., Told]) -> None:
    code, told, said = run(Report(Console(), json=True), "")
    assert (code, len(told), said) == (0, 3, "")


def test_where_it_is_ignored_it_stays_so(run: Callable[..., Told]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code, told, _ = run(Interrupted(Console(), json=True), "at work")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, len(told)) == (0, 3)
