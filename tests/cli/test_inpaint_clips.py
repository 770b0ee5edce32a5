"""`imgfix inpaint` on clips and animated pictures: every kind of mask, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from imgfix.media import animation
from imgfix.media.video import segments
from imgfix.media.video.reader import Reader
from tests.cli.conftest import Run, litter, save_photo
from tests.media.clips import EVEN, UNEVEN, Recipe, Sound, look, make, picture

SIZE = (48, 32)
LOSSLESS = ("--codec", "ffv1", "--model", "telea")
COUNT = 6
HOLE = (slice(8, 18), slice(20, 32))  # rows, columns


PAINT = (255, 0, 255)


def painted(masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The frames of a clip with something in the way where the masks are; what it hides is `picture(number)`."""
    shown = [picture(number) for number in range(len(masks))]
    for frame, mask in zip(shown, masks, strict=True):
        frame[mask > 0] = PAINT
    return shown


def plain(path: Path, masks: int | Sequence[np.ndarray] = COUNT, **more: object) -> Path:
    """A clip whose frames come back from its file as they are; `masks`: how many frames, or what is painted over."""
    shown = [picture(number) for number in range(masks)] if isinstance(masks, int) else painted(masks)
    recipe = Recipe(times=EVEN[: len(shown)], codec="ffv1", pixels="bgra", pictures=shown, **more)  # type: ignore[arg-type]
    return make(path, recipe)


def pixels(path: Path, upright: bool = False) -> list[np.ndarray]:
    return [frame.pixels[..., :3] for frame in Reader(path, upright=upright).frames()]


def sheet(left: int = 20, size: tuple[int, int] = SIZE, white: bool = True) -> np.ndarray:
    mask = np.zeros(size[::-1], np.uint8)
    mask[8:18, left : left + 12] = 255 * white
    return mask


def save(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def film(path: Path, masks: Sequence[np.ndarray], codec: str = "ffv1", pixels: str = "bgra") -> Path:
    """A clip of masks."""
    size = masks[0].shape[::-1]
    shown = [np.repeat(mask[..., None], 3, axis=2) for mask in masks]
    recipe = Recipe(times=EVEN[: len(masks)], size=(size[0], size[1]), codec=codec, pixels=pixels, pictures=shown)
    return make(path, recipe)


def walking(count: int = COUNT) -> list[np.ndarray]:
    return [sheet(4 + 4 * number) for number in range(count)]


def check(source: Path, result: Path, masks: Sequence[np.ndarray], first: int = 0) -> None:
    """Inside the masks is what was painted over, nearly; outside nothing changed.

    first: number of the source's frame with which the result begins.
    """
    before, after = pixels(source)[first : first + len(masks)], pixels(result)
    assert len(before) == len(after) == len(masks)
    for number, (old, new, mask) in enumerate(zip(before, after, masks, strict=True), start=first):
        near(new, picture(number), mask)
        assert np.array_equal(old[mask == 0], new[mask == 0])


def near(filled: np.ndarray, background: np.ndarray, mask: np.ndarray) -> None:
    """A fill is near the background: the paint was wrong by a hundred and more, and a hole left black by eighty."""
    assert np.abs(filled.astype(int) - background)[mask > 0].mean() < 15


@pytest.mark.parametrize("kind", ["picture", "folder", "clip", "lossy clip", "animation", "inverted clip"])
def test_every_kind_of_mask(imgfix: Run, tmp_path: Path, kind: str) -> None:
    masks, words = [sheet()] * COUNT if kind == "picture" else walking(), []
    source = plain(tmp_path / "clip.mkv", masks)
    if kind == "picture":
        mask = save(tmp_path / "logo.png", sheet())
    elif kind == "folder":
        mask = tmp_path / "masks"
        for number, one in enumerate(masks):
            save(mask / f"{number + 5}.png", one)  # natural order: 9 before 10
    elif kind == "animation":
        mask = tmp_path / "mask.gif"
        pages = [Image.fromarray(one) for one in masks]
        pages[0].save(mask, save_all=True, append_images=pages[1:], duration=40, loop=0)
    elif kind == "lossy clip":
        mask = film(tmp_path / "mask.mp4", masks, "libx264", "yuv420p")
    elif kind == "inverted clip":
        mask, words = film(tmp_path / "mask.mkv", [255 - one for one in masks]), ["--invert"]
    else:
        mask = film(tmp_path / "mask.mkv", masks)
    result = imgfix("inpaint", source, "--mask", mask, *words, *LOSSLESS, "-o", tmp_path / "out.mkv", "--json")
    assert result.code == 0, result.err
    (item,) = result.items
    assert item["frames"] == COUNT and item["model"] == "telea"
    if kind != "lossy clip":
        assert item["coverage"] == pytest.approx(120 / 1536, abs=1e-5)
        check(source, tmp_path / "out.mkv", masks)
        return
    pairs = zip(pixels(source), pixels(tmp_path / "out.mkv"), masks, strict=True)
    for number, (old, new, one) in enumerate(pairs):
        near(new, picture(number), one)
        changed = (old != new).any(axis=2)  # the edge of such a mask is soft
        grown = cv2.dilate(one, np.ones((9, 9), np.uint8))
        assert changed[one == 0].mean() < 0.1 and not changed[grown == 0].any()


def test_what_other_frames_show_is_brought_back_as_it_was(imgfix: Run, tmp_path: Path) -> None:
    """Something walks through a still scene; of a picture as small as the others hardly any motion could be told."""
    size = (96, 64)
    masks = [sheet(8 * number, size) for number in range(9)]
    shown = [picture(0, size) for _ in masks]
    for frame, mask in zip(shown, masks, strict=True):
        frame[mask > 0] = PAINT
    source = make(tmp_path / "a.mkv", Recipe(times=EVEN[:9], size=size, codec="ffv1", pixels="bgra", pictures=shown))
    result = imgfix("inpaint", source, "--color", "#ff00ff", *LOSSLESS, "-o", tmp_path / "b.mkv")
    assert result.code == 0, result.err
    for new, mask in zip(pixels(tmp_path / "b.mkv"), masks, strict=True):
        error = np.abs(new.astype(int) - picture(0, size))
        assert error[mask > 0].mean() < 1 and not error[mask == 0].any()


def test_streams_and_frame_times_survive_and_the_line_says_how_much_was_filled(imgfix: Run, tmp_path: Path) -> None:
    source = make(
        tmp_path / "clip.mp4",
        Recipe(times=UNEVEN, sounds=(Sound(),), subtitles=((0.0, 0.5, "hello"),), chapters=((0.0, 0.5, "one"),)),
    )
    result = imgfix("inpaint", source, "--box", "20,8,12,10", "--model", "telea")
    assert result.code == 0, result.err
    first, second = result.err.splitlines()[:2]
    assert first.startswith("telea (classical) on cpu")
    assert "7.8 % filled, 48x32, 12 frames, libx264 yuv420p with 1 audio, 1 subtitle" in second
    seen = look(tmp_path / "clip_filled.mp4")
    assert np.allclose(seen.times, UNEVEN, atol=1e-3) and seen.kinds[:3] == ["video", "audio", "subtitle"]
    assert seen.chapters == [(0.0, 0.5, "one")]
    assert litter(tmp_path) == []


def test_a_lossless_codec_keeps_what_is_outside_the_mask(imgfix: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:COUNT]))
    words = ["inpaint", source, "--box", "20,8,12,10", "--model", "telea"]
    assert imgfix(*words, "--codec", "ffv1", "--pix-fmt", "bgr0", "-o", tmp_path / "b.mkv").code == 0
    assert imgfix(*words, "--crf", "0", "-o", tmp_path / "c.mp4").code == 0
    outside = sheet() == 0
    for name, most in (("b.mkv", 0), ("c.mp4", 2)):
        for old, new in zip(pixels(source), pixels(tmp_path / name), strict=True):
            assert np.abs(old.astype(int) - new)[outside].mean() <= most


def test_a_painted_colour_is_found_in_every_frame(imgfix: Run, tmp_path: Path) -> None:
    masks = walking()
    source = plain(tmp_path / "a.mkv", masks)
    result = imgfix("inpaint", source, "--color", "#ff00ff", *LOSSLESS, "-o", tmp_path / "b.mkv")
    assert result.code == 0, result.err
    check(source, tmp_path / "b.mkv", masks)
    nothing = imgfix("inpaint", source, "--color", "#00ff00", *LOSSLESS, "-o", tmp_path / "c.mkv")
    assert nothing.code == 1 and "--color" in nothing.err and not (tmp_path / "c.mkv").exists()


def test_growing_and_feathering_reach_beyond_the_mask_and_no_farther(imgfix: Run, tmp_path: Path) -> None:
    source, mask = plain(tmp_path / "a.mkv"), film(tmp_path / "m.mkv", walking())
    words = ["--dilate", "2", "--feather", "2"]
    assert imgfix("inpaint", source, "--mask", mask, *words, *LOSSLESS, "-o", tmp_path / "b.mkv").code == 0
    for old, new, one in zip(pixels(source), pixels(tmp_path / "b.mkv"), walking(), strict=True):
        rows, columns = np.nonzero((old != new).any(axis=2))
        left = int(np.nonzero(one.any(axis=0))[0][0])
        assert 4 <= rows.min() < 8 and 18 <= rows.max() < 22
        assert max(0, left - 4) <= columns.min() < left


def turned(folder: Path, mask: np.ndarray, turn: int, flip: bool = False) -> tuple[list[np.ndarray], Path]:
    """What three frames of a turned clip show when they are upright, and the clip with that mask painted over."""
    recipe = Recipe(times=EVEN[:3], codec="qtrle", pixels="rgb24", rotation=turn, flip=flip)
    clean = make(folder / "clean" / "a.mov", recipe)
    shown = painted([Reader(clean).laid(mask)] * 3)
    return pixels(clean, upright=True), make(folder / "a.mov", replace(recipe, pictures=shown))


@pytest.mark.parametrize(("turn", "flip"), [(90, False), (180, False), (-90, False), (90, True), (0, True)])
def test_a_mask_is_laid_as_the_clip_is_seen(imgfix: Run, tmp_path: Path, turn: int, flip: bool) -> None:
    """Frames of a turned clip lie as the camera was held; who paints a mask sees them upright."""
    size = (32, 48) if turn % 180 else SIZE
    mask = np.zeros(size[::-1], np.uint8)
    mask[2:12, 5:20] = 255
    clean, source = turned(tmp_path, mask, turn, flip)
    assert Reader(source).shown == size
    ways = {
        "picture": ["--mask", save(tmp_path / "m.png", mask)],
        "box": ["--box", "5,2,15,10"],
        "clip": ["--mask", film(tmp_path / "m.mkv", [mask] * 3)],
    }
    for name, words in ways.items():
        target = tmp_path / f"{name}.mov"
        result = imgfix(
            "inpaint", source, *words, "--model", "telea", "--codec", "h264", "--crf", "0", "--pix-fmt", "yuv444p",
            "-o", target,
        )  # fmt: skip
        assert result.code == 0, result.err
        for background, old, new in zip(clean, pixels(source, True), pixels(target, True), strict=True):
            near(new, background, mask)
            assert np.abs(old.astype(int) - new)[mask == 0].max() <= 4


def test_a_clip_that_is_turned_upright_for_its_container_takes_the_same_mask(imgfix: Run, tmp_path: Path) -> None:
    mask = np.zeros((48, 32), np.uint8)
    mask[2:12, 5:20] = 255
    clean, source = turned(tmp_path, mask, 90)
    words = ["--mask", save(tmp_path / "m.png", mask), "--model", "telea", "--codec", "ffv1", "--pix-fmt", "bgr0"]
    result = imgfix("inpaint", source, *words, "-o", tmp_path / "b.avi")
    assert result.code == 0 and "turned upright" in result.err, result.err
    for background, old, new in zip(clean, pixels(source, True), pixels(tmp_path / "b.avi"), strict=True):
        near(new, background, mask)
        assert np.array_equal(old[mask == 0], new[mask == 0])


def test_masks_of_several_clips_are_paired_by_name(imgfix: Run, tmp_path: Path) -> None:
    for name in ("a.mkv", "b.mkv", "c.mkv", "deep/d.mkv"):
        plain(tmp_path / "in" / name, [sheet()] * 2 if name == "a.mkv" else walking(2))
    save_photo(tmp_path / "in" / "photo.png", size=SIZE)
    masks = tmp_path / "masks"
    save(masks / "a.png", sheet())
    film(masks / "b_mask.mkv", walking(2))
    for number, one in enumerate(walking(2)):
        save(masks / "deep" / "d" / f"{number}.png", one)
    save(masks / "photo.png", sheet())
    result = imgfix(
        "inpaint", tmp_path / "in", "-r", "--mask", masks, "-o", tmp_path / "out", *LOSSLESS, "--json"
    )  # fmt: skip
    assert result.code == 1
    told = {Path(item["source"]).name: item for item in result.items}
    assert {name for name, item in told.items() if item["status"] == "done"} == {"a.mkv", "b.mkv", "d.mkv", "photo.png"}
    assert "no mask for it" in told["c.mkv"]["error"] and "c.mkv, or a folder c/" in told["c.mkv"]["hint"]
    check(tmp_path / "in" / "a.mkv", tmp_path / "out" / "a.mkv", [sheet()] * 2)
    check(tmp_path / "in" / "b.mkv", tmp_path / "out" / "b.mkv", walking(2))
    check(tmp_path / "in" / "deep" / "d.mkv", tmp_path / "out" / "deep" / "d.mkv", walking(2))


def test_a_part_of_a_clip_goes_with_the_same_part_of_its_mask_clip(imgfix: Run, tmp_path: Path) -> None:
    masks = walking(6) + walking(6)
    source, mask = plain(tmp_path / "a.mkv", masks), film(tmp_path / "m.mkv", masks)
    result = imgfix(
        "inpaint", source, "--mask", mask, *LOSSLESS, "--start", "0.08", "--end", "0.24", "-o", tmp_path / "b.mkv"
    )
    assert result.code == 0, result.err
    check(source, tmp_path / "b.mkv", masks[2:6], first=2)


@pytest.mark.parametrize(
    ("case", "told", "remedy"),
    [
        ("short clip", "has 4 masks and", "one mask for each frame"),
        ("long clip", "has 9 masks and", "one mask for each frame"),
        ("short folder", "has 5 masks and", "one mask for each frame"),
        ("long folder", "has 8 masks and", "one mask for each frame"),
        ("empty folder", "holds no mask pictures", "one mask for each frame"),
        ("clip of another size", "is 96x64 but the picture is 48x32", "--fit-mask"),
        ("clip of another shape", "another shape", "own size"),
        ("picture of another size", "is 96x64 but the picture is 48x32", "--fit-mask"),
        ("black picture", "the mask is empty", "--invert"),
        ("black clip", "empty in every frame", "--invert"),
        ("white frame", "frame 3: the mask covers 100.0 %", "--invert"),
        ("box outside", "outside the picture", "upright"),
        ("text", "mask.mkv", ""),
    ],
)
def test_bad_masks_are_told_before_any_work(imgfix: Run, tmp_path: Path, case: str, told: str, remedy: str) -> None:
    source, folder = plain(tmp_path / "a.mkv"), tmp_path / "masks"
    counts = {"short clip": 4, "long clip": 9, "short folder": 5, "long folder": 8}
    masks = [sheet()] * counts.get(case, COUNT)
    words: list[object] = ["--mask", folder]
    if "folder" in case:
        folder.mkdir()
        for number, one in enumerate(masks if case != "empty folder" else []):
            save(folder / f"{number}.png", one)
    elif case == "box outside":
        words = ["--box", "100,100,5,5"]
    elif "picture" in case:
        size = (96, 64) if "size" in case else SIZE
        words = ["--mask", save(folder / "m.png", sheet(size=size, white=case != "black picture"))]
    elif case == "text":
        (tmp_path / "mask.mkv").write_text("no video\n" * 99)
        words = ["--mask", tmp_path / "mask.mkv"]
    else:
        if case in ("clip of another size", "clip of another shape"):
            masks = [sheet(size=(96, 64) if "size" in case else (64, 64))] * COUNT
        elif case == "black clip":
            masks = [sheet(white=False)] * COUNT
        elif case == "white frame":
            masks[3] = np.full(SIZE[::-1], 255, np.uint8)
        words = ["--mask", film(tmp_path / "m.mkv", masks)]
    result = imgfix("inpaint", source, *words, *LOSSLESS, "-o", tmp_path / "out" / "b.mkv")
    assert result.code == 1, result.err
    assert told in result.err and remedy in result.err, result.err
    assert not (tmp_path / "out").exists()


def test_a_mask_clip_of_another_size_can_be_fitted(imgfix: Run, tmp_path: Path) -> None:
    source = plain(tmp_path / "a.mkv", walking())
    big = [one.repeat(2, 0).repeat(2, 1) for one in walking()]
    mask = film(tmp_path / "m.mkv", big)
    words = ["--mask", mask, "--fit-mask", *LOSSLESS, "-o", tmp_path / "b.mkv"]
    assert imgfix("inpaint", source, *words).code == 0
    check(source, tmp_path / "b.mkv", walking())


@pytest.mark.parametrize("option", [["--expand", "left=10"], ["--alpha"]])
def test_what_is_for_pictures_alone_is_refused_for_clips(imgfix: Run, tmp_path: Path, option: list[str]) -> None:
    source = plain(tmp_path / "a.mkv", 2)
    result = imgfix("inpaint", source, "--box", "20,8,12,10", *option, "--model", "telea")
    assert result.code == 2 and f"{option[0]} is for single pictures" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_an_interrupted_run_is_taken_up_only_with_the_same_mask(
    imgfix: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgfix.tasks.video_inpaint import VideoInpaint

    monkeypatch.setattr(segments, "LENGTH", 16)
    source, target, mask = plain(tmp_path / "a.mkv", [sheet()] * 24), tmp_path / "b.mkv", tmp_path / "m.png"
    other = save(tmp_path / "elsewhere.png", sheet())
    command = ["inpaint", source, *LOSSLESS, "-o", target, "--mask"]
    real = VideoInpaint._filled

    def breaks(self: VideoInpaint, window: list, current: object, anchor: object) -> object:  # type: ignore[type-arg]
        if current.number == 20:  # type: ignore[attr-defined]
            raise RuntimeError("power cut")
        return real(self, window, current, anchor)  # type: ignore[arg-type]

    def interrupted(shape: np.ndarray) -> None:
        save(mask, shape)
        with monkeypatch.context() as patch:
            patch.setattr(VideoInpaint, "_filled", breaks)
            assert imgfix(*command, mask, "--overwrite").code != 0
        assert segments.folder_of(target).exists() and not target.exists()

    interrupted(sheet())
    same = imgfix(*command, other, "--resume", "--json")  # the same content in another place
    assert same.code == 0, same.err
    assert same.items[0]["resumed"] == 16
    check(source, target, [sheet()] * 24)
    target.unlink()
    interrupted(sheet())
    save(mask, sheet(4))
    changed = imgfix(*command, mask, "--resume", "--json")
    assert changed.code == 0 and changed.items[0]["resumed"] == 0
    assert "the options or the model changed" in changed.err
    check(source, target, [sheet(4)] * 24)


def test_dry_run_looks_at_the_masks_and_touches_nothing(imgfix: Run, tmp_path: Path) -> None:
    source, mask = plain(tmp_path / "a.mkv"), film(tmp_path / "m.mkv", walking())
    (item,) = imgfix("inpaint", source, "--mask", mask, "--model", "telea", "--dry-run", "--json").items
    assert (item["status"], item["frames"]) == ("planned", COUNT)
    assert item["coverage"] == pytest.approx(120 / 1536, abs=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "m.mkv"]
    wrong = film(tmp_path / "w.mkv", walking(3))
    assert imgfix("inpaint", source, "--mask", wrong, "--model", "telea", "--dry-run").code == 1


def test_animated_pictures_and_folders_of_frames(imgfix: Run, tmp_path: Path) -> None:
    frames = painted(walking(4))
    pages = [Image.fromarray(frame) for frame in frames]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=50)
    for number, page in enumerate(pages):
        (tmp_path / "frames").mkdir(exist_ok=True)
        page.save(tmp_path / "frames" / f"{number}.png")
    mask = film(tmp_path / "m.mkv", walking(4))
    result = imgfix("inpaint", tmp_path / "a.png", "--mask", mask, "--model", "telea", "-o", tmp_path / "b.png")
    assert result.code == 0, result.err
    moved = list(animation.frames(animation.inspect(tmp_path / "b.png")))
    folder = imgfix("inpaint", tmp_path / "frames", "--frames", "--mask", mask, "--model", "telea")
    assert folder.code == 0, folder.err
    for number, (old, new, one) in enumerate(zip(frames, moved, walking(4), strict=True)):
        near(new[..., :3], picture(number), one)
        assert np.array_equal(old[one == 0], new[one == 0][:, :3])
        single = np.asarray(Image.open(tmp_path / "frames_filled" / f"{number}.png"))
        assert np.array_equal(single, new[..., :3])


def test_python_fills_clips(tmp_path: Path) -> None:
    import imgfix

    for mask in (film(tmp_path / "m.mkv", walking()), sheet()):
        masks = [mask] * COUNT if isinstance(mask, np.ndarray) else walking()
        source = plain(tmp_path / "a.mkv", masks)
        assert imgfix.inpaint(source, mask, model="telea", output=tmp_path / "b.mkv", overwrite=True) is None
        check(source, tmp_path / "b.mkv", masks)
    with pytest.raises(imgfix.errors.InputError, match="has 3 masks"):
        imgfix.inpaint(source, film(tmp_path / "w.mkv", walking(3)), model="telea", output=tmp_path / "c.mkv")
    with pytest.raises(imgfix.errors.UsageError, match="does not fit into an array"):
        imgfix.inpaint(source, sheet(), model="telea")


def test_without_loss_what_lies_outside_is_nearer_than_ffmpeg_s_own_way_through_rgb(
    imgfix: Run, tmp_path: Path
) -> None:
    """8-bit planes cannot hold every RGB value: FFmpeg's own conversion there and back is the measure."""
    av = pytest.importorskip("av")

    grain = np.random.default_rng(0).integers(-40, 40, (6, 32, 40, 3)).repeat(2, 1).repeat(2, 2)
    pictures = [(picture(n, (80, 64)) + grain[n]).clip(0, 255).astype(np.uint8) for n in range(6)]
    recipe = Recipe(times=EVEN[:6], size=(80, 64), pictures=pictures, options={"qp": "10"})
    source, target = make(tmp_path / "a.mp4", recipe), tmp_path / "b.mp4"
    result = imgfix("inpaint", source, "--box", "56,40,16,16", "--model", "telea", "-o", target, "--crf", "0")
    assert result.code == 0, result.err

    def luma(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            return np.stack([frame.to_ndarray()[:64].astype(int) for frame in container.decode(video=0)])

    with av.open(str(source)) as container:
        through = [
            av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24").reformat(format="yuv420p")
            for frame in container.decode(video=0)
        ]
    before, outside = luma(source), np.ones((64, 80), bool)
    outside[36:60, 52:76] = False
    theirs = np.abs(np.stack([frame.to_ndarray()[:64].astype(int) for frame in through]) - before)[:, outside].mean()
    ours = np.abs(luma(target) - before)[:, outside].mean()
    assert ours < 0.5 and ours < theirs
