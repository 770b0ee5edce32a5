"""`imgfix upscale` on clips and animated pictures, as its user sees it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from imgfix.media import animation
from imgfix.media.video import segments
from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run, litter, save_photo
from tests.media.clips import EVEN, UNEVEN, Recipe, Sound, interlaced, look, make, picture

TWO_SECONDS = tuple(i / 25 for i in range(50))


def pixels(path: Path) -> list[np.ndarray]:
    return [frame.pixels for frame in Reader(path).frames()]


def test_a_clip_becomes_a_larger_clip_beside_it(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = make(tmp_path / "clip.mp4", Recipe(times=UNEVEN, sounds=(Sound(),)))
    result = imgfix("upscale", source, "--model", plain, "--device", "cpu", "--precision", "fp32")
    assert result.code == 0, result.err
    assert result.err.splitlines()[0] == "plain-x2 (x2) on cpu, fp32"
    assert "48x32 -> 96x64, 12 frames, libx264 yuv420p with 1 audio" in result.err.splitlines()[1]
    seen = look(tmp_path / "clip_x2.mp4")
    assert np.allclose(seen.times, UNEVEN, atol=1e-3) and seen.kinds == ["video", "audio"]
    for before, after in zip(pixels(source), pixels(tmp_path / "clip_x2.mp4"), strict=True):
        assert np.abs(after.astype(int)[::2, ::2] - before).mean() < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip_x2.mp4"]


def test_pictures_and_clips_in_one_folder(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    save_photo(tmp_path / "in" / "photo.png")
    make(tmp_path / "in" / "clip.mkv", Recipe(times=EVEN[:3]))
    make(tmp_path / "in" / "deep" / "old.ogv.mkv", Recipe(times=EVEN[:3]))
    result = imgfix("upscale", tmp_path / "in", "-r", "-o", tmp_path / "out", "--model", tiny, "--json")
    assert result.code == 0, result.err
    by_name = {Path(item["source"]).name: item for item in result.items}
    assert by_name["photo.png"]["output"]["width"] == 64
    assert by_name["clip.mkv"]["frames"] == 3 and by_name["clip.mkv"]["output"]["codec"] == "h264"
    assert (tmp_path / "out" / "deep" / "old.ogv.mkv").is_file()


def test_json_tells_frames_speed_streams_and_what_was_dropped(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(
        tmp_path / "a.mkv",
        Recipe(times=EVEN[:5], sounds=(Sound(),), attachment=("font.ttf", "font/ttf", b"x"), subtitle_codec="ass",
               subtitles=((0.0, 0.1, "hello"),), chapters=((0.0, 0.2, "one"),)),
    )  # fmt: skip
    result = imgfix("upscale", source, "-o", tmp_path / "b.mp4", "--model", tiny, "--json")
    (item,) = result.items
    assert (item["status"], item["frames"], item["resumed"], item["chapters"]) == ("done", 5, 0, 1)
    assert item["seconds"] > 0 and item["fps"] > 0 and item["model"] == "tiny-x2"
    assert item["input"]["codec"] == "h264" and item["output"]["encoder"] == "libx264"
    assert [(each["kind"], each["way"]) for each in item["streams"]] == [("audio", "copy"), ("subtitle", "convert")]
    assert item["dropped"] == ["attachment font.ttf (an mp4 file does not hold it)"]
    assert any("mov_text" in warning for warning in item["warnings"])
    assert item["output"]["bytes"] == (tmp_path / "b.mp4").stat().st_size


def test_a_dry_run_fails_for_a_clip_that_is_cut_off(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=[i / 25 for i in range(100)]))
    assert imgfix("upscale", source, "--model", tiny, "--dry-run").code == 0
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    found = imgfix("upscale", source, "--model", tiny, "--dry-run")
    assert found.code == 1 and "is cut off" in found.err
    assert imgfix("upscale", source, "--model", tiny, "--dry-run", "--end", "0.5").code == 0


def test_dry_run_tells_the_plan_and_touches_nothing(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(sounds=(Sound(),)))
    text = imgfix("upscale", source, "--model", tiny, "--dry-run")
    assert text.code == 0 and "96x64, 24 frames, libx264 yuv420p with 1 audio, about" in text.err
    (item,) = imgfix("upscale", source, "--model", tiny, "--dry-run", "--json").items
    assert {"frames", "memory_bytes", "seconds", "streams", "dropped", "output"} <= item.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_part_of_a_clip_with_other_settings(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=TWO_SECONDS, sounds=(Sound(seconds=2),)))
    result = imgfix(
        "upscale", source, "-o", tmp_path / "b.mkv", "--model", tiny, "--start", "0:00.4", "--end", "1", "--fps", "10",
        "--no-audio", "--codec", "ffv1", "--pix-fmt", "yuv444p", "-e", "slices=4", "--scale", "1.5",
    )  # fmt: skip
    assert result.code == 0, result.err
    seen = look(tmp_path / "b.mkv")
    assert seen.kinds == ["video"] and seen.codecs == ["ffv1"] and seen.frames[0].format.name == "yuv444p"
    assert (seen.frames[0].width, seen.frames[0].height) == (72, 48)
    assert np.allclose(seen.times, np.arange(6) / 10)


def test_interlaced_clips_are_made_whole_and_it_is_said(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = make(tmp_path / "a.mpg", interlaced(6))
    result = imgfix("upscale", source, "-o", tmp_path / "b.mp4", "--model", plain)
    assert result.code == 0 and "interlaced frames are deinterlaced" in result.err, result.err
    left = imgfix("upscale", source, "-o", tmp_path / "c.mp4", "--model", plain, "--deinterlace", "off")
    assert left.code == 0 and "--deinterlace on takes them away" in left.err, left.err
    lines = []
    for name in ("b.mp4", "c.mp4"):
        frames = np.stack(pixels(tmp_path / name))[..., 1].astype(float)[:, ::2]
        assert len(frames) == 6
        lines.append(np.abs(frames[:, 1:-1] - (frames[:, :-2] + frames[:, 2:]) / 2).mean())
    assert lines[0] < 3 and lines[1] > 8


def test_odd_sizes_are_rounded_to_what_the_codec_takes(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:2]))
    assert imgfix("upscale", source, "-o", tmp_path / "b.mp4", "--model", tiny, "--scale", "1.55").code == 0
    frame = look(tmp_path / "b.mp4").frames[0]
    assert (frame.width, frame.height) == (74, 50)


def test_identical_frames_are_computed_once(
    imgfix: Run, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.tasks import frames

    calls = []
    real = frames.upscale
    monkeypatch.setattr(frames, "upscale", lambda *a, **k: (calls.append(1), real(*a, **k))[1])
    shown = [picture(number // 4) for number in range(12)]
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN[:12], codec="ffv1", pixels="bgra", pictures=shown))
    assert imgfix("upscale", source, "--model", tiny).code == 0
    assert len(calls) == 3


# -- what can go wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--codec", "h265x"], "did you mean"),
        (["--codec", "h264", "--preset", "mediun"], "did you mean medium"),
        (["--preset", "mediun"], "did you mean medium"),
        (["--pix-fmt", "yuv420"], "did you mean"),
        (["--codec", "h264", "-e", "tun=film"], "did you mean"),
        (["-e", "tune"], "KEY=VALUE"),
        (["--start", "soon"], "not a time"),
        (["--start", "5", "--end", "4"], "is not behind"),
        (["--fps", "0"], "out of range"),
        (["--deinterlace", "yes"], "choose auto, on, off"),
        (["--codec", "h264", "--crf", "200"], "out of range"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(
    imgfix: Run, tmp_path: Path, tiny: Path, words: list[str], told: str
) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:2]))
    result = imgfix("upscale", source, "--model", tiny, *words)
    assert result.code == 2 and told in result.err, result.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_bad_files_are_told_and_the_rest_is_done(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    good = make(tmp_path / "good.mp4", Recipe(times=EVEN[:3]))
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    (tmp_path / "empty.mkv").write_bytes(b"")
    (tmp_path / "sound.m4a").write_bytes(only_sound(tmp_path / "sound.mp4").read_bytes())
    cut = make(tmp_path / "cut.mp4", Recipe(times=EVEN))
    cut.write_bytes(cut.read_bytes()[:1500])  # its index stood at the end
    sources = sorted(path for path in tmp_path.iterdir() if path.is_file())
    result = imgfix("upscale", *sources, "-o", f"{tmp_path / 'out'}/", "--model", tiny, "--json")
    assert result.code == 1
    told = {Path(item["source"]).name: item for item in result.items}
    assert "sound.mp4 has no moving pictures" in told["sound.mp4"]["error"]
    assert "sound.m4a has no moving pictures" in told["sound.m4a"]["error"]
    assert told["good.mp4"]["status"] == "done" and (tmp_path / "out" / good.name).is_file()
    assert "looks like text" in told["text.mp4"]["error"]
    assert "is empty" in told["empty.mkv"]["error"]
    assert "index is missing" in told["cut.mp4"]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.mp4"]


def only_sound(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        out.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def test_a_clip_that_is_cut_off_is_done_as_far_as_it_goes(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=TWO_SECONDS, options={"g": "5"}))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    result = imgfix("upscale", source, "-o", tmp_path / "b.mkv", "--model", tiny)
    assert result.code == 1 and "is cut off after" in result.err and "b.mkv" in result.err
    assert 10 < len(look(tmp_path / "b.mkv").times) < 45


def test_files_with_a_wrong_extension_are_taken_for_what_they_are(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    make(tmp_path / "a.mp4", Recipe(times=EVEN[:3])).rename(tmp_path / "a.mkv")
    assert imgfix("upscale", tmp_path / "a.mkv", "-o", tmp_path / "b.mp4", "--model", tiny).code == 0
    save_photo(tmp_path / "photo.png").rename(tmp_path / "photo.mp4")
    result = imgfix("upscale", tmp_path / "photo.mp4", "-o", tmp_path / "c.png", "--model", tiny)
    assert result.code == 0, result.err
    assert Image.open(tmp_path / "c.png").size == (64, 48)


def test_a_start_beyond_the_end_is_told(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    result = imgfix("upscale", make(tmp_path / "a.mp4"), "--model", tiny, "--start", "9")
    assert result.code == 1 and "0.96 seconds long" in result.err
    assert not (tmp_path / "a_x2.mp4").exists()


def test_a_clip_on_stdin_or_stdout_is_refused_with_a_remedy(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:2]))
    piped = imgfix("upscale", "-", "--model", tiny, stdin=source.read_bytes())
    assert piped.code == 1 and "video" in piped.err and "file" in piped.err
    out = imgfix("upscale", source, "-o", "-", "--model", tiny)
    assert out.code == 2 and "cannot be written to stdout" in out.err


def test_a_folder_that_cannot_be_written_is_told_before_the_work(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:2]))
    (tmp_path / "file").write_text("in the way")
    result = imgfix("upscale", source, "-o", tmp_path / "file" / "b.mp4", "--model", tiny)
    assert result.code == 1 and "is a file, not a folder" in result.err


# -- interruptions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(tmp_path: Path, tiny: Path) -> tuple[Path, list[object]]:
    """A clip of 200 frames, four segments, and the words of a command that takes a few seconds for it."""
    times = [i / 25 for i in range(200)]
    source = make(tmp_path / "long.mp4", Recipe(times=times, sounds=(Sound(seconds=8),)))
    # Each frame on its own is a place to go on from.
    return source, ["upscale", source, "--model", tiny, "--no-steady", "--precision", "fp32", "--device", "cpu"]


INTERRUPTS_ITSELF = """
import signal
from imgfix import cli
from imgfix.media.video.segments import Journal

add = Journal.add

def then_ctrl_c(self, segment, state):
    add(self, segment, state)
    if segment.number == 1:
        signal.raise_signal(signal.SIGINT)

Journal.add = then_ctrl_c
cli.main()
"""


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(
    start: Callable[..., subprocess.Popen[bytes]], slow: tuple[Path, list[object]], tmp_path: Path, imgfix: Run
) -> None:
    """The signal comes from the process itself, when its second part is closed: no clock, no luck."""
    _, command = slow
    target = tmp_path / "b.mp4"
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTS_ITSELF)
    process = start(*command, "-o", target, script=script)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert b"0 done, 1 not" in err and b"120 frames are finished" in err and b"--resume goes on" in err, err
    assert not target.exists() and litter(tmp_path) == []
    again = imgfix(*command, "-o", target)
    assert again.code == 1 and "--resume" in again.err
    resumed = imgfix(*command, "-o", target, "--resume", "--json")
    assert resumed.code == 0 and resumed.items[0]["resumed"] == 120
    assert len(look(target).times) == 200


@pytest.mark.parametrize(
    "moment", ["after the file is in its place", "while the parts are removed", "while it is told"]
)
def test_ctrl_c_that_comes_too_late_finds_the_clip_finished(
    imgfix: Run, tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    source, target = make(tmp_path / "a.mp4", Recipe(times=EVEN[:6])), tmp_path / "b.mp4"
    with monkeypatch.context() as patch:
        if moment == "after the file is in its place":
            replace = Path.replace

            def replaced(self: Path, other: Path) -> Path:
                done = replace(self, other)
                if Path(other) == target:
                    raise KeyboardInterrupt
                return done

            patch.setattr(Path, "replace", replaced)
        elif moment == "while the parts are removed":
            remove, calls = segments.remove, []

            def removed(path: Path) -> None:
                calls.append(path)
                if len(calls) == 1:  # the second clears away what was left
                    raise KeyboardInterrupt
                remove(path)

            patch.setattr(segments, "remove", removed)
        else:
            patch.setattr("imgfix.pipelines.pictures.bytes_written", interrupts)
        result = imgfix("upscale", source, "-o", target, "--model", tiny, "--json")
    assert result.code == 130 and "1 done, 0 not" in result.err, result.err
    assert "--resume" not in result.err
    assert [item["status"] for item in result.items] == ["done"]
    assert len(look(target).times) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def interrupts(*arguments: object) -> None:
    raise KeyboardInterrupt


# -- animated pictures and folders -------------------------------------------------------------------------------------


DURATIONS = [50, 100, 200, 70, 90, 400]


def moving(path: Path, alpha: bool, loop: int | None = 3) -> Path:
    """A square that walks to the right and changes its colour."""
    frames = []
    clear = 0 if path.suffix == ".gif" else 1  # Pillow makes other GIFs than these opaque
    for number in range(6):
        array = np.full((32, 48, 4), (20, 30, 60, clear if alpha else 255), np.uint8)
        array[4:20, 4 + number * 4 : 20 + number * 4] = (200, number * 40, 50, 255)
        frames.append(Image.fromarray(array if alpha else array[..., :3]))
    options = {"loop": loop} if loop is not None else {}
    if path.suffix in (".gif", ".png"):
        options["disposal"] = 2 if path.suffix == ".gif" else 1
    if path.suffix == ".webp":
        options["lossless"] = True
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS, **options)
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("alpha", [False, True])
def test_animated_pictures_stay_animated(imgfix: Run, tmp_path: Path, plain: Path, suffix: str, alpha: bool) -> None:
    source = moving(tmp_path / f"a{suffix}", alpha)
    result = imgfix("upscale", source, "--model", plain, "--json")
    assert result.code == 0, result.err
    assert result.items[0]["frames"] == 6
    before, after = animation.inspect(source), animation.inspect(tmp_path / f"a_x2{suffix}")
    assert (after.width, after.height, after.format) == (96, 64, before.format)
    assert after.durations == before.durations == tuple(DURATIONS)
    assert (after.loop, after.alpha, after.lossless) == (3, alpha, True)
    pairs = zip(animation.frames(before), animation.frames(after), strict=True)
    for old, new in pairs:
        seen = new[..., 3] > 128 if alpha else np.ones(new.shape[:2], bool)
        wanted = old.repeat(2, 0).repeat(2, 1)
        assert (seen == (wanted[..., 3] > 128) if alpha else seen).mean() > 0.97
        inside = seen & (wanted[..., 3] > 128 if alpha else True)
        assert np.abs(new[..., :3].astype(int) - wanted[..., :3])[inside].mean() < 4


@pytest.mark.parametrize(("suffix", "side"), [(".gif", 40_000), (".webp", 9_000)])
def test_frames_too_large_for_their_format_are_refused_before_the_work(
    imgfix: Run, tmp_path: Path, suffix: str, side: int
) -> None:
    frames = [Image.new("RGB", (side, 2), colour) for colour in ("red", "blue")]
    source = tmp_path / f"wide{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=100)
    result = imgfix("upscale", source, "--model", "nearest", "--scale", "2")
    assert result.code == 1
    assert f"holds at most {65535 if suffix == '.gif' else 16383} pixels a side" in result.err
    assert list(tmp_path.iterdir()) == [source]
    (tmp_path / "folder").mkdir()
    frames[0].save(tmp_path / "folder" / f"0{suffix}")
    words = ("upscale", tmp_path / "folder", "--frames", "-o", tmp_path / "out", "--model", "nearest", "--scale", "2")
    assert "pixels a side" in imgfix(*words).err
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_an_animation_that_plays_for_ever_or_once_does_so_still(
    imgfix: Run, tmp_path: Path, tiny: Path, suffix: str
) -> None:
    for loop in (0, 1):
        source = moving(tmp_path / f"a{loop}{suffix}", False, loop)
        assert imgfix("upscale", source, "--model", tiny).code == 0
        assert animation.inspect(tmp_path / f"a{loop}_x2{suffix}").loop == animation.inspect(source).loop


def test_an_animation_can_change_its_format_or_become_a_video(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    source = moving(tmp_path / "a.gif", False)
    assert imgfix("upscale", source, "-o", tmp_path / "b.webp", "--model", tiny).code == 0
    assert animation.inspect(tmp_path / "b.webp").durations == tuple(DURATIONS)
    assert imgfix("upscale", source, "-o", tmp_path / "b.mp4", "--model", tiny).code == 0
    seen = look(tmp_path / "b.mp4")
    assert np.allclose(seen.times, [0, 0.05, 0.15, 0.35, 0.42, 0.51])
    assert seen.frames[0].format.name == "yuv420p", "or half of all players would not play it"
    still = imgfix("upscale", source, "-o", tmp_path / "b.jpg", "--model", tiny)
    assert still.code == 0 and "only the first" in still.err


def test_a_picture_of_one_frame_is_a_picture(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    save_photo(tmp_path / "a.gif")
    (item,) = imgfix("upscale", tmp_path / "a.gif", "--model", tiny, "--json").items
    assert "frames" not in item and item["output"]["format"] == "GIF"


def test_options_of_clips_are_named_when_they_say_nothing(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    result = imgfix("upscale", moving(tmp_path / "a.png", False), "--model", tiny, "--crf", "20")
    assert result.code == 0 and "--crf: only for video files" in result.err


def test_a_folder_of_frames_goes_as_one_clip(imgfix: Run, tmp_path: Path, tiny: Path) -> None:
    for number in (1, 2, 10):
        save_photo(tmp_path / "frames" / f"f{number}.png", seed=number)
    result = imgfix("upscale", tmp_path / "frames", "--frames", "--no-steady", "--model", tiny, "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["frames"] == 3 and item["target"] == str(tmp_path / "frames_x2")
    alone = imgfix("upscale", tmp_path / "frames", "-o", tmp_path / "alone", "--model", tiny)
    assert alone.code == 0
    for number in (1, 2, 10):
        made = [np.asarray(Image.open(tmp_path / name / f"f{number}.png")) for name in ("frames_x2", "alone")]
        assert np.array_equal(*made)
    assert imgfix("upscale", tmp_path / "frames", "--frames", "--model", tiny).code == 1, "it is there already"
    save_photo(tmp_path / "frames" / "f11.png", size=(40, 24))
    odd = imgfix("upscale", tmp_path / "frames", "--frames", "--model", tiny, "--overwrite")
    assert odd.code == 1 and "f11.png does not fit" in odd.err


def test_python_upscales_clips(tmp_path: Path, tiny: Path) -> None:
    import imgfix

    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:3], time_base=Fraction(1, 1000)))
    assert imgfix.upscale(source, model=str(tiny), output=tmp_path / "b.mp4") is None
    assert len(look(tmp_path / "b.mp4").times) == 3
    with pytest.raises(imgfix.errors.UsageError, match="does not fit into an array"):
        imgfix.upscale(source, model=str(tiny))


def test_frames_between_frames_keep_times_length_and_sound(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=UNEVEN, sounds=(Sound(seconds=1.04),)))
    result = imgfix(
        "upscale", source, "-o", tmp_path / "b.mkv", "--model", plain, "--smooth", "2", "--smooth-model", "flow"
    )
    assert result.code == 0, result.err
    assert "24 frames" in result.err and "flow (classical)" in result.err
    before, after = look(source), look(tmp_path / "b.mkv")
    ends = [*before.times[1:], before.ends[0]]
    middles = [(time + end) / 2 for time, end in zip(before.times, ends, strict=True)]
    assert np.allclose(after.times[::2], before.times, atol=1e-6)
    assert np.allclose(after.times[1::2], middles, atol=6e-4)  # Matroska counts milliseconds
    assert after.kinds == before.kinds and abs(after.ends[0] - before.ends[0]) < 2e-3
    assert abs(after.ends[1] - before.ends[1]) < 0.03


def test_a_rate_is_reached_by_frames_between(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe())
    result = imgfix(
        "upscale", source, "-o", tmp_path / "b.mp4", "--model", plain, "--smooth", "auto", "--fps", "60",
        "--smooth-model", "flow",
    )  # fmt: skip
    assert result.code == 0, result.err
    seen = look(tmp_path / "b.mp4")
    assert np.allclose(seen.times, np.arange(58) / 60, atol=1e-4)
    frames = pixels(tmp_path / "b.mp4")
    assert all(not np.array_equal(one, other) for one, other in pairwise(frames[:50]))


def test_without_a_model_nothing_else_makes_frames_silently(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:3]))
    result = imgfix("upscale", source, "--model", plain, "--smooth", "2")
    assert result.code == 3
    assert "imgfix weights pull rife-3.8" in result.err and "--smooth-model flow" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_an_animation_is_smoothed_in_the_time_it_takes(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    frames = [Image.fromarray(picture(n)) for n in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[50, 100, 30, 70], loop=0)
    result = imgfix("upscale", tmp_path / "a.gif", "--model", plain, "--smooth", "2", "--smooth-model", "flow")
    assert result.code == 0, result.err
    made = animation.inspect(tmp_path / "a_x2.gif")
    assert sum(made.durations) == 250 and min(made.durations) >= 20
    assert len(made.durations) >= 6 and "too short for GIF to divide" in result.err
    wrong = imgfix("upscale", tmp_path / "a.gif", "-o", tmp_path / "b.gif", "--model", plain, "--smooth", "auto",
                   "--fps", "50", "--smooth-model", "flow")  # fmt: skip
    assert wrong.code == 2 and "--smooth 2" in wrong.err


def test_a_folder_of_frames_is_numbered_anew(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    for n in range(8, 11):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(picture(n)).save(tmp_path / "in" / f"shot-{n:02d}.png")
    result = imgfix("upscale", tmp_path / "in", "--frames", "-o", tmp_path / "out", "--model", plain, "--smooth", "3",
                    "--smooth-model", "flow")  # fmt: skip
    assert result.code == 0, result.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"shot-{n:02d}.png" for n in range(8, 17)]


def test_one_pass_restores_upscales_and_smooths(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    generator = np.random.default_rng(1)
    noisy = [
        np.clip(picture(n, (96, 64)) + generator.normal(0, 20, (64, 96, 3)), 0, 255).astype(np.uint8) for n in range(6)
    ]
    source = make(
        tmp_path / "a.mkv", Recipe(times=EVEN[:6], size=(96, 64), pictures=noisy, options={"qp": "0"}, pixels="yuv444p")
    )
    result = imgfix("upscale", source, "-o", tmp_path / "b.mkv", "--model", plain, "--restore", "--smooth", "2",
                    "--smooth-model", "flow", "--json")  # fmt: skip
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["frames"] == 12 and item["output"]["width"] == 192
    assert item["noise"] > 5 and "noise" in item["steps"][0]["undoes"]
    clean = np.stack([picture(n, (96, 64)) for n in range(6)]).astype(float)
    made = np.stack(pixels(tmp_path / "b.mkv"))[::2, ::2, ::2]
    assert np.abs(made - clean).mean() < 0.7 * np.abs(np.stack(noisy) - clean).mean()


def test_frames_that_are_made_one_by_one_are_steadied_unless_told_not_to(
    imgfix: Run, tmp_path: Path, plain: Path
) -> None:
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN[:4], size=(96, 64), codec="ffv1", pixels="yuv444p"))
    heard = {}
    for name, words in {"usual": [], "on": ["--steady"], "off": ["--no-steady"], "filter": []}.items():
        model = "bicubic" if name == "filter" else plain
        result = imgfix("upscale", source, "-o", tmp_path / f"{name}.mkv", "--model", model, *words)
        assert result.code == 0, result.err
        heard[name] = "steadied" in result.err
    assert heard == {"usual": True, "on": True, "off": False, "filter": False}
    usual, told, off = (pixels(tmp_path / f"{name}.mkv") for name in ("usual", "on", "off"))
    assert all(np.array_equal(a, b) for a, b in zip(usual, told, strict=True))
    assert np.array_equal(usual[0], off[0]) and not np.array_equal(usual[-1], off[-1])


def test_animated_pictures_are_steadied_only_when_told_to(imgfix: Run, tmp_path: Path, plain: Path) -> None:
    source = moving(tmp_path / "a.webp", alpha=False)
    heard = [
        imgfix("upscale", source, "-o", tmp_path / f"{n}.webp", "--model", plain, *words).err
        for n, words in enumerate(([], ["--steady"]))
    ]
    assert ["  steadied, " in text.replace("\n", " ") for text in heard] == [False, True]


def test_a_steadied_clip_goes_on_after_an_interruption_with_the_same_frames(
    imgfix: Run, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.tasks import steady

    source = make(tmp_path / "a.mkv", Recipe(times=TWO_SECONDS, size=(96, 64), codec="ffv1", pixels="yuv444p"))
    words = ["--model", plain, "--device", "cpu", "--precision", "fp32"]
    assert imgfix("upscale", source, "-o", tmp_path / "whole.mkv", *words).code == 0
    monkeypatch.setattr(segments, "LENGTH", 8)
    real, count = steady.blended, 0

    def broken(*given: object) -> object:
        nonlocal count
        count += 1
        if count == 45:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(steady, "blended", broken)
    assert imgfix("upscale", source, "-o", tmp_path / "parts.mkv", *words).code == 130
    monkeypatch.setattr(steady, "blended", real)
    again = imgfix("upscale", source, "-o", tmp_path / "parts.mkv", *words, "--resume", "--json")
    assert again.code == 0 and again.items[0]["resumed"] > 0, again.err
    whole, parts = pixels(tmp_path / "whole.mkv"), pixels(tmp_path / "parts.mkv")
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
