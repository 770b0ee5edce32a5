"""Augmentation that the discriminator sees through: the same kinds of changes for true and made pictures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Change brightness, move, and blank a square; differentiable (Zhao et al. 2020, arXiv 2006.10738).

    Call it on true and made pictures joined, or twice: what matters is that both get changes of the same distribution.

    Args:
        pictures: (N, C, S, S) in [0, 1]; of four channels the last is left as bright as it is.
    """
    count, channels, side, _ = pictures.shape

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(pictures.device)

    strength = 0.7 + 0.6 * drawn(count, 1, 1, 1)
    colours = pictures[:, : min(channels, 3)] * strength
    pictures = torch.cat((colours, pictures[:, 3:]), 1)
    reach = side // 8
    padded = F.pad(pictures, (reach,) * 4)
    places = (drawn(count, 2) * (2 * reach + 1)).long()
    steps = torch.arange(side, device=pictures.device)
    rows = (places[:, :1] + steps)[:, None, :, None]
    columns = (places[:, 1:] + steps)[:, None, None, :]
    numbers = torch.arange(count, device=pictures.device)[:, None, None, None]
    planes = torch.arange(channels, device=pictures.device)[None, :, None, None]
    moved = padded[numbers, planes, rows, columns]
    hole = side // 4
    corner = drawn(count, 2) * (side + hole) - hole
    inside = [(steps >= corner[:, axis, None]) & (steps < corner[:, axis, None] + hole) for axis in (0, 1)]
    blank = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return moved * ~blank
