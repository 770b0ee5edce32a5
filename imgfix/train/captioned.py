"""Pictures with captions, classes and sounds, small enough to lie decoded in memory."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imgfix.errors import ImgfixError, InputError
from imgfix.media.image import IMAGE_EXTENSIONS
from imgfix.media.sound import read_sound
from imgfix.nets import spectrogram
from imgfix.train.pictures import read_rgba
from imgfix.train.pool import find_pictures
from imgfix.train.split import held_out

SOUND_SUFFIXES = (".wav", ".ogg", ".flac", ".mp3", ".oga", ".opus", ".m4a")
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Captioned:
    """One picture and what is known of it."""

    path: Path
    texts: tuple[str, ...] = ()
    """Captions that all fit it; one is drawn each time."""
    label: str | None = None
    """Its class."""
    sounds: tuple[Path, ...] = ()
    """What it sounds like."""


def read_captions(sources: Iterable[str]) -> tuple[list[Captioned], list[str]]:
    """List the pictures of folders with their captions, classes and sounds.

    A folder with a `metadata.jsonl` is read by it: one object a line with `file_name`, and any of `text` (a sentence or
    a list of them), `class`, and `sound` (a file or a list). In any other folder a caption is the `.txt` file beside
    a picture (one caption a line), a sound the sound file of the same name, and the class is the folder's own name
    where the pictures lie in several folders.

    Returns:
        the pictures, and a line for each entry that was left out.

    Raises:
        InputError: no such folder, no pictures, or a line of `metadata.jsonl` that cannot be read.
    """
    found: list[Captioned] = []
    skipped: list[str] = []
    for source in map(Path, sources):
        listing = source / "metadata.jsonl"
        if listing.is_file():
            rows, missing = _listed(listing)
            found += rows
            skipped += missing
        else:
            found += _beside(source)
    if not found:
        raise InputError(
            f"no pictures in {', '.join(map(str, sources))}",
            hint="give a folder with pictures and a .txt beside each, a metadata.jsonl, or a folder for each class",
        )
    return found, skipped


def _listed(listing: Path) -> tuple[list[Captioned], list[str]]:
    rows, missing = [], []
    for number, line in enumerate(listing.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            path = listing.parent / row["file_name"]
            texts = row.get("text") or ()
            sounds = row.get("sound") or ()
            label = row.get("class")
            texts = (texts,) if isinstance(texts, str) else tuple(map(str, texts))
            sounds = (sounds,) if isinstance(sounds, str) else tuple(map(str, sounds))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{listing}, line {number}: not an object with a file_name",
                hint='for example {"file_name": "cat.png", "text": "a cat", "class": "animal", "sound": "meow.ogg"}',
            ) from None
        if path.is_file():
            files = tuple(listing.parent / sound for sound in sounds)
            rows.append(Captioned(path, texts, None if label is None else str(label), files))
        else:
            missing.append(f"{path}: no such file, named in line {number} of {listing.name}")
    return rows, missing


def _beside(source: Path) -> list[Captioned]:
    files = find_pictures([str(source)])
    folders = {file.parent for file in files}
    rows = []
    for file in files:
        text = file.with_suffix(".txt")
        lines = text.read_text("utf-8", "replace").splitlines() if text.is_file() else []
        sounds = tuple(file.with_suffix(s) for s in SOUND_SUFFIXES if file.with_suffix(s).is_file())
        label = file.parent.name if len(folders) > 1 else None
        rows.append(Captioned(file, tuple(line.strip() for line in lines if line.strip()), label, sounds))
    return rows


def read_both(sources: Iterable[str], val: str | None) -> tuple[list[Captioned], list[Captioned], list[str]]:
    """What to train on, what to measure on (nothing without `val`), and what is left out.

    Pictures of `val` that lie in `sources` too are measured on alone.

    Raises:
        InputError: no picture in `sources` or in `val`, or none that is not in both.
    """
    items, skipped = read_captions(sources)
    if not val:
        return items, [], skipped
    apart, missing = read_captions([val])
    measured = {item.path.resolve() for item in apart}
    items = [item for item in items if item.path.resolve() not in measured]
    if not items:
        raise InputError(f"every picture is in {val}, which is measured on", hint="leave some to train on")
    return items, apart, [*skipped, *missing]


class CaptionedPool:
    """Decoded pictures of one size with everything that can be asked for.

    Args:
        items: what to read; bad files are left out and listed in `skipped`.
        side: pixels of a side.
        channels: 1, 3 or 4; `None` takes what the pictures have.
        listen: whether their sounds are read.
    """

    def __init__(
        self, items: Sequence[Captioned], side: int, channels: int | None = None, *, listen: bool = True
    ) -> None:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as workers:
            decoded = list(workers.map(lambda item: _decode(item.path, side), items))
        self.skipped = [why for _, why in decoded if why]
        self.items = [item for item, (pixels, _) in zip(items, decoded, strict=True) if pixels is not None]
        pictures = [pixels for pixels, _ in decoded if pixels is not None]
        if not pictures:
            raise InputError(f"none of {len(items)} pictures can be used: {'; '.join(self.skipped[:3])}")
        self.channels = channels or _channels(pictures)
        self.pixels = torch.from_numpy(np.stack([_as_channels(p, self.channels) for p in pictures])).permute(0, 3, 1, 2)
        """(N, C, side, side) uint8; colours are multiplied by the opacity where C is 4."""
        self.pixels = self.pixels.contiguous()
        self.spectrograms: list[Tensor] = []
        self.sounds: list[list[int]] = [[] for _ in self.items]
        if listen:
            self._listen()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        return sorted({item.label for item in self.items if item.label is not None})

    @property
    def heard(self) -> list[int]:
        """Numbers of the pictures that have a sound."""
        return [number for number, sounds in enumerate(self.sounds) if sounds]

    def picture(self, numbers: Tensor) -> Tensor:
        """Pictures by number: (B, C, side, side) float32 in [0, 1]."""
        return self.pixels[numbers].float().div_(255)

    def _listen(self) -> None:
        known: dict[Path, int | None] = {}
        for number, item in enumerate(self.items):
            for path in item.sounds:
                if path not in known:
                    try:
                        samples = torch.from_numpy(read_sound(path))
                        self.spectrograms.append(spectrogram.log_mel(samples))
                        known[path] = len(self.spectrograms) - 1
                    except ImgfixError as error:
                        known[path] = None
                        self.skipped.append(error.message)
                place = known[path]
                if place is not None:
                    self.sounds[number].append(place)


def load_captioned(
    sources: Iterable[str], *, side: int, fraction: float, val: str | None = None, channels: int | None = None
) -> tuple[CaptionedPool, CaptionedPool | None, list[str]]:
    """Read folders into a training pool and a held-out one (`None` where nothing is held out).

    Raises:
        InputError: no usable picture, or see `read_both`.
    """
    items, apart, skipped = read_both(sources, val)
    if not val:
        chosen = set(held_out([item.path for item in items], fraction)[1])
        apart = [item for item in items if item.path in chosen]
        items = [item for item in items if item.path not in chosen]
    training = CaptionedPool(items, side, channels)
    held = CaptionedPool(apart, side, training.channels) if apart else None
    if len(training.classes) > MOST_CLASSES:
        raise InputError(f"{len(training.classes)} classes are too many", hint="give their names as captions instead")
    return training, held, [*skipped, *training.skipped, *(held.skipped if held else [])]


def rank_in_group(items: Sequence[Captioned]) -> tuple[list[int], list[int]]:
    """Number the pictures that share their first caption and class; returns each one's number and its group's size."""
    keys: list[Any] = [(item.texts[:1], item.label) for item in items]
    sizes, seen = Counter(keys), Counter[Any]()
    ranks = []
    for key in keys:
        ranks.append(seen[key])
        seen[key] += 1
    return ranks, [sizes[key] for key in keys]


def without_classes(items: Iterable[Captioned]) -> list[Captioned]:
    """The same pictures without their classes."""
    return [replace(item, label=None) for item in items]


def _decode(path: Path, side: int) -> tuple[np.ndarray | None, str]:
    """A picture as a square: what is transparent is padded, what is not is cut to its middle. (side, side, 4) uint8."""
    if path.suffix.lower() not in IMAGE_EXTENSIONS:
        return None, f"{path}: not a picture"
    try:
        picture = Image.fromarray(read_rgba(path))
    except ImgfixError as error:
        return None, error.message
    width, height = picture.size
    if np.asarray(picture)[..., 3].min() == 255:
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        picture = picture.crop((left, top, left + short, top + short))
    premultiplied = picture.convert("RGBa")
    factor = side / max(picture.size)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    if size != picture.size:
        premultiplied = premultiplied.resize(size, Image.Resampling.LANCZOS)
    pixels = np.zeros((side, side, 4), np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    pixels[top : top + size[1], left : left + size[0]] = np.asarray(premultiplied)
    return pixels, ""


def _channels(pictures: Sequence[np.ndarray]) -> int:
    transparent = sum(bool((picture[..., 3] < 250).any()) for picture in pictures)
    if transparent > 0.05 * len(pictures):
        return 4
    grey = all((p[..., 0] == p[..., 1]).all() and (p[..., 1] == p[..., 2]).all() for p in pictures)
    return 1 if grey else 3


def _as_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    if channels == 4:
        return picture
    white = picture[..., :3].astype(np.int32) + (255 - picture[..., 3:].astype(np.int32))
    return white.clip(0, 255).astype(np.uint8)[..., :channels]
