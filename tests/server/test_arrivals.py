"""Which files of a folder are whole, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgfix.errors import InputError, UsageError
from imgfix.server import arrivals
from imgfix.server.arrivals import Arrivals


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _whole(path: Path) -> bool:
    if not path.read_bytes().endswith(b"end"):
        raise InputError(f"{path} is cut off")
    return True


@pytest.fixture
def arriving(tmp_path: Path, clock: Clock) -> Arrivals:
    return Arrivals(tmp_path, recursive=False, settle=2, opens=_whole, clock=clock)


def _names(arriving: Arrivals) -> list[str]:
    return [path.name for path in arriving.look()]


def test_a_file_is_given_once_when_it_did_not_change_for_the_settle_time(
    arriving: Arrivals, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "a.png").write_bytes(b"half")
    assert _names(arriving) == []
    clock.now = 1.9
    (tmp_path / "a.png").write_bytes(b"half and the end")
    assert _names(arriving) == []
    clock.now = 3.8
    assert _names(arriving) == [] and arriving.waiting == 1
    clock.now = 4.0
    assert _names(arriving) == ["a.png"]
    clock.now = 100.0
    assert _names(arriving) == [] and arriving.waiting == 0


def test_a_file_that_rests_half_written_is_waited_for_and_given_when_it_opens(
    arriving: Arrivals, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "a.png").write_bytes(b"half")
    for clock.now in (0.0, 2.0, 5.0, 19.0):
        assert _names(arriving) == []
    (tmp_path / "a.png").write_bytes(b"half and the end")
    assert _names(arriving) == []
    clock.now = 21.0
    assert _names(arriving) == ["a.png"]


def test_a_file_that_never_opens_is_given_in_the_end_so_that_its_fault_is_told(
    arriving: Arrivals, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "a.png").write_bytes(b"half")
    assert _names(arriving) == []
    clock.now = arrivals.PATIENCE * 2.0
    assert _names(arriving) == ["a.png"]
    clock.now += 100
    assert _names(arriving) == []


def test_a_file_that_is_replaced_is_given_again(arriving: Arrivals, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a.png").write_bytes(b"first end")
    _names(arriving)
    clock.now = 2.0
    assert _names(arriving) == ["a.png"]
    (tmp_path / "a.png").write_bytes(b"the second end")
    assert _names(arriving) == []
    clock.now = 4.0
    assert _names(arriving) == ["a.png"]


def test_a_file_is_given_under_the_name_it_ends_up_with(arriving: Arrivals, tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "a.png.part").write_bytes(b"end")
    (tmp_path / "b.png").write_bytes(b"end")
    (tmp_path / ".c.png").write_bytes(b"end")
    (tmp_path / "notes.txt").write_bytes(b"end")
    _names(arriving)
    (tmp_path / "a.png.part").rename(tmp_path / "a.png")
    (tmp_path / "b.png").rename(tmp_path / "b2.png")
    clock.now = 2.0
    assert _names(arriving) == []
    clock.now = 4.0
    assert _names(arriving) == ["a.png", "b2.png"]


def test_files_come_in_natural_order_and_subfolders_where_they_are_asked_for(tmp_path: Path, clock: Clock) -> None:
    for name in ("10.png", "9.png", "old/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"end")
    (tmp_path / "old" / "round").symlink_to(tmp_path, target_is_directory=True)
    flat, deep = (Arrivals(tmp_path, recursive, 0, _whole, clock=clock) for recursive in (False, True))
    assert _names(flat) == ["9.png", "10.png"]
    assert _names(deep) == ["9.png", "10.png", "1.jpg"]


def test_a_folder_that_has_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be listed"):
        list(Arrivals(tmp_path / "nowhere", False, 0, _whole).look())


def test_polling_is_used_where_it_is_asked_for_or_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(arrivals.alarm(tmp_path, False, 2, poll=5), arrivals.Polling)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(arrivals.alarm(tmp_path, False, 2, poll=None), arrivals.Polling)


def test_an_event_ends_the_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.setattr(arrivals, "_LONGEST", 60)
    bell = arrivals.alarm(tmp_path, False, 2, poll=None)
    assert isinstance(bell, arrivals.Events)
    bell.wait(pending=False)  # begins to listen
    told: list[bool] = []

    def noted(events: Iterator[set[Any]]) -> Iterator[set[Any]]:
        for found in events:
            told.append(bool(found))
            yield found

    monkeypatch.setattr(bell, "_events", noted(bell._events))
    (tmp_path / "a.png").write_bytes(b"end")
    bell.wait(pending=False)
    assert told[-1]  # something was reported; else the limit would have ended it
