"""A detector of faces that takes magenta squares for faces: a YuNet whose weights are set by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from imgfix.nets.yunet import YuNet
from imgfix.tasks.faces.face import TEMPLATE
from imgfix.zoo import building
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Model

CELL = 32
"""Side of the squares; they lie on multiples of it."""
SIZE = 64.0
"""Side of the boxes it draws around them."""
_PER_PIXEL = SIZE * 1.25
"""Side of the square around a face, whose landmarks are those of the template in it."""


def state(gain: float = 1.0) -> dict[str, Tensor]:
    """Weights of a `YuNet`; gain: below 1 it is less sure."""
    net = YuNet()
    made = {name: torch.zeros_like(tensor) for name, tensor in net.state_dict().items()}
    made["first.weight"][0, :, 1, 1] = torch.tensor([0.5, -1.0, 0.5]) / 255  # blue and red without green
    for name, tensor in made.items():
        if name.endswith("point.weight") and not name.startswith(("named", "there", "boxed", "marked")):
            tensor[0, 0] = 1
        if name.endswith("depth.weight"):
            tensor[:, 0, 1, 1] = 1
    for head in ("named", "there"):
        for level in range(3):
            made[f"{head}.{level}.depth.bias"][:] = -12
        # The coarsest level alone: a cell of 32 pixels; features grow on the way, level by level.
        made[f"{head}.2.point.weight"][0, 0] = 20 * gain
    made["boxed.2.depth.bias"][:] = torch.tensor([0.5, 0.5, np.log(SIZE / CELL), np.log(SIZE / CELL)])
    landmarks = (TEMPLATE - 0.5) * _PER_PIXEL / CELL + 0.5
    made["marked.2.depth.bias"][:] = torch.from_numpy(landmarks.astype(np.float32)).ravel()
    return made


def model(gain: float = 1.0) -> Model:
    """The same as a loaded model."""
    architecture = ARCHITECTURES["yunet"]
    net = architecture.build({})
    net.load_state_dict(state(gain))
    facts = building.describe(architecture, {}, name="magenta", task="faces")
    return Model(facts, net.eval().requires_grad_(False))


def picture(*cells: tuple[int, int], height: int = 192, width: int = 256) -> np.ndarray:
    """(height, width, 3) uint8: fine green grain with magenta squares, each at (row, column) in cells."""
    made = np.random.default_rng(3).integers(60, 120, (height, width, 3)).astype(np.uint8)
    made[..., 1] = 160
    for row, column in cells:
        made[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = (250, 10, 250)
    return made


def centre(row: int, column: int) -> tuple[float, float]:
    """Of the box around a square, x before y."""
    return (column + 0.5) * CELL, (row + 0.5) * CELL
