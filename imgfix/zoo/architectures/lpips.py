"""LPIPS, a perceptual distance."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"size_minimum": 16 if config.get("trunk") == "vgg" else 31, "tiling": False, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """A trunk in `features` and five `heads`; the size of the first kernel tells the trunk."""
    first = shape(state, "features.0.weight", 4)
    if first is None or indices(state, r"heads\.(\d+)\.weight") != [0, 1, 2, 3, 4]:
        return None
    return {"trunk": "alex" if first[2] == 11 else "vgg"}


ARCHITECTURE = Architecture(key="lpips", net="imgfix.nets.lpips:LPIPS", describe=describe, detect=detect, task="metric")
