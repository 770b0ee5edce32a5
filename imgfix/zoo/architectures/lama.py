"""LaMa, an inpainting network for large holes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape

if TYPE_CHECKING:
    from torch import Tensor

_FIRST = "model.1.ffc.convl2l.weight"
_DEEPEST = 4  # place of the last layer that halves the size


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {
        "in_channels": 4,
        "out_channels": 3,
        "size_multiple": 8,
        "size_minimum": 16,
        "receptive_field": None,
        "tiling": False,
        # Trained at 256, and repeats itself in holes much larger than that; what it joins is its own average already.
        "native_size": 512,
        "self_ensemble": False,
        "gan_trained": True,
        "precisions": ("fp32", "bf16"),
    }


def detect(state: State) -> Config | None:
    """A generator of fast Fourier convolutions, whatever stands before its names."""
    state = adapt(state)
    first, deepest = shape(state, _FIRST, 4), shape(state, f"model.{_DEEPEST}.ffc.convl2g.weight", 4)
    blocks = indices(state, r"model\.(\d+)\.conv1\.ffc\.convg2g\.fu\.conv_layer\.weight")
    if first is None or deepest is None or first[1] != 4 or not blocks:
        return None
    if any(".lfu." in name or ".gate." in name for name in state):
        return None  # variants of the paper's that were not published
    return {"features": first[0], "blocks": len(blocks)}


def adapt(state: State) -> dict[str, Tensor]:
    """The generator's tensors; what a training or a traced wrapper puts around them is left out."""
    prefix = next((name.removesuffix(_FIRST) for name in state if name.endswith(_FIRST)), "")
    inside = re.compile(re.escape(prefix) + r"(model\.\d+\..+)")
    found = {match[1]: tensor for name, tensor in state.items() if (match := inside.fullmatch(name))}
    for name in [name for name in found if name.endswith(".running_mean")]:
        # A count that only training looks at, and that not everyone keeps.
        found.setdefault(name.replace("running_mean", "num_batches_tracked"), found[name].new_zeros(()).long())
    return found


ARCHITECTURE = Architecture(
    key="lama", net="imgfix.nets.lama:LaMa", describe=describe, detect=detect, adapt=adapt, task="inpaint"
)
