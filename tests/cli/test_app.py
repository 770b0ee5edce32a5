"""The command line as such: help, version, usage errors, completion, and what it does not import."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import subprocess
import sys

import pytest

from imgfix import __version__, cli
from imgfix.cli import app, files
from imgfix.errors import ImgfixError, MemoryExhaustedError, ModelError, UsageError
from tests.cli.conftest import ROOT, Run


def _verbs() -> list[str]:
    return [verb for verb in app.VERBS if importlib.util.find_spec(app.home(verb)) is not None]


HEAVY = ("torch", "cv2", "av", "PIL", "numpy")


def _modules_after(code: str) -> list[str]:
    """Which heavy modules are loaded after a piece of code has run in a fresh interpreter."""
    ending = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{ending}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stderr.replace("'", '"'))


def test_importing_imgfix_imports_nothing_heavy() -> None:
    assert _modules_after("import imgfix; imgfix.__version__; dir(imgfix)") == []


def test_no_help_page_imports_anything_heavy() -> None:
    pages = [["--help"], ["--version"], *([verb, "--help"] for verb in _verbs())]
    assert _modules_after(f"from imgfix import cli\nfor page in {pages!r}: assert cli.run(page) == 0, page") == []


def test_the_help_page_says_of_a_verb_what_its_own_page_begins_with() -> None:
    for verb, command in app.verbs().items():
        assert app.VERBS[verb] == " ".join(command.help.split("\n\n")[0].split()), verb


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["weights", "search", "photo"], ["weights", "list"]])
def test_what_answers_at_once_reads_no_other_verb(words: list[str]) -> None:
    ending = "import sys; assert not {'imgfix.cli.upscale', 'imgfix.pipelines.options'} & set(sys.modules)"
    code = f"from imgfix import cli; assert cli.run({words!r}) == 0\n{ending}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rich = subprocess.run(
        [sys.executable, "-c", f"{code}; assert 'rich.console' not in sys.modules"], capture_output=True, text=True
    )
    assert rich.returncode == 0 or words == ["--help"], rich.stderr  # whose page rich lays out


def test_model_names_are_completed_without_loading_torch() -> None:
    code = (
        "import os; os.environ.update(_IMGFIX_COMPLETE='complete_bash', COMP_CWORD='3', "
        "COMP_WORDS='imgfix upscale --model realesrgan-x4'); from imgfix import cli; cli.run([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; assert 'torch' not in sys.modules"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "realesrgan-x4plus" in done.stdout.split()


def test_version_goes_to_stdout(imgfix: Run) -> None:
    assert imgfix("--version").out.strip() == f"imgfix {__version__}"


def test_every_verb_has_a_help_page_with_an_example(imgfix: Run) -> None:
    for verb in _verbs():
        result = imgfix(verb, "--help")
        assert result.code == 0, verb
        assert f"imgfix {verb}" in result.out.split("\n", 3)[-1], verb


@pytest.mark.parametrize("columns", ["40", "80", "150"])
def test_help_pages_show_every_word_and_option_whole(
    imgfix: Run, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for verb in (*_verbs(), "weights pull"):
        command = app.verbs()[verb.split()[0]]
        for word in verb.split()[1:]:
            command = command.commands[word]
        page = imgfix(*verb.split(), "--help").out
        said = " ".join(inspect.cleandoc(command.callback.__doc__ or "").replace("\\[", "[").split())
        assert said in " ".join(page.split()), f"{verb}: a word is missing, or taken for markup"
        assert max(map(len, page.splitlines())) <= int(columns)
        if columns != "80":  # where names are long the table has room for their beginnings only
            names = [name for option in command.params if not option.hidden for name in option.opts if name[0] == "-"]
            assert not [name for name in names if name not in page], verb


@pytest.mark.parametrize("verb", ["upscale", "generate", "evaluate", "train"])
def test_help_pages_show_no_types_of_python(imgfix: Run, verb: str) -> None:
    page = imgfix(verb, "--help").out
    assert not [word for word in ("<list", "<str>", "<int>", "<float>", "<bool>", "<path>") if word in page]


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-verb"],
        ["upscale"],
        ["upscale", "a.png", "--no-such-option"],
        ["upscale", "a.png", "--quality", "200"],
        ["upscale", "a.png", "--tile", "big"],
        ["upscale", "a.png", "--overwrite", "--skip-existing"],
        ["upscale", "a.png", "--json", "-o", "-"],
        ["upscale", "a.png", "--scale", "2", "--width", "100"],
        ["upscale", "a.png", "--scale", "17"],
        ["upscale", "a.png", "--device", "abacus", "--dry-run"],
        ["upscale", "a.png", "--format", "papyrus"],
    ],
)
def test_nonsense_is_a_usage_error_on_stderr(imgfix: Run, arguments: list[str], tiny: object, photo: object) -> None:
    words = [str(photo) if word == "a.png" else word for word in arguments]
    if "upscale" in words:
        words += ["--model", str(tiny)]
    result = imgfix(*words)
    assert result.code == 2, result.err
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImgfixError("x"), 1),
        (UsageError("x"), 2),
        (ModelError("x"), 3),
        (MemoryExhaustedError("x"), 4),
        (MemoryError(), 4),
        (KeyboardInterrupt(), 130),
        (RuntimeError("surprise"), 1),
        (OSError(28, "No space left on device", "f"), 1),
    ],
)
def test_every_error_has_its_exit_code(
    imgfix: Run, monkeypatch: pytest.MonkeyPatch, photo: object, error: BaseException, code: int
) -> None:
    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(files, "work", fail)
    result = imgfix("upscale", photo)
    assert result.code == code
    assert "Traceback" not in result.err


def test_verbose_adds_the_traceback(imgfix: Run, monkeypatch: pytest.MonkeyPatch, photo: object) -> None:
    def fail(*given: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(files, "work", fail)
    quiet, loud = imgfix("upscale", photo), imgfix("upscale", photo, "-v")
    assert "--verbose" in quiet.err and "Traceback" not in quiet.err
    assert "Traceback" in loud.err and "surprise" in loud.err


def test_an_error_of_the_system_is_told_with_the_file() -> None:
    told = cli.as_told(PermissionError(13, "Permission denied", "/some/file"))
    assert told.message == "/some/file: permission denied"


def test_a_message_that_does_not_name_the_file_gets_it_in_front() -> None:
    told = cli.as_told(ModelError("cannot", hint="do this"), "photo.jpg")
    assert (told.message, told.hint, told.exit_code) == ("photo.jpg: cannot", "do this", 3)


def test_doctor_says_what_is_here_and_what_to_do(imgfix: Run) -> None:
    text, machine = imgfix("doctor"), imgfix("doctor", "--json")
    assert text.code == machine.code == 0
    assert "cpu" in text.out
    facts = machine.items[0]
    assert facts["devices"][-1]["name"] == "cpu" and "fp32" in facts["devices"][-1]["precisions"]
    assert facts["formats"]["PNG"] == {"read": True, "write": True}
    missing = [check for check in facts["checks"] if check["state"] == "missing" and check["area"] == "weights"]
    assert all(check["remedy"] for check in missing)


@pytest.mark.parametrize("words", [[], ["upscale"], ["weights"], ["weights", "pull"]], ids=" ".join)
def test_help_is_a_word_too(imgfix: Run, words: list[str]) -> None:
    asked, usual = imgfix("help", *words), imgfix(*words, "--help")
    assert (asked.code, asked.out) == (0, usual.out)


def test_help_on_what_there_is_not_names_what_there_is(imgfix: Run) -> None:
    result = imgfix("help", "enlarge")
    assert result.code == 2 and "upscale" in result.err
