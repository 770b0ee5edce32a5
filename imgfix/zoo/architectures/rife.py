"""RIFE: frame interpolation, version 3.8 of its authors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, shape

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = (
    (r"block(\d)\.", r"blocks.\1."),
    (r"(blocks\.\d)\.conv0\.", r"\1.shrink."),
    (r"(blocks\.\d)\.convblock(\d)\.", r"\1.trunk.\2."),
    (r"(blocks\.\d)\.conv1\.", r"\1.motion."),
    (r"(blocks\.\d)\.conv2\.", r"\1.mask."),
)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {
        "frames": 2,
        "in_channels": 6,
        "size_multiple": 32,
        "size_minimum": 32,
        "receptive_field": None,
        "tiling": False,
        "precisions": ("fp32", "bf16"),
    }


def detect(state: State) -> Config | None:
    """Three blocks that take 11 channels, with heads of two layers each; versions 2 to 3.5 and 4 are other networks."""
    state = adapt(state)
    first = shape(state, "blocks.0.shrink.0.0.weight", 4)
    last = shape(state, "blocks.2.mask.2.weight", 4)
    if first is None or last is None or first[1] != 11 or last[1] != 1 or "blocks.3.shrink.0.0.weight" in state:
        return None
    return {"features": state["blocks.0.shrink.1.0.weight"].shape[0]}


def adapt(state: State) -> dict[str, Tensor]:
    """Under our names, without the block that only training uses."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith("block_tea."):
            continue
        for theirs, ours in _NAMES:
            name = re.sub("^" + theirs, ours, name)
        renamed[name] = tensor
    return renamed


ARCHITECTURE = Architecture(
    key="rife", net="imgfix.nets.rife:RIFE", describe=describe, detect=detect, adapt=adapt, task="interpolate"
)
