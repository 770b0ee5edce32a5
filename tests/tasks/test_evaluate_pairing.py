from __future__ import annotations

from pathlib import Path

import pytest

from imgfix.errors import UsageError
from imgfix.tasks.pairing import Pairing, collect, pair


def files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def paired(results: Path, references: Path) -> tuple[dict[str, str], Pairing]:
    found = pair(collect([str(results)]), collect([str(references)]))
    names = {a.relative_to(results).as_posix(): b.relative_to(references).as_posix() for a, b in found.pairs}
    return names, found


def test_same_names_pair_through_the_tree(tmp_path: Path) -> None:
    results = files(tmp_path / "out", "a.png", "day/a.png")
    references = files(tmp_path / "gt", "a.png", "day/a.png")
    assert paired(results, references)[0] == {"a.png": "a.png", "day/a.png": "day/a.png"}


def test_another_extension_and_an_ending_still_pair(tmp_path: Path) -> None:
    results = files(tmp_path / "out", "baby_x4.png", "birdx4.png", "woman.webp")
    references = files(tmp_path / "gt", "baby.bmp", "bird.png", "woman.png")
    names, found = paired(results, references)
    assert names == {"baby_x4.png": "baby.bmp", "birdx4.png": "bird.png", "woman.webp": "woman.png"}
    assert found.left_over == ()


def test_the_reference_may_have_the_ending(tmp_path: Path) -> None:
    assert paired(files(tmp_path / "out", "a.png", "b.png"), files(tmp_path / "gt", "a_HR.png", "b_HR.png"))[0] == {
        "a.png": "a_HR.png",
        "b.png": "b_HR.png",
    }


def test_the_longest_agreement_wins(tmp_path: Path) -> None:
    results = files(tmp_path / "out", "img_1_x2.png", "img_x2.png")
    assert paired(results, files(tmp_path / "gt", "img.png", "img_1.png"))[0] == {
        "img_1_x2.png": "img_1.png",
        "img_x2.png": "img.png",
    }


def test_what_is_left_over_is_named_with_its_reason(tmp_path: Path) -> None:
    results = files(tmp_path / "out", "a_x2.png", "a_x4.png", "stray.png", "img1.png")
    references = files(tmp_path / "gt", "a.png", "img.png")
    names, found = paired(results, references)
    assert names == {}
    assert {path.name: reason for path, reason in found.left_over} == {
        "a_x2.png": "not the only result for a.png",
        "a_x4.png": "not the only result for a.png",
        "stray.png": "no reference of that name",
        "img1.png": "no reference of that name",
        "a.png": "no result for this reference",
        "img.png": "no result for this reference",
    }


def test_one_file_against_one_file_needs_no_name(tmp_path: Path) -> None:
    results = files(tmp_path / "out", "mine.png")
    assert paired(results, files(tmp_path / "gt", "yours.png"))[0] == {"mine.png": "yours.png"}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        collect([str(tmp_path / "nowhere")])
