"""Folders of very many files: worked on while they are listed, with the results of a folder that is listed first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imgfix.media import listing
from imgfix.pipelines import streaming
from tests.cli.conftest import Run, save_photo

BOX = ("inpaint", "--box", "2,2,4,4", "--model", "telea")


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nine photos in two folders, which are more than are listed first."""
    monkeypatch.setattr(streaming, "MANY", 3)
    monkeypatch.setattr(streaming, "_CHUNK", 2)
    monkeypatch.setattr(listing, "BLOCK", 4)
    for number in range(9):
        save_photo(tmp_path / "photos" / ("old" if number % 2 else ".") / f"{number}.png", number)
    return tmp_path / "photos"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_results_summary_and_exit_code_are_those_of_a_small_folder(
    imgfix: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "notes.txt").write_text("no picture")
    (photos / "broken.png").write_text("no picture either")
    large = imgfix(*BOX, photos, "-r", "-o", tmp_path / "out", "--json")
    made = files(tmp_path / "out")
    monkeypatch.setattr(streaming, "MANY", 100)
    small = imgfix(*BOX, photos, "-r", "-o", tmp_path / "out", "--json", "--overwrite")
    assert (large.code, len(made)) == (small.code, len(files(tmp_path / "out"))) == (1, 9)
    assert made.keys() == files(tmp_path / "out").keys()
    assert large.err.splitlines()[-1] == small.err.splitlines()[-1]

    def rows(run: object) -> list[tuple[str, str, str]]:
        return sorted((row["source"], row["target"], row["status"]) for row in run.items)  # type: ignore[attr-defined]

    assert rows(large) == rows(small)


def test_what_exists_is_skipped_and_counted(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    assert imgfix(*BOX, photos, "-o", tmp_path / "out").code == 0
    found = imgfix(*BOX, photos, "-r", "-o", tmp_path / "out", "--skip-existing")
    assert found.code == 0
    assert found.err.splitlines()[-1] == "4 done, 5 left out (the output exists already)"
    again = imgfix(*BOX, photos, "-o", tmp_path / "out")
    assert again.code == 1 and again.err.count("exists already") == 5


def test_shards_take_each_file_once(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    done: list[str] = []
    for number in (1, 2, 3):
        found = imgfix(*BOX, photos, "-r", "-o", tmp_path / "out", "--shard", f"{number}/3", "--json")
        done += [row["source"] for row in found.items]
        assert imgfix(
            *BOX, photos, "-r", "-o", tmp_path / "out", "--shard", f"{number}/3", "--skip-existing"
        ).err.endswith(f"{9 - len(found.items)} in other shards\n")  # fmt: skip
    assert sorted(done) == sorted(str(path) for path in photos.rglob("*.png"))


def test_a_dry_run_plans_each_and_writes_nothing(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    found = imgfix(*BOX, photos, "-r", "-o", tmp_path / "out", "--dry-run", "--json")
    assert found.code == 0 and [row["status"] for row in found.items] == ["planned"] * 9
    assert not (tmp_path / "out").exists()


def test_results_beside_their_sources_are_no_inputs_neither_now_nor_later(imgfix: Run, photos: Path) -> None:
    first = imgfix(*BOX, photos, "--json", "--no-record")
    assert first.code == 0 and len(first.items) == 5
    again = imgfix(*BOX, photos, "--json", "--no-record", "--skip-existing")
    assert [row["status"] for row in again.items] == ["skipped"] * 5
    assert len(list(photos.glob("*.png"))) == 10


@pytest.mark.parametrize("words", [[], ["--overwrite"], ["--skip-existing"]])
def test_results_that_a_template_puts_among_the_sources_are_no_inputs(
    imgfix: Run, photos: Path, words: list[str]
) -> None:
    template = f"{photos}/{{stem}}_filled{{ext}}"
    assert imgfix(*BOX, photos, "-o", template).code == 0
    found = imgfix(*BOX, photos, "-o", template, "--json", *words)
    assert len(found.items) == 5
    assert found.code == (0 if words else 1)
    assert len(list(photos.glob("*.png"))) == 10


def test_a_folder_of_results_among_the_inputs_is_left_out(imgfix: Run, photos: Path) -> None:
    assert len(imgfix(*BOX, photos, "-r", "-o", photos / "out", "--json").items) == 9
    found = imgfix(*BOX, photos, "-r", "-o", photos / "out", "--json", "--overwrite")
    assert (found.code, [row["status"] for row in found.items]) == (0, ["done"] * 9)
    assert len(list(photos.rglob("*.png"))) == 18


@pytest.mark.parametrize("words", [[], ["--skip-existing"]])
def test_two_results_of_one_name_are_an_error_of_the_second(
    imgfix: Run, photos: Path, tmp_path: Path, words: list[str]
) -> None:
    other = tmp_path / "others"
    for number in range(3, 7):
        save_photo(other / f"{number}.jpg", number)
    for _ in range(2):
        found = imgfix(*BOX, photos, other, "-o", tmp_path / "out", "--format", "png", "--json", *words)
        clashes = [row for row in found.items if row["status"] == "failed" and "both be written" in row["error"]]
        assert (found.code, len(found.items)) == (1, 9)
        assert {row["source"] for row in clashes} == {str(other / "4.jpg"), str(other / "6.jpg")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{n}.png" for n in (0, 2, 3, 4, 5, 6, 8)}


def test_two_results_of_one_name_among_the_first_files_end_the_command(
    imgfix: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_CHUNK", 100)
    save_photo(photos / "4.jpg")
    found = imgfix(*BOX, photos, "-o", tmp_path / "out", "--format", "png", "--json")
    assert (found.code, found.items) == (2, []) and "would both be written to" in found.err


def test_an_input_of_a_folder_is_never_replaced_by_the_result_of_another(imgfix: Run, photos: Path) -> None:
    for number in range(9):
        save_photo(photos / f"{number}.jpg", number + 20)
    before = {path: path.read_bytes() for path in photos.glob("*.png")}
    found = imgfix(*BOX, photos / "*.jpg", photos / "*.png", "-o", f"{photos}/{{stem}}.png", "--overwrite", "--json")
    assert found.code in (1, 2)
    for path, data in before.items():
        own = [row for row in found.items if row["source"] == str(path) and row["status"] == "done"]
        assert own or path.read_bytes() == data


def test_files_over_themselves_need_the_word_for_it(imgfix: Run, photos: Path) -> None:
    before = files(photos)
    refused = imgfix(*BOX, photos, "-r", "-o", photos)
    assert (refused.code, files(photos)) == (2, before)
    assert "would be written over itself" in refused.err
    assert imgfix(*BOX, photos, "-r", "-o", photos, "--overwrite").code == 0
    assert files(photos).keys() == before.keys() and files(photos) != before


def test_named_files_are_checked_before_a_folder_is_worked_on(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    found = imgfix(*BOX, photos, "missing.png", "-o", tmp_path / "out", "--json")
    assert json.loads(found.out.splitlines()[0])["source"] == "missing.png"
    assert (found.code, len(found.items)) == (1, 6)


def test_numbers_in_a_template_follow_the_order_of_all_files(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    found = imgfix(*BOX, photos, "-o", f"{tmp_path}/out/{{n}}{{ext}}", "--json")
    assert [(Path(row["source"]).stem, Path(row["target"]).stem) for row in found.items] == [
        ("0", "1"), ("2", "2"), ("4", "3"), ("6", "4"), ("8", "5"),
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["-o", "one.png"], ["-o", "out/", "--save-mask", "one.png"]])
def test_one_file_for_very_many_is_refused(imgfix: Run, photos: Path, words: list[str]) -> None:
    found = imgfix(*BOX, photos, *words)
    assert found.code == 2 and "one" in found.err


def test_masks_that_go_among_the_sources_are_no_inputs(imgfix: Run, photos: Path, tmp_path: Path) -> None:
    found = imgfix(*BOX, photos, "-o", tmp_path / "out", "--save-mask", photos, "--json")
    assert (found.code, len(found.items)) == (0, 5)
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_what_a_second_kind_of_file_needs_is_an_error_of_that_file(
    imgfix: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.errors import ModelError
    from imgfix.pipelines.inpaint import InpaintPipeline
    from tests.media.clips import make

    make(photos / "clip.mp4")
    prepare = InpaintPipeline.prepare

    def without_clips(self: InpaintPipeline, kinds: object, dry: bool = False) -> None:
        wanted = list(kinds)  # type: ignore[call-overload]
        if "video" in wanted:
            raise ModelError("no model for clips")
        prepare(self, wanted, dry)

    monkeypatch.setattr(InpaintPipeline, "prepare", without_clips)
    found = imgfix(*BOX, photos, "-o", tmp_path / "out", "--json")
    failed = [row for row in found.items if row["status"] == "failed"]
    if found.code == 3:  # it came first
        assert not found.items
    else:
        assert (found.code, len(found.items), len(failed)) == (1, 6, 1)
        assert failed[0]["error"].endswith("no model for clips")
