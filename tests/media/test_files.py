"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imgfix.errors import OutputError
from imgfix.media.files import atomic_path, atomic_stream, check_writable, output_errors, write_atomic


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_appears_whole_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert content(tmp_path) == ["a.png"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_stream(target) as stream:
        stream.write(b"half")
        raise error
    assert target.read_bytes() == b"old"
    assert content(tmp_path) == ["a.png"]


def test_folders_are_made_and_taken_back_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "x/y/a.png"):
        raise RuntimeError
    assert content(tmp_path) == []
    write_atomic(tmp_path / "x/y/a.png", b"1")
    assert content(tmp_path) == ["a.png", "x", "y"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder that takes no files")
def test_a_folder_that_takes_no_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"/proc/a\.png: /proc takes no new files"):
        write_atomic(Path("/proc/a.png"), b"1")


def test_mode_bits_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "new", b"")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    finally:
        os.umask(before)
    (tmp_path / "old").write_bytes(b"")
    (tmp_path / "old").chmod(0o604)
    write_atomic(tmp_path / "old", b"1")
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o604


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far/real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    dangling = tmp_path / "dangling.png"
    dangling.symlink_to(tmp_path / "far/not-yet.png")
    write_atomic(dangling, b"made")
    assert (tmp_path / "far/not-yet.png").read_bytes() == b"made"


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"through")
    reader.join(10)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "permission"),
        (errno.EACCES, "permission"),
        (errno.ENAMETOOLONG, "too long"),
    ],
)
def test_what_the_system_says_becomes_a_clear_sentence(tmp_path: Path, number: int, words: str) -> None:
    with pytest.raises(OutputError, match=words) as caught, output_errors(tmp_path / "a.png"):
        raise OSError(number, os.strerror(number))
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_a_full_disk_in_the_middle_leaves_no_litter(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="disk is full"), atomic_stream(tmp_path / "a.png") as stream:
        stream.write(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert content(tmp_path) == []


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.png"):
        Path(tmp_path / "other input").read_bytes()


def test_impossible_targets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="is a folder"):
        write_atomic(tmp_path, b"")
    with pytest.raises(OutputError, match="not a folder"):
        write_atomic(tmp_path / "file/a.png", b"")
    with pytest.raises(OutputError, match="too long"):
        write_atomic(tmp_path / ("n" * 300 + ".png"), b"")
    for bad in (tmp_path, tmp_path / "file/a.png"):
        with pytest.raises(OutputError):
            check_writable(bad)
    check_writable(tmp_path / "new/folder/a.png")
    assert content(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the super-user may write everywhere")
def test_a_read_only_folder_is_said_beforehand(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="permission"):
            check_writable(tmp_path / "a.png")
        with pytest.raises(OutputError, match="permission"):
            write_atomic(tmp_path / "a.png", b"")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(OutputError, match="permission"):
        write_atomic(tmp_path / "a.png", b"")


def test_ctrl_c_in_another_process_leaves_no_litter(tmp_path: Path) -> None:
    code = (
        "import sys, time; from imgfix.media.files import atomic_stream\n"
        f"with atomic_stream({str(tmp_path / 'a.png')!r}) as s:\n"
        "    s.write(b'half'); s.flush(); print('ready', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert len(content(tmp_path)) == 1
        child.send_signal(2)
        assert child.wait(60) != 0
    assert content(tmp_path) == []
