"""`--ray` with a clip, whose parts are made by workers in this process: the file that one machine makes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from imgfix.cluster import run as cluster
from imgfix.media.video import segments
from tests.cli.conftest import Result, Run, imgfix, plain  # noqa: F401  (fixtures)
from tests.cluster.stand_in import StandIn
from tests.media.clips import Recipe, Sound, make
from tests.tasks.test_video_upscale import moving

SCENES = (14, 9, 12)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    """The workers; segments are short, and paths relative to a folder of the test."""
    backend = StandIn()
    monkeypatch.setattr(cluster, "OnRay", backend)
    monkeypatch.setattr(segments, "LENGTH", 5)
    monkeypatch.setattr(segments, "SHORTEST", 4)
    monkeypatch.chdir(tmp_path)
    pictures = [frame for seed, count in enumerate(SCENES) for frame in moving(count, 10 * seed, 24, 32)]
    times = [number / 25 for number in range(len(pictures))]
    make(Path("clip.mkv"), Recipe(times=times, pictures=pictures, sounds=(Sound(seconds=1.4),), options={"g": "8"}))
    return backend


@pytest.fixture
def words(plain: Path) -> list[object]:  # noqa: F811
    return ["upscale", "clip.mkv", "--model", plain, "--json", "--no-record", "--no-steady"]


def rows(found: Result) -> list[dict[str, object]]:
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "fps", "target")} for row in found.items
    ]


@pytest.mark.parametrize("steadied", [False, True])
def test_the_file_and_the_row_are_those_of_one_machine(
    imgfix: Run, stand_in: StandIn, words: list[object], steadied: bool  # noqa: F811
) -> None:  # fmt: skip
    words = words[:-1] if steadied else words
    here = imgfix(*words, "-o", "here.mkv")
    there = imgfix(*words, "-o", "there.mkv", "--ray", "auto")
    assert (here.code, there.code) == (0, 0), there.err
    assert rows(here) == rows(there)
    assert bytes_of("here.mkv") == bytes_of("there.mkv")
    assert stand_in.parts >= 3 and len(stand_in.workers) == 2
    assert not segments.folder_of(Path("there.mkv")).exists()


def bytes_of(name: str) -> bytes:
    return Path(name).read_bytes()


@pytest.mark.parametrize("done", [False, True])
def test_a_part_whose_worker_is_lost_is_made_by_another(
    imgfix: Run, stand_in: StandIn, words: list[object], done: bool  # noqa: F811
) -> None:  # fmt: skip
    lost = [2]
    stand_in.lost = lambda number, after: number in lost and after == done and not lost.clear()
    found = imgfix(*words, "-o", "there.mkv", "--ray", "auto")
    assert (found.code, len(stand_in.workers)) == (0, 3), found.err
    assert found.items[0]["frames"] == sum(SCENES) and "a worker was lost at clip.mkv" in found.err
    assert imgfix(*words, "-o", "here.mkv").code == 0
    assert bytes_of("here.mkv") == bytes_of("there.mkv")


def test_what_is_interrupted_is_gone_on_with_by_workers_or_by_one(
    imgfix: Run, stand_in: StandIn, words: list[object]  # noqa: F811
) -> None:  # fmt: skip
    stand_in.lost = lambda number, after: number == 3 and not after and bool(signal.raise_signal(signal.SIGINT))
    stopped = imgfix(*words, "-o", "there.mkv", "--ray", "auto")
    assert stopped.code == 130 and [row["status"] for row in stopped.items] == ["interrupted"]
    assert not Path("there.mkv").exists() and segments.folder_of(Path("there.mkv")).is_dir()
    stand_in.lost = lambda number, after: False
    refused = imgfix(*words, "-o", "there.mkv", "--ray", "auto")
    assert refused.code == 1 and "finished frames of an interrupted run" in refused.err
    before = stand_in.frames
    resumed = imgfix(*words, "-o", "there.mkv", "--resume", "--ray", "auto")
    assert resumed.code == 0 and resumed.items[0]["resumed"] > 0, resumed.err
    assert stand_in.frames - before < sum(SCENES)
    assert imgfix(*words, "-o", "here.mkv").code == 0
    assert bytes_of("here.mkv") == bytes_of("there.mkv")


def test_a_part_that_fails_fails_as_on_one_machine(
    imgfix: Run, stand_in: StandIn, words: list[object], monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """The disk of a worker is full: what is finished is kept, once, and nothing is half-written."""
    import errno

    write = segments.SegmentWriter.write

    def full(self: segments.SegmentWriter, pixels: object, time: int, duration: int) -> None:
        if time > 800:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, pixels, time, duration)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(segments.SegmentWriter, "write", full)
        found = imgfix(*words, "-o", "there.mkv", "--ray", "auto")
    assert found.code == 1 and "the disk is full" in found.err and "`resume`" not in found.err
    assert found.items[0]["status"] == "failed" and not Path("there.mkv").exists()
    assert not list(Path().rglob("*.part"))
    again = imgfix(*words, "-o", "there.mkv", "--resume", "--ray", "auto")
    assert again.code == 0 and again.items[0]["resumed"] >= 10, again.err
    assert imgfix(*words, "-o", "here.mkv").code == 0
    assert bytes_of("here.mkv") == bytes_of("there.mkv")
