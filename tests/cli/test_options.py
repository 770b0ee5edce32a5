"""The options of a verb reach the records that its pipeline works with."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from imgfix.cli import files
from imgfix.cli.app import command
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from tests.cli.conftest import Run

VERBS = ("upscale", "inpaint", "restore")
WORDS: dict[str, tuple[list[str], Any]] = {
    "output": (["-o", "out/"], "out/"),
    "model": (["--model", "some"], "some"),
    "device": (["--device", "cpu"], "cpu"),
    "precision": (["--precision", "fp16"], "fp16"),
    "engine": (["--engine", "onnx"], "onnx"),
    "tile": (["--tile", "128"], "128"),
    "recursive": (["-r"], True),
    "max_pixels": (["--max-pixels", "9"], 9),
    "shard": (["--shard", "2/3"], "2/3"),
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


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, imgfix: Run) -> Any:
    """What a command line hands on, instead of the work: by the name of each field."""

    def hear(verb: str, *words: str) -> dict[str, Any]:
        taken: list[Any] = []
        monkeypatch.setattr(files, "work", lambda kind, *given: taken.extend(given) or 0)
        assert imgfix(verb, "word", *words).code == 0
        inputs, *records = taken
        assert list(inputs) == ["word"]
        return {field.name: getattr(record, field.name) for record in records for field in fields(record)}

    return hear


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_shared_option_of_a_verb_is_heard(heard: Any, verb: str, name: str) -> None:
    if verb == "inpaint" and name == "tile":
        pytest.skip("inpaint has no such option")
    words, value = WORDS[name]
    found, plain = heard(verb, *words), heard(verb)
    assert found[name] == value != plain[name]
    assert {key: each for key, each in found.items() if key != name} == {
        key: each for key, each in plain.items() if key != name
    }


def test_no_shared_option_is_forgotten_here() -> None:
    shared = {field.name for record in (Saving, Machine, Reading) for field in fields(record)}
    assert set(WORDS) == shared | {"json", "dry_run", "quiet", "verbose"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_clips_is_heard(heard: Any, verb: str) -> None:
    names = [field.name for field in fields(ClipOptions)]
    plain = heard(verb)
    assert all(plain[field.name] == field.default for field in fields(ClipOptions))
    found = heard(
        verb, "--codec", "ffv1", "--crf", "3", "--preset", "slow", "--pix-fmt", "rgb24", "-e", "a=b",
        "--start", "1", "--end", "2", "--no-audio", "--fps", "25", "--deinterlace", "on", "--resume", "--frames",
        "--smooth", "auto", "--smooth-model", "flow",
    )  # fmt: skip
    given = ClipOptions(**{name: found[name] for name in names})
    assert given == ClipOptions(
        codec="ffv1", crf=3.0, preset="slow", pix_fmt="rgb24", encoder_option=["a=b"], start="1", end="2", audio=False,
        fps="25", deinterlace="on", frames=True, resume=True, smooth="auto", smooth_model="flow",
    )  # fmt: skip
    assert (given.seconds, given.rate, given.encoder_options) == ((1.0, 2.0), 25, {"a": "b"})
    assert all(found[name] != plain[name] for name in names)  # none is forgotten here


@pytest.mark.parametrize("verb", VERBS)
def test_the_names_of_options_stay_what_they_were(verb: str) -> None:
    names = {
        name for parameter in command().commands[verb].params for name in parameter.opts + parameter.secondary_opts
    }
    assert names >= {
        *("--output", "-o", "--format", "--quality", "--overwrite", "--skip-existing", "--no-record", "--codec"),
        *("--crf", "--preset", "--pix-fmt", "--encoder-option", "-e", "--start", "--end", "--no-audio", "--fps"),
        *("--deinterlace", "--frames", "--resume", "--model", "-m", "--device", "--precision", "--offline"),
        *("--recursive", "-r", "--max-pixels", "--json", "--dry-run", "--quiet", "-q", "--verbose", "-v"),
    }


def test_messages_name_options_as_a_command_line_spells_them(imgfix: Run, photo: Path, tiny: Path) -> None:
    found = imgfix("upscale", photo, "--long-side", "-3", "--model", tiny)
    assert found.code == 2 and "--long-side must be above zero" in found.err
    (photo.parent / "photo_x2.png").write_bytes(b"mine")
    found = imgfix("upscale", photo, "--model", tiny, "--json")
    assert "use --overwrite, --skip-existing or another -o" in found.err
    assert "`" not in found.err + found.out
