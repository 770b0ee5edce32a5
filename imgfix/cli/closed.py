"""Standard streams that the caller has closed (`imgfix ... >&-`): a clear word when they are needed, no word else."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, cast

from imgfix.errors import UsageError


class Closed(io.TextIOBase):
    """Stands for a closed stream. Reading and writing raise UsageError."""

    def __init__(self, name: str, remedy: str) -> None:
        self._name, self._remedy = name, remedy

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def buffer(self) -> Closed:
        """The stream of bytes, closed as well."""
        return self

    def isatty(self) -> bool:
        return False

    def read(self, size: int | None = -1) -> NoReturn:
        self._refuse()

    def write(self, text: Any) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UsageError(f"{self._name} is closed", hint=self._remedy)


@contextlib.contextmanager
def open_streams() -> Iterator[None]:
    """Put something in the place of streams that are closed, for Python has None there.

    Their numbers are taken too, or the next file that is opened would get one of them, and with it what some library
    prints.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    if None not in before:
        yield
        return
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = cast(Any, Closed("standard input", "name a file instead of '-'"))
    if sys.stdout is None:
        sys.stdout = cast(Any, Closed("standard output", "write to a file with -o, or leave stdout open"))
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
