"""What a picture shows: pixel art, writing, screens and drawings are told from photos."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from imgfix.tasks.content import look

WORDS = ("dark", "and", "stormy", "night", "the", "rain", "fell", "in", "torrents", "except", "at", "intervals")


def sprite(side: int = 16, colours: int = 8, seed: int = 0) -> np.ndarray:
    """A figure that is the same to the left and to the right, in a few colours."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colours, 3), np.uint8)
    half = palette[rng.integers(0, colours, (side, side // 2))]
    return np.concatenate([half, half[:, ::-1]], axis=1)


def page(size: tuple[int, int] = (400, 300), ink: int = 0, ground: int = 255, height: int = 16) -> np.ndarray:
    """Rows of words, drawn with smoothed edges."""
    picture = Image.new("RGB", size, (ground,) * 3)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(height)
    for row, y in enumerate(range(8, size[1] - height - 8, height + 6)):
        draw.text((10, y), " ".join(WORDS[(row * 3 + word) % len(WORDS)] for word in range(7)), (ink,) * 3, font)
    return np.asarray(picture)


def photo(height: int = 300, width: int = 400, seed: int = 0) -> np.ndarray:
    """Something like one: shades over many scales (1/f), and grain."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    fall = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    planes = []
    for _ in range(3):
        waves = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * fall, (height, width))
        planes.append(128 + 45 * waves / waves.std() + rng.normal(0, 2, (height, width)))
    return np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8)


def cartoon(side: int = 256) -> np.ndarray:
    """Discs of one colour with smoothed outlines."""
    picture = Image.new("RGB", (4 * side, 4 * side), (240, 220, 180))
    draw = ImageDraw.Draw(picture)
    for number, colour in enumerate([(200, 40, 40), (40, 120, 200), (60, 160, 60), (250, 200, 30)]):
        x, y = 200 + 330 * (number % 2), 180 + 360 * (number // 2)
        draw.ellipse((x - 150, y - 140, x + 150, y + 140), colour, (20, 20, 20), 16)
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX))


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "JPEG", quality=quality)
    return np.asarray(Image.open(kept))


@pytest.mark.parametrize("side", [8, 16, 32, 64])
@pytest.mark.parametrize("seed", range(4))
def test_sprites(side: int, seed: int) -> None:
    assert look(sprite(side, seed=seed)).kind == "pixels"


def test_sprites_that_are_cut_out_or_have_sixteen_bits() -> None:
    pixels = sprite(32)
    alpha = np.where(np.hypot(*(np.mgrid[:32, :32] - 15.5)) < 12, 255, 0).astype(np.uint8)
    assert look(pixels, alpha).kind == "pixels"
    assert look(pixels.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257).kind == "pixels"
    assert look(pixels[..., :1]).kind == "pixels"


def test_sprites_that_were_enlarged_already_are_named_by_their_blocks() -> None:
    found = look(sprite(32).repeat(5, 0).repeat(5, 1))
    assert found.kind == "pixels" and "5x5" in found.why


def test_small_icons_with_soft_edges_are_no_pixel_art() -> None:
    icon = Image.fromarray(cartoon(256)).resize((32, 32), Image.Resampling.BOX)
    assert look(np.asarray(icon)).kind != "pixels"
    alpha = np.clip(255 * (13 - np.hypot(*(np.mgrid[:32, :32] - 15.5))), 0, 255).astype(np.uint8)
    assert look(np.full((32, 32, 3), (200, 40, 40), np.uint8), alpha).kind != "pixels"


@pytest.mark.parametrize("height", [10, 16, 28])
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (90, 250), (220, 30)])
def test_pages_dark_on_light_and_light_on_dark(height: int, ink: int, ground: int) -> None:
    found = look(page(ink=ink, ground=ground, height=height))
    assert found.kind == "text" and "letters" in found.why


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_scans_of_pages_with_paper_and_compression(quality: int) -> None:
    scan = page((600, 400), ink=40, ground=235, height=18).astype(np.float64)
    scan += np.random.default_rng(0).normal(0, 3, scan.shape) + np.linspace(-12, 12, scan.shape[1])[None, :, None]
    assert look(jpeg(np.clip(scan, 0, 255).astype(np.uint8), quality)).kind == "text"


def test_a_large_page_is_looked_at_in_parts() -> None:
    assert look(page((2000, 1400), height=24)).kind == "text"


def test_one_short_line() -> None:
    assert look(page((200, 40), height=14)).kind == "text"


def test_a_table_without_words_is_a_screen() -> None:
    picture = np.full((300, 400, 3), 255, np.uint8)
    picture[::30], picture[:, ::50] = 120, 120
    picture[:29, :, 0] = np.linspace(
        0, 255, 400, dtype=np.uint8
    )  # a title bar that fades: too many colours for a sprite
    picture[61:90, 51:100] = (60, 130, 240)
    found = look(picture)
    assert found.kind == "screen" and "straight" in found.why


def test_a_cartoon_is_a_drawing() -> None:
    assert look(cartoon()).kind == "drawing"


@pytest.mark.parametrize("seed", range(6))
def test_photos(seed: int) -> None:
    pixels = photo(seed=seed)
    assert look(pixels).kind == "photo"
    assert look(jpeg(pixels, 60)).kind == "photo"
    assert look(pixels[..., :1]).kind == "photo"


@pytest.mark.parametrize(("ink", "ground", "line"), [(220, 30, 90), (100, 245, 200), (150, 40, 70)])
def test_fainter_ruled_lines_do_not_hide_a_page(ink: int, ground: int, line: int) -> None:
    for height in (9, 13, 20):
        picture = Image.fromarray(page((300, 160), ink, ground, height))
        draw = ImageDraw.Draw(picture)
        draw.rectangle((4, 4, 295, 155), outline=(line,) * 3)
        for y in range(8 + height + 3, 152, height + 6):
            draw.line((4, y, 295, y), (line,) * 3)
        assert look(np.asarray(picture)).kind == "text"


@pytest.mark.parametrize("side", [16, 32, 64])
def test_thumbnails_of_photos(side: int) -> None:
    for seed in range(6):
        small = Image.fromarray(photo(seed=seed)).resize((side, side), Image.Resampling.LANCZOS)
        assert look(np.asarray(small)).kind == "photo"
        assert look(np.asarray(small.convert("L"))[..., None]).kind == "photo"


def test_a_photo_with_a_word_on_it_stays_one() -> None:
    pixels = photo()
    pixels[100:140, 50:250] = page((200, 40))
    assert look(pixels).kind == "photo"


def test_a_clear_sky_is_a_photo() -> None:
    sky = np.full((300, 400, 3), (120, 170, 230), np.uint8)
    sky += (np.arange(300) // 3).astype(np.uint8)[:, None, None] // 4
    sky[290:] = np.random.default_rng(0).integers(90, 100, (10, 400, 3), np.uint8)
    assert look(sky).kind == "photo"


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 1), (3, 3, 3), (5, 5, 4)])
def test_any_size(shape: tuple[int, int, int]) -> None:
    assert look(np.zeros(shape, np.uint8)).kind == "photo"
