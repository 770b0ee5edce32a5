"""A batch that Ctrl-C ends: every item is told once and counted right, at whatever moment it comes."""

from __future__ import annotations

import gc
import json
import signal
import weakref
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


class Lost:
    """Something whose weak reference dies just when Ctrl-C comes: Python drops what the callback raises."""

    def comes(self) -> None:
        gone = Lost()
        self.reference = weakref.ref(gone, lambda _: ctrl_c())
        del gone
        gc.collect()


@pytest.mark.parametrize("ticks", [True, False])
def test_one_that_python_drops_ends_the_batch_at_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ticks: bool
) -> None:
    """With a bar the item itself ends; without one, the batch does before the next item."""
    begun = []

    def work(name: str, tick: Tick) -> Outcome:
        begun.append(name)
        Lost().comes()
        if ticks:
            tick(1, 2)
        (tmp_path / name).write_text("done")
        return Outcome("")

    items = [Item(f"{name}.in", str(tmp_path / name), name) for name in "012"]
    assert batch.run(items, work, Console(), Report(Console(), json=True)) == 130
    told = capsys.readouterr()
    rows = [(json.loads(line)["target"], json.loads(line)["status"]) for line in told.out.splitlines()]
    assert begun == ["0"]
    assert rows[0] == (str(tmp_path / "0"), "interrupted" if ticks else "done")
    assert "Traceback" not in told.err and "ignored" not in told.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_that_comes_out_of_a_library_as_another_error_is_no_fault_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, code: int
) -> None:
    def work(name: str, tick: Tick) -> Outcome:
        try:
            signal.raise_signal(number)
        except BaseException:  # as torch does when its stack of modes is found empty
            raise IndexError("trying to pop from empty mode stack") from None
        return Outcome("")

    items = [Item(f"{name}.in", str(tmp_path / name), name) for name in "012"]
    try:
        found: object = int(batch.run(items, work, Console(), Report(Console(), json=True)))
    except SystemExit as leaving:
        found = leaving.code
    assert found == code
    told = capsys.readouterr()
    assert [json.loads(line)["status"] for line in told.out.splitlines()] == ["interrupted"]
    assert "interrupted at 0.in: 0 done, 3 not" in told.err
