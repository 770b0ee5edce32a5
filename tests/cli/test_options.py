"""The options that verbs share reach the record that the verbs work with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import typer

from imgfix.cli.app import command
from imgfix.cli.clips import ClipOptions
from imgfix.cli.options import Shared

WORDS: dict[str, tuple[list[str], Any]] = {
    "output": (["-o", "out/"], "out/"),
    "model": (["--model", "some"], "some"),
    "device": (["--device", "cpu"], "cpu"),
    "precision": (["--precision", "fp16"], "fp16"),
    "tile": (["--tile", "128"], 128),
    "recursive": (["-r"], True),
    "max_pixels": (["--max-pixels", "9"], 9),
    "format": (["--format", "png"], "png"),
    "quality": (["--quality", "7"], 7),
    "overwrite": (["--overwrite"], True),
    "skip_existing": (["--skip-existing"], True),
    "record": (["--no-record"], False),
    "offline": (["--offline"], True),
    "json": (["--json"], True),
    "dry_run": (["--dry-run"], True),
    "quiet": (["--quiet"], True),
    "verbose": (["--verbose"], True),
}


def parsed(verb: str, *words: str) -> typer.Context:
    root = command()
    return root.commands[verb].make_context(verb, list(words))


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("verb", ["upscale", "inpaint", "restore", "generate"])
def test_every_shared_option_of_a_verb_is_heard(verb: str, name: str) -> None:
    lacking = {"inpaint": {"tile"}, "generate": {"precision", "tile", "recursive", "max_pixels"}}
    if name in lacking.get(verb, ()):
        pytest.skip(f"{verb} has no such option")
    words, value = WORDS[name]
    shared = Shared.of(parsed(verb, "word", *words))
    assert getattr(shared, name) == value
    assert shared.inputs == (() if verb == "generate" else ("word",))
    others = [field for field in fields(Shared) if field.name not in (name, "inputs")]
    assert all(getattr(shared, field.name) == field.default for field in others)


def test_no_shared_option_is_forgotten_here() -> None:
    assert set(WORDS) == {field.name for field in fields(Shared)} - {"inputs"}


@pytest.mark.parametrize("verb", ["upscale", "inpaint", "restore"])
def test_every_option_of_clips_is_heard(verb: str) -> None:
    assert ClipOptions.of(parsed(verb, "word")) == ClipOptions()
    given = ClipOptions.of(
        parsed(
            verb, "word", "--codec", "ffv1", "--crf", "3", "--preset", "slow", "--pix-fmt", "rgb24", "-e", "a=b",
            "--start", "1", "--end", "2", "--no-audio", "--fps", "25", "--deinterlace", "on", "--resume",
        )
    )  # fmt: skip
    assert given == ClipOptions(
        codec="ffv1", crf=3.0, preset="slow", pix_fmt="rgb24", encoder=(("a", "b"),), start=1.0, end=2.0, audio=False,
        fps=given.fps, deinterlace="on", resume=True,
    )  # fmt: skip
    assert given.fps == 25
    assert all(getattr(given, field.name) != field.default for field in fields(ClipOptions))  # none is forgotten here
