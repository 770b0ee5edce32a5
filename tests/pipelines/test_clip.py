"""A whole clip through a sequence task: what is in the file that comes out."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError, OutputError, UsageError
from imgfix.media.video import segments
from imgfix.media.video.encoding import EncoderOptions
from imgfix.media.video.pacing import Pacing
from imgfix.media.video.reader import Reader, TimeRange
from imgfix.media.video.segments import Journal
from imgfix.pipelines.moving.clip import Clip, Done, Settings
from imgfix.tasks.interpolate import ByFlow
from imgfix.tasks.sequence import FrameResult, Restart, stages
from tests.media.clips import EVEN, UNEVEN, Recipe, Seen, Sound, interlaced, look, make, picture
from tests.tasks.doubling import Doubling, Remembering

ROOT = Path(__file__).parents[2]
LOSSLESS = EncoderOptions(options={"qp": "0"}, pixels="yuv444p")


def cover() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(data, "JPEG")
    return data.getvalue()


def run(source: Path, target: Path, task: Any = None, settings: Settings | None = None) -> Done:
    return Clip(source, target, settings or Settings()).run(task or Doubling(), {"model": "doubling"})


def double(source: Path, target: Path, **settings: Any) -> Seen:
    run(source, target, settings=Settings(**settings))
    assert not segments.folder_of(target).exists()
    return look(target)


RICH = Recipe(
    times=UNEVEN,
    options={"bf": "3"},
    sounds=(Sound(seconds=1.1), Sound(start=0.35, layout="mono", language="fra", seconds=0.6)),
    subtitles=((0.1, 0.4, "Guten Tag"), (0.5, 0.9, "Auf Wiedersehen")),
    chapters=((0.0, 0.5, "one"), (0.5, 1.0, "two")),
    aspect=Fraction(4, 3),
    tags={"title": "A clip", "artist": "someone"},
)


def assert_same(before: Seen, after: Seen, frame: float = 0.04, sound: float = 0.03) -> None:
    """Streams, times, texts, chapters and tags are those of the source."""
    assert after.kinds == before.kinds
    assert after.codecs[1:] == before.codecs[1:]
    assert np.allclose(after.times, before.times, atol=2e-3)
    for kind, old, new in zip(before.kinds, before.starts, after.starts, strict=True):
        if kind in ("video", "audio"):
            assert old is not None and new is not None and abs(old - new) <= 2e-3
    for kind, old_end, new_end in zip(before.kinds, before.ends, after.ends, strict=True):
        if kind in ("video", "audio"):
            assert abs(old_end - new_end) <= (frame if kind == "video" else sound)
    assert after.texts == before.texts
    assert after.chapters == before.chapters
    for key in ("title", "artist"):
        assert after.tags.get(key, after.tags.get(key.upper())) == before.tags.get(key, before.tags.get(key.upper()))


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_everything_in_a_file_survives(tmp_path: Path, name: str) -> None:
    recipe = RICH
    extra: dict[str, Any] = {"subtitle_codec": "ass" if name == "a.mkv" else "mov_text"}
    if name == "a.mkv":
        extra["attachment"] = ("font.ttf", "font/ttf", b"glyphs" * 50)
    if name == "a.mp4":
        extra["cover"] = cover()
    before = look(make(tmp_path / name, Recipe(**{**recipe.__dict__, **extra})))
    after = double(tmp_path / name, tmp_path / f"out{name[1:]}")
    assert_same(before, after)
    assert [frame.width for frame in after.frames] == [96] * 12
    assert after.attachments == before.attachments
    assert after.languages[1:3] == ["eng", "fra"]
    head = Reader(tmp_path / f"out{name[1:]}").header
    assert head.aspect == Fraction(4, 3)


@pytest.mark.parametrize("name", ["a.webm", "a.avi", "a.ts"])
def test_containers_that_hold_less_keep_sound_and_times(tmp_path: Path, name: str) -> None:
    webm, avi = name == "a.webm", name == "a.avi"
    recipe = Recipe(
        codec="libvpx-vp9" if webm else "mpeg4" if avi else "libx264",
        sounds=(Sound("libopus" if webm else "mp3" if avi else "aac"),),
        time_base=Fraction(1, 25) if avi else Fraction(1, 1000),
    )
    before = look(make(tmp_path / name, recipe))
    after = double(tmp_path / name, tmp_path / f"out{name[1:]}")
    assert after.kinds == before.kinds
    assert after.codecs == ["vp9", "opus"] if webm else ["h264", before.codecs[1]]
    start = before.times[0], after.times[0]
    assert np.allclose(np.array(after.times) - start[1], np.array(before.times) - start[0], atol=2e-3)
    offsets = [seen.starts[1] - seen.times[0] for seen in (before, after)]  # type: ignore[operator]
    assert abs(offsets[0] - offsets[1]) <= 0.041


def test_what_a_container_does_not_hold_is_converted_or_named(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(**{**RICH.__dict__, "subtitle_codec": "ass",
                                               "attachment": ("f.ttf", "font/ttf", b"x")}))  # fmt: skip
    done = run(source, tmp_path / "a.webm")
    after = look(tmp_path / "a.webm")
    assert after.codecs == ["vp9", "opus", "opus", "webvtt"]
    assert [text for _, _, text in after.texts] == ["Guten Tag", "Auf Wiedersehen"]
    assert np.allclose(after.times, UNEVEN, atol=2e-3)
    told = " | ".join(done.notes)
    assert "audio aac eng to libopus" in told and "attachment f.ttf (a webm file does not hold it)" in told
    # 1024 samples of the AAC encoder's run-up are gone, 6.5 ms of the Opus encoder's are there.
    assert after.starts[2] is not None and abs(after.starts[2] - 0.35 + 0.0065) < 0.003


@pytest.mark.parametrize("name", ["12:30.mp4", "http:out.mkv", "file:out.mp4"])
def test_a_clip_is_written_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    source = make(Path("a.mp4"), Recipe(sounds=(Sound(),)))
    assert double(source, Path(name)).kinds == ["video", "audio"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.mp4", name])


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(sounds=(Sound(),)))
    assert double(source, tmp_path / "b.mp4", audio=False).kinds == ["video"]


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_sound_is_copied_whatever_its_channels(tmp_path: Path, layout: str) -> None:
    source = make(tmp_path / "a.mkv", Recipe(sounds=(Sound(layout=layout),)))
    double(source, tmp_path / "b.mkv")
    data = []
    for name in ("a.mkv", "b.mkv"):
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.audio[0].codec_context.layout.name == layout
            data.append([bytes(packet) for packet in container.demux(audio=0)])
    assert data[0] == data[1]


@pytest.mark.parametrize(
    ("pixels", "codec", "name"),
    [
        ("yuv420p10le", "libx264", "a.mp4"),
        ("yuv444p", "libx264", "a.mp4"),
        ("yuv422p", "libx264", "a.mkv"),
        ("yuv422p10le", "prores_ks", "a.mov"),
        ("gray", "libx264", "a.mkv"),
        ("yuv420p10le", "libx265", "a.mp4"),
        ("yuv420p10le", "libsvtav1", "a.mkv"),
        ("bgra", "ffv1", "a.mkv"),
        ("yuva420p", "libvpx-vp9", "a.webm"),
        ("yuva420p", "libvpx-vp9", "a.mkv"),
        ("rgba", "png", "a.mov"),
        ("rgb24", "png", "a.mov"),
        ("argb", "qtrle", "a.mov"),
        ("bgr24", "libx264rgb", "a.mkv"),
        ("bgr24", "libx264rgb", "a.mp4"),
        ("yuva444p10le", "prores_ks", "a.mov"),
    ],
)
def test_depth_chroma_codec_and_alpha_stay(tmp_path: Path, pixels: str, codec: str, name: str) -> None:
    options = {"libx265": {"x265-params": "log-level=error"}, "libvpx-vp9": {"auto-alt-ref": "0"}}.get(codec, {})
    source = make(tmp_path / name, Recipe(times=EVEN[:4], size=(96, 64), pixels=pixels, codec=codec, options=options))
    run(source, tmp_path / f"out{name[1:]}")
    before, after = Reader(source).header, Reader(tmp_path / f"out{name[1:]}").header
    assert after.codec == before.codec
    assert (after.pixels.bits, after.pixels.alpha) == (before.pixels.bits, before.pixels.alpha)
    assert after.pixels.chroma == before.pixels.chroma


def test_pictures_are_those_that_the_task_made(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(pixels="yuv444p", options={"qp": "0"}))
    run(source, tmp_path / "b.mp4", settings=Settings(encoder=LOSSLESS))
    given = [frame.pixels for frame in Reader(source).frames()]
    made = [frame.pixels for frame in Reader(tmp_path / "b.mp4").frames()]
    for before, after in zip(given, made, strict=True):
        assert np.abs(after.astype(int) - before.repeat(2, 0).repeat(2, 1)).max() <= 2


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_stays_a_tag_where_there_is_one_and_is_applied_where_not(tmp_path: Path, degrees: int) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:3], rotation=degrees))
    for name in ("b.mp4", "b.mkv", "b.mov"):
        seen = double(source, tmp_path / name)
        assert (seen.frames[0].rotation % 360, seen.frames[0].width) == (degrees, 96)
    done = run(source, tmp_path / "b.webm")
    turned = look(tmp_path / "b.webm").frames[0]
    assert turned.rotation == 0 and (turned.width, turned.height) == ((64, 96) if degrees != 180 else (96, 64))
    assert any("turned upright" in note for note in done.notes)


def test_colour_tags_stay_and_missing_ones_are_named(tmp_path: Path) -> None:
    tagged = make(tmp_path / "a.mp4", Recipe(times=EVEN[:2], matrix=1, primaries=1, transfer=1, full=True))
    run(tagged, tmp_path / "b.mp4")
    colour = Reader(tmp_path / "b.mp4").header.colour
    assert (colour.matrix, colour.primaries, colour.transfer, colour.full, colour.assumed) == (1, 1, 1, True, False)
    run(make(tmp_path / "c.mp4", Recipe(times=EVEN[:2])), tmp_path / "d.mp4", Doubling(16))
    found = Reader(tmp_path / "d.mp4").header
    assert (found.height, found.colour.matrix, found.colour.assumed) == (512, 6, False)


def test_hdr_is_kept_with_its_light_levels_or_refused(tmp_path: Path) -> None:
    light = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
    source = make(
        tmp_path / "a.mp4",
        Recipe(times=EVEN[:3], size=(96, 64), codec="libx265", pixels="yuv420p10le", matrix=9, primaries=9, transfer=16,
               options={"x265-params": f"log-level=error:hdr10=1:{light}"}),
    )  # fmt: skip
    run(source, tmp_path / "b.mp4")
    before, after = Reader(source).header, Reader(tmp_path / "b.mp4").header
    assert (after.hdr, after.pixels.bits, after.codec) == ("PQ", 10, "hevc")
    assert before.light == light == after.light
    with pytest.raises(InputError, match="HDR"):
        Clip(source, tmp_path / "c.mp4", Settings(encoder=EncoderOptions(codec="h264", pixels="yuv420p")))


def test_odd_sizes_are_filled_up_where_the_codec_wants_even_ones(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN[:3], size=(47, 31), codec="ffv1", pixels="yuv420p"))
    kept = double(source, tmp_path / "b.mkv", encoder=EncoderOptions(codec="ffv1"))
    assert (kept.frames[0].width, kept.frames[0].height) == (94, 62)
    same = Clip(source, tmp_path / "c.mp4")
    same.run(Doubling(1), {})
    frame = look(tmp_path / "c.mp4").frames[0]
    assert (frame.width, frame.height) == (48, 32)


@pytest.mark.parametrize("size", [(97, 63), (96, 63), (97, 64), (15, 9), (1, 1)])
def test_lossless_clips_of_any_size_stay_as_they_are(tmp_path: Path, size: tuple[int, int]) -> None:
    recipe = Recipe(times=EVEN[:2], size=size, codec="ffv1", pixels="yuv420p", options={"slices": "1"})
    source = make(tmp_path / "a.mkv", recipe)
    run(source, tmp_path / "b.mkv", Doubling(1))
    assert Reader(tmp_path / "b.mkv").size == size


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_the_transparency_of_webm_stays(tmp_path: Path, codec: str) -> None:
    alpha = np.repeat(np.linspace(0, 255, 96).round().astype(np.uint8)[None], 64, 0)
    with av.open(str(tmp_path / "a.webm"), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"auto-alt-ref": "0", "crf": "10", "b": "4M"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuva420p"
        for number in range(4):
            shown = np.dstack([picture(number, (96, 64)), alpha])
            frame = av.VideoFrame.from_ndarray(shown, format="rgba").reformat(format="yuva420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    for source, target in (("a.webm", "b.webm"), ("b.webm", "c.mkv")):
        done = run(tmp_path / source, tmp_path / target, Doubling(1))
        assert not any("transparency" in note for note in done.notes)
        frames = [frame.pixels for frame in Reader(tmp_path / target).frames()]
        assert len(frames) == 4
        assert all(np.abs(frame[..., 3].astype(int) - alpha).max() <= 8 for frame in frames)
    dropped = run(tmp_path / "a.webm", tmp_path / "d.mp4", Doubling(1))
    assert any("transparency is dropped" in note for note in dropped.notes)
    with av.open(str(tmp_path / "d.mp4")) as container:
        assert "alpha_mode" not in {key.lower() for key in container.streams.video[0].metadata}


def test_a_part_of_a_clip_has_its_part_of_everything(tmp_path: Path) -> None:
    times = [i / 25 for i in range(50)]
    recipe = Recipe(**{**RICH.__dict__, "times": times, "sounds": (Sound(seconds=2),),
                       "chapters": ((0, 0.9, "one"), (0.9, 1.3, "two"), (1.3, 2, "three"))})  # fmt: skip
    source = make(tmp_path / "a.mp4", recipe)
    seen = double(source, tmp_path / "b.mp4", time_range=TimeRange(0.6, 1.2))
    assert np.allclose(seen.times, [i / 25 for i in range(15)])
    assert seen.starts[1] is not None and 0 <= seen.starts[1] < 0.03
    assert abs(seen.ends[1] - 0.6) < 0.03
    assert seen.chapters == [(0.0, 0.3, "one"), (0.3, 0.6, "two")]
    assert [(a, b) for a, b, _ in seen.texts] == [(0.0, 0.3)]


def test_the_frame_rate_can_be_set(tmp_path: Path) -> None:
    seen = double(
        make(tmp_path / "a.mp4", Recipe(times=UNEVEN)), tmp_path / "b.mp4", time_range=TimeRange(rate=Fraction(10))
    )
    assert np.allclose(seen.times, np.arange(len(seen.times)) / 10)


def test_a_file_that_does_not_say_how_many_frames_it_has(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN))
    data = source.read_bytes()
    at = data.index(b"\x44\x89\x88")  # the element Duration of Matroska
    source.write_bytes(data[:at] + b"\xec\x89" + bytes(9) + data[at + 11 :])
    seen_total = []
    clip = Clip(source, tmp_path / "b.mkv")
    done = clip.run(Doubling(), {}, progress=lambda count, total: seen_total.append((count, total)))
    assert done.frames == 24 and seen_total[-1] == (24, 24)


# -- interruptions -----------------------------------------------------------------------------------------------------


class Interrupting(Doubling):
    """Works like another task and breaks off at a frame."""

    def __init__(self, task: Any, at: int, error: BaseException) -> None:
        super().__init__()
        self.task, self.at, self.error = task, at, error
        self.held, self.fills_cpu = task.held, task.fills_cpu

    def size(self, width: int, height: int) -> tuple[int, int]:
        return self.task.size(width, height)

    def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
        number = restart.index if restart else 0
        for made in self.task.run(frames, restart):
            if number == self.at:
                raise self.error
            yield made
            number += 1


@pytest.mark.parametrize("fills_cpu", [False, True])
def test_only_work_that_leaves_cores_free_is_prefetched(fills_cpu: bool) -> None:
    threads = {}

    class Watched(Doubling):
        def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
            for made in super().run(frames, restart):
                threads["work"] = threading.current_thread()
                yield made

    def frames() -> Iterator[np.ndarray]:
        for number in range(5):
            threads["decoding"] = threading.current_thread()
            yield np.full((2, 2, 3), number, np.uint8)

    made = [each.frame[0, 0, 0] for each in stages(Watched(fills_cpu=fills_cpu), frames(), depth=2)]
    assert made == [0, 1, 2, 3, 4]
    assert threads["decoding"] is not threading.current_thread()
    assert (threads["work"] is threading.current_thread()) == fills_cpu


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of eight frames."""
    monkeypatch.setattr(segments, "LENGTH", 8)


@pytest.mark.parametrize("task", [Doubling(), Remembering(), Remembering(fills_cpu=True)])
@pytest.mark.parametrize("at", [[15], [20], [8, 16, 23]])
def test_an_interrupted_job_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, short: None, task: Doubling, at: list[int]
) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=[t * 2 for t in EVEN], sounds=(Sound(start=0.2),)))
    whole, target = tmp_path / "whole.mp4", tmp_path / "parts.mp4"
    run(source, whole, task)
    for place in at:
        with pytest.raises(KeyboardInterrupt) as caught:
            run(source, target, Interrupting(task, place, KeyboardInterrupt()), Settings(resume=True))
        assert not target.exists()
        if segments.folder_of(target).exists():
            assert "`resume` goes on" in caught.value.__notes__[0]
    done = run(source, target, task, Settings(resume=True))
    assert done.resumed > 0 and done.frames == 24
    assert target.read_bytes() == whole.read_bytes()
    assert not segments.folder_of(target).exists()


def test_a_clip_that_somebody_else_writes_is_left_to_them(tmp_path: Path, short: None) -> None:
    """Two processes on one output took each other's parts away, and both failed."""
    source, target = make(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    refused = []

    class Rival(Doubling):
        def run(self, frames: Iterator[np.ndarray], restart: Restart | None = None) -> Iterator[FrameResult]:
            for number, made in enumerate(super().run(frames, restart)):
                if number == 12:
                    with pytest.raises(OutputError, match="is being written by another process") as caught:
                        run(source, target, settings=Settings(overwrite=True))
                    refused.append(caught.value)
                yield made

    assert run(source, target, Rival(), Settings(overwrite=True)).frames == 24
    assert len(refused) == 1 and len(look(target).times) == 24
    assert not segments.folder_of(target).exists()


@pytest.mark.parametrize("task", [Doubling(), Remembering()])
@pytest.mark.parametrize("pacing", [Pacing(2), Pacing(3), Pacing(rate=Fraction(60)), Pacing(rate=Fraction(7))])
def test_a_smoothed_clip_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, short: None, task: Doubling, pacing: Pacing
) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=[t * 2 for t in EVEN], sounds=(Sound(start=0.2),)))
    settings, job = Settings(resume=True, pacing=pacing), {"model": "doubling"}
    whole, target = tmp_path / "whole.mp4", tmp_path / "parts.mp4"
    done = Clip(source, whole, settings).run(task, job, between=ByFlow())
    for place in (9, 17, 22):
        with pytest.raises(KeyboardInterrupt):
            Clip(source, target, settings).run(Interrupting(task, place, KeyboardInterrupt()), job, between=ByFlow())
    again = Clip(source, target, settings).run(task, job, between=ByFlow())
    assert again.frames == done.frames == len(look(whole).times)
    assert again.resumed > 0 or done.frames < 16
    assert target.read_bytes() == whole.read_bytes()


def test_an_interlaced_clip_goes_on_with_the_same_bytes(tmp_path: Path, short: None) -> None:
    source = make(tmp_path / "a.mpg", interlaced(20))
    whole, target = tmp_path / "whole.mp4", tmp_path / "parts.mp4"
    run(source, whole)
    with pytest.raises(KeyboardInterrupt):
        run(source, target, Interrupting(Doubling(), 12, KeyboardInterrupt()))
    again = run(source, target, settings=Settings(resume=True, deinterlace="off"))
    assert again.resumed == 0 and "comb lines" in again.notes[-1]
    combed = target.read_bytes()
    target.unlink()
    with pytest.raises(KeyboardInterrupt):
        run(source, target, Interrupting(Doubling(), 12, KeyboardInterrupt()))
    done = run(source, target, settings=Settings(resume=True))
    assert done.resumed == 8 and done.frames == 20 and "interlaced frames are deinterlaced" in done.notes[-1]
    assert target.read_bytes() == whole.read_bytes() != combed


def test_nothing_is_left_when_nothing_was_finished(tmp_path: Path, short: None) -> None:
    source = make(tmp_path / "a.mp4")
    for target in ("b.mp4", "new/folder/b.mp4"):
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / target, Interrupting(Doubling(), 5, KeyboardInterrupt()))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def interrupted(tmp_path: Path) -> tuple[Path, Path]:
    source, target = make(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    with pytest.raises(KeyboardInterrupt):
        run(source, target, Interrupting(Doubling(), 20, KeyboardInterrupt()))
    return source, target


def test_finished_parts_are_not_thrown_away_by_accident(tmp_path: Path, short: None) -> None:
    source, target = interrupted(tmp_path)
    with pytest.raises(OutputError, match="16 finished frames") as caught:
        run(source, target)
    assert caught.value.hint is not None and "resume" in caught.value.hint
    assert run(source, target, settings=Settings(overwrite=True)).resumed == 0


def test_a_result_that_is_to_be_replaced_can_be_taken_up_too(tmp_path: Path, short: None) -> None:
    source, target = interrupted(tmp_path)
    target.write_bytes(b"old")
    assert run(source, target, settings=Settings(overwrite=True, resume=True)).resumed == 16
    assert len(look(target).times) == 24


@pytest.mark.parametrize("change", ["source", "options", "encoding", "damage"])
def test_a_job_that_changed_begins_anew_and_says_why(tmp_path: Path, short: None, change: str) -> None:
    source, target = interrupted(tmp_path)
    settings, job = Settings(resume=True), {"model": "doubling"}
    words = {"source": "the source changed", "options": "the options or the model changed",
             "encoding": "how the result is encoded changed", "damage": None}[change]  # fmt: skip
    if change == "source":
        make(source, Recipe(pictures=[picture(i + 3) for i in range(24)]))
    elif change == "options":
        job = {"model": "another"}
    elif change == "encoding":
        settings = Settings(resume=True, encoder=EncoderOptions(crf=30))
    else:
        (segments.folder_of(target) / "00000.seg").unlink()
    said: list[str] = []
    done = Clip(source, target, settings).run(Doubling(), job, say=said.append)
    assert done.resumed == 0 and done.frames == 24
    assert said == [] if words is None else words in said[0]


def test_lines_that_a_crash_left_half_written_are_ignored(tmp_path: Path, short: None) -> None:
    source, target = interrupted(tmp_path)
    journal = segments.folder_of(target) / "journal.jsonl"
    with journal.open("a") as stream:
        stream.write('{"number": 2, "first": 16, "tim')
    (segments.folder_of(target) / "00002.seg.part").write_bytes(b"half")
    whole = tmp_path / "whole.mp4"
    run(source, whole)
    assert run(source, target, settings=Settings(resume=True)).resumed == 16
    assert target.read_bytes() == whole.read_bytes()


def test_a_journal_that_says_something_else_than_was_written_is_not_believed(tmp_path: Path, short: None) -> None:
    """A digit fewer in the times of a segment moved every frame behind it, and the run ended in the middle."""
    source, target = interrupted(tmp_path)
    journal = segments.folder_of(target) / "journal.jsonl"
    lines = journal.read_text().splitlines()
    whole = tmp_path / "whole.mp4"
    run(source, whole)
    for number, kept in ((2, 8), (1, 0), (0, 0)):
        changed = [line.replace("512", "51") if at == number else line for at, line in enumerate(lines)]
        changed[0] = lines[0].replace('"threads": ', '"threads": 1') if number == 0 else lines[0]
        journal.write_text("\n".join(changed) + "\n")
        found = Journal.read(target)
        assert (found.frames if found else 0) == kept
    assert run(source, target, settings=Settings(resume=True)).frames == 24
    assert target.read_bytes() == whole.read_bytes()


def test_sound_that_nothing_decodes_is_left_out_and_named(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:6], sounds=(Sound(seconds=0.3),)))
    source.write_bytes(source.read_bytes().replace(b"mp4a", b"zzzz").replace(b"esds", b"zzzz"))
    done = run(source, tmp_path / "b.mp4")
    assert done.frames == 6 and "dropped: audio" in "; ".join(done.notes + done.streams.notes)


def test_a_rate_that_no_clip_has_does_not_stop_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=(0.0, 0.04, 0.08)))
    for rate in (Fraction(1, 10**12), Fraction(10**12)):
        monkeypatch.setattr(Pacing, "frame_rate", lambda *_, rate=rate: rate)
        clip = Clip(source, tmp_path / "b.mkv", Settings(overwrite=True))
        clip.rehearse(96, 64)
        assert clip.run(Doubling(), {"model": "doubling"}).frames == 3


def test_a_job_that_died_while_joining_only_joins(tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgfix.media.video import join

    source, target = make(tmp_path / "a.mp4"), tmp_path / "b.mp4"

    def dies(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(join, "join", dies)
        with pytest.raises(KeyboardInterrupt):
            run(source, target)
    done = run(
        source, target, Interrupting(Doubling(), 0, AssertionError("nothing is to be made")), Settings(resume=True)
    )
    assert done.resumed == done.frames == 24


@pytest.mark.slow
def test_a_process_killed_at_random_moments_goes_on_with_the_same_frames(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=[i / 25 for i in range(60)], sounds=(Sound(seconds=2),)))
    whole, parts = tmp_path / "whole.mp4", tmp_path / "parts.mp4"
    command = [sys.executable, "-m", "tests.pipelines.clip_process", str(source)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, str(whole), "0", "-1"], env=environment, check=True, timeout=300, cwd=ROOT)
    rng = random.Random(7)

    def finished() -> int:
        found = Journal.read(parts)
        return found.frames if found is not None else 0

    kept = []
    for count in (1, 2, 3):
        # It waits before it could end, so that it is killed in time however busy the machine is.
        process = subprocess.Popen([*command, str(parts), "0.02", str(8 * count + 30)], env=environment, cwd=ROOT)
        deadline = time.monotonic() + 300
        while finished() < 8 * count:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.wait()
        kept.append(finished())
    assert kept[-1] > kept[0] > 0 and not parts.exists()
    last = subprocess.run([*command, str(parts), "0", "-1"], env=environment, check=True, capture_output=True, cwd=ROOT)
    assert f"going on after frame {kept[-1]}" in last.stdout.decode()
    assert parts.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "parts.mp4", "whole.mp4"]


def test_a_full_disk_loses_nothing(tmp_path: Path, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = make(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    close = segments.SegmentWriter.close

    def full(self: segments.SegmentWriter, number: int, *arguments: Any) -> segments.Segment:
        if number == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return close(self, number, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(segments.SegmentWriter, "close", full)
        with pytest.raises(OutputError, match="the disk is full") as caught:
            run(source, target)
    assert caught.value.hint is not None and "8 frames are finished" in caught.value.hint
    assert run(source, target, settings=Settings(resume=True)).resumed == 8
    assert look(target).times == look(source).times


def test_a_journal_is_small_and_readable(tmp_path: Path, short: None) -> None:
    _, target = interrupted(tmp_path)
    lines = [json.loads(line) for line in (segments.folder_of(target) / "journal.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {"source", "job", "written", "threads", "crc"}
    assert [line["first"] for line in lines[1:]] == [0, 8]


def test_a_source_that_is_cut_off_gives_what_it_has_and_an_error(tmp_path: Path) -> None:
    times = [i / 25 for i in range(100)]
    source = make(tmp_path / "a.mkv", Recipe(times=times, options={"g": "5"}, sounds=(Sound(seconds=4),)))
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    with pytest.raises(InputError, match="is cut off after"):
        run(source, tmp_path / "b.mkv")
    seen = look(tmp_path / "b.mkv")
    assert 30 < len(seen.times) < 90 and seen.kinds == ["video", "audio"]
    assert not segments.folder_of(tmp_path / "b.mkv").exists()


@pytest.mark.parametrize(("name", "options"), [
    ("a.mkv", {}), ("a.avi", {}), ("a.mp4", {"movflags": "+faststart"}),
])  # fmt: skip
def test_a_source_that_is_cut_off_is_told_before_the_work_by_its_packets(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    times = [i / 25 for i in range(200)]
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    source = make(tmp_path / name, Recipe(times=times, codec=codec, options={"g": "5"}, time_base=Fraction(1, 25)))
    if options:
        with av.open(str(source)) as old, av.open(str(tmp_path / f"fast-{name}"), "w", options=options) as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            for packet in old.demux(old.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    new.mux(packet)
        source = tmp_path / f"fast-{name}"
    assert Reader(source).ends_early() is None
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    assert Reader(cut).ends_early() is not None
    assert Reader(cut, TimeRange(end=1.0)).ends_early() is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (EncoderOptions(codec="h265x"), "no video codec 'h265x'"),
        (EncoderOptions(preset="mediun"), "preset 'mediun'"),
        (EncoderOptions(codec="h264", crf=99), "out of range"),
        (EncoderOptions(codec="h264", options={"tunee": "x"}), "no option 'tunee'"),
        (EncoderOptions(codec="dnxhd"), "does not hold dnxhd"),
        (EncoderOptions(pixels="yuv421p"), "pixel format 'yuv421p'|does not take"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_a_near_name(
    tmp_path: Path, wanted: EncoderOptions, words: str
) -> None:
    source = make(tmp_path / "a.mov", Recipe(times=EVEN[:2]))
    with pytest.raises(UsageError, match=words) as caught:
        Clip(source, tmp_path / "b.3gp", Settings(encoder=wanted))
    assert caught.value.hint


def test_an_encoder_that_refuses_is_told_before_any_work(tmp_path: Path) -> None:
    clip = Clip(
        make(tmp_path / "a.mp4"), tmp_path / "b.mp4", Settings(encoder=EncoderOptions(options={"tune": "nonsense"}))
    )
    with pytest.raises(UsageError, match="does not take these settings"):
        clip.rehearse(96, 64)
