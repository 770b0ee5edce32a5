"""Colour bars through the planes of every kind of clip and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imgfix.errors import InputError
from imgfix.media.video import encoding, header
from imgfix.media.video.colour import Colour, FromRgb, ToRgb
from imgfix.media.video.reader import Reader
from tests.media.clips import Recipe, make

BARS = np.array(
    [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0], [0, 0, 255], [0, 0, 0]]
)
_WEIGHTS = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def bars(share: float = 0.75) -> np.ndarray:
    """The eight bars, 75 % as on a test card, each eight pixels wide: (32, 64, 3) uint8."""
    return np.repeat(np.repeat((BARS * share).round().astype(np.uint8)[None], 8, 1), 32, 0)


def planes_of(rgb: np.ndarray, matrix: int, full: bool, bits: int) -> np.ndarray:
    """Y, Cb and Cr of ITU-R BT.601, 709 and 2020, computed in floating point: (H, W, 3)."""
    red, blue = _WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb.astype(float) / 255, -1, 0)
    luma = red * r + (1 - red - blue) * g + blue * b
    step = 2 ** (bits - 8)
    swing, foot, colour = (2**bits - 1, 0, 2**bits - 1) if full else (219 * step, 16 * step, 224 * step)
    return np.stack(
        [
            foot + swing * luma,
            128 * step + colour * (b - luma) / (2 * (1 - blue)),
            128 * step + colour * (r - luma) / (2 * (1 - red)),
        ],
        -1,
    )


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("format", "bits"), [("yuv444p", 8), ("yuv444p10le", 10)])
def test_bars_become_the_planes_of_the_standard_and_come_back(matrix: int, full: bool, format: str, bits: int) -> None:
    colour = Colour(matrix, full, 2, 2)
    given = bars() if bits == 8 else (bars().astype(np.uint16) * 257)
    frame = FromRgb(colour, format)(given)
    kind = np.uint8 if bits == 8 else np.uint16
    planes = np.stack([np.frombuffer(plane, kind).reshape(32, -1)[:, :64] for plane in frame.planes], -1)
    assert np.abs(planes - planes_of(bars(), matrix, full, bits)).max() <= (1.1 if bits == 8 else 0.51)
    assert (frame.colorspace, frame.color_range) == (matrix, 2 if full else 1)
    back = ToRgb(colour, bits, alpha=False)(frame)
    assert back.dtype == given.dtype
    assert np.abs(back.astype(int) - given).max() <= (2 if bits == 8 else 110)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("format", "bits"), [("gray", 8), ("gray10le", 10)])
def test_grey_uses_the_range_of_the_file(full: bool, format: str, bits: int) -> None:
    steps = np.repeat(np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 4, 3, 2), 32, 0)
    given = steps if bits == 8 else steps.astype(np.uint16) * 257
    frame = FromRgb(Colour(6, full, 2, 2), format)(given)
    plane = np.frombuffer(frame.planes[0], given.dtype).reshape(32, -1)[:, :64]
    assert np.abs(plane - planes_of(steps, 6, full, bits)[..., 0]).max() <= 0.51
    back = ToRgb(Colour(6, full, 2, 2), bits, alpha=False)(frame)
    assert back.dtype == given.dtype and np.abs(back.astype(int) - given).max() <= (1 if bits == 8 else 110)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_a_file_with_tags_gives_the_colours_it_was_made_of(tmp_path: Path, matrix: int, full: bool) -> None:
    recipe = Recipe(times=(0.0,), size=(64, 32), matrix=matrix, full=full, pixels="yuv444p", options={"qp": "1"})
    clip = make(tmp_path / "bars.mp4", replace(recipe, pictures=[bars()]))
    reader = Reader(clip)
    assert (reader.header.colour.matrix, reader.header.colour.full) == (matrix, full)
    (frame,) = reader.frames()
    assert np.abs(frame.pixels.astype(int) - bars()).max() <= 4


@pytest.mark.parametrize(("size", "matrix"), [((64, 32), 6), ((64, 576), 5), ((1280, 720), 1)])
def test_a_file_without_tags_is_taken_as_players_take_it(tmp_path: Path, size: tuple[int, int], matrix: int) -> None:
    head = header.inspect(make(tmp_path / "plain.mp4", Recipe(times=(0.0,), size=size)))
    assert (head.colour.matrix, head.colour.assumed) == (matrix, True)
    written = encoding.as_written(head, encoding.choose(head, "mp4", encoding.EncoderOptions()))
    assert written.matrix == matrix, "the result is larger, where players would assume another one"


def test_subsampled_chroma_is_interpolated_and_not_repeated() -> None:
    ramp = np.repeat(np.linspace(20, 230, 64).round().astype(np.uint8)[None], 32, 0)
    smooth = np.stack([ramp, np.full_like(ramp, 90), 255 - ramp], -1)
    colour = Colour(1, False, 1, 1)
    back = ToRgb(colour, 8, alpha=False)(FromRgb(colour, "yuv420p")(smooth)).astype(int)
    assert np.abs(back - smooth)[:, 2:-2].max() <= 3
    steps = np.diff(back[16, 2:-2, 0])
    assert steps.min() >= 1, "a staircase of two pixels would have steps of zero"


def test_a_matrix_that_cannot_be_converted_is_refused() -> None:
    with pytest.raises(InputError, match="ICtCp"):
        Colour(14, False, 9, 16).check("clip.mkv")


def test_alpha_comes_as_a_fourth_channel() -> None:
    given = np.dstack([bars(), np.repeat(np.arange(64, dtype=np.uint8)[None] * 4, 32, 0)])
    frame = FromRgb(Colour(1, False, 1, 1), "yuva444p10le")(given)
    back = ToRgb(Colour(1, False, 1, 1), 10, alpha=True)(frame)
    assert back.shape == (32, 64, 4) and back.dtype == np.uint16
    assert np.abs(back[..., 3] / 257 - given[..., 3]).max() < 1
