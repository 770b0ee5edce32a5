"""The layers of a TensorFlow Lite EfficientDet, which have no useful names, brought to those of our module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import ModelError
from imgfix.nets.efficientdet import LEVELS, STAGES
from imgfix.zoo.tflite_reader import Layer

CELLS = DEPTH = 3


def layer_names() -> Iterator[str]:
    """Our name of every convolution of EfficientDet-Lite0, in the order in which the graph runs them."""
    yield "stem"
    for stage, (_, _, expansion, _, count) in enumerate(STAGES):
        for block in range(count):
            for part in ("expand", "depthwise", "project"):
                if part != "expand" or expansion > 1:
                    yield f"stages.{stage}.{block}.{part}"
    yield from ("cells.0.enter_down.2", "cells.0.enter_up.1", "cells.0.enter_down.1", "cells.0.enter_up.0")
    yield from ("cells.0.enter_down.0", "extra")
    for cell in range(CELLS):
        for way, first_level in (("down", 0), ("up", 1)):
            for step in range(LEVELS - 1):
                yield f"cells.{cell}.{way}.{step}.depthwise"
                yield f"cells.{cell}.{way}.{step}.pointwise"
                # Of the last cell each level is used as soon as it is there; the finest is the last of the way down.
                if cell == CELLS - 1 and (way == "up" or step == LEVELS - 2):
                    yield from _heads(first_level + (step if way == "up" else 0))


def _heads(level: int) -> Iterator[str]:
    for head in ("box", "name"):
        for step in range(DEPTH):
            yield f"{head}.depthwise.{step}"
            yield f"{head}.pointwise.{level}.{step}"
        yield f"{head}.last_depthwise"
        yield f"{head}.last"


def efficientdet_from_layers(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """State of `nets.efficientdet.EfficientDetLite`. Raises ModelError when the graph is another one."""
    names = list(layer_names())
    if len(names) != len(layers):
        raise ModelError(f"{len(layers)} convolutions, but EfficientDet-Lite0 has {len(names)}")
    state: dict[str, Tensor] = {}
    for name, layer in zip(names, layers, strict=True):
        order = (3, 0, 1, 2) if layer.depthwise else (0, 3, 1, 2)
        weight = torch.from_numpy(np.ascontiguousarray(layer.weight.transpose(order)))
        if f"{name}.weight" in state:  # shared by the levels; its bias was rounded for each of them anew
            if not torch.equal(state[f"{name}.weight"], weight):
                raise ModelError(f"{name} is not shared by the levels, as it is in EfficientDet")
            continue
        state[f"{name}.weight"] = weight
        separable = layer.depthwise and not name.startswith("stages.")
        if layer.bias is not None and not separable:
            state[f"{name}.bias"] = torch.from_numpy(layer.bias.copy())
        elif layer.bias is not None and layer.bias.any():
            raise ModelError(f"{name} has a bias, which a separable layer of EfficientDet has not")
    return state
