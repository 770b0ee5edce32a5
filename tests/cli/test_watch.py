"""`imgfix watch`: what arrives in a folder is done once, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, litter, save_photo

VERB = ("--", "inpaint", "--box", "2,2,4,4", "--model", "telea")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def _once(run: Run, inbox: Path, *options: object, verb: tuple[str, ...] = VERB) -> Any:
    return run("watch", inbox, "-o", inbox.with_name("out"), "--once", "--settle", "0", *options, *verb)


def test_once_does_what_is_there_and_leaves_out_what_is_done(imgfix: Run, inbox: Path) -> None:
    save_photo(inbox / "a.png")
    save_photo(inbox / "b.jpg")
    first = _once(imgfix, inbox, "--json")
    assert (first.code, [item["status"] for item in first.items]) == (0, ["done", "done"]), first.err
    assert sorted(path.name for path in (inbox.with_name("out")).iterdir()) == ["a.png", "b.jpg"]
    save_photo(inbox / "c.png")
    again = _once(imgfix, inbox)
    assert again.code == 0
    assert "c.png" in again.err and "a.png ->" not in again.err
    assert again.err.splitlines()[-1] == "1 done, 2 left out (the output exists already)"


def test_the_result_is_that_of_the_verb_itself(imgfix: Run, inbox: Path, tmp_path: Path) -> None:
    photo = save_photo(inbox / "old" / "a.png")
    assert _once(imgfix, inbox, "-r").code == 0
    assert imgfix("inpaint", photo, "-o", tmp_path / "by-hand.png", *VERB[2:]).code == 0
    assert (tmp_path / "out" / "old" / "a.png").read_bytes() == (tmp_path / "by-hand.png").read_bytes()


def test_a_damaged_file_fails_and_the_rest_is_done(imgfix: Run, inbox: Path) -> None:
    whole = save_photo(inbox / "a.png")
    (inbox / "b.png").write_bytes(whole.read_bytes()[:80])
    save_photo(inbox / "c.png")
    found = _once(imgfix, inbox, "--json")
    assert found.code == 1
    assert [item["status"] for item in found.items] == ["done", "failed", "done"]


def test_two_files_for_one_result_are_told_and_the_first_stays(imgfix: Run, inbox: Path) -> None:
    save_photo(inbox / "a.jpg")
    save_photo(inbox / "a.png", seed=1)
    found = _once(imgfix, inbox, verb=(*VERB, "--format", "png"))
    assert found.code == 1
    assert "would both be written to" in found.err


def test_with_overwrite_only_what_is_newer_than_its_result_is_done_again(imgfix: Run, inbox: Path) -> None:
    photo = save_photo(inbox / "a.png")
    verb = (*VERB, "--overwrite")
    assert _once(imgfix, inbox, verb=verb).err.splitlines()[-1] == "1 done"
    assert "1 left out" in _once(imgfix, inbox, verb=verb).err
    later = time.time() + 60
    os.utime(photo, (later, later))
    assert _once(imgfix, inbox, verb=verb).err.splitlines()[-1] == "1 done"


def test_several_watchers_share_a_folder_by_shards(imgfix: Run, inbox: Path) -> None:
    for number in range(6):
        save_photo(inbox / f"{number}.png", number)
    done = [_once(imgfix, inbox, "--json", verb=(*VERB, "--shard", f"{part}/2")).items for part in (1, 2)]
    assert sorted(item["source"] for items in done for item in items) == sorted(map(str, inbox.iterdir()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-o", "in/", *VERB), "would be taken for files that arrive"),
        (("-r", "-o", "in/done/", *VERB), "would be taken for files that arrive"),
        (("-o", "one.png", *VERB), "cannot all be written to the one file"),
        (("-o", "out/{n}.png", *VERB), "{n} counts through a list"),
        (("-o", "-", *VERB), "needs a place for the results"),
        (("-o", "out/", "--", "generate", "cat"), "'generate' does not turn files into files"),
        (("-o", "out/", *VERB, "more.png"), "more.png is no option of inpaint"),
        (("-o", "out/", *VERB, "--dry-run"), "--dry-run"),
        (("-o", "out/", *VERB, "--frames"), "--frames is for folders"),
        (("-o", "out/", "--", "select", "--list"), "--list writes no files"),
        (("-o", "out/", "--", "inpaint", "--quality", "900"), "--quality"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    imgfix: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    save_photo(inbox / "a.png")
    monkeypatch.chdir(inbox.parent)
    found = imgfix("watch", "in", "--once", *options)
    assert found.code == 2, found.err
    assert words in found.err
    assert sorted(path.name for path in inbox.parent.rglob("*")) == ["a.png", "in"]


def test_a_folder_that_is_not_there_is_refused(imgfix: Run, tmp_path: Path) -> None:
    found = imgfix("watch", tmp_path / "nowhere", "-o", tmp_path / "out", *VERB)
    assert (found.code, "is not a folder" in found.err) == (2, True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("poll", [("--poll", "0.1"), ()])
def test_files_that_arrive_while_it_runs_are_done_once_across_a_restart(
    start: Callable[..., subprocess.Popen[bytes]], inbox: Path, poll: tuple[str, ...]
) -> None:
    if not poll:
        pytest.importorskip("watchfiles")
    out = inbox.with_name("out")

    def begin() -> subprocess.Popen[bytes]:
        return start("watch", inbox, "-o", out, "--settle", "0.2", "--json", *poll, *VERB)

    def end(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=300)
        assert process.returncode == 130, said
        assert b"interrupted: " in said
        return [json.loads(line) for line in told.splitlines()]

    save_photo(inbox / "early.png")
    process = begin()
    _until(lambda: (out / "early.png").exists())
    whole = save_photo(inbox / "direct.png", 1).read_bytes()
    with (inbox / "slow.png").open("wb") as half:
        half.write(whole[:100])
        half.flush()
        (inbox / "hidden.part").write_bytes(whole)
        (inbox / "hidden.part").rename(inbox / "renamed.png")
        _until(lambda: (out / "direct.png").exists() and (out / "renamed.png").exists())
        assert not (out / "slow.png").exists()
        first = end(process)
        save_photo(inbox / "meanwhile.png", 2)
        process = begin()
        half.write(whole[100:])
    _until(lambda: (out / "slow.png").exists() and (out / "meanwhile.png").exists())
    second = end(process)
    assert [item["status"] for item in [*first, *second]] == ["done"] * 5, (first, second)
    done = sorted(Path(item["source"]).name for item in [*first, *second])
    assert done == ["direct.png", "early.png", "meanwhile.png", "renamed.png", "slow.png"]
    assert litter(out) == []


def _until(true: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
