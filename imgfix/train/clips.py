"""Clips as short sequences of frames on the training device, cut at scene changes, from which batches are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import InputError
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.train.job import Draw
from imgfix.train.split import held_out as split

CHOICES = 3
"""Places of which the one with the most detail becomes a sample."""
SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".ogv"})


@dataclass(frozen=True)
class Clips:
    """What a folder of clips became."""

    training: ClipPool
    held_out: ClipPool
    skipped: tuple[str, ...]
    """One line for each file that was left out: its name and why."""


class ClipPool:
    """Short sequences of frames.

    Args:
        sequences: (T, H, W, 3) uint8 arrays.
        names: one name a sequence.
        device: where the bytes lie.
    """

    def __init__(self, sequences: Sequence[np.ndarray], names: Sequence[str], device: torch.device) -> None:
        self.names = tuple(names)
        self.sequences = [torch.from_numpy(np.ascontiguousarray(s)).to(device) for s in sequences]
        self.sizes = torch.tensor([s.shape[:3] for s in sequences]).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def frames(self) -> int:
        """Frames in all."""
        return int(self.sizes[:, 0].sum())

    @property
    def megapixels(self) -> float:
        """Million pixels in all."""
        return float(self.sizes.prod(dim=1).sum()) / 1e6

    def sequence(self, number: int, side: int, multiple: int) -> Tensor:
        """The middle of one sequence, at most `side` large, in multiples of `multiple`: (1, T, 3, H, W) in [0, 1]."""
        frames = self.sequences[number]
        height, width = (max(multiple, min(n, side) // multiple * multiple) for n in frames.shape[1:3])
        top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
        cut = frames[:, top : top + height, left : left + width]
        return cut.permute(0, 3, 1, 2)[None].float() / 255

    def take(self, draw: Draw, frames: int, crop: int) -> Tensor:
        """Cut a batch out: (B, T, 3, crop, crop) in [0, 1], turned, mirrored, half of the time played backwards.

        Of a few places the one with the most detail is taken: much of most frames is sky and wall.
        """
        room = self.sizes - torch.tensor([frames, crop, crop]) + 1
        chances = room.clamp(min=0).prod(dim=1).double().cumsum(0)
        if not len(self) or float(chances[-1]) <= 0:
            raise InputError(f"no clip has {frames} frames of {crop} x {crop} pixels")
        rows = []
        chances_of_all = draw.uniform(4 * CHOICES + 2, "clip").tolist()
        for drawn in chances_of_all:
            best: Tensor | None = None
            for which, *places in (drawn[4 * index : 4 * index + 4] for index in range(CHOICES)):
                number = min(int(torch.searchsorted(chances, which * chances[-1], right=True)), len(self) - 1)
                first, top, left = (int(place * int(n)) for place, n in zip(places, room[number], strict=True))
                cut = self.sequences[number][first : first + frames, top : top + crop, left : left + crop]
                if best is None or detail(cut[0]) > detail(best[0]):
                    best = cut
            assert best is not None
            how, back = int(drawn[-2] * 8), drawn[-1] < 0.5
            best = best.transpose(1, 2) if how & 4 else best
            best = best.flip([axis for axis, bit in ((1, 1), (2, 2)) if how & bit])
            rows.append(best.flip(0) if back else best)
        return torch.stack(rows).permute(0, 1, 4, 2, 3).float() / 255


def detail(frame: Tensor) -> float:
    """Mean step between neighbouring pixels of a frame (H, W, 3) uint8."""
    grey = frame.float().mean(dim=2)
    return float((grey[1:] - grey[:-1]).abs().mean() + (grey[:, 1:] - grey[:, :-1]).abs().mean())


def find_clips(sources: Iterable[str]) -> list[Path]:
    """List video files in folders (recursively, sorted) and among plain file names.

    Raises:
        InputError: a source does not exist.
    """
    found: list[Path] = []
    for source in map(Path, sources):
        if source.is_dir():
            found += sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        elif source.suffix.lower() in SUFFIXES and source.is_file():
            found.append(source)
        elif not source.exists():
            raise InputError(f"{source}: no such file or folder")
    return found


def load_clips(
    sources: Iterable[str],
    *,
    frames: int,
    crop: int,
    device: torch.device,
    held_out: str | None = None,
    fraction: float = 0.05,
    megapixels: float = 600,
) -> Clips:
    """Decode a folder of clips into training and held-out sequences.

    Clips are cut at scene changes into sequences of twice `frames` or fewer. Where all together would exceed
    `megapixels`, frames are cut down to the middle and sequences are left out evenly.

    Args:
        sources: folders (searched recursively) or files.
        frames: fewest frames a sequence must have.
        crop: smallest side a frame must have.
        held_out: folder to validate on; else a part of the clips, chosen by a hash of the file name.
        fraction: that part (at least one clip).

    Raises:
        InputError: no usable clip, or too few to hold one out.
    """
    import av

    skipped: list[str] = []

    def decoded(files: list[Path]) -> dict[Path, list[np.ndarray]]:
        usable: dict[Path, list[np.ndarray]] = {}
        for path in files:
            try:
                made = _sequences(path, frames, crop, megapixels * 1e6 / len(files))
            except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
                skipped.append(f"{path}: cannot be read ({type(error).__name__})")
                continue
            if made:
                usable[path] = made
            else:
                skipped.append(f"{path}: no {frames} frames of one scene with {crop} x {crop} pixels")
        if files and not usable:
            raise InputError(f"none of {len(files)} clips can be used: {'; '.join(skipped[:3])}")
        return usable

    training = decoded(find_clips(sources))
    if held_out:
        apart = decoded(find_clips([held_out]))
    elif len(training) == 1:
        raise InputError(
            f"only one usable clip ({next(iter(training))})",
            hint="one more is needed to validate on, or a folder for `val`",
        )
    else:
        # Split by files: pieces of one clip resemble each other.
        apart = {path: training.pop(path) for path in split(list(training), fraction or 1e-9)[1]}
    pools = [
        ClipPool(
            [piece for pieces in part.values() for piece in pieces],
            [f"{path}#{number}" for path, pieces in part.items() for number in range(len(pieces))],
            device,
        )
        for part in (training, apart)
    ]
    return Clips(pools[0], pools[1], tuple(skipped))


def scenes(path: Path, longest: int) -> Iterator[list[np.ndarray]]:
    """The frames (H, W, 3) uint8 of a clip, cut at scene changes and into pieces of at most `longest`."""
    from imgfix.media.video.opening import reading

    finder = CutFinder()
    piece: list[np.ndarray] = []
    with reading(path) as container:
        for decoded in container.decode(video=0):
            frame = decoded.to_ndarray(format="rgb24")
            if piece and (finder.is_cut(frame) or len(piece) == longest):
                yield piece
                piece = []
            elif not piece:
                finder.is_cut(frame)
            piece.append(frame)
    if piece:
        yield piece


def _sequences(path: Path, frames: int, crop: int, limit: float) -> list[np.ndarray]:
    """The usable sequences of one file, (T, H, W, 3) each, of at most `limit` pixels together."""
    kept: list[np.ndarray] = []
    used, every, number = 0, 1, 0
    side = max(crop, 320)
    for piece in scenes(path, 2 * frames):
        height, width = piece[0].shape[:2]
        if len(piece) < frames or min(height, width) < crop:
            continue
        number += 1
        if number % every:
            continue
        rows, columns = min(height, side), min(width, side)
        top, left = (height - rows) // 2, (width - columns) // 2
        cut = np.stack([frame[top : top + rows, left : left + columns] for frame in piece])
        kept.append(cut)
        used += cut.size // 3
        if used > limit and len(kept) > 1:  # too long for its share: from now on half as often, and half of these go
            kept, every = kept[::2], every * 2
            used = sum(piece.size // 3 for piece in kept)
    return kept
