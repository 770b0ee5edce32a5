"""Masks: what a file, a box, a colour or the picture itself says is to be filled."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError, UsageError
from imgfix.media import mask as masks
from imgfix.media.mask import read_mask
from imgfix.media.picture import Picture

SHAPE = np.zeros((20, 30), bool)
SHAPE[4:11, 6:21] = True
LEVELS = np.where(SHAPE, 255, 0).astype(np.uint8)
SIZE = (30, 20)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def grey(values: np.ndarray = LEVELS) -> Image.Image:
    return Image.fromarray(values)


def painted(colour: tuple[int, int, int], under: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """A shape of one colour on a transparent sheet."""
    sheet = np.zeros((20, 30, 4), np.uint8)
    sheet[..., :3] = under
    sheet[SHAPE] = (*colour, 255)
    return Image.fromarray(sheet)


def palette_mask() -> Image.Image:
    """As segmentation tools write it: index 1 is dark red."""
    image = Image.fromarray(SHAPE.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0] + [0] * 750)
    return image


def with_white_and_alpha() -> Image.Image:
    sheet = np.zeros((20, 30, 4), np.uint8)
    sheet[2:15, 3:25, 3] = 255
    sheet[SHAPE, :3] = 255
    return Image.fromarray(sheet)


def photo_with_a_hole() -> Image.Image:
    y, x = np.mgrid[:20, :30]
    return Image.fromarray(np.stack([x * 8, y * 12, 255 - x * 8, np.where(SHAPE, 0, 255)], -1).astype(np.uint8))


FILES = {
    "1 bit": encoded(grey().convert("1")),
    "grey": encoded(grey()),
    "grey 16 bit": encoded(Image.fromarray(LEVELS.astype(np.uint16) * 257)),
    "RGB": encoded(grey().convert("RGB")),
    "red on black": encoded(Image.merge("RGB", [grey(), *[grey(LEVELS * 0)] * 2])),
    "RGBA, opaque": encoded(grey().convert("RGBA")),
    "grey and alpha, opaque": encoded(grey().convert("LA")),
    "palette": encoded(grey().convert("P")),
    "palette of two colours": encoded(palette_mask()),
    "white on a transparent sheet": encoded(painted((255, 255, 255))),
    "black on a transparent sheet": encoded(painted((0, 0, 0), under=(255, 255, 255))),
    "green on a transparent sheet": encoded(painted((20, 200, 30))),
    "white and black on a transparent sheet": encoded(with_white_and_alpha()),
    "a picture with a transparent part": encoded(photo_with_a_hole()),
    "JPEG": encoded(grey(), "JPEG", quality=95),
    "TIFF": encoded(grey(), "TIFF"),
    "CMYK": encoded(grey().convert("RGB").convert("CMYK"), "TIFF"),
    "WebP": encoded(grey().convert("RGB"), "WEBP", lossless=True),
    "BMP": encoded(grey(), "BMP"),
    "GIF": encoded(grey(), "GIF"),
}


@pytest.mark.parametrize("kind", FILES)
def test_white_means_fill_in_every_kind_of_file(kind: str) -> None:
    values = read_mask(FILES[kind], SIZE).values
    assert values.dtype == np.float32 and values.shape == SHAPE.shape
    assert np.array_equal(values >= 0.5, SHAPE)
    if kind != "JPEG":
        assert np.array_equal(values, SHAPE.astype(np.float32))


@pytest.mark.parametrize("kind", FILES)
def test_invert_is_the_other_habit(kind: str) -> None:
    assert np.array_equal(read_mask(FILES[kind], SIZE, invert=True).values >= 0.5, ~SHAPE)


def test_a_choice_is_told() -> None:
    assert read_mask(FILES["grey"]).note is None
    assert "alpha" in str(read_mask(FILES["white on a transparent sheet"]).note)
    assert "transparent" in str(read_mask(FILES["a picture with a transparent part"]).note)


def test_grey_levels_are_weights() -> None:
    ramp = np.tile(np.arange(20, dtype=np.uint8) * 13, (4, 1))
    assert np.allclose(read_mask(encoded(grey(ramp))).values, ramp / 255, atol=1e-6)
    deep = np.tile(np.arange(20, dtype=np.uint16) * 3001, (4, 1))
    assert np.allclose(read_mask(encoded(Image.fromarray(deep))).values, deep / 65535, atol=1e-6)


def test_the_noise_of_a_jpeg_is_not_part_of_its_mask() -> None:
    values = read_mask(encoded(grey(), "JPEG", quality=90), SIZE).values
    assert (values[:2] == 0).all() and (values[6:9, 9:18] == 1).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter to the right
    turned = encoded(grey(np.ascontiguousarray(np.rot90(LEVELS))), exif=exif)
    assert np.array_equal(read_mask(turned, SIZE).values > 0.5, SHAPE)


def test_another_size_is_refused_with_both_sizes_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(FILES["grey"])
    with pytest.raises(InputError, match=r"30x20.*60x40") as caught:
        read_mask(path, (60, 40))
    assert "mask.png" in caught.value.message and "fit_mask" in str(caught.value.hint)


def test_another_shape_is_refused_even_when_it_may_be_fitted() -> None:
    with pytest.raises(InputError, match="another shape"):
        read_mask(FILES["grey"], (60, 50), fit=True)
    with pytest.raises(InputError, match="another shape") as caught:
        read_mask(FILES["grey"], (20, 30))
    assert "EXIF" in str(caught.value.hint)


@pytest.mark.parametrize("size", [(60, 40), (15, 10), (601, 401)])
def test_a_mask_of_the_same_shape_can_be_fitted(size: tuple[int, int]) -> None:
    values = read_mask(FILES["grey"], size, fit=True).values
    assert values.shape == size[::-1]
    assert masks.coverage(values) == pytest.approx(SHAPE.mean(), abs=0.01)


def test_a_label_map_is_not_taken_for_a_mask() -> None:
    with pytest.raises(InputError, match="holds no white: its brightest value is 1 of 255"):
        read_mask(encoded(grey(SHAPE.astype(np.uint8))), SIZE)


def test_a_file_that_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError):
        read_mask(b"no picture at all")


# ---- boxes


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("6,4,15,7", (4, 11), (6, 21)),
        ("20%, 20%, 50%, 35%", (4, 11), (6, 21)),
        ("6px,4px,50%,7", (4, 11), (6, 21)),
        ("25,15,100,100", (15, 20), (25, 30)),
        ("0,0,0.1,0.1", (0, 1), (0, 1)),
    ],
)
def test_boxes(text: str, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    values = masks.from_box(masks.parse_box(text), SIZE)
    assert masks.bounds(values > 0) == (*rows, *columns)
    assert values.sum() == (rows[1] - rows[0]) * (columns[1] - columns[0])


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,0,5", "1,2,3,-4", "-1,2,3,4", "nan,1,1,1"])
def test_what_is_no_box_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        masks.parse_box(text)


def test_a_box_outside_the_picture_is_refused_with_its_size() -> None:
    with pytest.raises(InputError, match=r"30,0,5,5.*30x20"):
        masks.from_box(masks.parse_box("30,0,5,5"), SIZE)
    with pytest.raises(InputError, match="outside the picture"):
        masks.from_box(masks.Box(*(masks.Length(n) for n in (-9, 0, 5, 5)), "-9,0,5,5"), SIZE)


def test_a_box_that_begins_left_of_the_picture_is_cut_at_its_border() -> None:
    mask = masks.from_box(masks.Box(*(masks.Length(n) for n in (-3, -2, 5, 5)), "-3,-2,5,5"), SIZE)
    assert mask.sum() == 2 * 3 and mask[:3, :2].all()


# ---- colours and alpha


@pytest.mark.parametrize("text", ["#ff00ff", "#f0f", "ff00ff", "magenta", "fuchsia", "rgb(255,0,255)", "#FF00FF"])
def test_colours(text: str) -> None:
    assert masks.parse_colour(text) == (255, 0, 255)


@pytest.mark.parametrize("text", ["", "#ff00f", "purplish", "1,2,3"])
def test_what_is_no_colour_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a colour"):
        masks.parse_colour(text)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_painted_colour_is_found_within_its_tolerance(dtype: type) -> None:
    unit = np.iinfo(dtype).max // 255
    pixels = np.full((20, 30, 3), 90 * unit, dtype)
    pixels[SHAPE] = np.array((250, 5, 255)) * unit
    assert np.array_equal(masks.from_colour(pixels, (255, 0, 255), 5) > 0, SHAPE)
    assert not masks.from_colour(pixels, (255, 0, 255), 4).any()


def test_a_grey_picture_has_only_grey_colours() -> None:
    pixels = np.where(SHAPE, 200, 90).astype(np.uint8)[..., None]
    assert np.array_equal(masks.from_colour(pixels, (200, 200, 200)) > 0, SHAPE)
    assert not masks.from_colour(pixels, (200, 0, 0), 255).any()


def test_the_transparent_part_is_filled_as_far_as_it_is_transparent() -> None:
    alpha = np.array([[0, 51, 255]], np.uint8)
    found = masks.from_alpha(Picture(np.zeros((1, 3, 3), np.uint8), alpha))
    assert np.allclose(found, [[1, 0.8, 0]])
    with pytest.raises(InputError, match=r"x\.png has no alpha"):
        masks.from_alpha(Picture(np.zeros((1, 3, 3), np.uint8)), "x.png")


# ---- growing, feathering, checking


def spot() -> np.ndarray:
    found = np.zeros((41, 41), np.float32)
    found[20, 20] = 1
    return found


def distance() -> np.ndarray:
    y, x = np.mgrid[:41, :41]
    return np.hypot(y - 20, x - 20)


@pytest.mark.parametrize("pixels", [1, 2.5, 7])
def test_growing_reaches_as_far_as_told_in_all_directions(pixels: float) -> None:
    assert np.array_equal(masks.dilate(spot(), pixels) > 0, distance() <= pixels)


def test_growing_by_less_than_nothing_narrows() -> None:
    grown = masks.dilate(spot(), 9)
    assert np.array_equal(masks.dilate(grown, -4) > 0.5, masks.dilate(spot(), 5) > 0.5)


def test_a_feather_goes_outward_and_ends() -> None:
    body = masks.dilate(spot(), 5)
    soft = masks.feather(body, 6)
    assert (soft[body == 1] == 1).all(), "what was filled in full still is"
    assert (soft[distance() > 5 + 6.01] == 0).all()
    line = soft[20, 20:]
    assert (np.diff(line) <= 0).all() and 0 < line[8] < 1


def test_nothing_grows_from_an_empty_mask() -> None:
    empty = np.zeros((5, 5), np.float32)
    assert not masks.dilate(empty, 3).any() and not masks.feather(empty, 3).any()


def test_masks_add_up() -> None:
    first, second = spot(), np.roll(spot(), 3, axis=1) / 2
    assert masks.combine(first, second).sum() == 1.5


def test_an_empty_mask_and_one_of_nearly_everything_are_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match=r"m\.png.*nothing in it is white") as caught:
        masks.check(np.zeros((9, 9), np.float32), "m.png")
    assert "invert" in str(caught.value.hint)
    full = np.ones((10, 10), np.float32)
    full[0, :3] = 0
    with pytest.raises(InputError, match=r"covers 97\.0 %"):
        masks.check(full)
    full[0] = 0
    masks.check(full)


@pytest.mark.parametrize(
    ("share", "words"), [(0.1234, "12.3 %"), (0.0042, "0.42 %"), (0.00001, "less than 0.01 %"), (0, "0.00 %")]
)
def test_coverage_in_words(share: float, words: str) -> None:
    assert masks.percent(share) == words
