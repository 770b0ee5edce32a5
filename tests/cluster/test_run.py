"""`--ray` with workers in this process: what a batch says and writes is what it says and writes without them."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from imgfix.cluster import run as cluster
from imgfix.media import files, listing
from imgfix.pipelines import streaming
from tests.cli.conftest import Result, Run, imgfix, save_photo, tiny  # noqa: F401  (fixtures)
from tests.cluster.stand_in import StandIn

BOX = ("inpaint", "--box", "2,2,4,4", "--model", "telea", "--json")
RAY = ("--ray", "auto")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIn:
    """The workers; paths are relative to a folder of the test."""
    backend = StandIn()
    monkeypatch.setattr(cluster, "OnRay", backend)
    monkeypatch.chdir(tmp_path)
    return backend


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(6):
        save_photo(tmp_path / "photos" / f"{number}.png", number)
    return Path("photos")


def written(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def rows(found: Result) -> list[tuple[Any, ...]]:
    kept = ("source", "target", "status", "error", "hint", "exit_code", "input", "model", "coverage")
    return sorted(tuple(str(row.get(name)) for name in kept) for row in found.items)


def ends(found: Result) -> str:
    return found.err.splitlines()[-1] if found.err else ""


def test_the_same_bytes_rows_summary_and_exit_code(imgfix: Run, stand_in: StandIn, photos: Path) -> None:  # noqa: F811
    (photos / "broken.png").write_text("no picture")
    (photos / "notes.txt").write_text("no picture either")
    alone = imgfix(*BOX, photos, "-o", "out")
    here = written("out")
    there = imgfix(*BOX, photos, "-o", "out", "--overwrite", *RAY)
    again = imgfix(*BOX, photos, "-o", "out", "--overwrite")
    assert (alone.code, there.code, again.code) == (1, 1, 1)
    assert rows(there) == rows(again)
    assert ends(there) == ends(again)
    assert written("out").keys() == here.keys() and stand_in.closed


def test_the_bytes_are_those_of_one_machine(imgfix: Run, stand_in: StandIn, photos: Path) -> None:  # noqa: F811
    imgfix(*BOX, photos, "-o", "out")
    here = written("out")
    for path in Path("out").iterdir():
        path.unlink()
    assert imgfix(*BOX, photos, "-o", "out", *RAY).code == 0
    assert written("out") == here


@pytest.mark.parametrize(
    "words", [("upscale", "--scale", "2"), ("restore", "--denoise", "5"), ("cutout", "--box", "2,2,9,9")]
)
def test_the_record_in_a_result_is_that_of_one_machine(
    imgfix: Run, stand_in: StandIn, photos: Path, tiny: Path, words: tuple[str, ...]  # noqa: F811
) -> None:  # fmt: skip
    verb, *rest = words
    model = ("--model", tiny) if verb == "upscale" else ()
    codes = [
        imgfix(verb, photos, *rest, *model, "-o", f"{name}/", *more).code for name, more in (("a", ()), ("b", RAY))
    ]
    assert codes[0] == codes[1]
    if codes[0] == 0:
        assert written("a") == written("b")


def test_a_network_is_announced_once_by_whichever_worker_is_first(
    imgfix: Run, stand_in: StandIn, photos: Path, tiny: Path  # noqa: F811
) -> None:  # fmt: skip
    found = imgfix("upscale", photos, "-o", "out/", "--model", tiny, "--device", "cpu", *RAY)
    assert found.code == 0, found.err
    assert len(stand_in.workers) == 2 and found.err.count(" on cpu") == 1
    assert ends(found) == "6 done"


@pytest.mark.parametrize("done", [False, True])
def test_a_worker_that_is_lost_loses_nothing_and_does_nothing_twice(
    imgfix: Run, stand_in: StandIn, photos: Path, done: bool  # noqa: F811
) -> None:  # fmt: skip
    """Before the work on its file, and between the result's being in its place and the answer."""
    lost = [3]
    stand_in.lost = lambda number, after: number in lost and after == done and not lost.clear()
    found = imgfix(*BOX, photos, "-o", "out", *RAY)
    assert (found.code, len(stand_in.workers)) == (0, 3)
    assert found.err.count("a worker was lost at photos/3.png") == 1
    assert sorted(row["target"] for row in found.items) == sorted(f"out/{number}.png" for number in range(6))
    assert sorted(written("out")) == [f"{number}.png" for number in range(6)]


def test_a_file_that_takes_workers_with_it_fails_alone(
    imgfix: Run, stand_in: StandIn, photos: Path  # noqa: F811
) -> None:  # fmt: skip
    stand_in.lost = lambda number, after: number == 2
    found = imgfix(*BOX, photos, "-o", "out", *RAY)
    failed = [row for row in found.items if row["status"] == "failed"]
    assert (found.code, len(found.items), [row["source"] for row in failed]) == (1, 6, ["photos/2.png"])
    assert failed[0]["exit_code"] == 4 and len(written("out")) == 5


def test_what_exists_is_left_out_and_a_second_run_does_the_rest(
    imgfix: Run, stand_in: StandIn, photos: Path  # noqa: F811
) -> None:  # fmt: skip
    imgfix(*BOX, photos / "1.png", photos / "4.png", "-o", "out")
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    found = imgfix(*BOX, photos, "-o", "out", "--skip-existing", *RAY)
    assert (found.code, len(found.items)) == (0, 6)
    assert sum(row["status"] == "skipped" for row in found.items) == 2
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(written("out")) == 6


def test_ctrl_c_ends_all_workers_and_is_told_once(
    imgfix: Run, stand_in: StandIn, photos: Path  # noqa: F811
) -> None:  # fmt: skip
    stand_in.lost = lambda number, after: number == 3 and not after and bool(signal.raise_signal(signal.SIGINT))
    found = imgfix(*BOX, photos, "-o", "out", *RAY)
    assert found.code == 130 and stand_in.closed
    status = [row["status"] for row in found.items]
    assert status.count("interrupted") == 1 and status[-1] == "interrupted"
    done = status.count("done")
    assert "interrupted at photos/" in found.err and f"{done} done, {6 - done} not" in found.err


def test_a_clip_is_the_work_of_one_worker_and_the_same_file(
    imgfix: Run, stand_in: StandIn, photos: Path  # noqa: F811
) -> None:  # fmt: skip
    from tests.media.clips import make

    make(photos / "clip.mkv")
    for folder, words in (("a", ()), ("b", RAY)):
        found = imgfix(*BOX, photos / "clip.mkv", photos / "1.png", "-o", f"{folder}/", *words)
        assert found.code == 0, found.err
        assert {row.get("frames") for row in found.items} == {24, None}
    assert written("a")["1.png"] == written("b")["1.png"]
    assert frames(Path("a/clip.mkv")) == frames(Path("b/clip.mkv"))


def frames(clip: Path) -> list[bytes]:
    import av

    with av.open(str(clip)) as opened:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in opened.decode(video=0)]


def test_an_order_that_makes_no_sense_there_ends_the_run(
    imgfix: Run, stand_in: StandIn, photos: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    from imgfix.cluster import worker

    monkeypatch.setattr(worker, "__version__", "0.0")
    found = imgfix(*BOX, photos, "-o", "out", *RAY)
    assert (found.code, found.items) == (2, []) and "a worker has imgfix 0.0" in found.err


def test_a_folder_that_other_machines_do_not_have_is_named(
    imgfix: Run, stand_in: StandIn, photos: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    def gone(folder: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr(os, "chdir", gone)
        found = imgfix(*BOX, photos, "-o", "out", *RAY)
    assert found.code == 2 and "is not there on a machine of the cluster" in found.err


def test_folders_of_very_many_files_and_shards_are_spread_too(
    imgfix: Run, stand_in: StandIn, photos: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr(streaming, "MANY", 2)
    monkeypatch.setattr(listing, "BLOCK", 3)
    done = []
    for part in ("1/2", "2/2"):
        found = imgfix(*BOX, photos, "-o", "out", "--shard", part, *RAY)
        assert found.code == 0
        done += [row["source"] for row in found.items]
    assert sorted(done) == [f"photos/{number}.png" for number in range(6)]


def test_a_dry_run_starts_no_worker(imgfix: Run, stand_in: StandIn, photos: Path) -> None:  # noqa: F811
    found = imgfix(*BOX, photos, "-o", "out", "--dry-run", *RAY)
    assert [row["status"] for row in found.items] == ["planned"] * 6 and not stand_in.workers


def test_a_pipe_is_refused(imgfix: Run, stand_in: StandIn, photos: Path) -> None:  # noqa: F811
    data = (photos / "0.png").read_bytes()
    found = imgfix("inpaint", "--box", "2,2,4,4", "--model", "telea", "-", *RAY, stdin=data)
    assert found.code == 2 and "--ray works on files" in found.err


@pytest.mark.parametrize(
    "words",
    [
        ("watch", "photos", "-o", "s3://bucket/out/", "--once", "upscale"),
        ("select", "photos", "--list", *RAY),
    ],
)
def test_what_workers_have_no_part_in_is_refused(
    imgfix: Run, stand_in: StandIn, photos: Path, words: tuple[str, ...]  # noqa: F811
) -> None:  # fmt: skip
    found = imgfix(*words)
    assert (found.code, stand_in.workers) == (2, []), found.err
    assert "leave" in found.err


def test_without_ray_the_extra_is_named(
    imgfix: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.chdir(tmp_path)
    found = imgfix(*BOX, photos, "-o", "out", *RAY)
    assert (found.code, found.out) == (2, "") and "pip install 'imgfix[ray]'" in found.err


def test_temporary_files_of_lost_workers_are_found_by_their_mark(tmp_path: Path) -> None:
    (tmp_path / ".imgfix-abcd-123.part.png").touch()
    (tmp_path / ".imgfix-123.part.png").touch()
    files.sweep("abcd-", [tmp_path / "photo.png"])
    assert [path.name for path in tmp_path.iterdir()] == [".imgfix-123.part.png"]


def test_what_is_sent_is_plain(imgfix: Run, stand_in: StandIn, photos: Path) -> None:  # noqa: F811
    imgfix(*BOX, photos, "-o", "out", *RAY)
    order = stand_in.order
    assert order is not None
    records = (order.request, order.saving, order.clips, order.machine, order.reading)
    assert all(type(record).__module__ == "imgfix.pipelines.options" for record in records)
    assert json.loads(json.dumps(order.version)) == order.version


def test_what_other_threads_print_does_not_go_among_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    import threading

    from imgfix.cluster.on_ray import _OfThisThread

    shared = _OfThisThread(sys.stdout)
    other = threading.Thread(target=lambda: print("a worker died", file=shared))  # type: ignore[call-overload]
    other.start()
    other.join()
    print("a result", file=shared)  # type: ignore[call-overload]
    assert capsys.readouterr() == ("a result\n", "a worker died\n")
