"""`--shard`: a batch done in parts by processes that know nothing of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

import imgfix as python
from tests.cli.conftest import Run, save_photo

BOX = ("--box", "2,2,4,4", "--model", "telea")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(9):
        save_photo(tmp_path / "photos" / ("old" if number % 2 else ".") / f"{number}.png", number)
    return tmp_path / "photos"


def test_all_parts_together_do_each_input_exactly_once(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    done: list[str] = []
    for number in (1, 2, 3):
        found = imgfix(
            "inpaint", photos, "-r", *BOX, "-o", tmp_path / "out", "--shard", f"{number}/3", "--json"
        )  # fmt: skip
        assert found.code == 0, found.err
        assert all(item["status"] == "done" for item in found.items)
        done += [item["source"] for item in found.items]
    assert sorted(done) == sorted(str(path) for path in photos.rglob("*.png"))
    assert len(list((tmp_path / "out").rglob("*.png"))) == 9


def test_the_last_line_counts_what_other_parts_have(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    counts = []
    for number in (1, 2):
        found = imgfix("inpaint", photos, "-r", *BOX, "-o", tmp_path / "out", "--shard", f"{number}/2")
        words = found.err.splitlines()[-1].split()
        assert words[1:3] == ["done,", words[2]] and words[3:] == ["in", "other", "shards"], found.err
        counts.append((int(words[0]), int(words[2])))
    (first, left), (second, other) = counts
    assert (first + second, left, other) == (9, second, first)


def test_a_part_without_inputs_is_done_at_once(imgfix: Run, photo: Path, tmp_path: Path) -> None:
    codes, ends = [], []
    for number in range(1, 5):
        found = imgfix("inpaint", photo, *BOX, "-o", tmp_path / "out/", "--shard", f"{number}/4")
        codes.append(found.code)
        ends.append(found.err.splitlines()[-1])
    assert codes == [0, 0, 0, 0]
    assert ends.count("0 done, 1 in other shards") == 3


def test_two_inputs_with_one_output_are_found_whichever_part_they_are_in(imgfix: Run, tmp_path: Path) -> None:
    one, two = save_photo(tmp_path / "a" / "1.png"), save_photo(tmp_path / "b" / "1.png", 1)
    for number in range(1, 4):
        found = imgfix("inpaint", one, two, *BOX, "-o", tmp_path / "out/", "--shard", f"{number}/3")
        assert found.code == 2 and "would both be written to" in found.err
    assert not (tmp_path / "out").exists()


def test_a_part_that_there_is_not_is_refused(imgfix: Run, photo: Path) -> None:
    found = imgfix("inpaint", photo, *BOX, "--shard", "3/2")
    assert found.code == 2
    assert "--shard 3/2 is out of range" in found.err and "1/2 to 2/2" in found.err


def test_python_gives_none_for_what_other_parts_have_and_takes_the_same_files(
    imgfix: Run, photos: Path, tmp_path: Path
) -> None:
    paths = sorted(photos.rglob("*.png"))
    told = imgfix("inpaint", *paths, *BOX, "-o", tmp_path / "out/", "--shard", "2/3", "--json")
    made = python.inpaint(paths, boxes=[(2, 2, 4, 4)], model="telea", shard="2/3")
    mine = [str(path) for path, picture in zip(paths, made, strict=True) if picture is not None]
    assert mine == [item["source"] for item in told.items]
    assert 0 < len(mine) < 9
