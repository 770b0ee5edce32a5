"""What errors say, and of which fields."""

from __future__ import annotations

import errno

import av
import cv2
import numpy as np
import pytest
import torch

from imgfix.errors import ExitCode, MemoryExhaustedError, UsageError, out_of_memory, understood
from imgfix.media.decode import input_errors
from imgfix.pipelines.option_names import option


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
        av.error.MemoryError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        cv2.error("OpenCV(5.0.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 1854096 bytes"),
        ImportError("/lib/engine.so: failed to map segment from shared object"),
        OSError("libengine.so: cannot map zero-fill pages: Cannot allocate memory"),
    ],
)
def test_whatever_finds_no_room_in_memory_is_no_fault(error: BaseException) -> None:
    assert understood(error).exit_code == ExitCode.MEMORY


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError("size mismatch"), ValueError("out of memory"), KeyError("x"), ImportError("no module named x")),
        cv2.error("OpenCV(5.0.0) resize.cpp:4211: error: (-215:Assertion failed) !ssize.empty()"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not out_of_memory(error)


@pytest.mark.parametrize("error", [MemoryError(), cv2.error("(-4:Insufficient memory) Failed to allocate 9 bytes")])
def test_a_picture_that_finds_no_room_is_not_called_damaged(error: Exception) -> None:
    with pytest.raises(MemoryExhaustedError, match="photo does not fit"), input_errors("photo"):
        raise error


def test_a_real_failed_allocation_is_recognised() -> None:
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(1 << 60, np.uint8)
    assert out_of_memory(of_torch.value) and out_of_memory(of_numpy.value)
