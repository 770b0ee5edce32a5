"""Odd names, pipes and closed streams: done, or a clear word; nothing acts on the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media.image import read_record
from tests.cli.conftest import Run

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
ODD = os.fsdecode(b"p\xe9.png")
HOSTILE = "a\x1b[31mred\nline\u202e.png"
FILL = ("--box", "1,1,9,9", "--model", "telea")


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((24, 32, 3), (0, 128, 128), np.uint8)).save("one.png")
    return tmp_path / "one.png"


@posix
@pytest.mark.parametrize("form", ["png", "webp", "tif", "jpg"])
def test_a_name_that_is_no_utf8_is_done_and_recorded(imgfix: Run, photo: Path, form: str) -> None:
    Path(ODD).write_bytes(photo.read_bytes())
    result = imgfix("inpaint", ODD, *FILL, "-o", "out/", "--format", form)
    assert result.code == 0, result.err
    assert r"p\xe9.png" in result.err
    (written,) = Path("out").iterdir()
    assert r"imgfix inpaint $'p\xe9.png'" in str((read_record(written) or {})["command"])


@posix
def test_the_json_of_a_name_that_is_no_utf8_gives_the_name_back(imgfix: Run, photo: Path) -> None:
    Path(ODD).write_bytes(photo.read_bytes())
    (item,) = imgfix("inpaint", ODD, *FILL, "-o", "out/", "--json").items
    assert Path(item["target"]).is_file()


@posix
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_accents_under_a_c_locale(photo: Path, utf8: str) -> None:
    Path("é.png").write_bytes(photo.read_bytes())
    locale = {"LC_ALL": "C", "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0"}
    run = subprocess.run(
        [sys.executable, "-m", "imgfix", "inpaint", "é.png".encode(), *FILL, "-o", "out.png"],
        env={**os.environ, **locale},
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr
    assert "imgfix inpaint 'é.png'" in str((read_record(Path("out.png")) or {})["command"])


@posix
def test_a_name_cannot_act_on_the_terminal(imgfix: Run, photo: Path) -> None:
    Path(HOSTILE).write_bytes(photo.read_bytes())
    for arguments in ((), ("--json",), ("--dry-run",), ("--verbose",)):
        result = imgfix("inpaint", HOSTILE, *FILL, "-o", "out/", "--overwrite", *arguments)
        assert result.code == 0, result.err
        assert not {"\x1b", "\u202e"} & set(result.err + result.out)
        assert not any(line.startswith("line") for line in (result.err + result.out).splitlines())
        for line in result.out.splitlines():
            assert json.loads(line)["source"] == HOSTILE
    Path(HOSTILE).write_bytes(b"nothing that could be read")
    result = imgfix("inpaint", HOSTILE, *FILL, "-o", "out/", "--overwrite")
    assert result.code == 1
    assert r"a\x1b[31mred\nline\u202e.png is not a picture" in result.err


@posix
def test_a_named_pipe_is_read_once(imgfix: Run, photo: Path) -> None:
    os.mkfifo("pipe")
    for arguments in (("-o", "out.png"), ("-o", "out.png", "--overwrite", "--dry-run")):
        writer = threading.Thread(target=lambda: Path("pipe").write_bytes(photo.read_bytes()), daemon=True)
        writer.start()
        result = imgfix("inpaint", "pipe", *FILL, *arguments)
        writer.join(60)
        assert not writer.is_alive()
        assert result.code == 0, result.err
    assert Image.open("out.png").size == (32, 24)


@posix
def test_a_pipe_without_an_output_goes_to_stdout_like_a_dash(imgfix: Run, photo: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, photo.read_bytes())
    os.close(writing)
    result = imgfix("inpaint", f"/dev/fd/{reading}", *FILL)
    os.close(reading)
    assert result.code == 0, result.err
    assert result.data.startswith(b"\x89PNG")


@posix
def test_a_device_is_refused(imgfix: Run, photo: Path) -> None:
    result = imgfix("inpaint", "/dev/zero", *FILL, "-o", "out.png")
    assert result.code == 1
    assert "/dev/zero is a device" in result.err


@posix
@pytest.mark.parametrize(
    "redirection, arguments, code, words",
    [
        ("<&-", "inpaint one.png --box 1,1,9,9 --model telea -o out.png", 0, "10.5 % filled"),
        ("<&-", "inpaint - --box 1,1,9,9 --model telea -o out.png", 2, "standard input is closed"),
        (">&-", "inpaint one.png --box 1,1,9,9 --model telea -o out.png", 0, "10.5 % filled"),
        (">&-", "inpaint one.png --box 1,1,9,9 --model telea -o out.png --json", 2, "standard output is closed"),
        (">&-", "inpaint one.png --box 1,1,9,9 --model telea -o -", 2, "standard output is closed"),
        (">&-", "weights list", 2, "standard output is closed"),
        (">&-", "--version", 2, "standard output is closed"),
    ],
)
def test_closed_streams(photo: Path, redirection: str, arguments: str, code: int, words: str) -> None:
    run = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m imgfix {arguments} {redirection}'],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert words in run.stderr
    assert "fault of imgfix" not in run.stderr
    assert run.returncode == code


@posix
def test_a_closed_stderr_and_a_dumb_terminal(photo: Path) -> None:
    for setting, redirection in (("", "2>&-"), ("TERM=dumb", "")):
        Path("out.png").unlink(missing_ok=True)
        command = f'{setting} "{sys.executable}" -m imgfix inpaint one.png {" ".join(FILL)} -o out.png {redirection}'
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert "\x1b" not in run.stderr
        assert Image.open("out.png").size == (32, 24)


def test_a_home_that_is_a_file(imgfix: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGFIX_HOME", str(photo))
    pulled = imgfix("weights", "pull", "realesrgan-x4plus", "--offline")
    assert pulled.code == 3
    assert "is a file, not a folder" in imgfix("weights", "pull", "realesrgan-x4plus").err
    assert "it is a file, not a folder" in imgfix("doctor").out
    assert imgfix("weights", "list").code == 0
