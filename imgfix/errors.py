"""What can go wrong, in one small family.

Every error that reaches the user is an `ImgfixError`: a message that names the file or option, a hint that says what to
do about it, and the exit code of the process (or of the item, inside a batch).

A message names a field (an option, a keyword) between backquotes: "`long_side` must be above zero". Who shows it says
what fields are called there: a command line `--long-side`, Python `long_side`. A value may follow the name: `seed=3` is
`--seed 3` on a command line, `resume=False` is `--no-resume`. What is a setting of a training's recipe and no option is
called `settings.clip=0.5`: `--set clip=0.5` on a command line, `clip=0.5` elsewhere.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any

_FIELD = re.compile(r"`([a-z][a-z_]*(?:\.[a-z][a-z_]*)*(?:=[^`]*)?)`")
SETTINGS = "settings."
"""In front of the name of a setting of a recipe."""


def plain(field: str) -> str:
    """A field as Python and recipes call it."""
    return field.removeprefix(SETTINGS)


def worded(text: str, name: Callable[[str], str] = plain) -> str:
    """A message whose fields, with the values that follow them, are called what `name` calls them."""
    return _FIELD.sub(lambda found: name(found[1]), text)


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
        super().__init__(worded(message))
        self._message, self._hint = message, hint

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self._message, self._hint, self.exit_code)

    @property
    def message(self) -> str:
        """What was wrong; fields by their names."""
        return worded(self._message)

    @property
    def hint(self) -> str | None:
        """The remedy; fields by their names."""
        return None if self._hint is None else worded(self._hint)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that message and hint name, in order, each once."""
        found = _FIELD.findall(f"{self._message} {self._hint or ''}")
        return tuple(dict.fromkeys(plain(field).partition("=")[0] for field in found))

    def add_hint(self, words: str) -> None:
        """Say one thing more about the remedy."""
        self._hint = f"{self._hint}; {words}" if self._hint else words

    def renamed(self, name: Callable[[str], str], prefix: str = "") -> ImgfixError:
        """The same with its fields called what `name` calls them, and something in front of the message."""
        hint = None if self._hint is None else worded(self._hint, name)
        made = ImgfixError(prefix + worded(self._message, name), hint)
        made.exit_code = self.exit_code
        return made

    def within(self, place: str, name: Callable[[str], str]) -> ImgfixError:
        """The same of the same kind, its fields called what `name` calls them, and in front the place it came from."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made._message = f"{place}: {worded(self._message, name)}"
        made._hint = None if self._hint is None else worded(self._hint, name)
        made.args = (worded(made._message),)
        return made

    def reworded(self, change: Callable[[str], str]) -> ImgfixError:
        """The same with message and hint as `change` makes them."""
        hint = None if self._hint is None else change(self._hint)
        return _again(type(self), change(self._message), hint, self.exit_code)


class InputError(ImgfixError):
    """A file that cannot be read or does not fit the job; the rest of a batch goes on."""


class NothingFound(InputError):
    """What was to be found in a picture is not in it."""


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


def _again(kind: type[ImgfixError], message: str, hint: str | None, code: ExitCode) -> ImgfixError:
    """An error as it was in another process."""
    made = kind.__new__(kind)
    ImgfixError.__init__(made, message, hint)
    made.exit_code = code
    return made


_NO_MEMORY = (
    *("out of memory", "not enough memory", "insufficient memory", "can't allocate memory", "cannot allocate memory"),
    *("failed to allocate", "bad_alloc", "bad allocation"),
    *("failed to map segment", "cannot map zero-fill"),  # dlopen, which says so in words alone
    "can't start new thread",  # there is no room for its stack
    # What oneDNN, which computes on CPUs, says when it cannot get its scratch space.
    *("could not create a primitive", "could not create a memory", "could not execute a primitive"),
)
_IN_WORDS = ("cv2", "onnxruntime", "openvino")
"""Libraries whose errors are of no class that would tell."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception of any device or library means that memory ran out: by its class, or else by its words."""
    kind = type(error)
    if isinstance(error, MemoryError | MemoryExhaustedError) or kind.__name__ in ("OutOfMemory", "OutOfMemoryError"):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if not isinstance(error, RuntimeError | ImportError | OSError) and kind.__module__.split(".")[0] not in _IN_WORDS:
        return False
    words = str(error).lower()
    return any(phrase in words for phrase in _NO_MEMORY)


def understood(error: BaseException) -> ImgfixError:
    """Any error as one of ours: a sentence with a remedy."""
    if isinstance(error, ImgfixError):
        return error
    if out_of_memory(error):
        return MemoryExhaustedError("out of memory", hint="use a smaller `tile`, or close other programs")
    if isinstance(error, OSError) and error.strerror:
        return ImgfixError(f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower())
    words = " ".join(str(error).split()) or "no further words"
    return ImgfixError(
        f"unexpected {type(error).__name__}: {words[:300]}",
        hint="this is a fault of imgfix; `verbose` shows where it happened",
    )
