"""`imgfix train` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from imgfix.cli import run


def _said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    read = capsys.readouterr()
    return read.out, " ".join(read.err.split())


def test_train_with_json_prints_one_object(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["train", "tiny", str(photos), "-o", str(tmp_path / "run"), "--steps", "3", "--json", "--device", "cpu"])
    out, err = _said(capsys)
    record = json.loads(out)
    assert code == 0 and record["status"] == "finished" and record["step"] == 3
    assert Path(record["model"]).exists() and "2,292 parameters" in err and "imgfix tiny INPUT --model" in err


def test_quiet_says_nothing(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "tiny", str(photos), "-o", str(tmp_path / "run"), "--steps", "3", "-q"]) == 0
    assert _said(capsys) == ("", "")


def test_a_run_goes_on_by_naming_its_folder_alone(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    assert run(["train", "tiny", photos.name, "-o", str(tmp_path / "run"), "--set", "noise=0.1", "--steps", "3"]) == 0
    monkeypatch.chdir(tmp_path)
    assert run(["train", "tiny", "-o", "run", "--steps", "6"]) == 0
    assert "going on at step 3 of 6" in _said(capsys)[1]


def test_python_trains_the_same_model(photos: Path, tmp_path: Path) -> None:
    import imgfix

    words = ["--set", "noise=0.1", "--steps", "3", "--device", "cpu", "--seed", "5"]
    assert run(["train", "tiny", str(photos), "-o", str(tmp_path / "told"), *words]) == 0
    outcome = imgfix.train(
        "tiny", photos, output=tmp_path / "spoken", settings={"noise": 0.1}, steps=3, device="cpu", seed=5
    )
    assert outcome.step == 3
    told, spoken = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("told", "spoken"))
    assert told == spoken


def test_settings_are_listed_as_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str], photos: Path) -> None:
    assert run(["train", "tiny", "--set", "help"]) == 0
    text = _said(capsys)[0]
    assert "# Noise on the input, drawn on the device." in text
    (tmp_path / "r.toml").write_text(text.replace("steps = 20", "steps = 2").replace("photos = []", ""))
    assert run(["train", "tiny", str(photos), "--recipe", str(tmp_path / "r.toml"), "-o", str(tmp_path / "run")]) == 0
    assert "finished at step 2" in _said(capsys)[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["tinny", "PHOTOS"], 2, "not a kind of training"),
        (["tiny"], 2, "no pictures given"),
        (["tiny", "PHOTOS", "--set", "nois=1"], 2, "did you mean noise"),
        (["tiny", "PHOTOS", "--set", "noise"], 2, "expected key=value"),
        (["tiny", "PHOTOS", "--steps", "0"], 2, "must be at least 1"),
        (["tiny", "PHOTOS", "--precision", "fp16", "--device", "cpu"], 2, "fp16"),
        (["tiny", "PHOTOS", "--device", "cuda:77"], 2, "not available"),
        (["tiny", "PHOTOS", "--model", "no-such-model"], 3, "no-such-model"),
        (["tiny", "PHOTOS", "--input", "a"], 2, "input is given without target"),
        (["tiny", "PHOTOS", "--preview", "0"], 2, "at least 1"),
        (["tiny", "PHOTOS", "--recipe", "no.toml"], 1, "no such recipe file"),
        (["tiny", "PHOTOS", "-o", "FILE"], 2, "is a file"),
    ],
)
def test_a_mistake_gets_a_sentence(
    arguments: list[str],
    code: int,
    message: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    places = {"PHOTOS": str(photos), "FILE": str(tmp_path / "file")}
    found = run(["train", *(places.get(word, word) for word in arguments)])
    out, err = _said(capsys)
    assert (found, out) == (code, "") and message in err and "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_dry_run_prints_what_it_would_cost(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "tiny", str(photos), "--dry-run"]) == 0
    out, _ = _said(capsys)
    assert all(word in out for word in ("parameters", "each step", "peak memory", "20 steps"))
    assert run(["train", "tiny", str(photos), "--dry-run", "--json"]) == 0
    assert json.loads(_said(capsys)[0])["parameters"] == {"net": 2292}
    assert list(tmp_path.iterdir()) == []


def test_a_preview_is_a_sheet_and_nothing_else(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "tiny", str(photos), "--preview", "3", "-o", str(tmp_path / "p.png")]) == 0
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.size == (4 + 2 * 100, 18 + 3 * 100)
    assert [p.name for p in tmp_path.iterdir()] == ["p.png"]
