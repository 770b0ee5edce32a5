"""URLs as inputs and outputs, in fsspec's memory and, where moto and s3fs are installed, on an S3 server."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, imgfix, save_photo  # noqa: F401  (fixtures)

fsspec = pytest.importorskip("fsspec")
BOX = ("inpaint", "--box", "2,2,4,4", "--model", "telea", "--json")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders of the test go."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty store in memory."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def photos(tmp_path: Path, memory: Any) -> dict[str, bytes]:
    """Three photos there, one of them in a subfolder, and what is no photo."""
    found = {}
    for number, name in enumerate(("photos/a.png", "photos/b.png", "photos/old/c.png")):
        found[name] = save_photo(tmp_path / "here" / name, number).read_bytes()
        memory.pipe(f"/{name}", found[name])
    memory.pipe("/photos/notes.txt", b"no picture")
    return found


def test_a_folder_there_gives_the_bytes_of_the_same_folder_here(
    imgfix: Run, memory: Any, photos: dict[str, bytes], tmp_path: Path, temporary: Path  # noqa: F811
) -> None:  # fmt: skip
    words = (*BOX, "--no-record", "-r")
    found = imgfix(*words, "memory://photos", "-o", "memory://out/")
    assert found.code == 0, found.err
    assert imgfix(*words, tmp_path / "here" / "photos", "-o", tmp_path / "out").code == 0
    for name in ("a.png", "b.png", "old/c.png"):
        assert memory.cat(f"/out/{name}") == (tmp_path / "out" / name).read_bytes()
    assert {row["target"] for row in found.items} == {
        f"memory://out/{name}" for name in ("a.png", "b.png", "old/c.png")
    }
    assert sorted(memory.find("/out")) == ["/out/a.png", "/out/b.png", "/out/old/c.png"]
    assert not list(temporary.rglob("*.png"))


def test_from_there_to_here_and_from_here_to_there(
    imgfix: Run, memory: Any, photos: dict[str, bytes], tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    assert imgfix(*BOX, "memory://photos/a.png", "-o", tmp_path / "a.png").code == 0
    assert imgfix(*BOX, tmp_path / "here" / "photos" / "a.png", "-o", "memory://out/a.png").code == 0
    assert (tmp_path / "a.png").exists() and memory.exists("/out/a.png")


def test_a_result_without_a_place_stands_beside_its_source(
    imgfix: Run, memory: Any, photos: dict[str, bytes]  # noqa: F811
) -> None:  # fmt: skip
    found = imgfix(*BOX, "memory://photos/*.png")
    assert (found.code, len(found.items)) == (0, 2)
    assert {row["target"].rpartition("_")[0] for row in found.items} == {"memory://photos/a", "memory://photos/b"}
    assert all(memory.exists(row["target"]) for row in found.items)
    assert memory.cat("/photos/a.png") == photos["photos/a.png"]


def test_the_record_names_the_url(imgfix: Run, memory: Any, photos: dict[str, bytes], temporary: Path) -> None:  # noqa: F811
    imgfix(*BOX, "memory://photos/a.png", "-o", "memory://out/")
    data = memory.cat("/out/a.png")
    assert b"imgfix inpaint memory://" in data and str(temporary).encode() not in data


def test_what_exists_there_is_kept_skipped_or_replaced(
    imgfix: Run, memory: Any, photos: dict[str, bytes]  # noqa: F811
) -> None:  # fmt: skip
    memory.pipe("/out/a.png", b"mine")
    refused = imgfix(*BOX, "memory://photos", "-o", "memory://out/")
    assert refused.code == 1 and "memory://out/a.png exists already" in refused.err
    assert memory.cat("/out/a.png") == b"mine" and memory.exists("/out/b.png")
    skipped = imgfix(*BOX, "memory://photos", "-o", "memory://out/", "--skip-existing")
    assert [row["status"] for row in skipped.items] == ["skipped", "skipped"]
    assert imgfix(*BOX, "memory://photos", "-o", "memory://out/", "--overwrite").code == 0
    assert memory.cat("/out/a.png") != b"mine"


def test_errors_name_the_url_and_the_rest_is_done(
    imgfix: Run, memory: Any, photos: dict[str, bytes], temporary: Path  # noqa: F811
) -> None:  # fmt: skip
    memory.pipe("/photos/broken.png", b"no picture")
    found = imgfix(*BOX, "memory://photos", "-o", "memory://out/")
    failed = [row for row in found.items if row["status"] == "failed"]
    assert (found.code, len(found.items), len(failed)) == (1, 3, 1)
    assert "memory://" in failed[0]["error"] and "photos/broken.png" in failed[0]["error"]
    assert str(temporary) not in found.err + found.out


def test_a_url_at_which_there_is_nothing_is_named(imgfix: Run, memory: Any) -> None:  # noqa: F811
    found = imgfix(*BOX, "memory://photos/missing.png", "-o", "memory://out/")
    assert found.code == 1 and "memory://photos/missing.png: no such file" in found.err


def test_a_result_that_cannot_be_put_there_leaves_nothing(
    imgfix: Run, memory: Any, photos: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, temporary: Path  # noqa: F811
) -> None:  # fmt: skip
    def full(self: object, *places: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(memory), "mv", full)
    found = imgfix(*BOX, "memory://photos/a.png", "-o", "memory://out/")
    assert found.code == 1 and "memory://out/a.png cannot be written" in found.err and "No space left" in found.err
    assert not memory.find("/out") and not list(temporary.rglob("*.png"))


def test_a_dry_run_writes_nothing_there(imgfix: Run, memory: Any, photos: dict[str, bytes]) -> None:  # noqa: F811
    found = imgfix(*BOX, "memory://photos", "-o", "memory://out/", "--dry-run")
    assert [row["status"] for row in found.items] == ["planned", "planned"]
    assert not memory.exists("/out")


def test_shards_take_each_file_once(imgfix: Run, memory: Any, photos: dict[str, bytes]) -> None:  # noqa: F811
    done: list[str] = []
    for part in ("1/2", "2/2"):
        done += [row["target"] for row in imgfix(
            *BOX, "memory://photos", "-r", "-o", "memory://out/", "--shard", part
        ).items]  # fmt: skip
    assert len(done) == len(set(done)) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("memory://photos", "-o", "out/", "--offline"), "--offline was asked for"),
        (("memory://photos", "-o", "memory://out/../other/"), "'..' is no place"),
        (("memory://photos", "-o", "memory://out/", "--ray", "local"), "--ray works on files that all machines see"),
    ],
)
def test_what_makes_no_sense_is_refused(
    imgfix: Run, memory: Any, photos: dict[str, bytes], words: tuple[str, ...], said: str  # noqa: F811
) -> None:  # fmt: skip
    found = imgfix(*BOX, *words)
    assert found.code == 2 and said in found.err
    assert not memory.exists("/out")


def test_the_web_is_read_only(imgfix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    photo = save_photo(tmp_path / "photo.png")
    found = imgfix(*BOX, photo, "-o", "https://example.org/out.png")
    assert found.code == 1 and "https://example.org/out.png cannot be written" in found.err


def test_without_fsspec_the_extra_is_named(imgfix: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    found = imgfix(*BOX, "s3://bucket/photos/", "-o", "out/")
    assert found.code == 2 and "pip install 'imgfix[remote]'" in found.err


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 server of this machine with an empty bucket."""
    if not all(importlib.util.find_spec(name) for name in ("moto", "s3fs", "flask")):
        pytest.skip("needs moto[server] and s3fs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    system.mkdir("photos-of-mine")
    yield system
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


def test_from_a_bucket_to_a_bucket(imgfix: Run, bucket: Any, tmp_path: Path) -> None:  # noqa: F811
    for number, name in enumerate(("in/a.png", "in/deep/b.png")):
        bucket.pipe(f"photos-of-mine/{name}", save_photo(tmp_path / name, number).read_bytes())
    words = (*BOX, "--no-record", "-r")
    found = imgfix(*words, "s3://photos-of-mine/in/", "-o", "s3://photos-of-mine/out/")
    assert found.code == 0, found.err
    assert imgfix(*words, tmp_path / "in", "-o", tmp_path / "out").code == 0
    bucket.invalidate_cache()
    assert sorted(bucket.find("photos-of-mine/out")) == ["photos-of-mine/out/a.png", "photos-of-mine/out/deep/b.png"]
    assert bucket.cat("photos-of-mine/out/deep/b.png") == (tmp_path / "out" / "deep" / "b.png").read_bytes()
    again = imgfix(*words, "s3://photos-of-mine/in/", "-o", "s3://photos-of-mine/out/", "--skip-existing")
    assert [row["status"] for row in again.items] == ["skipped", "skipped"]
    missing = imgfix(*words, "s3://no-such-bucket/in/", "-o", tmp_path / "out2/")
    assert missing.code == 1 and "s3://no-such-bucket/in/" in missing.err
