"""`imgfix generate`: names, records, refusals, sheets and films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media import image
from tests.cli.conftest import Run, litter
from tests.making import generator_file, tone


@pytest.fixture
def drawer(tmp_path: Path) -> Path:
    return generator_file(tmp_path / "tiny-generator.safetensors", classes=("noto", "stamp"))


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_names_say_prompt_and_seed(imgfix: Run, drawer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert imgfix("generate", "a red cat", "--model", drawer).code == 0
    found = imgfix("generate", "a red cat", "dog!", "-n", 2, "--seed", 5, "--model", drawer, "-o", "out/", "--json")
    assert found.code == 0 and [item["seed"] for item in found.items] == [5, 6, 5, 6]
    assert (tmp_path / "a-red-cat_0.png").exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-red-cat_5.png", "a-red-cat_6.png", "dog_5.png", "dog_6.png",
    ]  # fmt: skip
    assert pixels(tmp_path / "out" / "dog_5.png").shape == (32, 32, 4)
    assert not litter(tmp_path)


def test_a_batch_gives_the_same_bytes_as_single_calls(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    imgfix("generate", "cat", "red dog", "--seeds", "0-3", "--model", drawer, "-o", tmp_path / "many/")
    imgfix("generate", "red dog", "--seed", 2, "--model", drawer, "-o", tmp_path / "one.png")
    assert (tmp_path / "many" / "red-dog_2.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_a_record_is_kept_and_repeated(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    old, again = tmp_path / "old.png", tmp_path / "again.png"
    words = ("generate", "a blue apple", "--class", "stamp", "--seed", 9, "--truncation", 0.7, "--model", drawer)
    assert imgfix(*words, "-o", old).code == 0
    record = image.read_record(old)
    assert record is not None and record["sha256"]
    assert record["generate"] == {"prompt": "a blue apple", "class": "stamp", "seed": 9, "truncation": 0.7}
    assert "--seed 9" in str(record["command"])
    assert imgfix("generate", "--from", old, "-o", again).code == 0
    assert old.read_bytes() == again.read_bytes()
    other = tmp_path / "other.png"
    assert imgfix("generate", "--from", old, "--seed", 10, "-o", other).code == 0
    assert not np.array_equal(pixels(old), pixels(other))


def test_no_record_leaves_none(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    imgfix("generate", "cat", "--model", drawer, "-o", tmp_path / "a.png", "--no-record")
    assert image.read_record(tmp_path / "a.png") is None
    found = imgfix("generate", "--from", tmp_path / "a.png", "-o", tmp_path / "b.png")
    assert found.code == 2 and "no record" in found.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("",), "holds no word"),
        ((), "nothing says what to draw"),
        (("cat", "--class", "stmp"), "did you mean stamp"),
        (("cat", "-n", "-2"), "-n"),
        (("cat", "--seed", "-1"), "--seed"),
        (("cat", "--seeds", "9-3"), "not a seed or a range"),
        (("cat", "--seeds", "a"), "not a seed or a range"),
        (("cat", "--seeds", "0-999999999999"), "more than 100,000"),  # more than fit in memory
        (("cat", "-n", "999999999999"), "out of range"),
        (("cat", "--seeds", "0-3", "--seed", "1"), "neither --seed nor -n"),
        (("cat", "--upscale", "-4"), "--upscale"),
        (("cat", "--strength", "3", "--image", "SELF"), "out of range"),
        (("cat", "--sound", "nowhere.ogg"), "no such file"),
        (("cat", "--sound", "SELF"), "not a readable sound"),
        (("cat", "-n", "3", "-o", "x.png"), "one file x.png"),
        (("cat", "-o", "{nonsense}.png"), "known names"),
        (("cat", "-o", "x.txt"), "txt"),
        (("--prompts", "nowhere.txt"), "nowhere.txt"),
        (("--interpolate", "cat", "dog", "-o", "x.png2"), "not a film"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    imgfix: Run, drawer: Path, tmp_path: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "self.txt").write_text("no sound")
    words = tuple("self.txt" if word == "SELF" else word for word in words)
    found = imgfix("generate", *words, "--model", drawer)
    assert found.code == 2 and said in found.err, found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["self.txt", drawer.name]


@pytest.mark.parametrize("name", ["generate-nothing", "nowhere.safetensors", "realesrgan-x4plus"])
def test_a_model_that_is_not_there_ends_with_3(imgfix: Run, name: str) -> None:
    assert imgfix("generate", "cat", "--model", name).code == 3


def test_an_output_that_exists_is_not_replaced_unasked(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    assert imgfix("generate", "cat", "--model", drawer, "-o", target).code == 1
    assert target.read_bytes() == b"mine"
    assert imgfix("generate", "cat", "--model", drawer, "-o", target, "--skip-existing").code == 0
    assert target.read_bytes() == b"mine"
    assert imgfix("generate", "cat", "--model", drawer, "-o", target, "--overwrite").code == 0
    assert pixels(target).shape == (32, 32, 4)


def test_a_sheet_needs_no_single_files(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    found = imgfix("generate", "cat", "--seeds", "0-3", "--grid", sheet, "--model", drawer)
    assert found.code == 0 and "4 pictures" in found.err
    assert pixels(sheet).shape[0] > 2 * 32
    assert sorted(path.name for path in tmp_path.iterdir()) == [sheet.name, drawer.name]


def test_prompts_come_from_a_file_too(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("# a remark\nred cat\n\nblue dog\n")
    found = imgfix("generate", "--prompts", tmp_path / "p.txt", "--model", drawer, "-o", tmp_path / "out/", "--json")
    assert [item["prompt"] for item in found.items] == ["red cat", "blue dog"]


def test_a_dry_run_touches_nothing(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    found = imgfix("generate", "cat", "-n", 2, "--model", drawer, "-o", tmp_path / "out/", "--dry-run", "--json")
    assert [item["status"] for item in found.items] == ["planned", "planned"]
    assert found.items[0]["output"] == {"width": 32, "height": 32}
    assert not (tmp_path / "out").exists()


def test_a_picture_goes_to_stdout(imgfix: Run, drawer: Path) -> None:
    found = imgfix("generate", "cat", "--model", drawer, "-o", "-")
    assert found.code == 0 and found.data.startswith(b"\x89PNG")


def test_a_sound_alone_is_enough(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    sound = tone(tmp_path / "meow.wav")
    assert imgfix("generate", "--sound", sound, "--model", drawer, "-o", tmp_path / "a.png").code == 0
    record = image.read_record(tmp_path / "a.png")
    assert record is not None and record["generate"]["sound"] == str(sound)  # type: ignore[index]


def test_upscaling_hands_over_opacity_and_all(imgfix: Run, drawer: Path, tmp_path: Path, tiny: Path) -> None:
    words = ("generate", "cat", "--model", drawer, "--upscale", 2, "--upscale-model", tiny, "-o", tmp_path / "a.png")
    assert imgfix(*words).code == 0
    assert pixels(tmp_path / "a.png").shape == (64, 64, 4)


@pytest.mark.parametrize("name", ["way.mp4", "way.gif"])
def test_a_film_of_the_way(imgfix: Run, drawer: Path, tmp_path: Path, name: str) -> None:
    words = ("generate", "--interpolate", "cat", "dog", "--frames", 4, "--model", drawer, "-o", tmp_path / name)
    assert imgfix(*words).code == 0
    assert (tmp_path / name).stat().st_size > 500
    assert imgfix(*words).code == 1  # it exists now


def test_a_film_in_a_folder_is_named_by_its_prompts(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    words = ("generate", "--interpolate", "cat", "dog", "--frames", 4, "--model", drawer, "-o", f"{tmp_path}/new/")
    assert imgfix(*words).code == 0
    assert (tmp_path / "new" / "cat-dog.mp4").stat().st_size > 500


def test_an_unknown_word_is_said_and_drawn(imgfix: Run, drawer: Path, tmp_path: Path) -> None:
    found = imgfix("generate", "florb cat", "--model", drawer, "-o", tmp_path / "a.png")
    assert found.code == 0 and "florb" in found.err and "cat," not in found.err.split("letters:")[1].splitlines()[0]
