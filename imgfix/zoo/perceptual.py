"""Foreign weights of the networks that only measure, brought into the names of our own modules."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imgfix.errors import ModelError

# Positions of the convolutions in the trunks' `features` lists.
ALEXNET_POSITIONS = (0, 3, 6, 8, 10)
VGG16_POSITIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)

NUMPY_NAMES = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class ArrayUnpickler(pickle.Unpickler):
    """Unpickles containers and numpy arrays; any other name is refused, so no code from the file runs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NUMPY_NAMES:
            raise pickle.UnpicklingError(f"{module}.{name} is not a plain numpy array")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickled_arrays(path: Path) -> dict[str, Any]:
    """A nested dict of numpy arrays from a pickle file. Raises ModelError when it holds anything else."""
    try:
        tree = ArrayUnpickler(io.BytesIO(path.read_bytes())).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError, IndexError, KeyError) as error:
        raise ModelError(
            f"{path}: not a pickle of plain arrays ({error})", hint="take the weights from the catalog"
        ) from error
    if not isinstance(tree, dict):
        raise ModelError(f"{path}: expected a dict of arrays, got {type(tree).__name__}")
    return tree


def lpips_from_layers(blob: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """AlexNet LPIPS kept as `trunk` (dicts of weight and bias) and `lin` (heads) -> state of `nets.lpips.LPIPS`."""
    trunk: Sequence[Mapping[str, torch.Tensor]] = blob["trunk"]
    state = {}
    for position, layer in zip(ALEXNET_POSITIONS, trunk, strict=True):
        state[f"features.{position}.weight"] = layer["weight"]
        state[f"features.{position}.bias"] = layer["bias"]
    for index, head in enumerate(blob["lin"]):
        state[f"heads.{index}.weight"] = head
    return {name: tensor.detach().float().contiguous() for name, tensor in state.items()}


def lpips_from_flax(tree: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """LPIPS kept as a Flax tree (kernels H, W, in, out; AlexNet or VGG16) -> state of `nets.lpips.LPIPS`."""
    trunk = tree["VGG16_0"] if "VGG16_0" in tree else tree["AlexNet_0"]
    positions = VGG16_POSITIONS if "VGG16_0" in tree else ALEXNET_POSITIONS

    def weight(layer: Mapping[str, np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.array(layer["kernel"], dtype=np.float32).transpose(3, 2, 0, 1).copy())

    state = {}
    for index, position in enumerate(positions):
        layer = trunk[f"Conv_{index}"]
        state[f"features.{position}.weight"] = weight(layer)
        state[f"features.{position}.bias"] = torch.from_numpy(np.array(layer["bias"], dtype=np.float32))
    for index in range(5):
        state[f"heads.{index}.weight"] = weight(tree[f"NetLinLayer_{index}"]["Conv_0"])
    return state
