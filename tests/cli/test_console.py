"""Lines and bars on terminals of any width."""

from __future__ import annotations

import io
import re
import sys

import pytest
from rich.console import Console as RichConsole

from imgfix.cli.console import Console

NAME = "holiday/2024/a-very-long-name-of-a-photo-0001.jpg"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("unit", ["tiles", "frames", "bytes"])
@pytest.mark.parametrize("width", [40, 60, 120])
def test_bars_fit_the_terminal_and_the_end_of_the_name_is_kept(width: int, unit: str) -> None:
    console = Console()
    console.__dict__["rich"] = RichConsole(
        file=Terminal(), width=width, force_terminal=True, color_system=None, legacy_windows=False
    )
    with console.progress(unit, files=200) as progress, progress.file(NAME) as tick:
        tick(123_456, 234_567)
        bars = progress._bars
        assert bars is not None
        plain = RichConsole(file=io.StringIO(), width=width)
        plain.print(bars.get_renderable())
    lines = plain.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2  # none is wrapped
    assert "1.jpg" in lines[1]
    assert all(len(line) <= width for line in lines)


def test_something_is_shown_at_once_and_gone_with_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    console = Console()
    console.starting()
    assert terminal.getvalue() == "starting ...\r"
    console.say("ok")
    console.say("more")
    assert terminal.getvalue().split("\r")[1].strip() == ""
    assert terminal.getvalue().endswith("ok\nmore\n")


def test_nothing_passing_is_written_to_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    Console().starting()
    Console(quiet=True).starting()
    assert log.getvalue() == ""


@pytest.mark.parametrize("width", [40, 60, 120])
def test_the_bar_of_a_training_fits_the_terminal(width: int) -> None:
    console, terminal = Console(), Terminal()
    console.__dict__["rich"] = RichConsole(
        file=terminal, width=width, force_terminal=True, color_system=None, legacy_windows=False
    )
    with console.training() as bar:
        assert bar is not None
        bar(0.25, "step 250/1000", "loss 0.04321  rate 0.0005  2.8 steps/s  12 min left")
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", terminal.getvalue()).replace("\r", "\n").splitlines()
    assert any(line.startswith("step 250/1000") for line in drawn)
    assert all(len(line) <= width for line in drawn)


def test_a_training_draws_no_bar_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Console().training() as bar:
        assert bar is None
