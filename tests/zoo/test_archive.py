"""One member out of an archive, whatever the archive tries."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from imgfix.errors import DownloadError
from imgfix.zoo import archive

FILES = {"pkg/data/a.bin": b"first", "pkg/data/b.param": b"second", "pkg/__init__.py": b"raise SystemExit"}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return path


def make_tar(path: Path, files: dict[str, bytes], top: str = "pkg-1.0/") -> Path:
    with tarfile.open(path, "w:gz") as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(params=["wheel", "sdist", "tar with full names"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "wheel":
        return make_zip(tmp_path / "pkg.whl", FILES)
    return make_tar(tmp_path / "pkg.tar.gz", FILES, "pkg-1.0/" if request.param == "sdist" else "")


def test_just_the_named_members_are_unpacked_in_their_order(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    paths = archive.extract(package, ["pkg/data/b.param", "pkg/data/a.bin"], out)
    assert [path.read_bytes() for path in paths] == [b"second", b"first"]
    assert sorted(out.iterdir()) == sorted(paths)
    assert [path.suffix for path in paths] == [".param", ".bin"]


def test_a_member_that_is_not_there_is_named(package: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"pkg/data/c\.bin is not in this archive"):
        archive.extract(package, ["pkg/data/a.bin", "pkg/data/c.bin"], tmp_path / "out")


def test_a_damaged_archive_is_refused(package: Path, tmp_path: Path) -> None:
    package.write_bytes(package.read_bytes()[:60])
    with pytest.raises(DownloadError, match="pkg"):
        archive.extract(package, ["pkg/data/a.bin"], tmp_path / "out")


@pytest.mark.parametrize("name", ["../../evil.bin", "/tmp/evil.bin", "pkg/../../evil.bin"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_cannot_choose_where_it_is_written(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "in" / "pkg"
    path.parent.mkdir()
    package = make_zip(path, {name: b"evil"}) if kind == "zip" else make_tar(path, {name: b"evil"}, "")
    (written,) = archive.extract(package, [name], tmp_path / "out")
    assert written.parent == tmp_path / "out"
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_folder_is_not_a_member(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pkg.tgz", "w:gz") as opened:
        info = tarfile.TarInfo("package/model.bin")
        info.type, info.linkname = kind, "/etc/passwd"
        opened.addfile(info)
    with pytest.raises(DownloadError, match="not a plain file"):
        archive.extract(tmp_path / "pkg.tgz", ["package/model.bin"], tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_of_monstrous_size_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SIZE_LIMIT", 1000)
    files = {"big.bin": bytes(5000)}
    package = make_zip(tmp_path / "p", files) if kind == "zip" else make_tar(tmp_path / "p", files, "")
    with pytest.raises(DownloadError, match="5000 bytes"):
        archive.extract(package, ["big.bin"], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))
