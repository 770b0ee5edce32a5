"""Frames of video files: their times, what is bridged, what is refused."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.media.video import header
from imgfix.media.video.reader import Reader, TimeRange
from tests.media.clips import EVEN, UNEVEN, Recipe, Sound, make, picture


def seconds(reader: Reader) -> list[float]:
    return [round(float(frame.time * reader.time_base), 4) for frame in reader.frames()]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.ts"])
@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_every_frame_comes_with_its_time(tmp_path: Path, name: str, b_frames: str) -> None:
    if name == "a.avi" and b_frames != "0":
        pytest.skip("FFmpeg does not write B-frames into AVI")
    times = EVEN if name in ("a.avi",) else UNEVEN
    recipe = Recipe(times=times, options={"bf": b_frames}, time_base=Fraction(1, 25 if name == "a.avi" else 1000))
    reader = Reader(make(tmp_path / name, recipe))
    got = seconds(reader)
    assert np.allclose(np.array(got) - got[0], times, atol=2e-3)
    assert reader.cut_off is None and reader.problems == []


def test_frames_are_those_of_the_file_in_order(tmp_path: Path) -> None:
    reader = Reader(make(tmp_path / "a.mp4", Recipe(options={"crf": "1", "bf": "2"}, pixels="yuv444p")))
    for number, frame in enumerate(reader.frames()):
        assert np.abs(frame.pixels.astype(int) - picture(number)).mean() < 2
    assert number == 23 == reader.count - 1


def test_skipped_frames_change_nothing_in_those_behind(tmp_path: Path) -> None:
    reader = Reader(make(tmp_path / "a.mp4", Recipe(times=UNEVEN)))
    whole = list(reader.frames())
    rest = list(reader.frames(skip=7))
    assert [frame.time for frame in rest] == [frame.time for frame in whole[7:]]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(rest, whole[7:], strict=True))


def test_a_part_begins_at_zero_and_has_the_frames_between(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", Recipe(options={"g": "8"}))
    reader = Reader(clip, TimeRange(0.4, 0.6))
    assert np.allclose(seconds(reader), [0, 0.04, 0.08, 0.12, 0.16])
    assert reader.count == 5
    first = next(reader.frames())
    assert np.abs(first.pixels.astype(int) - picture(10)).mean() < 8


def test_frames_can_be_spaced_evenly(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4", Recipe(times=UNEVEN))
    for rate in (Fraction(10), Fraction(50)):
        reader = Reader(clip, TimeRange(rate=rate))
        frames = list(reader.frames())
        assert [frame.time for frame in frames] == list(range(len(frames)))
        assert abs(len(frames) - 1.04 * rate) <= 1
        assert reader.time_base == 1 / rate
    repeated = [frame.pixels for frame in frames]
    assert any(a is b for a, b in pairwise(repeated)), "nothing is converted twice"


@pytest.mark.parametrize(("degrees", "flip"), [(90, False), (180, False), (270, False), (0, True), (90, True)])
def test_turned_pictures_can_be_set_upright(tmp_path: Path, degrees: int, flip: bool) -> None:
    given = picture(3)
    recipe = Recipe(times=(0.0,), pictures=[given], rotation=degrees, flip=flip, options={"crf": "1"}, pixels="yuv444p")
    reader = Reader(make(tmp_path / "a.mp4", recipe), upright=True)
    (frame,) = reader.frames()
    # As PyAV defines it: turned counter-clockwise, then mirrored.
    expected = np.rot90(given, degrees // 90)
    expected = expected[:, ::-1] if flip else expected
    assert reader.size == (frame.pixels.shape[1], frame.pixels.shape[0])
    assert frame.pixels.shape == expected.shape
    assert np.abs(frame.pixels.astype(int) - expected).mean() < 3


def test_a_broken_frame_is_bridged_and_told(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.avi", Recipe(codec="mjpeg", pixels="yuvj420p", time_base=Fraction(1, 25)))
    data = bytearray(clip.read_bytes())
    starts = [
        at for at in range(len(data) - 8) if data[at : at + 4] == b"00dc" and data[at + 8 : at + 10] == b"\xff\xd8"
    ]
    for at in range(starts[10] + 8, starts[11] - 2):
        data[at] = 0
    clip.write_bytes(data)
    reader = Reader(clip)
    frames = list(reader.frames())
    assert len(frames) == 24 and reader.bridged == 1
    assert frames[10].pixels is frames[9].pixels
    assert [round(float(frame.time * reader.time_base), 2) for frame in frames] == [round(t, 2) for t in EVEN]
    assert len(reader.notes) == 1 and "0.40 s" in reader.notes[0]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_file_that_is_cut_off_gives_what_it_has(tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    times = [i / 25 for i in range(100)]
    base = Fraction(1, 25) if name == "a.avi" else Fraction(1, 1000)
    clip = make(tmp_path / name, Recipe(times=times, time_base=base, options={**options, "g": "5", "bf": "0"}))
    if name == "a.mp4":
        clip = faststart(clip, tmp_path / "b.mp4")
    whole = clip.read_bytes()
    clip.write_bytes(whole[: int(len(whole) * 0.6)])
    reader = Reader(clip)
    count = sum(1 for _ in reader.frames())
    assert 30 < count < 90
    assert reader.cut_off is not None


def faststart(source: Path, target: Path) -> Path:
    """Put the index at the front, as most files from the network have it."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return target


def test_a_header_tells_what_the_file_is(tmp_path: Path) -> None:
    recipe = Recipe(
        codec="libx265", pixels="yuv420p10le", options={"x265-params": "log-level=error"}, matrix=9, primaries=9,
        size=(96, 64), transfer=16, aspect=Fraction(4, 3), sounds=(Sound(), Sound(language="fra")), rotation=90,
    )  # fmt: skip
    head = header.inspect(make(tmp_path / "a.mp4", recipe))
    assert (head.codec, head.width, head.height, head.frames) == ("hevc", 96, 64, 24)
    assert (head.pixels.bits, head.pixels.chroma, head.hdr, head.aspect) == (10, "420", "PQ", Fraction(4, 3))
    assert head.matrix is not None and not head.interlaced
    assert [str(track) for track in head.others] == ["audio aac eng", "audio aac fra"]


def test_interlaced_pictures_are_recognised(tmp_path: Path) -> None:
    recipe = Recipe(codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1"}, time_base=Fraction(1, 25))
    assert not header.inspect(
        make(tmp_path / "p.mpg", Recipe(codec="mpeg2video", time_base=Fraction(1, 25)))
    ).interlaced
    assert header.inspect(make(tmp_path / "i.mpg", recipe)).interlaced


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"some text that is no video\n" * 20, "looks like text"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x10\x00mdat" + b"\x55" * 2000, "index is missing"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_refused_with_a_reason(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        header.inspect(path)
    assert str(path) in caught.value.message and caught.value.hint


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="no moving pictures: it holds only audio"):
        header.inspect(tmp_path / "sound.mp4")


def test_frames_that_cannot_be_decoded_are_told_from_a_file_without_any(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.avi", Recipe(codec="mjpeg", pixels="yuvj420p", time_base=Fraction(1, 25)))
    data = bytearray(clip.read_bytes())
    at = data.index(b"movi") + 4
    while data[at : at + 4] == b"00dc":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        data[at + 8 : at + 8 + size] = bytes(size)
        at += 8 + size + size % 2
    clip.write_bytes(data)
    with pytest.raises(InputError, match="not one of its 24 frames"):
        header.inspect(clip)


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    import av

    source = make(tmp_path / "a.mp4")
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "01" * 16, "encryption_kid": "02" * 16}
    with av.open(str(source)) as given, av.open(str(tmp_path / "e.mp4"), "w", options=options) as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    with pytest.raises(InputError, match="is encrypted"):
        header.inspect(tmp_path / "e.mp4")


@pytest.mark.parametrize("name", ["a.mpg", "a.ts", "a.mkv", "a.avi", "a.mp4"])
def test_a_part_is_the_same_whether_or_not_one_can_seek_to_it(tmp_path: Path, name: str) -> None:
    times = [i / 25 for i in range(100)]
    codec = "mpeg2video" if name == "a.mpg" else "libx264"
    clip = make(tmp_path / name, Recipe(times=times, codec=codec, time_base=Fraction(1, 25), options={"g": "12"}))
    whole = [frame.pixels for frame in Reader(clip).frames()]
    part = [frame.pixels for frame in Reader(clip, TimeRange(2.0, 2.4)).frames()]
    assert len(part) == 10
    at = next(number for number, pixels in enumerate(whole) if np.array_equal(pixels, part[0]))
    assert abs(at - 50) <= 1
    assert all(np.array_equal(a, b) for a, b in zip(part, whole[at:], strict=False))


def test_a_start_beyond_the_end_is_refused(tmp_path: Path) -> None:
    clip = make(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"0\.96 seconds long, and start 5 is beyond"):
        Reader(clip, TimeRange(5.0))
