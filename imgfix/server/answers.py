"""Errors as answers: a status and a JSON object; private paths never leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from imgfix.errors import (
    ImgfixError,
    InputError,
    MemoryExhaustedError,
    MissingExtraError,
    ModelError,
    OutputError,
    UsageError,
    out_of_memory,
)

Names = Mapping[str, str]
"""Private paths, and what the caller calls these files."""

_STATUS: tuple[tuple[type[ImgfixError], int, str], ...] = (
    (MemoryExhaustedError, 507, "memory"),
    (MissingExtraError, 503, "model"),
    (ModelError, 503, "model"),
    (UsageError, 400, "usage"),
    (InputError, 422, "input"),
    (OutputError, 400, "output"),
)
"""The first that fits."""


@dataclass
class Refused(Exception):
    """A request that is not served, and why."""

    status: int
    code: str
    message: str
    hint: str | None = None
    fields: tuple[str, ...] = ()
    headers: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return self.message

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {"message": self.message, "hint": self.hint, "fields": list(self.fields), "code": self.code}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse({"error": self.facts}, self.status, dict(self.headers or {}))


def refusal(error: BaseException, names: Names, public: Mapping[str, str]) -> Refused:
    """What an exception says to a caller.

    names: see `Names`. public: what fields are called in requests, where that is not their own name.
    """
    if isinstance(error, Refused):
        return error
    if not isinstance(error, ImgfixError) and out_of_memory(error):
        error = MemoryExhaustedError("out of memory", hint="send a smaller picture")
    if not isinstance(error, ImgfixError):
        return Refused(500, "internal", f"unexpected {type(error).__name__}", "the server's log says more")
    told = error.renamed(lambda field: public.get(field, field))
    status, code = next(((status, code) for kind, status, code in _STATUS if isinstance(error, kind)), (500, "failed"))
    if isinstance(error, OutputError) and isinstance(error.__cause__, OSError):
        status, code = 507, "storage"
    fields = tuple(public.get(field, field) for field in error.fields)
    hint = None if told.hint is None else without_paths(told.hint, names)
    return Refused(status, code, without_paths(told.message, names), hint, fields)


def without_paths(text: str, names: Names) -> str:
    """The text with private paths replaced by what the caller calls these files."""
    for path in sorted(names, key=len, reverse=True):
        text = text.replace(path, names[path])
    return text


def not_found(what: str, identifier: str) -> Refused:
    """There is no such file or job, or no more."""
    return Refused(404, "not_found", f"there is no {what} '{identifier[:40]}'", "it may have been deleted meanwhile")
