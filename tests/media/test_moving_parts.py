"""Frames of APNG and GIF put together: FFmpeg is the judge."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.media import animation, png
from tests.media import moving

WIDTH, HEIGHT = 20, 14


def frames_of(data: bytes, path: Path) -> list[np.ndarray]:
    """As (H, W, 4) uint8."""
    path.write_bytes(data)
    found = list(animation.frames(animation.inspect(path)))
    full = np.full((HEIGHT, WIDTH), 255, np.uint8)
    return [frame if frame.shape[2] == 4 else np.dstack([frame, full]) for frame in found]


def agree(ours: list[np.ndarray], theirs: list[np.ndarray], most: int) -> None:
    """The same frames, where they can be seen. FFmpeg mixes colours in whole numbers, hence `most`."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        weight = other[..., 3:] / 255
        assert np.abs((mine[..., :3].astype(int) - other[..., :3]) * weight).max() <= most
        assert np.abs(mine[..., 3].astype(int) - other[..., 3]).max() <= min(most, 1)


def place(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, width and height of a part."""
    width, height = int(rng.integers(1, WIDTH)), int(rng.integers(1, HEIGHT))
    return int(rng.integers(0, WIDTH - width + 1)), int(rng.integers(0, HEIGHT - height + 1)), width, height


@pytest.mark.parametrize("seed", range(30))
def test_apng_of_any_disposal_and_blending(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(6):
        left, top, width, height = place(rng) if number else (0, 0, WIDTH, HEIGHT)
        pixels = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
        pixels[..., 3] = rng.choice([0, 77, 128, 255] if number or seed % 2 else [255], (height, width))
        parts.append(moving.ApngPart(pixels, left, top, int(rng.integers(3)), bool(rng.integers(2))))
    data = moving.apng((WIDTH, HEIGHT), parts)
    agree(frames_of(data, tmp_path / "a.png"), moving.seen_by_ffmpeg(data), most=4)


@pytest.mark.parametrize("seed", range(40))
def test_gif_of_any_disposal_transparency_and_palette(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(6):
        left, top, width, height = place(rng) if number or seed % 3 == 0 else (0, 0, WIDTH, HEIGHT)
        parts.append(
            moving.GifPart(
                rng.integers(0, 8, (height, width)),
                left,
                top,
                disposal=int(rng.integers(4)),
                transparent=int(rng.integers(8)) if rng.random() < 0.6 else None,
                palette=rng.integers(0, 256, (8, 3)) if rng.random() < 0.3 else None,
                interlaced=bool(rng.integers(2)),
            )
        )
    data = moving.gif((WIDTH, HEIGHT), parts, rng.integers(0, 256, (8, 3)), background=int(rng.integers(8)))
    agree(frames_of(data, tmp_path / "a.gif"), moving.seen_by_ffmpeg(data), most=0)


def box(colour: tuple[int, int, int, int], width: int = 6, height: int = 5) -> np.ndarray:
    return np.full((height, width, 4), colour, np.uint8)


def test_a_frame_that_goes_back_to_the_one_before_leaves_nothing(tmp_path: Path) -> None:
    ground = box((40, 40, 200, 255), WIDTH, HEIGHT)
    red = moving.ApngPart(box((255, 0, 0, 255)), 2, 2, disposal=2, over=True)
    green = moving.ApngPart(box((0, 255, 0, 255)), 12, 8)
    frames = frames_of(moving.apng((WIDTH, HEIGHT), [moving.ApngPart(ground), red, green]), tmp_path / "a.png")
    assert frames[1][3, 3].tolist() == [255, 0, 0, 255]
    assert frames[2][3, 3].tolist() == [40, 40, 200, 255]
    assert frames[2][10, 14].tolist() == [0, 255, 0, 255]


def test_half_transparent_over_opaque_is_opaque(tmp_path: Path) -> None:
    ground = moving.ApngPart(box((40, 40, 200, 255), WIDTH, HEIGHT))
    data = moving.apng((WIDTH, HEIGHT), [ground, moving.ApngPart(box((255, 0, 0, 128)), 2, 2, over=True)])
    path = tmp_path / "a.png"
    frames = frames_of(data, path)
    assert frames[1][3, 3].tolist() == [148, 20, 100, 255]
    assert not animation.inspect(path).alpha


def test_what_a_gif_clears_is_transparent(tmp_path: Path) -> None:
    full = moving.GifPart(np.full((HEIGHT, WIDTH), 4), disposal=1)
    cleared = moving.GifPart(np.full((5, 6), 2), 2, 2, disposal=2, transparent=5)
    last = moving.GifPart(np.full((5, 6), 3), 12, 8, disposal=1)
    data = moving.gif((WIDTH, HEIGHT), [full, cleared, last], np.arange(24).reshape(8, 3) * 10)
    frames = frames_of(data, tmp_path / "a.gif")
    assert frames[2][3, 3].tolist() == [0, 0, 0, 0]
    assert frames[2][0, 0].tolist() == [120, 130, 140, 255]
    agree(frames, moving.seen_by_ffmpeg(data), most=0)


@pytest.mark.parametrize(
    "samples, dtype", [(1, np.uint8), (2, np.uint8), (3, np.uint8), (3, np.uint16), (4, np.uint16)]
)
def test_apng_of_every_colour_type(tmp_path: Path, samples: int, dtype: type) -> None:
    rng = np.random.default_rng(samples)
    parts = [
        moving.ApngPart(rng.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, samples)).astype(dtype)) for _ in range(2)
    ]
    frames = frames_of(moving.apng((WIDTH, HEIGHT), parts), tmp_path / "a.png")
    for frame, part in zip(frames, parts, strict=True):
        wanted = np.round(part.pixels / (np.iinfo(dtype).max / 255)).astype(np.uint8)
        colours = np.repeat(wanted[..., :1], 3, 2) if samples < 3 else wanted[..., :3]
        assert np.array_equal(frame[..., :3], colours)
        assert samples in (1, 3) or np.array_equal(frame[..., 3], wanted[..., -1])


def test_apng_with_a_palette(tmp_path: Path) -> None:
    palette, clear = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8), bytes([255, 0])
    shared = png.chunk(b"PLTE", palette.tobytes()) + png.chunk(b"tRNS", clear)
    indices = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 1).astype(np.uint8) % 3
    parts = [moving.ApngPart(indices), moving.ApngPart(indices[:4, :5] * 0, 3, 3, over=True)]
    frames = frames_of(moving.apng((WIDTH, HEIGHT), parts, shared=shared, colour_type=3), tmp_path / "a.png")
    assert frames[0][0, 1].tolist()[3] == 0
    assert frames[1][3, 3].tolist() == [255, 0, 0, 255]


def test_times_loop_poster_and_comment(tmp_path: Path) -> None:
    still = moving.ApngPart(box((1, 2, 3, 255), WIDTH, HEIGHT), delay=(1, 0))
    path = tmp_path / "a.png"
    path.write_bytes(moving.apng((WIDTH, HEIGHT), [still, still], poster=box((9, 9, 9, 255), WIDTH, HEIGHT)))
    found = animation.inspect(path)
    assert found.durations == (10, 10)
    assert any("still picture" in note for note in found.notes)
    assert next(animation.frames(found))[0, 0].tolist() == [1, 2, 3]
    plain = moving.GifPart(np.ones((HEIGHT, WIDTH), int), delay=7)
    path = tmp_path / "a.gif"
    path.write_bytes(moving.gif((WIDTH, HEIGHT), [plain, plain], np.zeros((8, 3)), loop=3, comment=b"hello"))
    found = animation.inspect(path)
    assert (found.durations, found.loop, found.comment) == ((70, 70), 3, b"hello")


def test_a_gif_that_is_cut_off_keeps_its_whole_frames(tmp_path: Path) -> None:
    plain = moving.GifPart(np.ones((HEIGHT, WIDTH), int))
    data = moving.gif((WIDTH, HEIGHT), [plain, plain, plain], np.zeros((8, 3)))
    path = tmp_path / "a.gif"
    path.write_bytes(data[:-20])
    found = animation.inspect(path)
    assert len(found.durations) == 2
    assert any("cut off" in note for note in found.notes)
    path.write_bytes(data[:60])
    with pytest.raises(InputError, match=r"a\.gif"):
        animation.inspect(path)


def test_a_frame_beyond_the_picture(tmp_path: Path) -> None:
    full = moving.ApngPart(box((1, 2, 3, 255), WIDTH, HEIGHT))
    beyond = moving.ApngPart(box((1, 2, 3, 255)), WIDTH - 2, 0)
    path = tmp_path / "a.png"
    path.write_bytes(moving.apng((WIDTH, HEIGHT), [full, beyond]))
    found = animation.inspect(path)
    assert len(found.durations) == 1
    assert any("frame 1" in note for note in found.notes)
    path = tmp_path / "a.gif"
    parts = [moving.GifPart(np.ones((HEIGHT, WIDTH), int)), moving.GifPart(np.ones((4, 6), int), WIDTH - 2, HEIGHT + 5)]
    path.write_bytes(moving.gif((WIDTH, HEIGHT), parts, np.zeros((8, 3))))
    assert len(animation.inspect(path).durations) == 2


def test_the_limit_on_pixels_holds_for_moving_pictures(tmp_path: Path) -> None:
    part = moving.GifPart(np.ones((2, 2), int))
    data = bytearray(moving.gif((WIDTH, HEIGHT), [part, part], np.zeros((8, 3))))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    path = tmp_path / "bomb.gif"
    path.write_bytes(bytes(data))
    assert animation.is_animated(path)
    with pytest.raises(InputError, match=r"bomb\.gif has 65535 x 65535 pixels, more than the limit"):
        animation.inspect(path)
