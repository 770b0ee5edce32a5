"""`imgfix select`, `imgfix cutout` and the same options of `imgfix inpaint`, as their user sees them. No weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imgfix as package
from imgfix.pipelines.choosing import ModelTools
from tests.cli.conftest import Run, litter
from tests.cli.conftest import save_photo as small_photo
from tests.tasks.test_select import PEOPLE, SIGN, Tools

SIZE = (100, 60)


save_photo = partial(small_photo, size=SIZE)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_photo(tmp_path / "photo.png")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the networks find two people, a dog, a sign and a subject in the middle."""

    def put(*things: Any, **more: Any) -> None:
        tools = Tools(*(things or PEOPLE), lines=(SIGN,), **more)
        for name in ("segmenter", "detector", "subject", "reader"):
            monkeypatch.setattr(ModelTools, name, lambda self, name=name: getattr(tools, name)())

    put()
    return put


def white(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L")) > 127


def test_a_mask_is_a_grey_png_beside_the_picture(imgfix: Run, photo: Path, there: object) -> None:
    result = imgfix("select", photo, "--object", "person:2", "--json")
    assert result.code == 0, result.err
    made = photo.with_name("photo_mask.png")
    assert Image.open(made).mode == "L"
    assert white(made).sum() == 800 and white(made)[10:50, 60:80].all()
    [item] = result.items
    assert item["things"] == [
        {"kind": "object", "name": "person", "number": 2, "score": 0.9, "box": [60, 10, 80, 50], "area": 800}
    ]
    assert item["coverage"] == pytest.approx(800 / 6000, abs=1e-5)


def test_the_mask_of_a_jpeg_is_no_jpeg(imgfix: Run, tmp_path: Path, there: object) -> None:
    save_photo(tmp_path / "photo.jpg")
    assert imgfix("select", tmp_path / "photo.jpg", "--subject").code == 0
    assert (tmp_path / "photo_mask.png").exists()


def test_what_is_there_is_listed_as_it_can_be_asked_for(imgfix: Run, photo: Path, there: object) -> None:
    result = imgfix("select", photo, "--list")
    assert result.code == 0, result.err
    assert [line.split("\t")[0] for line in result.out.splitlines()] == ["person:1", "person:2", "dog:1"]
    assert result.out.splitlines()[2] == "dog:1\t0.70\t35,30,20,20"
    assert litter(photo.parent) == []
    assert [one["name"] for one in imgfix("select", photo, "--list", "--json").items[0]["things"]] == [
        "person", "person", "dog",
    ]  # fmt: skip


def test_a_preview_shows_the_chosen_part(imgfix: Run, photo: Path, there: object, tmp_path: Path) -> None:
    shown = tmp_path / "look.png"
    assert imgfix("select", photo, "--object", "dog", "--preview", shown).code == 0
    before, after = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (photo, shown))
    changed = (before != after).any(axis=-1)
    assert changed[35:45, 40:50].all() and not changed[:, 90:].any()


def test_options_with_signs_combine(imgfix: Run, photo: Path, there: object, tmp_path: Path) -> None:
    target = tmp_path / "m.png"
    words = ("--object", "person", "--object", "-person:1", "--subject", "--box-object", "&50%,0,50%,100%")
    assert imgfix("select", photo, *words, "-o", target).code == 0
    expected = np.zeros(SIZE[::-1], bool)
    expected[10:50, 60:80] = expected[20:40, 50:70] = True
    assert np.array_equal(white(target), expected)
    assert imgfix("select", photo, *words, "--invert", "-o", target, "--overwrite").code == 0
    assert np.array_equal(white(target), ~expected)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("", 2, "nothing says what to choose"),
        ("--object giraf", 2, "near it: giraffe"),
        ("--object cat", 1, "found: person (2), dog"),
        ("--object person:7", 1, "only 2 found"),
        ("--point 500,5", 1, "outside the picture, which is 100x60"),
        ("--point 5", 2, "--point 5: not a point"),
        ("--not-point 5,5", 2, "--not-point says what a click does not mean"),
        ("--object dog --not-point 5,5", 2, "--not-point says what a click does not mean"),
        ("--box-object 1,2,0,4", 2, "has no area"),
        ("--text Paris", 1, "found: 'Rome 2019'"),
        ("--object dog --object -dog", 1, "nothing is left"),
        ("--subject --score 1", 2, "--score 1 is out of range"),
        ("--subject --dilate much", 2, "--dilate much: not a width"),
        ("--subject --model photo-x4", 3, "photo-x4 is a model for 'upscale'"),
    ],
)
def test_what_cannot_be_done_is_said(imgfix: Run, photo: Path, there: object, words: str, code: int, said: str) -> None:
    result = imgfix("select", photo, *words.split())
    assert (result.code, said in result.err) == (code, True), result.err
    assert litter(photo.parent) == []


@pytest.mark.parametrize(
    ("verb", "words", "name"),
    [
        ("select", "--point 5,5", "mobile-sam"), ("select", "--list", "efficientdet-lite0"),
        ("cutout", "", "u2net"), ("inpaint", "--object dog --model telea", "efficientdet-lite0 mobile-sam"),
        ("select", "--subject --object -cup --point 5,5", "u2net efficientdet-lite0 mobile-sam"),
    ],
)  # fmt: skip
def test_a_model_that_is_not_here_is_named_and_not_fetched(
    imgfix: Run, photo: Path, verb: str, words: str, name: str
) -> None:
    result = imgfix(verb, photo, *words.split())
    assert result.code == 3
    assert f"imgfix weights pull {name}" in result.err


def test_a_named_model_is_not_fetched_offline(imgfix: Run, photo: Path) -> None:
    result = imgfix("select", photo, "--point", "5,5", "--model", "mobile-sam", "--offline")
    assert result.code == 3 and "mobile-sam" in result.err


def test_one_bad_picture_does_not_end_a_batch(imgfix: Run, photo: Path, tmp_path: Path, there: object) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    result = imgfix("select", tmp_path / "broken.png", photo, "--subject", "-o", tmp_path / "masks/")
    assert result.code == 1
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["photo.png"]  # as masks are paired with pictures


def test_one_preview_for_two_pictures_is_refused(imgfix: Run, photo: Path, tmp_path: Path, there: object) -> None:
    other = save_photo(tmp_path / "other.png")
    result = imgfix("select", photo, other, "--subject", "--preview", tmp_path / "one.png")
    assert result.code == 2 and "--preview" in result.err


# -- inpaint ----------------------------------------------------------------------------------------------------------


def test_a_thing_is_removed_by_its_name_with_a_margin(imgfix: Run, photo: Path, there: object, tmp_path: Path) -> None:
    target, mask = tmp_path / "out.png", tmp_path / "m.png"
    result = imgfix("inpaint", photo, "--object", "dog", "--model", "telea", "-o", target, "--save-mask", mask)
    assert result.code == 0, result.err
    before, after = (np.asarray(Image.open(path)) for path in (photo, target))
    changed = (before != after).any(axis=-1)
    filled = white(mask)
    assert not changed[~filled].any()
    rows = np.flatnonzero(filled[:, 45])
    assert (rows[0], rows[-1]) == (27, 52)  # the dog's box is from 30 to 49


def test_names_and_boxes_add_up_and_signs_apply_to_all(imgfix: Run, photo: Path, there: object, tmp_path: Path) -> None:
    mask = tmp_path / "m.png"
    words = ("--box", "0,0,10,60", "--object", "dog", "--object", "-person:1", "--dilate", "0")
    assert imgfix("inpaint", photo, *words, "--model", "telea", "--save-mask", mask, "-o", tmp_path / "o.png").code == 0
    expected = np.zeros(SIZE[::-1], bool)
    expected[:, :10] = expected[30:50, 35:55] = True
    assert np.array_equal(white(mask), expected)


def test_a_dry_run_says_how_much_would_be_filled(imgfix: Run, photo: Path, there: object) -> None:
    result = imgfix("inpaint", photo, "--subject", "--dilate", "0", "--model", "telea", "--dry-run", "--json")
    assert result.items[0]["coverage"] == pytest.approx(800 / 6000, abs=1e-5)
    assert litter(photo.parent) == []


# -- cutout -----------------------------------------------------------------------------------------------------------


def test_the_cutout_of_a_jpeg_is_a_transparent_png(imgfix: Run, tmp_path: Path, there: object) -> None:
    source = save_photo(tmp_path / "photo.jpg")
    result = imgfix("cutout", source)
    assert result.code == 0, result.err
    made = Image.open(tmp_path / "photo_cutout.png")
    alpha = np.asarray(made)[..., 3]
    assert made.mode == "RGBA" and alpha[30, 50] == 255 and alpha[2, 2] == 0
    inside = alpha == 255
    assert np.array_equal(np.asarray(made)[..., :3][inside], np.asarray(Image.open(source))[inside])


def test_something_may_be_put_behind(imgfix: Run, photo: Path, tmp_path: Path, there: object) -> None:
    target, matte = tmp_path / "out.jpg", tmp_path / "matte.png"
    assert imgfix("cutout", photo, "--background", "white", "-o", target, "--save-mask", matte).code == 0
    assert np.asarray(Image.open(target))[2, 2].min() > 250
    assert white(matte)[30, 50] and not white(matte)[2, 2]
    assert imgfix("cutout", photo, "--background", photo, "-o", tmp_path / "b.png").code == 0
    assert imgfix("cutout", photo, "--background", "blur", "-o", tmp_path / "c.png").code == 0
    assert Image.open(tmp_path / "c.png").mode == "RGB"


def test_a_named_thing_is_cut_out_instead_of_the_subject(
    imgfix: Run, photo: Path, tmp_path: Path, there: object
) -> None:
    assert imgfix("cutout", photo, "--object", "person:2", "-o", tmp_path / "out.png").code == 0
    alpha = np.asarray(Image.open(tmp_path / "out.png"))[..., 3]
    assert alpha[30, 70] == 255 and alpha[30, 45] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("-o <out.jpg>", 1, "JPEG holds no transparency"),
        ("--background papyrus", 2, "--background papyrus: neither a colour nor a file"),
    ],
)
def test_what_a_cutout_cannot_be_is_said(
    imgfix: Run, photo: Path, tmp_path: Path, there: object, words: str, code: int, said: str
) -> None:
    result = imgfix(
        "cutout", photo, *(str(tmp_path / word.strip("<>")) if "<" in word else word for word in words.split())
    )
    assert (result.code, said in result.err) == (code, True), result.err
    assert litter(photo.parent) == []


def test_a_picture_without_a_subject_has_no_cutout(imgfix: Run, photo: Path, there: Callable[..., None]) -> None:
    there(there=False)
    result = imgfix("cutout", photo)
    assert result.code == 1 and "no main subject" in result.err
    assert litter(photo.parent) == []


# -- Python -----------------------------------------------------------------------------------------------------------


def test_python_gives_a_mask_and_a_cutout_as_arrays(photo: Path, there: object) -> None:
    mask = package.select(photo, object="dog")
    assert mask.shape[:2] == SIZE[::-1] and (mask > 127).sum() == 400
    assert (package.select(photo, point=(10, 10)) > 127).sum() == 50 * 60
    assert package.cutout(photo).shape == (*SIZE[::-1], 4)
    assert package.cutout(photo, behind=(255, 255, 255)).shape == (*SIZE[::-1], 3)
    filled = package.inpaint(photo, object="dog", model="telea")
    assert filled.shape == (*SIZE[::-1], 3)
