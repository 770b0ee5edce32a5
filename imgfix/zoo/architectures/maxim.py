"""MAXIM, a multi-axis MLP for restoration."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    # fp16 was not checked; bf16 is 52 dB from fp32.
    return {"size_multiple": 64, "size_minimum": 64, "receptive_field": None, "precisions": ("fp32", "bf16")}


def detect(state: State) -> Config | None:
    """Stages with three inputs each, their blocks mixed across a grid and within blocks."""
    first = shape(state, "stages.0.input.0.weight", 4)
    stages = indices(state, r"stages\.(\d+)\.input\.2\.weight")
    groups = indices(state, r"stages\.0\.encoder\.0\.channels\.(\d+)\.norm\.weight")
    bottlenecks = indices(state, r"stages\.0\.bottleneck\.(\d+)\..+")
    if first is None or first[1] != 3 or not groups or not bottlenecks:
        return None
    return {"stages": len(stages), "features": first[0], "groups": len(groups), "bottlenecks": len(bottlenecks)}


ARCHITECTURE = Architecture(
    key="maxim", net="imgfix.nets.maxim:MAXIM", describe=describe, detect=detect, task="restore"
)
