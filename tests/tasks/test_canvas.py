"""A larger canvas: sizes, order of filling, and the picture left as it was."""

from __future__ import annotations

import numpy as np
import pytest

from imgfix.errors import InputError, UsageError
from imgfix.tasks.canvas import Margins, expand, parse_expansion
from tests.media import make
from tests.tasks.test_inpaint import Painter


@pytest.mark.parametrize(
    ("text", "margins"),
    [
        ("left=20", Margins(left=20)),
        ("left=20,top=10%", Margins(left=20, top=20)),
        ("all=10%", Margins(30, 20, 30, 20)),
        ("x=5, bottom=50%", Margins(left=5, right=5, bottom=100)),
        ("all=10,top=0", Margins(10, 0, 10, 10)),
    ],
)
def test_sides_in_pixels_and_percent(text: str, margins: Margins) -> None:
    assert parse_expansion(text).of(300, 200) == margins


@pytest.mark.parametrize("text", ["", "20", "up=3", "left", "left=", "left=-5", "left=0", "left=1,,top=2"])
def test_what_is_no_expansion_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="expand"):
        parse_expansion(text)


def test_an_absurd_size_is_refused() -> None:
    with pytest.raises(InputError, match="4900x200"):
        parse_expansion("left=4600").of(300, 200)
    with pytest.raises(InputError, match="less than one pixel"):
        parse_expansion("left=0.1%").of(300, 200)


@pytest.mark.parametrize("filler", ["telea", "network"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_stays_and_the_border_is_filled(filler: str, bits: int, channels: int) -> None:
    pixels, alpha = make.scene(40, 60, channels, bits), make.alpha_plane(40, 60, bits)
    margins = Margins(left=50, top=7, right=0, bottom=33)
    engine = Painter() if filler == "network" else filler
    wide, sheet = expand(pixels, margins, engine, alpha=alpha)  # type: ignore[arg-type]
    assert wide.shape == (80, 110, channels) and wide.dtype == pixels.dtype
    assert np.array_equal(wide[7:47, 50:], pixels)
    assert sheet is not None and np.array_equal(sheet[7:47, 50:], alpha)
    border = np.ones((80, 110), bool)
    border[7:47, 50:] = False
    assert np.array_equal(sheet, np.pad(alpha, ((7, 33), (50, 0)), mode="edge")), "a cut-out gets no frame"
    assert (wide[border] > 0).any(axis=-1).all(), "nothing is left black"


def test_a_wide_border_is_filled_in_steps_from_the_picture_outwards() -> None:
    painter = Painter()
    expand(make.scene(60, 60), Margins(right=120), painter)  # type: ignore[arg-type]
    assert len(painter.seen) > 2
    assert all(float(x[:, 0].mean()) < 0.5 for x in painter.seen), "each step knows more than it fills"
