"""Foreign text on its way to a terminal, into JSON and into a shell command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgfix.media.names import json_text, printable, printable_lines, shell_word


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain é 漢 😀.png", "plain é 漢 😀.png"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("a\u2028b\u2066", r"a\u2028b\u2066"),
        ("\udce9", r"\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_would_act_on_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_stay_lines() -> None:
    assert printable_lines("one\n\x1btwo") == "one\n\\x1btwo"


@given(st.text(st.characters(categories=None)))
@settings(max_examples=100)
def test_json_gives_back_the_very_same_text(text: str) -> None:
    coded = json_text({"name": text})
    assert json.loads(coded)["name"] == text
    assert coded.isprintable() or printable(coded) == coded
    coded.encode("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
@pytest.mark.parametrize("name", [b"plain", b"two words", b"p\xe9", b"it's\n\x1b[1m\\", b"\xe2\x80\xae'", "é".encode()])
def test_a_shell_reads_the_word_as_the_name(name: bytes) -> None:
    word = shell_word(os.fsdecode(name))
    assert subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout == name
