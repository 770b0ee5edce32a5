"""Pictures whose things somebody marked: a COCO file, or masks beside the pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from imgfix.errors import InputError
from imgfix.media.image import IMAGE_EXTENSIONS
from imgfix.media.mask import read_mask, resized
from imgfix.train.job import Draw
from imgfix.train.labelled import Labelled
from imgfix.train.pictures import read_rgb
from imgfix.train.pool import find_pictures
from imgfix.train.recipe import Recipe
from imgfix.train.split import held_out, spread

LEAST = 24
"""Pixels of a mask, as the network sees it, below which a thing is left out."""
_LARGEST = 1.6
"""How many times the crop the shorter side of a picture is at most, when it is learned from."""
_SHOWN = 0.25
"""Share of a thing that must be in the crop."""
UNNAMED = "thing"
"""What things are called that no name was given."""


@dataclass(frozen=True)
class Marked:
    """A picture's file, and the things in it."""

    path: Path
    masks: Callable[[int, int], list[np.ndarray]]
    """Each thing's (height, width) bool, for a picture of that height and width."""
    classes: tuple[int, ...]
    """Of the things, from 1; empty: all that `masks` gives are `every`."""
    every: tuple[int, ...] = ()
    """For masks beside a picture: the class of each mask file, whose parts that lie apart are things of their own."""


class AnnotatedDataset:
    """See `imgfix.train.labelled.LabelledDataset`.

    annotations: a file as of COCO, whose pictures are among the recipe's photos; None: there are masks beside the
    photos, `photo_mask.png`, or `photo_mask_NAME.png` for things of a name, white inside, each part that lies apart a
    thing. Raises InputError: nothing is marked, or the file is damaged.
    """

    def __init__(self, recipe: Recipe, annotations: str | None) -> None:
        pictures = find_pictures(recipe.photos)
        others = find_pictures([recipe.val]) if recipe.val else []
        read = read_coco if annotations is not None else read_masks
        source = Path(annotations).expanduser() if annotations is not None else None
        self.names, marked = read(source, [*pictures, *others])  # type: ignore[arg-type]
        apart = set(others) if others else set(held_out([one.path for one in marked], recipe.val_fraction)[1])
        self.crop = recipe.crop
        self.training = [one for one in marked if one.path not in apart]
        self.measured = [one for one in marked if one.path in apart]
        if not self.training:
            raise InputError("no picture with something marked is left to train on", hint="mark more pictures")
        self.facts: tuple[str, ...] = (
            f"{len(self.training)} pictures with {', '.join(self.names)}; {len(self.measured)} more to measure with",
        )

    def draw(self, seed: int, row: int) -> Labelled:
        """See `LabelledDataset.draw`."""
        rng = np.random.default_rng(Draw(seed, row, 0, 1, 1).seed_for("annotated"))
        one = self.training[int(rng.integers(len(self.training)))]
        picture, masks, classes = opened(one, round(self.crop * float(rng.uniform(1, _LARGEST))))
        top, left = (int(rng.integers(0, length - self.crop + 1)) for length in picture.shape[:2])
        window = np.s_[top : top + self.crop, left : left + self.crop]
        turn = -1 if rng.random() < 0.5 else 1
        cut = [np.ascontiguousarray(mask[window][:, ::turn]) for mask in masks]
        kept = [i for i, mask in enumerate(cut) if mask.sum() >= max(LEAST, _SHOWN * masks[i].sum())]
        picture = np.ascontiguousarray(picture[window][:, ::turn])
        return Labelled(picture, tuple(cut[i] for i in kept), tuple(classes[i] for i in kept), row)

    def held_out(self, count: int) -> list[Labelled]:
        """See `LabelledDataset.held_out`."""
        found = []
        for number in spread(len(self.measured), count):
            picture, masks, classes = opened(self.measured[number], self.crop)
            kept = [i for i, mask in enumerate(masks) if mask.sum() >= LEAST]
            found.append(Labelled(picture, tuple(masks[i] for i in kept), tuple(classes[i] for i in kept)))
        return found


def opened(one: Marked, shorter: int) -> tuple[np.ndarray, list[np.ndarray], list[int]]:
    """The picture (H, W, 3) uint8 with its shorter side brought to so many pixels, the masks of its things, classes."""
    upright = Image.fromarray(read_rgb(one.path))
    factor = shorter / min(upright.size)
    width, height = (max(shorter, round(side * factor)) for side in upright.size)
    picture = np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
    masks = one.masks(height, width)
    if not one.every:
        return picture, masks, list(one.classes)
    parts = [(part, number) for mask, number in zip(masks, one.every, strict=True) for part in apart_in(mask)]
    return picture, [part for part, _ in parts], [number for _, number in parts]


def apart_in(mask: np.ndarray) -> list[np.ndarray]:
    """The parts of a mask (H, W) bool that lie apart and are not specks."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    parts = [labels == number for number in range(1, count)]
    return [part for part in parts if part.sum() >= LEAST]


# -- masks beside pictures ---------------------------------------------------------------------------------------------


def read_masks(_: None, pictures: Sequence[Path]) -> tuple[tuple[str, ...], list[Marked]]:
    """Names and pictures that have masks beside them. Raises InputError when none has."""
    beside: dict[Path, list[tuple[str, Path]]] = {}
    stems = {picture.with_suffix(""): picture for picture in pictures}
    for path in pictures:
        stem, mark, name = path.stem.rpartition("_mask")
        owner = stems.get(path.with_name(stem)) if mark and (not name or name.startswith("_")) else None
        if owner is not None:
            beside.setdefault(owner, []).append((name[1:] or UNNAMED, path))
    if not beside:
        raise InputError(
            "no picture has a mask beside it",
            hint="photo_mask.png or photo_mask_NAME.png, or `settings.annotations=FILE`",
        )
    names = tuple(sorted({name for own in beside.values() for name, _ in own}))
    marked = [
        Marked(path, _from_files(tuple(mask for _, mask in own)), (), tuple(names.index(name) + 1 for name, _ in own))
        for path, own in beside.items()
    ]
    return names, marked


def _from_files(paths: tuple[Path, ...]) -> Callable[[int, int], list[np.ndarray]]:
    def masks(height: int, width: int) -> list[np.ndarray]:
        return [resized(read_mask(path).values, (width, height)) >= 0.5 for path in paths]

    return masks


# -- COCO --------------------------------------------------------------------------------------------------------------


def read_coco(path: Path, pictures: Sequence[Path]) -> tuple[tuple[str, ...], list[Marked]]:
    """Names and pictures of a file as COCO's: `images`, `annotations`, `categories`; crowds are left out.

    Raises InputError: the file is damaged, or none of its pictures is among those given.
    """
    try:
        said = json.loads(path.read_text("utf-8"))
        categories = sorted(said["categories"], key=lambda each: int(each["id"]))
        numbers = {int(each["id"]): number for number, each in enumerate(categories, 1)}
        files = {
            each["id"]: (str(each["file_name"]), int(each["height"]), int(each["width"])) for each in said["images"]
        }
        things: dict[Any, list[tuple[int, Any]]] = {}
        for each in said["annotations"]:
            if not each.get("iscrowd") and each.get("segmentation"):
                things.setdefault(each["image_id"], []).append(
                    (numbers[int(each["category_id"])], each["segmentation"])
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a file of annotations as COCO's: {error!r}") from None
    known = {picture.name: picture for picture in pictures if picture.suffix.lower() in IMAGE_EXTENSIONS}
    marked = []
    for identifier, (name, height, width) in files.items():
        picture, own = known.get(Path(name).name), things.get(identifier, [])
        if picture is not None and own:
            drawn = _drawn(path, tuple(shape for _, shape in own), height, width)
            marked.append(Marked(picture, drawn, tuple(number for number, _ in own)))
    if not marked:
        raise InputError(
            f"{path}: none of its {len(files)} pictures is in the folder", hint="name its folder as PHOTOS"
        )
    return tuple(str(each["name"]) for each in categories), marked


def _drawn(source: Path, shapes: tuple[Any, ...], height: int, width: int) -> Callable[[int, int], list[np.ndarray]]:
    def masks(tall: int, wide: int) -> list[np.ndarray]:
        try:
            return [drawn_from(shape, height, width, tall, wide) for shape in shapes]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(f"{source}: a shape cannot be read: {error!r}") from None

    return masks


def drawn_from(shape: Any, height: int, width: int, tall: int, wide: int) -> np.ndarray:
    """A mask (tall, wide) bool from a `segmentation` of COCO for a picture of height and width.

    Polygons, lists of x and y by turns, or run lengths down the columns, the first of them outside, as numbers or in
    COCO's text form. Raises ValueError when it is neither.
    """
    found = np.zeros((tall, wide), np.uint8)
    if isinstance(shape, dict):
        counts = shape["counts"]
        runs = lengths_from(counts) if isinstance(counts, str) else [int(each) for each in counts]
        if sum(runs) != height * width or min(runs) < 0:
            raise ValueError(f"runs of {sum(runs)} pixels for {width}x{height}")
        flat = np.repeat(np.arange(len(runs)) % 2, runs).astype(np.uint8)
        whole = np.ascontiguousarray(flat.reshape(width, height).T).astype(np.float32)
        return cv2.resize(whole, (wide, tall), interpolation=cv2.INTER_AREA) >= 0.5
    for polygon in shape:
        points = np.asarray(polygon, np.float64).reshape(-1, 2) * (wide / width, tall / height)
        cv2.fillPoly(found, [np.round(points * 16 - 8).astype(np.int32)], 1, shift=4)
    return found.astype(bool)


def lengths_from(text: str) -> list[int]:
    """Run lengths from COCO's text form: five bits a letter; from the fourth on, differences to the one before last."""
    found: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        found.append(value + (found[-2] if len(found) > 2 else 0))
        value = shift = 0
    return found
