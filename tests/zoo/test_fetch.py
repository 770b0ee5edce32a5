"""Downloads from a server on this machine that cuts, refuses and lies."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imgfix.errors import DownloadError, OutputError
from imgfix.zoo import fetch
from tests.zoo.helpers import Server, digest, serve

DATA = os.urandom(700_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    with serve(model__pth=DATA) as running:
        yield running


def get(server: Server, target: Path, **named: Any) -> None:
    fetch.download(f"{server.url}/model.pth", target, named.pop("sha256", digest(DATA)), **named)


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    get(server, tmp_path / "x.pth", size=len(DATA), progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "x.pth").read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [tmp_path / "x.pth"]
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_taken_up_again(ranges: bool, server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut_after, server.cuts = ranges, 300_000, 2
    get(server, tmp_path / "x.pth", size=len(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA
    asked = [wanted for _, wanted in server.requests]
    assert asked[0] is None
    assert asked[1] == "bytes=300000-"


@pytest.mark.parametrize("ranges", [True, False])
def test_the_part_of_an_earlier_run_is_continued(ranges: bool, server: Server, tmp_path: Path) -> None:
    server.ranges = ranges
    part_of(tmp_path / "x.pth").write_bytes(DATA[:400_000])
    get(server, tmp_path / "x.pth", size=len(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA
    assert server.requests == [("/model.pth", "bytes=400000-")]


def test_a_download_that_gives_up_leaves_its_part_for_the_next_run(server: Server, tmp_path: Path) -> None:
    server.cut_after, server.cuts = 0, 100
    server.files["/model.pth"] = DATA
    part_of(tmp_path / "x.pth").write_bytes(DATA[:123_456])
    with pytest.raises(DownloadError, match="broke off"):
        get(server, tmp_path / "x.pth", size=len(DATA))
    assert not (tmp_path / "x.pth").exists()
    assert part_of(tmp_path / "x.pth").stat().st_size == 123_456
    server.cuts = 0
    get(server, tmp_path / "x.pth", size=len(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA


@pytest.mark.parametrize("size", [0, len(DATA)])
@pytest.mark.parametrize("part", [os.urandom(1000), os.urandom(len(DATA)), os.urandom(len(DATA) + 5), b""])
def test_a_part_that_is_of_something_else_is_replaced(part: bytes, size: int, server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "x.pth").write_bytes(part)
    get(server, tmp_path / "x.pth", size=size)
    assert (tmp_path / "x.pth").read_bytes() == DATA


def test_a_part_that_is_complete_needs_no_request(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "x.pth").write_bytes(DATA)
    get(server, tmp_path / "x.pth", size=len(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA
    assert server.requests == []


def test_a_wrong_hash_is_an_error_and_the_file_is_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="SHA-256") as caught:
        get(server, tmp_path / "x.pth", sha256="0" * 64)
    assert "deleted" in caught.value.message
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [1000, len(DATA) + 1])
def test_a_file_of_another_size_is_not_even_fetched(size: int, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"{len(DATA)} bytes at this address instead of {size}"):
        get(server, tmp_path / "x.pth", size=size)
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) == 1


def test_more_data_than_announced_is_cut_short(server: Server, tmp_path: Path) -> None:
    server.announce = False
    with pytest.raises(DownloadError, match="SHA-256"):
        get(server, tmp_path / "x.pth", size=1000, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_size_that_nobody_knows_is_no_problem(server: Server, tmp_path: Path) -> None:
    server.announce = False
    seen: list[tuple[int, int]] = []
    get(server, tmp_path / "x.pth", progress=lambda done, total: seen.append((done, total)))
    assert (tmp_path / "x.pth").read_bytes() == DATA
    assert all(done <= total for done, total in seen)


def test_a_server_that_never_sends_the_end_is_given_up(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cut_after, server.cuts = False, 300_000, 1000
    with pytest.raises(DownloadError, match="broke off after 300000"):
        get(server, tmp_path / "x.pth", size=len(DATA))
    assert len(server.requests) <= fetch.TRIES


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (500, fetch.TRIES), (503, fetch.TRIES)])
def test_a_refusal_is_final_and_a_fault_is_tried_again(status: int, tries: int, server: Server, tmp_path: Path) -> None:
    server.status = status
    with pytest.raises(DownloadError, match=f"answers {status}") as caught:
        get(server, tmp_path / "x.pth")
    assert server.url in caught.value.message
    assert len(server.requests) == tries
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_not_asked_twice(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError("it tried again")

    monkeypatch.setattr(fetch.time, "sleep", sleep)
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch.download("http://127.0.0.1:9/model.pth", tmp_path / "x.pth", digest(DATA))


def test_a_mirror_takes_the_place_of_every_server(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("IMGFIX_MIRROR", server.url + "/")
    server.files = {"/github.com/a/model.pth": DATA}
    fetch.download("https://github.com/a/model.pth", tmp_path / "x.pth", digest(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA


def test_the_hubs_own_variable_names_a_mirror_of_it(monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert fetch.mirrored("https://huggingface.co/a/b") == "https://mirror.example/a/b"
    assert fetch.mirrored("https://github.com/a/b") == "https://github.com/a/b"


def test_a_proxy_of_the_environment_is_used(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.files = {"http://models.example/model.pth": DATA}
    fetch.download("http://models.example/model.pth", tmp_path / "x.pth", digest(DATA))
    assert (tmp_path / "x.pth").read_bytes() == DATA


def test_a_full_disk_is_not_the_networks_fault(server: Server, tmp_path: Path, monkeypatch: Any) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(OutputError, match="disk is full"):
        get(server, tmp_path / "x.pth")
    assert len(server.requests) == 1


def test_a_server_that_drips_is_not_waited_for_without_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RATE_TIME", 0.2)
    server.drip = 0.02
    with pytest.raises(DownloadError, match="less than 1024 bytes per second"):
        get(server, tmp_path / "x.pth", size=len(DATA))
    kept = part_of(tmp_path / "x.pth").read_bytes()
    assert kept and DATA.startswith(kept), "what has arrived is kept"
    server.drip = 0.0
    get(server, tmp_path / "x.pth", size=len(DATA))
    assert server.requests[-1] == ("/model.pth", f"bytes={len(kept)}-")


def test_headers_that_drip_are_not_waited_for_either(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RATE_TIME", 0.2)
    server.drip, server.drip_headers = 0.02, True
    try:
        with pytest.raises(DownloadError):
            get(server, tmp_path / "x.pth")
    finally:
        server.drip_headers = False


def test_a_kill_loses_nothing_that_was_received(server: Server, tmp_path: Path) -> None:
    server.drip = 0.01
    target = tmp_path / "x.pth"
    program = f"from imgfix.zoo import fetch; from pathlib import Path; fetch.download({server.url + '/model.pth'!r}, "
    program += f"Path({str(target)!r}), {digest(DATA)!r})"
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        deadline = time.monotonic() + 300
        while not (part_of(target).exists() and part_of(target).stat().st_size > 20) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    kept = part_of(target).read_bytes()
    assert len(kept) > 20 and DATA.startswith(kept)
