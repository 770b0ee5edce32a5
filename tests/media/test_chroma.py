"""Subsampled chroma stays where it is, whatever the file says of its place, and however often it goes through RGB."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from imgfix.media.video import chroma, encoding, header
from imgfix.media.video.colour import Colour, FromRgb, ToRgb
from tests.media.clips import EVEN, Recipe, make

SIDES = [(48, 64), (2, 2), (1, 2), (64, 2), (6, 10)]
FORMATS = ["yuv420p", "yuv422p", "yuv440p", "yuv420p10le", "yuv422p10le", "yuva420p", "nv12", "p010le"]


def waves(height: int, width: int) -> np.ndarray:
    """Colours that change within a few samples, none of them beyond RGB: (h, w) float."""
    y, x = np.mgrid[:height, :width]
    return 128 + 40 * np.sin(x / 3) * np.cos(y / 3.5)


@pytest.mark.parametrize("siting", chroma.SITINGS)
@pytest.mark.parametrize("size", SIDES)
@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (2, 1), (1, 4)])
def test_what_is_enlarged_and_made_smaller_again_is_what_it_was(
    siting: str, size: tuple[int, int], factors: tuple[int, int]
) -> None:
    small = waves(-(-size[0] // factors[0]), -(-size[1] // factors[1])).astype(np.float32)
    if any(side % factor for side, factor in zip(size, factors, strict=True)):
        pytest.skip("the last sample is seen in part")
    whole = chroma.enlarged(small, size, chroma.SITINGS[siting])
    assert whole.shape == size
    assert np.abs(chroma.reduced(whole, factors, chroma.SITINGS[siting]) - small).max() < 0.1


@pytest.mark.parametrize("siting", chroma.SITINGS)
def test_samples_are_put_where_they_lie(siting: str) -> None:
    """A slope shows where: at pixel x its value is x."""
    where = chroma.SITINGS[siting]
    y, x = np.mgrid[:32, :48].astype(np.float32)
    for pixels, axis, on in ((y, 0, where.on_rows), (x, 1, where.on_columns)):
        samples = pixels[:16, :24] * 2 + (0 if on else 0.5)
        whole = chroma.enlarged(samples, (32, 48), where)
        assert np.abs(whole - pixels)[6:-6, 6:-6].max() < 1e-3, axis
        assert np.abs(chroma.reduced(pixels, (2, 2), where) - samples)[4:-4, 4:-4].max() < 1e-2, axis


def test_a_plain_colour_stays_exactly_what_it_is() -> None:
    plain = np.full((8, 8), 77, np.uint8)
    for siting in chroma.SITINGS.values():
        assert np.abs(chroma.enlarged(plain, (16, 16), siting) - 77).max() < 1e-4
        assert np.abs(chroma.reduced(np.full((15, 15), 77.0, np.float32), (2, 2), siting) - 77).max() < 1e-4


@pytest.mark.parametrize("siting", ["left", "center", "topleft"])
@pytest.mark.parametrize("name", FORMATS)
def test_chroma_does_not_move_or_blur_in_any_number_of_passes(name: str, siting: str) -> None:
    colour = Colour(6, False, 2, 2, siting=siting)
    frame = source = filled(name)
    bits = 10 if "10" in name else 8
    for _ in range(5):
        array = ToRgb(colour, bits, alpha="yuva" in name)(frame)
        frame = FromRgb(colour, name)(array)
    assert frame.format.name == name
    step = 4 if bits == 10 else 1
    for before, after in zip(planes(source), planes(frame), strict=True):
        error = np.abs(after.astype(float) - before) / step
        assert error.mean() < 0.25 and error.max() <= 2


def planar(name: str) -> str:
    return {"nv12": "yuv420p", "p010le": "yuv420p10le"}.get(name, name)


def filled(name: str) -> av.VideoFrame:
    """A frame of moderate colours in that format."""
    frame = av.VideoFrame(64, 48, planar(name))
    deep = "10" in name
    for number, plane in enumerate(frame.planes):
        values = waves(plane.height, plane.width) if number in (1, 2) else np.full((plane.height, plane.width), 120.0)
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
        rows[:, : plane.width] = values * (4 if deep else 1)
    return frame if planar(name) == name else frame.reformat(format=name)


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    if planar(frame.format.name) != frame.format.name:
        frame = frame.reformat(format=planar(frame.format.name))
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    return [np.frombuffer(p, kind).reshape(p.height, -1)[:, : p.width] for p in frame.planes]


@pytest.mark.parametrize("siting", ["left", "center", "topleft"])
@pytest.mark.parametrize(
    ("codec", "pixels"), [("libx264", "yuv420p"), ("libx264", "yuv420p10le"), ("libx265", "yuv420p10le")]
)
def test_a_file_says_where_its_chroma_lies_and_so_does_the_result(
    tmp_path: Path, codec: str, pixels: str, siting: str
) -> None:
    options = {"chroma_sample_location": siting, **({"x265-params": "log-level=none"} if codec == "libx265" else {})}
    # Of a clip of one or two frames libx265 gives times of decoding at random, which the muxer may refuse.
    recipe = Recipe(times=EVEN[:6], size=(64, 64), codec=codec, pixels=pixels, options=options)
    head = header.inspect(make(tmp_path / "a.mp4", recipe))
    assert head.colour.siting == siting
    assert encoding.as_written(head, encoding.choose(head, "mp4", encoding.EncoderOptions())).siting == siting


@pytest.mark.parametrize(
    ("codec", "name", "siting"),
    [("mpeg2video", "a.mpg", "left"), ("mpeg4", "a.mp4", "left"), ("mjpeg", "a.avi", "center")],
)
def test_codecs_that_do_not_say_it_have_one_place(tmp_path: Path, codec: str, name: str, siting: str) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    head = header.inspect(
        make(tmp_path / name, Recipe(times=(0, 0.04), codec=codec, pixels=pixels, time_base=Fraction(1, 25)))
    )
    assert head.colour.siting == siting


def test_a_place_that_the_result_cannot_name_becomes_the_one_that_it_has(tmp_path: Path) -> None:
    head = header.inspect(make(tmp_path / "a.avi", Recipe(times=(0, 0.04), codec="mjpeg", pixels="yuvj420p")))
    to_mpeg4 = encoding.choose(head, "mp4", encoding.EncoderOptions("mpeg4"))
    assert encoding.as_written(head, to_mpeg4).siting == "left"
    to_h264 = encoding.choose(head, "mp4", encoding.EncoderOptions("h264"))
    assert encoding.as_written(head, to_h264).siting == "center"
