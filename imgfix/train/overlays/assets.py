"""What overlays are made from: fonts, and pictures of stickers with alpha."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from imgfix.errors import InputError
from imgfix.train.overlays.wording import SAMPLES
from imgfix.train.pictures import read_rgba

_PROBE = 24
_MISSING = "\U0010ffff"
"""Nothing has a shape for this one: what is drawn instead is what a font draws for letters that it lacks."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Assets:
    """Files that overlays are drawn from."""

    fonts: dict[str, tuple[Path | None, ...]]
    """Alphabet to the fonts that have its letters; None is Pillow's own font."""
    segments: tuple[Path, ...]
    """Fonts for the digits of displays, as cameras print dates with."""
    stickers: tuple[Path, ...]
    """Pictures with alpha."""


def load_assets(fonts: Iterable[str] = (), stickers: Iterable[str] = ()) -> Assets:
    """Look through folders of fonts (.ttf, .otf) and of pictures with alpha (.png); without any there is one font.

    Raises InputError: a folder that does not exist, or fonts were given and none of them can be used.
    """
    named = tuple(fonts)
    files = _files(named, (".ttf", ".otf"))
    able = {alphabet: tuple(path for path in files if _has(path, letters)) for alphabet, letters in SAMPLES.items()}
    if named and not able["latin"]:
        raise InputError(f"no font with Latin letters in {', '.join(named)}", hint="fonts end in .ttf or .otf")
    segments = tuple(path for path in able["digits"] if path.name.lower().startswith(("dseg", "digital", "seven")))
    plain: dict[str, tuple[Path | None, ...]] = {}
    for alphabet, found in able.items():
        kept = tuple(path for path in found if path not in segments)
        plain[alphabet] = kept or ((None,) if alphabet in ("latin", "digits") else ())
    return Assets(plain, segments, tuple(_files(stickers, (".png",))))


def _files(folders: Iterable[str], endings: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder", hint="check the path")
        found += sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings)
    return found


def _has(path: Path, letters: str) -> bool:
    """Whether a font draws these letters, each in its own shape."""
    try:
        font = ImageFont.truetype(str(path), _PROBE)
        lacking = bytes(font.getmask(_MISSING))
        drawn = [bytes(font.getmask(letter)) for letter in letters]
    except (OSError, ValueError):
        return False
    return lacking not in drawn and b"" not in drawn and len(set(drawn)) == len(drawn)


@lru_cache(maxsize=256)
def font_at(path: Path | None, size: int) -> Font:
    """A font at a size in pixels."""
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(str(path), size)


@lru_cache(maxsize=512)
def sticker(path: Path) -> np.ndarray:
    """(h, w, 4) float32, colours in [0, 255] and alpha in [0, 1], cut to what is seen.

    Raises InputError: the file is no picture, or all of it is transparent.
    """
    rgba = read_rgba(path)
    rows, columns = (np.flatnonzero((rgba[..., 3] > 25).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise InputError(f"{path}: nothing in it is seen", hint="take it out of the folder")
    cut = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    cut[..., 3] /= 255
    return cut
