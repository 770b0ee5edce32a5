"""Who a run in a test is told to: see `imgfix.train.progress.Reporter`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from imgfix.train.progress import Bar


class Told:
    """Keeps what was said; a bar is drawn where asked for."""

    def __init__(self, *, bar: bool = False) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.moves: list[tuple[float, str, str]] = []
        self._bar = bar

    def said(self, text: str) -> None:
        self.lines.append(text)

    def warned(self, text: str) -> None:
        self.warnings.append(text)

    def training(self) -> AbstractContextManager[Bar | None]:
        return nullcontext(self._moved if self._bar else None)

    def _moved(self, part: float, place: str, state: str) -> None:
        self.moves.append((part, place, state))
