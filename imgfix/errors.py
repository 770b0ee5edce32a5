"""What can go wrong, in one small family.

Every error that reaches the user is an `ImgfixError`: a message that names the file or option, a hint that says what to
do about it, and the exit code of the process (or of the item, inside a batch).
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the `imgfix` command; the README documents them for shell scripts."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    MODEL = 3
    MEMORY = 4
    INTERRUPTED = 130


class ImgfixError(Exception):
    """An error with a message for the user, a remedy and an exit code."""

    exit_code: ExitCode = ExitCode.SOME_FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(ImgfixError):
    """A file that cannot be read or does not fit the job; the rest of a batch goes on."""


class OutputError(ImgfixError):
    """A file that cannot be written: it exists, the folder is read-only, the disk is full."""


class UsageError(ImgfixError):
    """Options that contradict each other or make no sense; raised before any work is done."""

    exit_code = ExitCode.USAGE


class MissingExtraError(UsageError):
    """An optional dependency is not installed; the hint is the pip command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the optional '{extra}' packages", hint=f"pip install 'imgfix[{extra}]'")


class ModelError(ImgfixError):
    """A model that is unknown, damaged, of another kind, or cannot be loaded."""

    exit_code = ExitCode.MODEL


class DownloadError(ModelError):
    """A weights file that cannot be fetched or does not have the promised hash."""


class MemoryExhaustedError(ImgfixError):
    """Even the smallest tile does not fit into memory."""

    exit_code = ExitCode.MEMORY
