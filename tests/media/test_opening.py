"""A name is the name of a file, and a file is what is in it: no protocol, no list of other files."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from imgfix.errors import InputError
from imgfix.media.sound import read_sound
from imgfix.media.video import header
from imgfix.media.video.reader import Reader
from imgfix.tasks.evaluate_video import frames as measured
from imgfix.train.clips import scenes
from tests.media.clips import Recipe, Sound, make

ODD = [
    "12:30.mp4", "http:a.mp4", "file:a.mp4", "subfile,,start,0,end,9,,:a.mp4", "concat:a|b.mp4", "cache:a.mp4", "-.mp4",
]  # fmt: skip
READERS: dict[str, Callable[[Path], object]] = {
    "clip": lambda path: list(Reader(path).frames()),
    "sound": read_sound,
    "measure": lambda path: list(measured(path)),
    "train": lambda path: list(scenes(path, 8)),
}


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip called `secret.mp4` in the current folder."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "secret.mp4", Recipe(times=(0, 0.04, 0.08), sounds=(Sound(seconds=0.5),)))
    return Path("secret.mp4")


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("reader", READERS)
def test_a_clip_is_read_whatever_it_is_called(clip: Path, name: str, reader: str) -> None:
    shutil.copy(clip, name)
    READERS[reader](Path(name))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["file:secret.mp4", "subfile,,start,0,end,0,,:secret.mp4", "concat:secret.mp4"])
def test_a_name_does_not_lead_to_another_file(clip: Path, name: str, reader: str) -> None:
    Path(name).write_bytes(b"junk" * 100)
    with pytest.raises((InputError, ValueError)):
        READERS[reader](Path(name))


@pytest.mark.parametrize("reader", READERS)
def test_a_name_opens_no_connection(clip: Path, reader: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        name = f"http:127.0.0.1:{server.getsockname()[1]}.mp4"
        Path(name).write_bytes(b"junk" * 100)
        with pytest.raises((InputError, ValueError)):
            READERS[reader](Path(name))
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile secret.mp4\n"),
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.1,\nsecret.mp4\n#EXT-X-ENDLIST\n"),
        ("list.mpd", '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>'),
    ],
)
def test_a_list_of_other_files_is_no_clip(clip: Path, name: str, text: str, reader: str) -> None:
    Path(name).write_text(text)
    with pytest.raises((InputError, ValueError)):
        READERS[reader](Path(name))


def test_what_is_not_there_and_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        header.inspect(tmp_path / "a.mp4")
    with pytest.raises(InputError):
        header.inspect(tmp_path)
