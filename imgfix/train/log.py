"""The run's diary: one JSON object a line, and TensorBoard for those who want it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from imgfix.errors import MissingExtraError, OutputError
from imgfix.media.files import output_errors, write_atomic


class RunLog:
    """Appends records to `log.jsonl`; each has `kind` (train, validate, event) and `step` (optimizer steps done).

    Args:
        folder: the run's folder.
        tensorboard: write event files for TensorBoard into `folder/tensorboard` as well.

    Raises:
        MissingExtraError: TensorBoard is wanted but not installed.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = False) -> None:
        self.path = folder / "log.jsonl"
        self._file: TextIO | None = None
        self._board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise MissingExtraError("`settings.tensorboard=true`", "tensorboard") from None
            self._board = SummaryWriter(str(folder / "tensorboard"))

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Append one record. A full disk costs the record, not the run."""
        record = {"kind": kind, "step": step, **values}
        with suppress(OSError):
            if self._file is None:
                self._file = self.path.open("a", encoding="utf-8")
            # Flushed at once: the line then outlives this process, however it ends.
            self._file.write(json.dumps(record, allow_nan=True) + "\n")
            self._file.flush()
        if self._board is not None:
            for name, value in _numbers(values):
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def rewind(self, step: int) -> None:
        """Drop training and validation records after `step`: the run goes on from there and will write them again.

        Events stay: what went wrong should be read afterwards.
        """
        self.close()
        if not self.path.exists():
            return
        kept = [record for record in read_log(self.path) if record["kind"] == "event" or record["step"] <= step]
        with suppress(OutputError):
            write_atomic(self.path, "".join(json.dumps(record) + "\n" for record in kept))

    def start_over(self) -> None:
        """Empty the diary."""
        self.close()
        with output_errors(self.path):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files; writing opens them again."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        if self._board is not None:
            self._board.flush()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a run's records; a last line that a crash cut short is left out."""
    records = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            record = json.loads(line)
            if isinstance(record, dict) and "kind" in record and "step" in record:
                records.append(record)
    return records


def _numbers(values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{name}/{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, int | float):
            yield name, value
