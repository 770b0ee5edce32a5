"""Foreign weights of the networks that only measure, brought into the names of our own modules."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping, Sequence
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


def inception_names() -> Iterator[tuple[str, str]]:
    """Name of each convolution in `nets.inception`, with its name in the TensorFlow graph of 2015."""
    for index, position in enumerate((0, 1, 2, 4, 5)):
        yield f"stem.{position}", "conv" + (f"_{index}" if index else "")

    def tower(block: int, branch: int, name: str, steps: int, first: int = 0) -> Iterator[tuple[str, str]]:
        graph = "mixed" + (f"_{block}" if block else "")
        for step in range(steps):
            yield f"mixed.{block}.{branch}.{first + step}", f"{graph}.{name}" + (f"_{step}" if step else "")

    for block in range(11):
        branch = 0
        if block != 8:
            yield from tower(block, 0, "conv", 1)
            branch = 1
        if block < 9:
            depths = {0: (2, 3), 1: (2, 3), 2: (2, 3), 3: (3,), 8: (2, 4)}.get(block, (3, 5))
            for number, depth in enumerate(depths):
                name = "tower.conv" if number == 0 else f"tower_{number}.conv"
                yield from tower(block, branch + number, name, depth)
            if block not in (3, 8):
                yield from tower(block, 3, "tower_2.conv", 1, first=1)
            continue
        for number, name in ((1, "tower"), (2, "tower_1")):
            yield from tower(block, number, f"{name}_conv", number)
            for end in range(2):
                suffix = "_1" if end else ""
                yield f"mixed.{block}.{number}.{number}.{end}.0", f"mixed_{block}.{name}_mixed_conv{suffix}"
        yield from tower(block, 3, "tower_2_conv", 1, first=1)


def inception_from_graph(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """TensorFlow's InceptionV3 (weight, mean, var, beta) -> state of `nets.inception`, normalisation folded in."""
    state = {}
    for ours, theirs in inception_names():
        prefix = f"net.layers.{theirs}."
        factor = (tensors[prefix + "var"].double() + 0.001).rsqrt()
        weight = tensors[prefix + "weight"].double() * factor.reshape(-1, 1, 1, 1)
        bias = tensors[prefix + "beta"].double() - tensors[prefix + "mean"].double() * factor
        state[f"{ours}.0.weight"] = weight.float().contiguous()
        state[f"{ours}.0.bias"] = bias.float().contiguous()
    return state


def niqe_from_arrays(path: Path) -> dict[str, torch.Tensor]:
    """NIQE's model of undamaged photographs, kept as an npz file -> state of `nets.niqe.PristineModel`."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean, covariance = arrays["mu_pris_param"], arrays["cov_pris_param"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ModelError(f"{path}: not the NIQE parameters ({error})", hint="fetch it again") from error
    return {
        "mean": torch.from_numpy(mean.astype(np.float64).reshape(36)),
        "covariance": torch.from_numpy(covariance.astype(np.float64).reshape(36, 36)),
    }
