"""Files that are whole or not there: everything is written beside the target and moved into place at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from imgfix.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Give a temporary path in the target's folder; move it onto the target when the block ends well.

    The file exists already (empty, with the mode bits of any new file, or of the file it replaces) and has the target's
    extension, so that encoders which look at the name are happy. On any exception, Ctrl-C included, the temporary file
    and the folders made for it are removed and the old target stays. A symlink is followed: the file it points to is
    replaced. A device or pipe (`/dev/null`) is written into, never replaced.

    Raises `OutputError` when the folder cannot be written, the target is a folder, or the disk is full.
    """
    target = Path(target)
    with output_errors(target):
        final = Path(os.path.realpath(target))
        kind = _kind(final)
        if kind == "folder":
            raise OutputError(f"{target} is a folder, not a file", hint="name a file, or end the path with '/'")
        if kind == "special":
            with _copied_into(final) as temporary:
                yield temporary
            return
        made = _make_folders(final.parent)
        temporary = final.with_name(f".imgfix-{_mark.text}{secrets.token_hex(6)}.part{final.suffix}")
        try:
            try:
                _create(temporary, final if kind == "file" else None)
            except FileNotFoundError as error:  # the folder is there: one like /proc
                raise OutputError(
                    f"{target}: {final.parent} takes no new files", hint="choose another `output`"
                ) from error
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(final)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise


class _Mark:
    """What the names of temporary files of this process begin with besides."""

    text = ""


_mark = _Mark()


def mark_temporary(mark: str) -> None:
    """From now on, temporary files of this process have a mark in their names, by which `sweep` finds them."""
    _mark.text = mark


def sweep(mark: str, targets: Iterable[Path]) -> None:
    """Remove the temporary files that processes with a mark, which have ended, left beside their targets."""
    for folder in {Path(os.path.realpath(target)).parent for target in targets}:
        for path in folder.glob(f".imgfix-{mark}*.part*"):
            with contextlib.suppress(OSError):
                path.unlink()


Stamp = tuple[int, int, int]


def stamp(target: Path | str) -> Stamp | None:
    """What tells one file under a name from the next one; None: there is no file.

    As targets are only ever replaced whole, another stamp means that the new file is there, however the work ended.
    """
    try:
        facts = Path(target).stat()
    except (OSError, ValueError):
        return None
    return (facts.st_ino, facts.st_mtime_ns, facts.st_size) if stat.S_ISREG(facts.st_mode) else None


def copy(source: Path, target: Path) -> None:
    """Copy a file as it is; onto itself it does nothing. Raises OutputError."""
    if target.exists() and target.samefile(source):
        return
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


@contextlib.contextmanager
def atomic_stream(target: Path | str) -> Iterator[BinaryIO]:
    """Like `atomic_path`, but gives a binary file open for reading and writing."""
    with atomic_path(target) as temporary, temporary.open("w+b") as stream:
        yield stream


def write_atomic(target: Path | str, data: bytes | str) -> None:
    """Write bytes (or text as UTF-8) to a file that is whole or not there."""
    with atomic_stream(target) as stream:
        stream.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)


@contextlib.contextmanager
def output_errors(target: Path | str) -> Iterator[None]:
    """Turn what the operating system says about a full disk or a forbidden folder into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise_output_error(error, target)
        raise


def raise_output_error(error: OSError, target: Path | str) -> None:
    """Raise an `OutputError` if this error is about writing the target; otherwise return."""
    folder = Path(target).parent
    if error.errno in _FULL:
        raise OutputError(
            f"{target}: the disk is full", hint=f"free some space in {folder}, or write elsewhere with `output`"
        ) from error
    if error.errno in _FORBIDDEN:
        raise OutputError(
            f"{target}: no permission to write there",
            hint=f"check the rights of {folder}, or write elsewhere with `output`",
        ) from error
    if error.errno == errno.ENAMETOOLONG:
        raise OutputError(f"{target}: the file name is too long", hint="give a shorter name with `output`") from error
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        raise OutputError(
            f"{target}: a part of the path is a file, not a folder", hint="choose another `output`"
        ) from error


def check_writable(target: Path | str) -> None:
    """Say before any work whether the target's folder could be written; touches nothing.

    Raises `OutputError`.
    """
    target = Path(target)
    final = Path(os.path.realpath(target))
    if final.is_dir():
        raise OutputError(f"{target} is a folder, not a file", hint="name a file, or end the path with '/'")
    folder = final.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise OutputError(f"{target}: {folder} is a file, not a folder", hint="choose another `output`")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{target}: no permission to write in {folder}", hint="check its rights, or write elsewhere with `output`"
        )


def _kind(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "none"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "special"


def _make_folders(folder: Path) -> list[Path]:
    """Make the missing folders; return those made, innermost first, for a clean retreat."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    made: list[Path] = []
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process of the same batch may be quicker
            path.mkdir()
            made.insert(0, path)
    return made


def _create(temporary: Path, replaces: Path | None) -> None:
    # 0o666 leaves the decision to the umask, as for any file that a program creates; mkstemp would give 0o600.
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    os.close(handle)
    if replaces is not None:
        with contextlib.suppress(OSError):
            temporary.chmod(stat.S_IMODE(replaces.stat().st_mode))


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut after the rename can leave an empty file under the final name.
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _copied_into(device: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="imgfix-") as folder:
        temporary = Path(folder) / f"out{device.suffix}"
        temporary.touch()
        yield temporary
        with temporary.open("rb") as source, device.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
