"""DCGAN generator."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    channels, side = config.get("channels", 3), config.get("side", 64)
    sizes = {"native_size": side, "size_minimum": side, "size_multiple": side}
    return {"in_channels": 0, "out_channels": channels, **sizes, "tiling": False, "gan_trained": True}


ARCHITECTURE = Architecture(
    key="dcgan",
    net="imgfix.nets.dcgan:DCGANGenerator",
    describe=describe,
    task="generate",
    marks=("conditions.nothing", "layers.0.weight", "layers.1.running_mean"),
    header_only="the names of its classes are not in its tensors",
)
