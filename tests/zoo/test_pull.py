"""From the catalog to a verified file: sources in turn, every failure told, nothing half done left behind."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import DownloadError, ModelError, OutputError
from imgfix.zoo import catalog, fetch, folders, pull, store
from imgfix.zoo.entry import DownloadSource, Entry, SourceFile
from tests.zoo.helpers import Server, digest, http_source, serve, tiny_checkpoint, tiny_entry, tiny_net
from tests.zoo.test_archive import make_tar


@pytest.fixture
def data(tmp_path: Path) -> bytes:
    return tiny_checkpoint(tmp_path / "source.pth").read_bytes()


@pytest.fixture
def server(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    with serve(model__pth=data) as running:
        yield running


def good(server: Server, data: bytes) -> DownloadSource:
    return http_source(f"{server.url}/model.pth", data)


def left_over(home: Path) -> list[str]:
    """What lies in the home folder beside models, records and locks."""
    return [
        path.name
        for path in home.rglob("*")
        if path.is_file() and path.suffix not in (".safetensors", ".json", ".lock")
    ]


def test_a_pulled_model_is_verified_and_runs(server: Server, data: bytes, own_home: Path, monkeypatch: Any) -> None:
    entry = tiny_entry(good(server, data))
    monkeypatch.setattr(catalog, "entries", lambda: [entry])
    seen: list[tuple[int, int]] = []
    model = zoo.load("tiny-x2", progress=lambda done, total: seen.append((done, total)))
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(model.net(x), tiny_net()(x))
    assert seen[-1] == (len(data), len(data))
    assert store.path_of(entry) == own_home / "models" / "tiny-x2.safetensors"
    record = store.read_record(store.path_of(entry))
    assert record is not None
    assert record.sha256 == model.descriptor.sha256 == store.sha256_of(store.path_of(entry))
    assert record.source_sha256 == digest(data)
    assert left_over(own_home) == []
    server.requests.clear()
    zoo.load("tiny-x2", offline=True)
    assert server.requests == []


def test_the_same_source_gives_the_same_bytes(server: Server, data: bytes) -> None:
    entry = tiny_entry(good(server, data))
    first = pull.pull(entry).read_bytes()
    assert pull.pull(entry).read_bytes() == first


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_has_the_mode_of_any_new_file(server: Server, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    path = pull.pull(tiny_entry(good(server, data)))
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "new").stat().st_mode)


def test_the_next_source_is_tried_and_the_failure_said(server: Server, data: bytes) -> None:
    wrong = http_source(f"{server.url}/missing.pth", data)
    entry = tiny_entry(wrong, good(server, data))
    notes: list[str] = []
    record = store.read_record(pull.pull(entry, note=notes.append))
    assert record is not None and record.source == f"{server.url}/model.pth"
    assert len(notes) == 1
    assert "answers 404" in notes[0] and notes[0].endswith(f"trying {server.url}/model.pth")


def test_when_every_source_fails_each_reason_is_told(server: Server, data: bytes, own_home: Path) -> None:
    server.files["/other.pth"] = b"not what was promised"
    server.files["/text.pth"] = b"hello"
    other = SourceFile("other.pth", digest(data))
    sources = (
        http_source(f"{server.url}/missing.pth", data),
        DownloadSource("http", f"{server.url}/other.pth", "torch", (other,)),
        http_source(f"{server.url}/text.pth", b"hello"),
    )
    with pytest.raises(DownloadError) as caught:
        pull.pull(tiny_entry(*sources))
    text = caught.value.message
    assert "tiny-x2 could not be fetched" in text
    assert all(reason in text for reason in ("answers 404", "SHA-256", "text.pth"))
    assert left_over(own_home) == []
    assert not list(own_home.rglob("*.safetensors"))


def test_an_archive_behind_an_address_is_unpacked(server: Server, data: bytes, tmp_path: Path, own_home: Path) -> None:
    package = make_tar(tmp_path / "all.tar.gz", {"weights/model.pth": data}, "release-1/").read_bytes()
    server.files["/all.tar.gz"] = package
    member = SourceFile("weights/model.pth", digest(data), len(data))
    url = f"{server.url}/all.tar.gz"
    source = DownloadSource("http", url, "torch", (member,), archive_sha256=digest(package), archive_bytes=len(package))
    pull.pull(tiny_entry(source))
    assert left_over(own_home) == []


def test_a_package_that_several_models_come_from_is_fetched_once(
    server: Server, data: bytes, tmp_path: Path, own_home: Path
) -> None:
    package = make_tar(tmp_path / "all.tar.gz", {"model.pth": data}).read_bytes()
    server.files["/all.tar.gz"] = package
    url, member = f"{server.url}/all.tar.gz", SourceFile("model.pth", digest(data))
    source = DownloadSource("http", url, "torch", (member,), archive_sha256=digest(package), archive_bytes=len(package))
    with pull.archives_kept():
        for name in ("one-x2", "two-x2"):
            pull.pull(tiny_entry(source, name=name))
    assert len(server.requests) == 1
    assert left_over(own_home) == []
    pull.pull(tiny_entry(source))
    assert len(server.requests) == 2


def test_a_member_with_another_hash_is_refused(server: Server, data: bytes, tmp_path: Path, own_home: Path) -> None:
    package = make_tar(tmp_path / "all.tar.gz", {"model.pth": data}).read_bytes()
    server.files["/all.tar.gz"] = package
    url, member = f"{server.url}/all.tar.gz", SourceFile("model.pth", "0" * 64)
    source = DownloadSource("http", url, "torch", (member,), archive_sha256=digest(package), archive_bytes=len(package))
    with pytest.raises(DownloadError, match="does not have the promised SHA-256"):
        pull.pull(tiny_entry(source))
    assert left_over(own_home) == []


def test_a_damaged_file_is_repaired_by_pulling_again(server: Server, data: bytes) -> None:
    entry = tiny_entry(good(server, data))
    path = pull.pull(entry)
    path.write_bytes(b"broken")
    with pytest.raises(ModelError, match="damaged"):
        store.verify(entry)
    pull.pull(entry)
    assert store.verify(entry)


def test_a_record_does_not_vouch_for_what_the_catalog_does_not_list(server: Server, data: bytes) -> None:
    entry = tiny_entry(good(server, data))
    pull.pull(entry)
    with pytest.raises(ModelError, match="damaged"):
        store.verify(tiny_entry(http_source(f"{server.url}/model.pth", b"a later release")))


def test_offline_opens_no_socket(server: Server, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(DownloadError, match="offline forbids") as caught:
        pull.pull(tiny_entry(good(server, data)), offline=True)
    assert "imgfix weights pull tiny-x2" in (caught.value.hint or "")


def test_a_model_without_sources_says_so() -> None:
    with pytest.raises(DownloadError, match="no address"):
        pull.pull(tiny_entry())


def test_a_disk_that_is_too_small_is_noticed_first(server: Server, data: bytes, monkeypatch: Any) -> None:
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(pull.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OutputError, match="disk is full") as caught:
        pull.pull(tiny_entry(good(server, data)))
    assert "IMGFIX_HOME" in (caught.value.hint or "")
    assert server.requests == []


def test_a_disk_that_fills_up_stops_at_once(server: Server, data: bytes, own_home: Path, monkeypatch: Any) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fetch, "_copy", full)
    with pytest.raises(OutputError, match="disk is full"):
        pull.pull(tiny_entry(good(server, data), good(server, data)))
    assert len(server.requests) == 1
    assert not list(own_home.rglob("*.safetensors"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be written")
def test_a_home_that_may_not_be_written_says_so(server: Server, data: bytes, own_home: Path) -> None:
    own_home.chmod(0o500)
    with pytest.raises(OutputError, match="permission"):
        pull.pull(tiny_entry(good(server, data)))


def test_a_home_that_is_a_file_says_so(server: Server, data: bytes, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path / "home"))
    with pytest.raises(ModelError, match="is a file, not a folder"):
        pull.pull(tiny_entry(good(server, data)))


def test_two_at_once_fetch_once(server: Server, data: bytes) -> None:
    entry = tiny_entry(good(server, data))
    slow, begun = threading.Event(), threading.Event()
    problems: list[BaseException] = []

    def work(progress: Any) -> None:
        try:
            pull.pull(entry, progress=progress)
        except BaseException as error:
            problems.append(error)

    def wait(done: int, total: int) -> None:
        begun.set()
        slow.wait(60)

    first = threading.Thread(target=work, args=(wait,))
    first.start()
    assert begun.wait(60)
    second = threading.Thread(target=work, args=(None,))
    second.start()
    second.join(0.3)
    assert second.is_alive(), "it did not wait for the other"
    slow.set()
    first.join(60)
    second.join(60)
    assert not first.is_alive() and not second.is_alive()
    assert problems == []
    assert len(server.requests) == 1


def test_what_a_killed_process_left_is_cleared_away(server: Server, data: bytes, own_home: Path) -> None:
    old, new = own_home / "downloads" / "package-old", own_home / "downloads" / "package-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "archive").touch()
    os.utime(old, (0, 0))
    pull.pull(tiny_entry(good(server, data)))
    assert not old.exists()
    assert new.exists()


def test_the_home_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMGFIX_HOME", str(tmp_path))
    assert folders.models_folder() == tmp_path / "models"
    monkeypatch.setenv("IMGFIX_HOME", "~/weights")
    assert folders.home() == Path.home() / "weights"
    monkeypatch.delenv("IMGFIX_HOME")
    assert folders.home().name == "imgfix"


def test_shipped_models_are_found_with_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "shipped_folder", lambda: tmp_path)
    entry: Entry = tiny_entry(shipped=True)
    assert store.path_of(entry) == tmp_path / "tiny-x2.safetensors"
    assert not store.installed(entry)
    assert "install imgfix again" in store.remedy(entry)


@pytest.mark.parametrize("inside", [True, False], ids=["wheel", "checkout"])
def test_the_catalog_is_found_in_a_wheel_and_in_a_checkout(inside: bool, tmp_path: Path, monkeypatch: Any) -> None:
    package = tmp_path / "imgfix"
    folder = (package if inside else tmp_path) / "weights"
    folder.mkdir(parents=True)
    (folder / "catalog.toml").touch()
    monkeypatch.setattr(folders.imgfix, "__file__", str(package / "__init__.py"))
    assert folders.shipped_folder() == folder


def test_an_installation_without_its_catalog_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(folders.imgfix, "__file__", str(tmp_path / "imgfix" / "__init__.py"))
    with pytest.raises(ModelError, match=r"catalog\.toml"):
        folders.shipped_folder()
