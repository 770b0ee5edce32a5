"""A network that measures the noise of a picture."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"size_multiple": 8, "size_minimum": 32, "tiling": False}


def detect(state: State) -> Config | None:
    """Two stages of blocks, then `levels` and `trust`."""
    levels, down = shape(state, "levels.weight", 4), shape(state, "down.weight", 4)
    if levels is None or down is None or "trust.weight" not in state:
        return None
    fine, coarse = (indices(state, rf"{stage}\.(\d+)\.first\.weight") for stage in ("encode", "middle"))
    return {"widths": [down[1], down[0]], "blocks": [len(fine), len(coarse)]}


ARCHITECTURE = Architecture(
    key="noiselevel", net="imgfix.nets.noiselevel:NoiseLevel", describe=describe, detect=detect, task="noise"
)
