"""Files of a run: whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from imgfix.errors import OutputError


def write_bytes(target: Path, data: bytes | memoryview) -> None:
    """Write a file beside its target and rename it into place, so that readers see the old file or the new one.

    Raises:
        OutputError: the disk is full or the folder cannot be written; the old file is untouched, no litter stays.
    """
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise output_error(target, error) from None
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise


def output_error(target: Path, error: OSError) -> OutputError:
    """Say in a sentence why a file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"{target}: no space left on the disk", hint="free some space; the file from before is whole"
        )
    return OutputError(f"{target}: cannot be written: {error.strerror or error}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
