"""Folders that are listed as far as needed give what a whole listing gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imgfix.errors import UsageError
from imgfix.media import listing
from imgfix.media.sources import IMAGE, VIDEO, find_sources
from imgfix.media.walk import Walk


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def walked(*inputs: str | Path, recursive: bool = False) -> list[str]:
    walk = Walk(inputs, recursive=recursive, kinds=(IMAGE, VIDEO))
    named = walk.named()
    return [str(source.path) for source in (*named.sources, *walk.sources(named))]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    touch(tmp_path, "in/a10.png", "in/a9.jpg", "in/b.mp4", "in/notes.txt", "in/.hidden.png", "in/sub/c.png")
    touch(tmp_path, "in/sub/deep/d.png", "in/d.png/inside.png", "other/e.png", "other/a9.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize(
    "inputs",
    [
        ["in"],
        ["in", "other"],
        ["in", "in"],
        ["in/sub", "in"],
        ["in", "in/sub"],
        ["in/*.png"],
        ["in/*", "in/sub"],
        ["in/sub", "in/*"],
        ["in/**/*.png"],
        ["in/.*.png"],
        ["other/a9.jpg", "in", "in/a10.png", "missing.png"],
        ["@list.txt"],
        ["*/a9.jpg", "in"],
    ],
)
def test_it_finds_what_a_whole_listing_finds(tree: Path, inputs: list[str], recursive: bool) -> None:
    (tree / "list.txt").write_text("in\nother/e.png\n", "utf-8")
    whole = [str(source.path) for source in find_sources(inputs, recursive=recursive, kinds=(IMAGE, VIDEO)).sources]
    assert sorted(walked(*inputs, recursive=recursive)) == sorted(whole)


def test_places_below_the_folder_are_the_same(tree: Path) -> None:
    for inputs in (["in"], ["in/*.png"], ["in/s*"]):
        whole = find_sources(inputs, recursive=True, kinds=(IMAGE, VIDEO)).sources
        walk = Walk(inputs, recursive=True, kinds=(IMAGE, VIDEO))
        found = list(walk.sources(walk.named()))
        assert {(source.path, source.relative) for source in found} == {(s.path, s.relative) for s in whole}
        assert all(walk.relative(source.path) == source.relative for source in found if isinstance(source.path, Path))


def test_what_is_named_comes_first_then_folder_by_folder_in_natural_order(tree: Path) -> None:
    assert walked("in", "missing.png", "other") == [
        "missing.png", "in/a9.jpg", "in/a10.png", "in/b.mp4", "other/a9.jpg", "other/e.png",
    ]  # fmt: skip


def test_a_large_folder_is_in_natural_order_block_by_block(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tree, *(f"many/{number}.png" for number in range(20)))
    monkeypatch.setattr(listing, "BLOCK", 6)
    found = walked("many")
    as_listed = [entry.name for entry in os.scandir("many")]
    for start in range(0, 20, 6):
        block = [Path(name).name for name in found[start : start + 6]]
        assert block == sorted(as_listed[start : start + 6], key=listing.natural_key)


def test_the_first_files_come_before_the_folder_is_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tree, *(f"many/{number}.png" for number in range(20)))
    monkeypatch.setattr(listing, "BLOCK", 5)
    given, scandir = [], os.scandir

    class Counting:
        def __init__(self, folder: Path) -> None:
            self.entries = scandir(folder)

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *error: object) -> None:
            self.entries.close()

        def __iter__(self) -> Counting:
            return self

        def __next__(self) -> object:
            given.append(1)
            return next(self.entries)

    monkeypatch.setattr(os, "scandir", Counting)
    walk = Walk(["many"], kinds=(IMAGE,))
    next(walk.sources(walk.named()))
    assert len(given) == 5


def test_more_files_than_a_number_are_noticed_without_listing_all(tree: Path) -> None:
    walk = Walk(["in", "other"], recursive=True, kinds=(IMAGE,))
    assert walk.exceeds(9) and not walk.exceeds(10)
    assert not Walk(["in/a9.jpg"], kinds=(IMAGE,)).exceeds(0)
    assert not Walk(["missing/"], kinds=(IMAGE,)).exceeds(0)


def test_what_is_passed_over_is_counted(tree: Path) -> None:
    walk = Walk(["in"], kinds=(IMAGE, VIDEO))
    assert len(list(walk.sources(walk.named()))) == 3
    assert walk.passed.words == find_sources(["in"], kinds=(IMAGE, VIDEO)).passed.words


def test_a_list_that_is_not_there_is_refused_at_once(tree: Path) -> None:
    with pytest.raises(UsageError, match="no such list"):
        Walk(["in", "@missing.txt"], kinds=(IMAGE,))
