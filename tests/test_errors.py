"""What errors say, and of which fields."""

from __future__ import annotations

import errno

import pytest

from imgfix.errors import ExitCode, UsageError, understood
from imgfix.pipelines.options import option


def test_an_error_names_its_fields_for_programs() -> None:
    error = UsageError("`start` 5 is behind `end` 3", hint="choose a later `end`")
    assert error.fields == ("start", "end")
    assert UsageError("nothing to do").fields == ()


def test_fields_can_be_called_something_else() -> None:
    error = UsageError("`long_side` must be above zero")
    assert error.message == "long_side must be above zero"
    assert error.renamed(lambda field: f"--{field.replace('_', '-')}").message == "--long-side must be above zero"


def test_a_value_follows_its_field() -> None:
    error = UsageError("`resume=False` starts over", hint="`batch=2`, or `settings.clip=0.5`; see `settings`")
    assert (error.message, error.hint) == ("resume=False starts over", "batch=2, or clip=0.5; see settings")
    told = error.renamed(option)
    assert (told.message, told.hint) == ("--no-resume starts over", "--batch 2, or --set clip=0.5; see --set")
    assert error.fields == ("resume", "batch", "clip", "settings")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("/lib/engine.so: failed to map segment from shared object"),
        OSError("libengine.so: cannot map zero-fill pages: Cannot allocate memory"),
    ],
)
def test_whatever_finds_no_room_in_memory_is_no_fault(error: BaseException) -> None:
    assert understood(error).exit_code == ExitCode.MEMORY
    assert understood(ImportError("no module named x")).exit_code != ExitCode.MEMORY
