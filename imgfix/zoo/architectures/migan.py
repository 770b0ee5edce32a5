"""MI-GAN, an inpainting network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State

if TYPE_CHECKING:
    from torch import Tensor


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    resolution = config.get("resolution", 512)
    return {
        "scale": 1,
        "in_channels": 4,
        "out_channels": 3,
        "size_multiple": resolution // 4,
        "size_minimum": resolution // 4,
        "receptive_field": None,
        "tiling": False,
        "native_size": resolution,
        "gan_trained": True,
    }


def detect(state: State) -> Config | None:
    """`encoder.bN` and `synthesis.bN`, with or without a `model.` in front."""
    short = {_short(name): tensor for name, tensor in state.items()}
    sizes = sorted({int(match[1]) for name in short if (match := re.match(r"synthesis\.b(\d+)\.", name))})
    if not sizes or sizes[0] != 4 or not any(name.startswith("encoder.b") for name in short):
        return None
    resolution = sizes[-1]
    top, bottom = short.get(f"encoder.b{resolution}.fromrgb.weight"), short.get("synthesis.b4.conv1.conv1.weight")
    if top is None or bottom is None or top.ndim != 4 or bottom.ndim != 4 or top.shape[1] != 4 or bottom.shape[1] != 1:
        return None
    config = {"resolution": resolution, "base": int(top.shape[0]) * resolution, "maximum": int(bottom.shape[0])}
    noisy = [int(match[1]) for name in short if (match := re.match(r"synthesis\.b(\d+)\..*noise_strength$", name))]
    if resolution not in noisy:
        config["noise_until"] = max(noisy, default=0)
    return config


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors without the prefix and without the fixed filters, which the network makes itself."""
    kept: dict[str, Tensor] = {}
    for name, tensor in state.items():
        name = _short(name)
        if re.search(r"\.(filter\.weight|filter_const)$", name):
            continue
        kept[name] = tensor.reshape(()) if name.endswith("noise_strength") else tensor
    return kept


def _short(name: str) -> str:
    return name.removeprefix("model.").removeprefix("module.")


ARCHITECTURE = Architecture(
    key="migan", net="imgfix.nets.migan:MIGAN", describe=describe, detect=detect, adapt=adapt, task="inpaint"
)
