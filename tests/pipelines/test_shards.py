"""Parts of a batch: which job belongs to which."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgfix.errors import UsageError
from imgfix.pipelines.options import Reading
from imgfix.pipelines.shards import Shard

NAMES = [Path(f"album/{number:03d}.jpg") for number in range(400)]


def _parts(count: int, source: Path, relative: Path) -> list[int]:
    return [number for number in range(1, count + 1) if Shard(number, count).holds(source, relative)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_job_belongs_to_exactly_one_part_and_the_parts_are_about_equal(count: int) -> None:
    taken = [_parts(count, Path("photos") / name, name) for name in NAMES]
    assert all(len(parts) == 1 for parts in taken)
    for number in range(1, count + 1):
        share = sum(parts == [number] for parts in taken) / len(NAMES)
        assert abs(share - 1 / count) < 0.1


def test_a_part_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert [_parts(8, Path(name), Path(name))[0] for name in ("a/1.png", "a/2.png", "a/3.png")] == [3, 4, 5]


def test_where_the_folder_lies_and_how_accents_are_composed_does_not_matter() -> None:
    for name in NAMES[:20]:
        assert _parts(5, Path("/mnt/one") / name, name) == _parts(5, Path("two/three") / name, name)
    composed, apart = Path("a/caf\u00e9.jpg"), Path("a/cafe\u0301.jpg")
    assert _parts(1000, composed, composed) == _parts(1000, apart, apart)


def test_files_of_one_name_in_many_folders_are_spread() -> None:
    numbers = {_parts(4, Path(f"scan{number}/page.png"), Path("page.png"))[0] for number in range(60)}
    assert numbers == {1, 2, 3, 4}


@pytest.mark.parametrize("text", ["3/2", "0/2", "1/0", "1", "1/2/3", "-1/2", "a/b", "", "1.5/2"])
def test_what_is_no_part_is_refused_before_any_work(text: str) -> None:
    with pytest.raises(UsageError, match="shard"):
        Reading(shard=text)


def test_without_a_shard_everything_is_done() -> None:
    assert Reading().part.holds(Path("a.png"), Path("a.png"))
