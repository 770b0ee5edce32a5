"""Signals that ask the process to end: none is lost, and none is raised twice."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from imgfix.cli import run
from imgfix.runtime import interrupts, prefetch


class Dropped:
    """Python drops what a finalizer raises."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_one_that_was_dropped_is_raised_before_the_next_layer_of_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    with interrupts.answered():
        thing = Dropped()
        del thing
        with pytest.raises(KeyboardInterrupt):
            prefetch.check()
    assert capsys.readouterr().err == ""


def test_whoever_cleans_up_after_it_is_left_in_peace() -> None:
    cleaned = []
    with interrupts.answered(), pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            interrupts.check()
            cleaned.append(True)
    assert cleaned == [True]


def test_held_back_it_comes_afterwards() -> None:
    with interrupts.answered():
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            interrupts.check()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_the_others_leave_with_their_number(name: str) -> None:
    number = getattr(signal, name)
    with interrupts.answered(), pytest.raises(SystemExit) as leaving:
        signal.raise_signal(number)
    assert leaving.value.code == 128 + number


def test_an_ignored_one_stays_ignored_and_a_handler_of_someone_else_stays() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
    try:
        with interrupts.answered():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            interrupts.check()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert heard == [True]


def test_afterwards_everything_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    with interrupts.answered(), interrupts.answered():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before
    assert interrupts.came() is None


def test_in_another_thread_nothing_is_raised() -> None:
    raised: list[BaseException] = []

    def look() -> None:
        try:
            interrupts.check()
        except BaseException as error:
            raised.append(error)

    with interrupts.answered():
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert not raised


def test_a_model_that_breaks_because_of_it_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from imgfix.errors import ModelError

    def breaks(*_: object, **__: object) -> None:
        thing = Dropped()
        del thing
        raise ModelError("does not fit", hint="the file does not match its own header")

    monkeypatch.setattr("imgfix.zoo.catalog.entries", breaks)
    assert run(["weights", "list"]) == 130
    assert "fit" not in capsys.readouterr().err
