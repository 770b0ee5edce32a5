"""`imgfix restore` on clips and animated pictures: what is found once is undone in every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.media import animation
from imgfix.media.video import segments
from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run, litter
from tests.media.clips import EVEN, UNEVEN, Recipe, Sound, look, make
from tests.tasks.scenes import scene, with_noise

SIZE = (192, 160)


def shown(count: int, sigma: float) -> list[np.ndarray]:
    whole = scene(SIZE[1], SIZE[0]) * 0.8
    frames = [with_noise(np.roll(whole, number, axis=1), sigma, seed=number) for number in range(count)]
    return [(frame * 255 + 0.5).astype(np.uint8) for frame in frames]


def clip(path: Path, sigma: float = 20, count: int = 6, **more: object) -> Path:
    recipe = {"times": EVEN[:count], "codec": "ffv1", "pixels": "bgra", **more}
    return make(path, Recipe(size=SIZE, pictures=shown(count, sigma), **recipe))  # type: ignore[arg-type]


def pixels(path: Path) -> list[np.ndarray]:
    return [frame.pixels[..., :3] for frame in Reader(path).frames()]


def lifts(before: list[np.ndarray], after: list[np.ndarray]) -> list[float]:
    """By how much each frame is lighter: the model of these tests adds a tenth."""
    return [float(np.median(new.astype(int) - old)) for old, new in zip(before, after, strict=True)]


@pytest.mark.slow
def test_noise_is_found_once_and_undone_in_every_frame(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(tmp_path / "a.mkv")
    result = imgfix("restore", source, "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["target"] == str(tmp_path / "a_restored.mkv")
    assert item["noise"] == pytest.approx(20, rel=0.15) and item["jpeg"] is None
    assert [step["undoes"] for step in item["steps"]] == [["noise"]] and item["frames"] == 6
    assert lifts(pixels(source), pixels(tmp_path / "a_restored.mkv")) == pytest.approx([25.5] * 6, abs=1)
    assert "noise" in installed and litter(tmp_path) == []


def test_the_line_says_what_was_found_and_done(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    result = imgfix("restore", clip(tmp_path / "a.mkv"))
    assert "found noise" in result.err and "noise by lighter, steadied, 192x160, 6 frames, ffv1" in result.err


def test_frames_are_steadied_unless_told_not_to(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(tmp_path / "a.mkv", sigma=3)
    said = [
        imgfix("restore", source, "-o", tmp_path / f"{n}.mkv", "--denoise", "3", *words).err
        for n, words in enumerate(([], ["--no-steady"]))
    ]
    assert [", steadied," in text for text in said] == [True, False]
    steadied, alone = pixels(tmp_path / "0.mkv"), pixels(tmp_path / "1.mkv")
    assert np.array_equal(steadied[0], alone[0])
    assert all(not np.array_equal(a, b) for a, b in zip(steadied[1:], alone[1:], strict=True))


@pytest.mark.slow
def test_streams_and_frame_times_survive(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(
        tmp_path / "a.mp4", times=UNEVEN, count=12, codec="libx264", pixels="yuv420p", sounds=(Sound(),),
        chapters=((0.0, 0.5, "one"),),
    )  # fmt: skip
    result = imgfix("restore", source, "--denoise", "20", "-o", tmp_path / "b.mp4", "--codec", "hevc", "--crf", "20")
    assert result.code == 0, result.err
    seen = look(tmp_path / "b.mp4")
    assert np.allclose(seen.times, UNEVEN, atol=1e-3) and seen.kinds[:2] == ["video", "audio"]
    assert seen.codecs[0] == "hevc" and seen.chapters == [(0.0, 0.5, "one")]
    assert "restore a.mp4" in " ".join(seen.tags.values()).replace(f"{tmp_path}/", "")


@pytest.mark.slow
def test_a_clean_clip_is_copied_and_not_encoded_again(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(tmp_path / "a.mp4", 0, codec="libx264", pixels="yuv420p", options={"crf": "0"})
    result = imgfix("restore", source)
    assert result.code == 0 and "nothing to do, copied as it is" in result.err, result.err
    assert (tmp_path / "a_restored.mp4").read_bytes() == source.read_bytes()
    assert installed == [] and litter(tmp_path) == []
    (item,) = imgfix("restore", source, "--overwrite", "--json").items
    assert item["copied"] is True and item["steps"] == []
    (planned,) = imgfix("restore", source, "-o", tmp_path / "c.mp4", "--dry-run", "--json").items
    assert planned["status"] == "planned" and not (tmp_path / "c.mp4").exists()


def test_a_clean_clip_is_encoded_where_that_is_asked_for(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(tmp_path / "a.mkv", 0)
    cut = imgfix("restore", source, "--end", "0.12", "-o", tmp_path / "b.mkv")
    assert cut.code == 0 and "nothing to do" in cut.err, cut.err
    assert all(np.array_equal(a, b) for a, b in zip(pixels(source)[:3], pixels(tmp_path / "b.mkv"), strict=True))
    assert imgfix("restore", source, "-o", tmp_path / "c.mp4").code == 0
    assert look(tmp_path / "c.mp4").codecs == ["h264"]


def test_pictures_and_clips_in_one_batch(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    clip(tmp_path / "in" / "a.mkv", count=2)
    Image.fromarray(shown(1, 20)[0]).save(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "broken.mp4").write_text("no video\n" * 99)
    result = imgfix("restore", tmp_path / "in", "-o", tmp_path / "out", "--json")
    assert result.code == 1
    told = {Path(item["source"]).name: item for item in result.items}
    assert told["a.mkv"]["frames"] == 2 and told["b.png"]["status"] == "done"
    assert "looks like text" in told["broken.mp4"]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mkv", "b.png"]


def test_scratches_are_refused_for_clips_and_the_pictures_done(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    source = clip(tmp_path / "in" / "a.mkv", count=2)
    alone = imgfix("restore", source, "--scratches")
    assert alone.code == 2 and "scanned pictures alone" in alone.err and "--scratches" in alone.err
    Image.fromarray(shown(1, 0)[0]).save(tmp_path / "in" / "b.png")
    both = imgfix("restore", tmp_path / "in", "--scratches", "-o", tmp_path / "out")
    assert both.code == 1 and [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_dry_run_tells_frames_memory_and_time(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    source = clip(tmp_path / "a.mkv")
    text = imgfix("restore", source, "--dry-run")
    assert text.code == 0 and "found noise" in text.err and "6 frames" in text.err and "about" in text.err
    (item,) = imgfix("restore", source, "--dry-run", "--json").items
    assert {"noise", "steps", "frames", "memory_bytes", "seconds", "streams", "output"} <= item.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_an_interrupted_run_is_taken_up_with_the_same_bytes(
    imgfix: Run, tmp_path: Path, installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.tasks.restore_frames import RestoreFrames

    monkeypatch.setattr(segments, "LENGTH", 4)
    source, target = clip(tmp_path / "a.mkv", count=10), tmp_path / "b.mkv"
    real, calls = RestoreFrames._one, []

    def breaks(self: RestoreFrames, frame: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) == 7:
            raise RuntimeError("power cut")
        return real(self, frame)

    def interrupted() -> None:
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(RestoreFrames, "_one", breaks)
            assert imgfix("restore", source, "-o", target, "--overwrite").code != 0

    interrupted()
    again = imgfix("restore", source, "-o", target, "--resume", "--json")
    assert again.code == 0 and again.items[0]["resumed"] == 4, again.err
    assert imgfix("restore", source, "-o", tmp_path / "whole.mkv").code == 0
    assert all(np.array_equal(a, b) for a, b in zip(pixels(target), pixels(tmp_path / "whole.mkv"), strict=True))
    target.unlink()
    interrupted()
    other = imgfix("restore", source, "-o", target, "--resume", "--json", "--strength", "0.5")
    assert other.code == 0 and other.items[0]["resumed"] == 0 and "options or the model changed" in other.err


def test_frames_whose_jpeg_artefacts_were_undone_are_not_given_them_again(
    imgfix: Run, tmp_path: Path, installed: list[str]
) -> None:
    from imgfix.media.image import read

    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(shown(2, 0)):
        Image.fromarray(frame).save(tmp_path / f"frames/{number}.jpg", quality=30)
    assert imgfix("restore", tmp_path / "frames", "--frames", "--jpeg", "30").code == 0
    settings = [read(tmp_path / f"frames_restored/{number}.jpg").metadata.jpeg for number in range(2)]
    assert [one.quality for one in settings if one is not None] == [95, 95]


def test_animated_pictures_and_folders_of_frames(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    frames = shown(3, 20)
    pages = [Image.fromarray(frame) for frame in frames]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=50)
    (tmp_path / "frames").mkdir()
    for number, page in enumerate(pages):
        page.save(tmp_path / "frames" / f"{number}.png")
    assert imgfix("restore", tmp_path / "a.png").code == 0
    found = animation.inspect(tmp_path / "a_restored.png")
    assert found.durations == (50, 50, 50)
    assert lifts(frames, [frame[..., :3] for frame in animation.frames(found)]) == pytest.approx([25.5] * 3, abs=1)
    assert imgfix("restore", tmp_path / "frames", "--frames").code == 0
    written = [np.asarray(Image.open(tmp_path / "frames_restored" / f"{number}.png")) for number in range(3)]
    assert lifts(frames, written) == pytest.approx([25.5] * 3, abs=1)


def test_clean_animations_and_folders_are_copied(imgfix: Run, tmp_path: Path, installed: list[str]) -> None:
    pages = [Image.fromarray(frame) for frame in shown(3, 0)]
    (tmp_path / "frames").mkdir()
    for number, page in enumerate(pages):
        page.save(tmp_path / "frames" / f"{number}.jpg", quality=97)
    folder = imgfix("restore", tmp_path / "frames", "--frames")
    assert folder.code == 0 and "copied as it is" in folder.err, folder.err
    for path in (tmp_path / "frames").iterdir():
        assert (tmp_path / "frames_restored" / path.name).read_bytes() == path.read_bytes()
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=50)
    result = imgfix("restore", tmp_path / "a.png")
    assert result.code == 0 and "nothing to do" in result.err
    assert (tmp_path / "a_restored.png").read_bytes() == (tmp_path / "a.png").read_bytes()


def test_python_restores_clips(tmp_path: Path, lighter: Path) -> None:
    import imgfix

    source = clip(tmp_path / "a.mkv", count=3)
    assert imgfix.restore(source, denoise=20, model=str(lighter), output=tmp_path / "b.mkv") is None
    assert lifts(pixels(source), pixels(tmp_path / "b.mkv")) == pytest.approx([25.5] * 3, abs=1)
    clean = clip(tmp_path / "clean.mkv", 0, count=3)
    assert imgfix.restore(clean, output=tmp_path / "c.mkv") is None
    assert (tmp_path / "c.mkv").read_bytes() == clean.read_bytes()
    with pytest.raises(imgfix.errors.UsageError, match="does not fit into an array"):
        imgfix.restore(source)
