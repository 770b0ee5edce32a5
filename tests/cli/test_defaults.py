"""Defaults of options from imgfix.toml and from the environment; what people type who know other tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgfix.cli import defaults, synonyms
from imgfix.cli.app import verbs
from imgfix.pipelines.options import number
from tests.cli.conftest import Run, save_photo


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder and a user without any defaults."""
    monkeypatch.setenv("IMGFIX_CONFIG", str(tmp_path / "user" / "imgfix.toml"))
    (tmp_path / "user").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def widths(run: Run, *words: object, tiny: Path) -> int:
    found = run("upscale", "photo.png", "--model", tiny, "--json", "--overwrite", *words)
    assert found.code == 0, found.err
    return int(found.items[0]["output"]["width"])


def test_the_nearer_default_wins_and_the_command_line_over_all(
    imgfix: Run, alone: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_photo(alone / "photo.png")  # 32 x 24
    assert widths(imgfix, tiny=tiny) == 64
    (alone / "user" / "imgfix.toml").write_text("[upscale]\nwidth = 40\n")
    assert widths(imgfix, tiny=tiny) == 40
    (alone / "imgfix.toml").write_text("[upscale]\nwidth = 41\n")
    assert widths(imgfix, tiny=tiny) == 41
    monkeypatch.setenv("IMGFIX_WIDTH", "42")
    assert widths(imgfix, tiny=tiny) == 42
    monkeypatch.setenv("IMGFIX_UPSCALE_WIDTH", "43")
    assert widths(imgfix, tiny=tiny) == 43
    assert widths(imgfix, "--width", 44, tiny=tiny) == 44


def test_a_key_at_the_top_is_for_every_verb_that_has_it(imgfix: Run, alone: Path, tiny: Path) -> None:
    save_photo(alone / "photo.png")
    (alone / "imgfix.toml").write_text('model = "telea"\nno-record = true\n')
    assert imgfix("inpaint", "photo.png", "--box", "2,2,5,5").code == 0
    found = {(each.verb, each.parameter): each.value for each in defaults.find(verbs())}
    assert {verb for verb, parameter in found if parameter == "model"} == set(defaults.SHARING)
    assert found["upscale", "record"] is False


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('devise = "cpu"', "did you mean device"),
        ("[upscale]\nlong-sde = 3", "did you mean long-side"),
        ("[upscale]\noutput = 'x'", "there is no option 'upscale.output'"),
        ("device = ", "cannot be read"),
        ("device = " + "[" * 3000, "nested too deeply"),
        ("device = ['cpu', 'cuda']", "device is one value, not a list"),
        ("[upscale]\nscale = { a = 1 }", "scale is one value, not a table"),
        ("[inpaint]\nbox = [['1,1,2,2']]", "box is one value, not a list"),
    ],
)
def test_a_wrong_file_is_named_and_ends_with_2(imgfix: Run, alone: Path, content: str, words: str) -> None:
    (alone / "imgfix.toml").write_text(content)
    found = imgfix("upscale", "photo.png")
    assert found.code == 2 and "imgfix.toml" in found.err and words in found.err
    assert imgfix("upscale", "--help").code == 0


def test_config_says_what_holds_and_why(imgfix: Run, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no defaults are set" in imgfix("config").out
    (alone / "imgfix.toml").write_text("[upscale]\ntta = true\nno-audio = true\n")
    monkeypatch.setenv("IMGFIX_RESTORE_DEVICE", "cpu")
    text = imgfix("config").out
    assert "imgfix upscale --tta  (imgfix.toml)" in text and "imgfix upscale --no-audio  (imgfix.toml)" in text
    assert "imgfix restore --device cpu  (IMGFIX_RESTORE_DEVICE)" in text
    told = imgfix("config", "--json").items[0]["defaults"]
    assert {"verb": "upscale", "option": "--tta", "value": True, "origin": "imgfix.toml"} in told


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["upscale", "a.png", "--factor", "4"], "--scale"),
        (["upscale", "a.png", "--size", "400"], "--long-side"),
        (["upscale", "a.png", "--gpu"], "--device cuda"),
        (["upscale", "a.png", "--force"], "--overwrite"),
        (["upscale", "a.png", "-y"], "--overwrite"),
        (["upscale", "a.png", "--long-sde", "4"], "--long-side"),
        (["train", "upscale", "x", "--epochs", "4"], "--steps"),
        (["train", "upscale", "x", "--learning-rate", "4"], "--lr"),
        (["enlarge", "a.png"], "upscale"),
        (["denoise", "a.png"], "restore --denoise auto"),
        (["models"], "weights list"),
        (["download", "x"], "weights pull"),
        (["upscal"], "upscale"),
    ],
)
def test_words_of_other_tools_are_answered_with_ours(imgfix: Run, words: list[str], meant: str) -> None:
    found = imgfix(*words)
    assert found.code == 2 and meant in found.err.split("did you mean")[1]


def test_every_synonym_names_an_option_or_a_verb_that_is_there() -> None:
    commands = verbs()
    options = {name for command in commands.values() for each in command.params for name in each.opts}
    options |= {name for command in commands.values() for each in command.params for name in each.secondary_opts}
    named = {word for meant in synonyms.OPTIONS.values() for word in meant.split() if word.startswith("-")}
    assert named <= options, named - options
    assert {meant.split()[0] for meant in synonyms.VERBS.values()} <= {*commands, "--help", "--version"}


@pytest.mark.parametrize(
    ("text", "value"), [("4x", 4), ("x4", 4), ("80%", 0.8), ("12MP", 12), ("10m", 10), (".5", 0.5), ("1e-1", 0.1)]
)
def test_numbers_are_understood_as_people_write_them(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value)


def test_a_number_that_is_none_is_refused_by_the_name_of_its_option(imgfix: Run, photo: Path, tiny: Path) -> None:
    found = imgfix("upscale", photo, "--scale", "large", "--model", tiny)
    assert found.code == 2 and "--scale: 'large' is no number" in found.err
    assert imgfix("upscale", photo, "--scale", "1.5x", "--blend", "50%", "--model", tiny).code == 0


def test_the_last_line_counts(imgfix: Run, alone: Path, tiny: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save_photo(alone / "in" / name)
    words = ("upscale", "in", "-o", "out/", "--model", tiny)
    assert imgfix(*words, "--dry-run").err.splitlines()[-1].startswith("3 planned")
    assert imgfix(*words).err.splitlines()[-1] == "3 done"
    (alone / "out" / "a.png").unlink()
    last = imgfix(*words, "--skip-existing").err.splitlines()[-1]
    assert last == "1 done, 2 left out (the output exists already)"
    (alone / "in" / "b.png").write_bytes(b"")
    assert "1 of 3 items failed: 2 done, 1 failed" in imgfix(*words, "--overwrite").err


def test_a_token_is_not_shown(imgfix: Run, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGFIX_SERVE_TOKEN", "tell-nobody")
    (alone / "imgfix.toml").write_text('[serve]\ntoken = "nor-this"\n')
    for words in (["config"], ["config", "--json"]):
        found = imgfix(*words)
        assert found.code == 0 and "--token" in found.out and "***" in found.out
        assert "tell-nobody" not in found.out and "nor-this" not in found.out
    assert {each.value for each in defaults.find(verbs()) if each.verb == "serve"} == {"tell-nobody", "nor-this"}
