"""Further streams of a clip: timecode, pictures beside the pictures, tracks that nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from imgfix.media.video import header, streams
from tests.media.clips import EVEN, Recipe, Sound, make, picture
from tests.pipelines.test_clip import run

START = "01:02:03:04"


def with_timecode(path: Path) -> Path:
    return make(path, Recipe(tags={"timecode": START}, sounds=(Sound(),)))


def with_unknown_track(path: Path) -> Path:
    """A track of timed metadata as cameras write them: that of the timecode, called `mebx`."""
    data = with_timecode(path).read_bytes().replace(b"mhlrtmcd", b"mhlrmeta")
    at = data.index(b"tmcd", data.index(b"stsd", data.index(b"mhlrmeta")))
    path.write_bytes(data[:at] + b"mebx" + data[at + 4 :])
    return path


def timecodes(path: Path) -> set[str]:
    with av.open(str(path)) as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        return {value for each in tags for key, value in each.items() if key.lower() == "timecode"}


@pytest.mark.parametrize("name", ["b.mov", "b.mp4", "b.mkv"])
def test_a_timecode_stays(tmp_path: Path, name: str) -> None:
    done = run(with_timecode(tmp_path / "a.mov"), tmp_path / name)
    assert timecodes(tmp_path / name) == {START}
    assert "dropped" not in " ".join(done.notes)


def test_a_timecode_that_cannot_be_held_is_named(tmp_path: Path) -> None:
    done = run(with_timecode(tmp_path / "a.mov"), tmp_path / "b.ts")
    assert "the timecode (an mpegts file does not hold it)" in " ".join(done.notes)


@pytest.mark.parametrize("name", ["b.mov", "b.mp4", "b.mkv", "b.ts"])
def test_a_track_that_nobody_knows_is_dropped_and_named(tmp_path: Path, name: str) -> None:
    source = with_unknown_track(tmp_path / "a.mov")
    assert [info.kind for info in header.inspect(source).streams] == ["video", "audio", "data"]
    done = run(source, tmp_path / name)
    assert "dropped: data unknown" in " ".join(done.notes)
    with av.open(str(tmp_path / name)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]


def test_what_a_container_refuses_is_known_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The muxer is given the first packet of each stream, for some refuse only that."""
    source = make(tmp_path / "a.mkv", Recipe(sounds=(Sound(),)))

    class Refusing:
        """An output that fails at the first packet of a copy."""

        def __init__(self, real: Any) -> None:
            self.real = real

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def __enter__(self) -> Refusing:
            self.real.__enter__()
            return self

        def __exit__(self, *failure: object) -> None:
            self.real.__exit__(*failure)

        def mux(self, packet: Any) -> None:
            raise av.ArgumentError(22, "Invalid argument")

    opened = av.open
    monkeypatch.setattr(streams.av, "open", lambda *given, **how: Refusing(opened(*given, **how)))
    found = streams.plan(header.inspect(source), "mp4")
    assert [each.way for each in found.carried] == ["convert"]


def two_films(path: Path, name: str = "libx264") -> Path:
    """Two streams of pictures, whose frames are not stored in the order in which they are shown."""
    with av.open(str(path), "w") as out:
        made = []
        for size in ((96, 64), (64, 48)):
            stream = out.add_stream(name, rate=25, options={"bf": "3", "g": "50"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            made.append(stream)
        packets = []
        for number in range(len(EVEN)):
            for stream in made:
                frame = av.VideoFrame.from_ndarray(picture(number, (stream.width, stream.height)))
                frame.pts = number
                packets += stream.encode(frame)
        for stream in made:
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


def shown(path: Path, number: int) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[number]
        return [round(float(frame.pts * stream.time_base), 3) for frame in container.decode(stream)]


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4", "b.mov"])
@pytest.mark.parametrize("source", ["a.mkv", "a.mp4"])
def test_a_second_stream_of_pictures_keeps_its_frames_and_times(tmp_path: Path, source: str, target: str) -> None:
    made = two_films(tmp_path / source)
    assert len(shown(made, 1)) == len(EVEN)
    run(made, tmp_path / target)
    assert shown(tmp_path / target, 1) == shown(made, 1)
    with av.open(str(tmp_path / target)) as container:
        times = [packet.dts for packet in container.demux(video=1) if packet.size and packet.dts is not None]
        assert times == sorted(set(times))
