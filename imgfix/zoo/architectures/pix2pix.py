"""Pix2Pix: a picture drawn from another."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    side = config.get("side", 64)
    return {
        "in_channels": config.get("inputs", 3),
        "out_channels": config.get("channels", 3),
        "native_size": side,
        "size_minimum": side,
        "size_multiple": 2 ** config.get("depth", 5),
        "tiling": False,
        "gan_trained": True,
    }


ARCHITECTURE = Architecture(
    key="pix2pix",
    net="imgfix.nets.pix2pix:Pix2Pix",
    describe=describe,
    task="generate",
    marks=("first.weight", "down.0.weight", "up.0.weight", "last.weight", "last.bias"),
    header_only="what it draws from, its size and its padding are not in its tensors",
)
