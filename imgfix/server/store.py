"""What the server keeps: files in a private folder, and in SQLite what is known of them and of jobs.

Plain sqlite3, because two tables need no more. Everything is committed at once, so that a process that is killed loses
nothing; files without a row, and rows without a file, are cleared away by the next start.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from imgfix.errors import UsageError

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  id TEXT PRIMARY KEY, name TEXT, kind TEXT, media_type TEXT, width INTEGER, height INTEGER, bytes INTEGER,
  frames INTEGER, duration REAL, suffix TEXT, made REAL
);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, verb TEXT, status TEXT, asked TEXT, command TEXT, done INTEGER, total INTEGER, unit TEXT,
  answer TEXT, error TEXT, made REAL, ended REAL
);
"""


@dataclass(frozen=True)
class FileRow:
    """A file that was sent or made."""

    id: str
    name: str
    """What the caller calls it; never part of a path here."""
    kind: str
    """`image`, `animation`, `video` or `sound`."""
    media_type: str
    width: int
    height: int
    bytes: int
    frames: int | None
    duration: float | None
    suffix: str
    """Of the file on disk: `.png`."""
    made: float
    """Seconds since 1970."""

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        shown = ("id", "name", "kind", "media_type", "width", "height", "bytes", "frames", "duration")
        return {name: value for name in shown if (value := getattr(self, name)) is not None}


@dataclass(frozen=True)
class JobRow:
    """A job, as it was last written down."""

    id: str
    verb: str
    status: str
    """`queued`, `running`, `done`, `failed` or `cancelled`."""
    asked: dict[str, Any]
    command: str
    done: int
    total: int
    unit: str
    answer: dict[str, Any] | None
    error: dict[str, Any] | None
    made: float
    ended: float | None

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        progress = {"done": self.done, "total": self.total, "unit": self.unit}
        found = {"id": self.id, "verb": self.verb, "status": self.status, "progress": progress, "command": self.command}
        return found | (self.answer or {}) | ({"error": self.error} if self.error is not None else {})


def new_identifier() -> str:
    """One that nobody can guess."""
    return secrets.token_hex(16)


class Store:
    """The folder of one server. Raises UsageError: another server works in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = FileLock(folder / "lock")
        try:
            self._held.acquire(blocking=False)
        except Timeout:
            raise UsageError(f"another server works in {folder}", hint="choose another `folder`") from None
        self.folder, self._files = folder, folder / "files"
        self.work, self.incoming = folder / "work", folder / "incoming"
        for part in (self._files, self.work, self.incoming):
            part.mkdir(exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        state = folder / "state.sqlite"
        state.touch(mode=0o600)  # names are nobody else's business, even in a folder that was there before
        self._base = sqlite3.connect(state, check_same_thread=False, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        for line in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL"):
            self._base.execute(line)
        self._base.executescript(_TABLES)
        self._clear()

    def close(self) -> None:
        """Let another server have the folder."""
        with self._lock:
            self._base.close()
        self._held.release()

    def _clear(self) -> None:
        """Take away what a process that was killed left half done; the folders of jobs that go on stay."""
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir(mode=0o700)
        known = {row["id"] for row in self._ask("SELECT id FROM files")}
        for folder in self._files.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        for name in known:
            row = self.file(name)
            if row is not None and not self.path(row).is_file():
                self.remove_file(name)
        waiting = {row.id for row in self.jobs() if row.status in ("queued", "running")}
        for folder in self.work.iterdir():
            if folder.name not in waiting:
                shutil.rmtree(folder, ignore_errors=True)

    def _ask(self, words: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._base.execute(words, values).fetchall()

    # -- files ---------------------------------------------------------------------------------------------------------

    def path(self, row: FileRow) -> Path:
        """Where a file lies."""
        return self._files / row.id / f"file{row.suffix}"

    def beside(self, row: FileRow, name: str) -> Path:
        """A place for what is made of a file and goes with it."""
        return self._files / row.id / name

    def add_file(self, path: Path, row: FileRow) -> FileRow:
        """Take over a file, which is moved from where it lies."""
        place = self.path(row)
        place.parent.mkdir(mode=0o700)
        path.replace(place)
        values = asdict(row)
        self._ask(f"INSERT INTO files VALUES ({','.join('?' * len(values))})", *values.values())
        return row

    def file(self, identifier: str) -> FileRow | None:
        """What is known of a file; None: there is none."""
        if not _IDENTIFIER.fullmatch(identifier):
            return None
        found = self._ask("SELECT * FROM files WHERE id = ?", identifier)
        return FileRow(**dict(found[0])) if found else None

    def remove_file(self, identifier: str) -> bool:
        """Delete a file; False: there is none."""
        if self.file(identifier) is None:
            return False
        self._ask("DELETE FROM files WHERE id = ?", identifier)
        shutil.rmtree(self._files / identifier, ignore_errors=True)
        return True

    def held(self) -> tuple[int, int]:
        """Files and their bytes."""
        found = self._ask("SELECT COUNT(*) AS files, COALESCE(SUM(bytes), 0) AS bytes FROM files")[0]
        return found["files"], found["bytes"]

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def save_job(self, row: JobRow) -> None:
        """Write down how a job stands."""
        values = [_packed(getattr(row, field.name)) for field in fields(JobRow)]
        self._ask(f"INSERT OR REPLACE INTO jobs VALUES ({','.join('?' * len(values))})", *values)

    def job(self, identifier: str) -> JobRow | None:
        """A job as it was last written down; None: there is none."""
        found = self._ask("SELECT * FROM jobs WHERE id = ?", identifier)
        return _job(found[0]) if found else None

    def jobs(self) -> list[JobRow]:
        """All of them, the oldest first."""
        return [_job(row) for row in self._ask("SELECT * FROM jobs ORDER BY made, id")]

    def remove_job(self, identifier: str) -> None:
        """Forget a job."""
        self._ask("DELETE FROM jobs WHERE id = ?", identifier)

    def folder_of(self, job: str) -> Path:
        """Where a job works; what an interrupted clip has finished lies here."""
        folder = self.work / job
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def drop_folder(self, job: str) -> None:
        """Take away what a job left."""
        shutil.rmtree(self.work / job, ignore_errors=True)

    # -- time ----------------------------------------------------------------------------------------------------------

    def expire(self, hours: float, used: Iterable[str], clock: Callable[[], float] = time.time) -> int:
        """Delete what is older, but for files that are in use; returns how many files."""
        before, spared = clock() - 3600 * hours, set(used)
        ended = "DELETE FROM jobs WHERE ended IS NOT NULL AND ended < ?"
        self._ask(ended, before)
        old = [row["id"] for row in self._ask("SELECT id FROM files WHERE made < ?", before)]
        return sum(self.remove_file(identifier) for identifier in old if identifier not in spared)


def _packed(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value


def _job(row: sqlite3.Row) -> JobRow:
    values = dict(row)
    for name in ("asked", "answer", "error"):
        values[name] = json.loads(values[name]) if values[name] is not None else None
    return JobRow(**values)
