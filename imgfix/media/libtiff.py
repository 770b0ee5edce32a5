"""What libtiff says: Pillow lets it print damage on stderr, and goes on as if there were none.

Pillow's wheels bring libtiff as a library of its own, whose handlers can be set (TIFFSetErrorHandler, libtiff 3.0 and
later). Where it is linked in some other way, everything stays as it was: it prints.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import PIL.Image

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)  # module, format, va_list
_here = threading.local()


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """The errors that libtiff finds in this thread, as its formats of printf; complete at the end of the block."""
    _listen()
    before = getattr(_here, "said", None)
    said: list[str] = []
    _here.said = said
    try:
        yield said
    finally:
        _here.said = before


def _note(module: bytes | None, words: bytes | None, values: Any) -> None:
    said = getattr(_here, "said", None)
    if said is not None and words is not None:
        said.append(words.decode("ascii", "replace"))


_note_error = _Handler(_note)  # kept, for libtiff holds nothing but its address


@cache
def _listen() -> None:
    folder = Path(PIL.__file__).parent
    for path in (*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")):
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            for name, handler in (("TIFFSetErrorHandler", _note_error), ("TIFFSetWarningHandler", None)):
                setter = getattr(library, name)
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(handler)
