"""The same frames give the same bytes, whatever the processor."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from imgfix.media.video import encoding, header, repeatable
from imgfix.media.video.encoding import EncoderOptions
from imgfix.media.video.segments import SegmentWriter, _decoding_time, packets_of
from imgfix.pipelines.moving.clip import Clip, Settings
from tests.media.clips import EVEN, Recipe, make, picture
from tests.tasks.doubling import Doubling

SIZE = (160, 128)
PICTURES = [picture(number, SIZE) for number in range(24)]


def written(
    folder: Path, head: header.Header, wanted: EncoderOptions, run: int, threads: int, size: tuple[int, int] = SIZE
) -> tuple[bytes, ...]:
    """The packets of a segment, as a clip writes it."""
    how = encoding.choose(head, "matroska", wanted)
    path = folder / f"{run}.seg"
    writer = SegmentWriter(path, how, encoding.as_written(head, how), size, Fraction(25), Fraction(1), threads)
    for number, pixels in enumerate(PICTURES):
        writer.write(np.ascontiguousarray(pixels[: size[1], : size[0]]), number, 1)
    writer.close(0, 0, None)
    return tuple(bytes(packet) for packet, _ in packets_of(path))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("codec", "pixels"),
    [
        ("libx264", "yuv420p"), ("libx264", "yuv420p10le"), ("libx265", "yuv420p"), ("libx265", "yuv420p10le"),
        ("libsvtav1", "yuv420p"), ("libvpx-vp9", "yuv420p"), ("prores_ks", "yuv422p10le"), ("ffv1", "yuv420p"),
        ("mpeg2video", "yuv420p"), ("mpeg4", "yuv420p"),
    ],
)  # fmt: skip
def test_the_same_frames_give_the_same_packets(tmp_path: Path, codec: str, pixels: str, threads: int) -> None:
    if codec not in {encoder.name for encoder in encoding.available()}:
        pytest.skip(f"{codec} is not in this PyAV")
    head = header.inspect(make(tmp_path / "a.mp4", Recipe(size=SIZE, pictures=PICTURES[:2], times=(0, 0.04))))
    runs = 12 if codec == "libx264" else 3  # the one that is known to differ from run to run, if it is let
    assert (
        len({written(tmp_path, head, EncoderOptions(codec, pixels=pixels), run, threads) for run in range(runs)}) == 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 64), (64, 96), (64, 64)])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv420p10le"])
def test_small_pictures_of_x265_are_the_same_each_time(tmp_path: Path, size: tuple[int, int], pixels: str) -> None:
    """Those of a single row or column of its largest blocks are not, if it is let."""
    head = header.inspect(make(tmp_path / "a.mp4", Recipe(size=(96, 64), times=(0, 0.04))))
    wanted = EncoderOptions("libx265", pixels=pixels)
    assert len({written(tmp_path, head, wanted, run, 1, size) for run in range(8)}) == 1


def test_x265_takes_blocks_of_which_there_are_two_each_way() -> None:
    assert repeatable.x265_params(66, 96) == ""
    assert repeatable.x265_params(64, 96) == repeatable.x265_params(96, 64) == "ctu=32"


@pytest.mark.parametrize("avx512", [True, False])
def test_x264_is_kept_from_what_does_not_repeat_itself(monkeypatch: pytest.MonkeyPatch, avx512: bool) -> None:
    monkeypatch.setattr(repeatable, "has_avx512", lambda: avx512)
    assert repeatable.x264_params(8) == ("asm=AVX2" if avx512 else "")
    assert repeatable.x264_params(10).split(":")[-1] == "mbtree=0"


def test_parameters_of_the_user_come_last_and_so_overrule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeatable, "has_avx512", lambda: True)
    head = header.inspect(make(tmp_path / "a.mp4"))
    chosen = encoding.choose(head, "mp4", EncoderOptions("libx264", options={"x264-params": "asm=AVX512"}))
    assert dict(chosen.options)["x264-params"] == "asm=AVX2:asm=AVX512"


def test_a_decoding_time_from_nowhere_is_put_right() -> None:
    """libx265 gives clips of one or two frames whatever its memory held."""
    assert _decoding_time(5, 3, 64) == 3 and _decoding_time(5, -59, 64) == -59 and _decoding_time(5, 5, 64) == 5
    for found in (-576469548530665472, 9187201950435737472, 6, None):
        assert _decoding_time(5, found, 64) == 5


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_clips_of_x265_are_the_same_each_time(tmp_path: Path, frames: int) -> None:
    options = EncoderOptions(codec="hevc", options={"x265-params": "bframes=8:lossless=1"})
    source = make(tmp_path / "a.mp4", Recipe(times=EVEN[:frames], size=(48, 32)))
    written = set()
    for _ in range(6):
        Clip(source, tmp_path / "b.mp4", Settings(overwrite=True, encoder=options)).run(
            Doubling(), {"model": "doubling"}
        )
        written.add((tmp_path / "b.mp4").read_bytes())
    assert len(written) == 1
