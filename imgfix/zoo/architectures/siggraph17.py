"""Colourisation of 2017, which can be given hints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, shape

if TYPE_CHECKING:
    from torch import Tensor


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"receptive_field": None, "tiling": False, "precisions": ("fp32",), "jobs": ("color",)}


def detect(state: State) -> Config | None:
    """Lightness, two colours and a mask in; two colours out of a Tanh."""
    first, last = shape(state, "model1.0.weight", 4), shape(state, "model_out.0.weight", 4)
    if first != (64, 4, 3, 3) or last != (2, 128, 1, 1) or "model3short8.0.weight" not in state:
        return None
    return {}


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors without the layer that was for training."""
    return {name: tensor for name, tensor in state.items() if not name.startswith("model_class.")}


ARCHITECTURE = Architecture(
    key="siggraph17",
    net="imgfix.nets.siggraph17:Siggraph17",
    describe=describe,
    detect=detect,
    adapt=adapt,
    task="restore",
)
