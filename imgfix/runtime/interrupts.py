"""Signals that ask the process to end: raised where they come, and once more where that was lost.

Python raises KeyboardInterrupt in whatever the main thread is doing at that moment. In the callback of a weak
reference, in a finalizer or in a library that clears errors it is dropped, and inside torch it may come out as an error
of another kind: a batch would go on, or blame the file. A signal is therefore noted as well, and `check`, which is
called wherever work advances (before each layer of a network, with each step of a bar, between files), raises again.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_DEFAULTS = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
"""What is answered: a signal with another handler belongs to someone else, an ignored one (nohup) stays ignored."""


class _Noted:
    """What came in this process: signals belong to processes, so there is one of it."""

    answered = False
    held = False
    number: int | None = None


_noted = _Noted()


@contextlib.contextmanager
def answered() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, SIGTERM and SIGHUP raise SystemExit(128 + number), and note each of them.

    Within another such block, and in threads other than the main one, it does nothing.
    """
    if _noted.answered or not _in_main_thread():
        yield
        return
    hook, before = sys.unraisablehook, {}
    _noted.answered, _noted.held, _noted.number = True, False, None
    try:
        for name, default in _DEFAULTS.items():
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) == default:
                before[number] = signal.signal(number, _come)
        sys.unraisablehook = _quiet(hook)
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
        _noted.answered = False


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Meanwhile a signal is noted and nothing is raised; `check` does so afterwards."""
    before = _noted.held
    _noted.held = True
    try:
        yield
    finally:
        _noted.held = before


def came() -> int | None:
    """The signal that came last since `answered` began."""
    return _noted.number if _noted.answered else None


def check() -> None:
    """Raise what a signal asks for, if one came, in the main thread; not where that very exception is being handled."""
    if not _noted.answered or _noted.number is None or _noted.held or not _in_main_thread():
        return
    if not _is_leaving(sys.exc_info()[1]):
        raise asked_for(_noted.number)


def asked_for(number: int) -> BaseException:
    """The exception by which the stack is unwound for a signal, temporary files being removed on the way."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _come(number: int, frame: FrameType | None) -> None:
    _noted.number = number
    if not _noted.held:
        raise asked_for(number)


def _is_leaving(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            return True
        error = error.__context__
    return False


def _quiet(hook: Any) -> Any:
    """Nothing is printed about our own exceptions in callbacks: they are raised again."""

    def hear(unraisable: Any) -> None:
        if came() is None or not _is_leaving(unraisable.exc_value):
            hook(unraisable)

    return hear


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
