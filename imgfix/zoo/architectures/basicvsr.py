"""BasicVSR, recurrent in both directions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape

if TYPE_CHECKING:
    from torch import Tensor


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"scale": 4, "receptive_field": None, "frames": 0, "precisions": ("fp32", "bf16")}


def detect(state: State) -> Config | None:
    """Two trunks, and a SPyNet inside; as published, or under our own names."""
    if any(name.startswith(("edvr.", "backward_fusion.", "cleaner.")) for name in state):
        return None  # IconVSR, RealBasicVSR
    state = adapt(state)
    first, fusion = shape(state, "backward_trunk.first.weight", 4), shape(state, "fusion.weight", 4)
    blocks = indices(state, r"backward_trunk\.blocks\.(\d+)\.conv1\.weight")
    has_flow = any(name.startswith("flow.levels.5.") for name in state)
    if first is None or fusion is None or not blocks or not has_flow or fusion[1] != 2 * first[0]:
        return None  # IconVSR has the same trunks and no 1 x 1 fusion
    return {"features": first[0], "blocks": len(blocks)}


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors under our names; the mean and deviation of ImageNet are constants here."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in ("spynet.mean", "spynet.std", "step_counter"):
            continue
        name = re.sub(r"^spynet\.basic_module\.(\d+)\.basic_module\.", r"flow.levels.\1.", name)
        name = re.sub(r"^(\w+_trunk)\.main\.0\.", r"\1.first.", name)
        name = re.sub(r"^(\w+_trunk)\.main\.2\.", r"\1.blocks.", name)
        renamed[name] = tensor
    return renamed


ARCHITECTURE = Architecture(
    key="basicvsr", net="imgfix.nets.basicvsr:BasicVSR", describe=describe, detect=detect, adapt=adapt, task="video"
)
