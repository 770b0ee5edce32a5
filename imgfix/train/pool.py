"""Photos as one tensor of bytes on the training device, from which batches of turned crops are gathered.

Pictures are decoded once; a batch is one index computation and one gather, so the network never waits for workers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import ImgfixError, InputError
from imgfix.media.image import IMAGE_EXTENSIONS
from imgfix.train.job import Draw
from imgfix.train.pictures import read_rgb
from imgfix.train.split import held_out as split


@dataclass(frozen=True)
class Windows:
    """Where a batch is cut from; CPU tensors of one length."""

    picture: Tensor
    """Number of the picture in the pool."""
    top: Tensor
    """First row."""
    left: Tensor
    """First column."""
    turn: Tensor
    """0 .. 7: bit 0 flips rows, bit 1 flips columns, bit 2 swaps rows and columns."""


class Pool:
    """Decoded photos; crops are taken on the device they lie on.

    Args:
        pictures: (H, W, 3) uint8 arrays of any sizes.
        names: one name a picture.
        device: where the bytes lie.
    """

    def __init__(self, pictures: Sequence[np.ndarray], names: Sequence[str], device: torch.device) -> None:
        if not pictures:
            raise InputError("no picture to train on is left")
        self.names = tuple(names)
        self.heights = torch.tensor([picture.shape[0] for picture in pictures])
        self.widths = torch.tensor([picture.shape[1] for picture in pictures])
        self.offsets = (self.heights * self.widths).cumsum(0) - self.heights * self.widths
        joined = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
        self.pixels = torch.from_numpy(joined).to(device)
        """Every pixel of every picture, (P, 3) uint8."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def megapixels(self) -> float:
        """Million pixels in all."""
        return self.pixels.shape[0] / 1e6

    def picture(self, number: int) -> Tensor:
        """One whole picture: (1, 3, H, W) float32 in [0, 1]."""
        first, height, width = (int(values[number]) for values in (self.offsets, self.heights, self.widths))
        pixels = self.pixels[first : first + height * width].reshape(1, height, width, 3)
        return pixels.permute(0, 3, 1, 2).float() / 255

    def pixels_of(self, number: int) -> np.ndarray:
        """The bytes of one picture, (H, W, 3) uint8; not a copy, so leave them as they are. On the CPU only."""
        first, height, width = (int(values[number]) for values in (self.offsets, self.heights, self.widths))
        found: np.ndarray = self.pixels[first : first + height * width].reshape(height, width, 3).numpy()
        return found

    def windows(self, draw: Draw, crop: int) -> Windows:
        """Choose where to cut: every possible crop of every picture is equally likely.

        Raises:
            InputError: a picture is smaller than the crop.
        """
        rows, columns = self.heights - crop + 1, self.widths - crop + 1
        if int(torch.minimum(rows, columns).min()) < 1:
            name = self.names[int(torch.minimum(rows, columns).argmin())]
            raise InputError(f"{name} is smaller than the crop of {crop} pixels")
        chances = (rows * columns).double().cumsum(0)
        which, top, left, turn = draw.uniform(4, "window").unbind(1)
        picture = torch.searchsorted(chances, which * chances[-1], right=True).clamp_(max=len(self) - 1)
        return Windows(picture, (top * rows[picture]).long(), (left * columns[picture]).long(), (turn * 8).long())

    def take(self, windows: Windows, crop: int, factor: int = 1) -> Tensor:
        """Cut the windows out, turned.

        Args:
            windows: from `windows` of this pool, or of one whose pictures are `factor` times smaller.
            crop: side of the windows in the pixels that chose them.
            factor: how many times larger this pool's pictures are.

        Returns:
            (B, 3, crop * factor, crop * factor) float32 in [0, 1], channels-last in memory.
        """
        device = self.pixels.device
        side = crop * factor
        packed = torch.stack(
            (
                self.offsets[windows.picture],
                self.widths[windows.picture],
                windows.top * factor,
                windows.left * factor,
                windows.turn,
            )
        ).to(device, non_blocking=True)[..., None, None]
        offset, width, top, left, turn = packed
        steps = torch.arange(side, device=device)
        down, right = steps[:, None], steps[None, :]
        swap = (turn & 4) > 0
        row, column = torch.where(swap, right, down), torch.where(swap, down, right)
        row = torch.where((turn & 1) > 0, side - 1 - row, row)
        column = torch.where((turn & 2) > 0, side - 1 - column, column)
        pixels = self.pixels[offset + (top + row) * width + left + column]
        return pixels.permute(0, 3, 1, 2).float().div_(255)


@dataclass(frozen=True)
class Photos:
    """What a folder of photos became."""

    training: Pool
    held_out: Pool
    skipped: tuple[str, ...]
    """One line for each file that was left out: its name and why."""


def load_photos(
    sources: Iterable[str],
    *,
    crop: int,
    device: torch.device,
    held_out: str | None = None,
    fraction: float = 0.05,
    megapixels: float = 800,
) -> Photos:
    """Decode a folder of photos into a training and a held-out pool.

    Bad files and pictures smaller than the crop are skipped and listed. Where all photos together exceed
    `megapixels`, each large one keeps a window at a place decided by its name.

    Args:
        sources: folders (searched recursively) or files.
        crop: smallest side a photo must have.
        held_out: folder to validate on; else a part of the photos, chosen by a hash of the file name.
        fraction: that part (at least one photo).

    Raises:
        InputError: no usable photo, or too few to hold one out.
    """
    files = find_pictures(sources)
    if not files:
        raise InputError(f"no pictures in {', '.join(map(str, sources))}", hint="give a folder with photos in it")
    limit = megapixels * 1e6 / len(files)
    pictures, names, skipped = decode_all(files, crop=crop, limit=limit)
    if not pictures:
        raise InputError(
            f"none of {len(files)} pictures can be used: {'; '.join(skipped[:3])}",
            hint=f"training needs photos of at least {crop} x {crop} pixels, or a smaller `crop`",
        )
    if held_out:
        found = find_pictures([held_out])
        val_pictures, val_names, val_skipped = decode_all(found, crop=crop, limit=limit)
        if not val_pictures:
            raise InputError(f"{held_out}: no picture to validate on", hint="; ".join(val_skipped[:3]) or None)
        skipped += val_skipped
    else:
        if len(pictures) < 2:
            raise InputError(f"only one usable photo ({names[0]})", hint="one more is needed to validate on")
        chosen = _chosen(names, fraction)
        val_pictures, val_names = [pictures[i] for i in chosen], [names[i] for i in chosen]
        rest = [i for i in range(len(names)) if i not in chosen]
        pictures, names = [pictures[i] for i in rest], [names[i] for i in rest]
    return Photos(Pool(pictures, names, device), Pool(val_pictures, val_names, device), tuple(skipped))


def load_pairs(
    inputs: str, targets: str, *, scale: int, crop: int, device: torch.device, fraction: float = 0.05
) -> tuple[Pool, Pool, Pool, Pool, tuple[str, ...]]:
    """Decode two folders whose pictures pair by stem, targets `scale` times larger.

    Returns:
        training inputs and targets, held-out inputs and targets, and a line for each file left out.

    Raises:
        InputError: no pair at all, or a pair whose sizes do not fit.
    """
    left = {path.stem: path for path in find_pictures([inputs])}
    right = {path.stem: path for path in find_pictures([targets])}
    stems = sorted(left.keys() & right.keys())
    if len(stems) < 2:
        raise InputError(
            f"{inputs} and {targets} share {len(stems)} file name(s)", hint="pairs have the same name in both folders"
        )
    skipped = [f"{path}: no partner" for side in (left, right) for stem, path in side.items() if stem not in stems]
    low, high, names = [], [], []
    for stem in stems:
        first, why_first = _decode(left[stem], crop // scale, None)
        second, why_second = _decode(right[stem], crop, None)
        if first is None or second is None:
            skipped.append(f"{stem}: {why_first or why_second}")
        elif second.shape[0] != first.shape[0] * scale or second.shape[1] != first.shape[1] * scale:
            raise InputError(
                f"{left[stem].name} is {first.shape[1]} x {first.shape[0]}, its target "
                f"{second.shape[1]} x {second.shape[0]}: not {scale} times as large",
                hint="the target is the larger one: exchange `input` and `target`, or make them fit"
                if scale > 1
                else "make them fit, or leave the pair out",
            )
        else:
            low.append(first)
            high.append(second)
            names.append(stem)
    if len(names) < 2:
        raise InputError(
            f"fewer than two usable pairs: {'; '.join(skipped[:3])}",
            hint="one pair is held out to measure with; larger pictures, or a smaller `crop`",
        )
    chosen = _chosen(names, fraction)
    rest = [i for i in range(len(names)) if i not in chosen]
    pools = [
        Pool([side[i] for i in part], [names[i] for i in part], device)
        for part in (rest, chosen)
        for side in (low, high)
    ]
    return pools[0], pools[1], pools[2], pools[3], tuple(skipped)


def find_pictures(sources: Iterable[str]) -> list[Path]:
    """List picture files in folders (recursively, sorted) and among plain file names.

    Raises:
        InputError: a source does not exist.
    """
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            found += sorted(
                path for path in source.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS and path.is_file()
            )
        elif source.is_file():
            found.append(source)
        else:
            raise InputError(f"{source}: no such file or folder", hint="check the path")
    return found


def decode_all(
    files: Sequence[Path], *, crop: int, limit: float | None
) -> tuple[list[np.ndarray], list[str], list[str]]:
    """Decode files on all cores; returns pictures, their names, and a line for each that was left out."""
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as workers:
        results = list(workers.map(lambda path: _decode(path, crop, limit), files))
    pictures, names, skipped = [], [], []
    for path, (picture, why) in zip(files, results, strict=True):
        if picture is None:
            skipped.append(f"{path}: {why}")
        else:
            pictures.append(picture)
            names.append(str(path))
    return pictures, names, skipped


def _chosen(names: Sequence[str], fraction: float) -> list[int]:
    """Numbers of the pictures to hold out: at least one."""
    apart = set(split([Path(name) for name in names], fraction or 1e-9)[1])
    return [number for number, name in enumerate(names) if Path(name) in apart]


def _decode(path: Path, crop: int, limit: float | None) -> tuple[np.ndarray | None, str]:
    try:
        picture = read_rgb(path)
    except ImgfixError as error:
        return None, error.message.removeprefix(f"{path} ").removeprefix(f"{path}: ")
    height, width = picture.shape[:2]
    if min(height, width) < crop:
        return None, f"{width} x {height} is smaller than the crop of {crop}"
    if limit and height * width > limit:
        shrink = (limit / (height * width)) ** 0.5
        rows, columns = max(crop, int(height * shrink)), max(crop, int(width * shrink))
        place = int.from_bytes(hashlib.blake2b(os.fsencode(path.name), digest_size=8).digest(), "little")
        top, left = place % (height - rows + 1), (place >> 32) % (width - columns + 1)
        picture = picture[top : top + rows, left : left + columns]
    return np.ascontiguousarray(picture), ""
