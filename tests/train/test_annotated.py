"""Pictures that somebody marked: COCO's polygons and run lengths, and masks beside the pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError, UsageError
from imgfix.train.annotated import AnnotatedDataset, drawn_from, lengths_from
from imgfix.train.jobs.select import SelectJob
from imgfix.train.kinds import find_kind
from imgfix.train.recipe import Recipe, build_recipe

HEIGHT, WIDTH = 80, 120
SQUARE = [20.0, 10.0, 60.0, 10.0, 60.0, 50.0, 20.0, 50.0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        grey = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{number}.png")
    return folder


def recipe(photos: Path, **settings: Any) -> Recipe:
    return build_recipe("select", [{"photos": (str(photos),), "crop": 64, "batch": 1}, settings])


def coco(photos: Path, segmentation: Any = None, **more: Any) -> Path:
    said = {
        "images": [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in range(4)],
        "categories": [{"id": 7, "name": "cup"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": n, "category_id": 7, "iscrowd": 0, "segmentation": segmentation or [SQUARE]} for n in range(4)
        ],
        **more,
    }
    path = photos.parent / "instances.json"
    path.write_text(json.dumps(said))
    return path


def letters_of(runs: list[int]) -> str:
    """COCO's text form, written the long way."""
    text = ""
    for index, run in enumerate(runs):
        value = run - (runs[index - 2] if index > 2 else 0)
        while True:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(bits + (32 if more else 0) + 48)
            if not more:
                break
    return text


def test_a_polygon_covers_what_is_inside_at_any_size() -> None:
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[10:50, 20:60] = True
    found = drawn_from([SQUARE], HEIGHT, WIDTH, HEIGHT, WIDTH)
    assert (found != expected).sum() <= 2 * (40 + 40)
    half = drawn_from([SQUARE], HEIGHT, WIDTH, HEIGHT // 2, WIDTH // 2)
    assert half[6:24, 11:29].all() and half.sum() < 22 * 22


def test_run_lengths_go_down_the_columns() -> None:
    mask = np.random.default_rng(1).random((9, 7)) < 0.4
    flat = mask.T.flatten()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int))) if flat.any() else []
    runs = np.diff([0, *edges, flat.size]).tolist()
    for counts in (runs, letters_of(runs)):
        assert np.array_equal(drawn_from({"counts": counts}, 9, 7, 9, 7), mask)
    assert lengths_from(letters_of([5, 700, 3, 2, 90000, 1])) == [5, 700, 3, 2, 90000, 1]


def test_runs_of_another_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="runs of 10 pixels for 7x9"):
        drawn_from({"counts": [4, 6]}, 9, 7, 9, 7)


def test_names_are_in_the_order_of_their_numbers(photos: Path) -> None:
    source = AnnotatedDataset(recipe(photos), str(coco(photos)))
    assert source.names == ("dog", "cup")
    samples = [source.draw(0, row) for row in range(6)]
    assert all(set(one.classes) <= {2} and one.picture.shape == (64, 64, 3) for one in samples)
    assert any(one.masks for one in samples)
    assert all(mask.shape == (64, 64) and mask.any() for one in samples for mask in one.masks)


def test_held_out_pictures_are_not_learned_from(photos: Path) -> None:
    source = AnnotatedDataset(recipe(photos, val_fraction=0.3), str(coco(photos)))
    assert source.training and source.measured
    assert not {one.path for one in source.training} & {one.path for one in source.measured}
    [first, *_] = source.held_out(1)
    assert min(first.picture.shape[:2]) == 64 and first.masks[0].shape == first.picture.shape[:2]


def test_masks_beside_pictures_have_names_and_parts(photos: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 10:30] = mask[40:70, 60:110] = 255
    Image.fromarray(mask).save(photos / "0_mask_dog.png")
    Image.fromarray(mask).save(photos / "1_mask.png")
    source = AnnotatedDataset(recipe(photos, val_fraction=0.0), None)
    assert source.names == ("dog", "thing") and len(source.training) == 2
    seen = [source.draw(0, row) for row in range(12)]
    assert {number for one in seen for number in one.classes} == {1, 2}
    assert max(len(one.masks) for one in seen) == 2


def test_what_cannot_be_learned_from_is_refused(photos: Path) -> None:
    with pytest.raises(InputError, match="no picture has a mask beside it"):
        AnnotatedDataset(recipe(photos), None)
    broken = photos.parent / "broken.json"
    broken.write_text('{"images": []}')
    with pytest.raises(InputError, match=r"broken\.json: not a file of annotations"):
        AnnotatedDataset(recipe(photos), str(broken))
    other = coco(photos, images=[{"id": 0, "file_name": "other.png", "height": 5, "width": 5}])
    with pytest.raises(InputError, match="none of its 1 pictures"):
        AnnotatedDataset(recipe(photos), str(other))
    with pytest.raises(InputError, match="a shape cannot be read"):
        AnnotatedDataset(recipe(photos), str(coco(photos, {"counts": [1, 2]}))).draw(0, 0)
    with pytest.raises(UsageError, match="given together"):
        find_kind("select").build(recipe(photos, overlays=True, annotations="x.json"), "cpu")


def test_a_detector_of_the_marked_things_is_for_naming_them(photos: Path) -> None:
    tiny = {"pyramid": 8, "hidden": 8, "mask": 8, "layers": 1}
    job = SelectJob(recipe(photos, annotations=str(coco(photos)), net_config=tiny), "cpu")  # type: ignore[arg-type]
    identity = job.identity()
    assert identity.metadata["task"] == "detect" and identity.config["names"] == ["dog", "cup"]
