"""File names and other foreign text on their way to a terminal, into JSON and into a shell command.

A name may hold anything but NUL and the slash: escape sequences that repaint the terminal, line breaks that forge a
line of output, marks that turn the reading direction (U+202E), bytes that are no UTF-8 (Python keeps those as lone
surrogates, PEP 383).
"""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import Any

# C0 and C1 controls with DEL; line and paragraph separators; marks of direction; lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str) -> str:
    """The text on one line, with everything that would act on a terminal written as an escape (`\\x1b`, `\\u202e`)."""
    return _UNSAFE.sub(_escaped, decoded(text))


def printable_lines(text: str) -> str:
    """Like `printable`, for text of several lines."""
    return "\n".join(printable(line.expandtabs()) for line in text.split("\n"))


def json_text(value: Any, **options: Any) -> str:
    """JSON that a terminal shows as it is and every encoder takes; reading it back gives the very same value.

    options: of `json.dumps`.
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) if "indent" not in options else text


def decoded(text: str) -> str:
    """The text with what the locale could not decode (`LC_ALL=C`) read as UTF-8, as far as it is UTF-8."""
    if not _SURROGATE.search(text):
        return text
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return text
    return raw.decode("utf-8", "surrogateescape")


def shell_word(word: str) -> str:
    """One word of a command as a shell reads it; bytes that are no UTF-8 and controls as `$'\\xe9'`."""
    word = decoded(word)
    if not _UNSAFE.search(word):
        return shlex.quote(word)
    pieces = []
    for letter in word:
        if letter in "\\'":
            pieces.append("\\" + letter)
        elif _UNSAFE.match(letter):
            pieces += [f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape")]
        else:
            pieces.append(letter)
    return "$'" + "".join(pieces) + "'"


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in _SHORT:
        return _SHORT[letter]
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # an undecodable byte
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
