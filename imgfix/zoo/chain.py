"""Plain chains of 3 x 3 convolutions in a bare state dictionary (DnCNN, FFDNet)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from imgfix.zoo.architecture import State, indices

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("weight", "bias")


def shapes(state: State) -> list[tuple[int, ...]] | None:
    """Shapes of the weights of such a chain, `None` for anything else.

    Its convolutions are `layers.0`, `layers.1` ... (ours) or `model.0`, `model.2` ... (as published, with the ReLUs
    counted).
    """
    stem = _stem(state)
    numbers = indices(state, rf"{stem}\.(\d+)\.weight")
    names = {f"{stem}.{number}.{part}" for number in numbers for part in PARTS}
    if len(numbers) < 3 or set(state) != names:
        return None
    found = [tuple(state[f"{stem}.{number}.weight"].shape) for number in numbers]
    if not all(len(each) == 4 and each[2:] == (3, 3) for each in found):
        return None
    return found if all(before[0] == after[1] for before, after in pairwise(found)) else None


def adapt(state: State) -> dict[str, Tensor]:
    """The convolutions as `layers.0`, `layers.1` ..., without the ReLUs between them."""
    stem = _stem(state)
    numbers = indices(state, rf"{stem}\.(\d+)\.weight")
    return {f"layers.{n}.{part}": state[f"{stem}.{i}.{part}"] for n, i in enumerate(numbers) for part in PARTS}


def _stem(state: State) -> str:
    return "layers" if "layers.0.weight" in state else "model"
