"""The features of InceptionV3 that FID compares."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"out_channels": 2048, "size_minimum": 299, "tiling": False, "native_size": 299, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """A stem and eleven mixed blocks; it has no hyper-parameters."""
    first = shape(state, "stem.0.0.weight", 4)
    return {} if first == (32, 3, 3, 3) and any(name.startswith("mixed.10.") for name in state) else None


ARCHITECTURE = Architecture(
    key="inception", net="imgfix.nets.inception:InceptionFeatures", describe=describe, detect=detect, task="metric"
)
