"""YuNet, which finds faces and their landmarks."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters, of which there are none."""
    return {"size_multiple": 32, "size_minimum": 32, "tiling": False, "precisions": ("fp32",), "out_channels": 15}


def detect(state: State) -> Config | None:
    """Three heads that mark ten coordinates each."""
    heads = [shape(state, f"marked.{level}.depth.weight", 4) for level in range(3)]
    return {} if heads == [(10, 1, 3, 3)] * 3 and shape(state, "first.weight", 4) == (16, 3, 3, 3) else None


ARCHITECTURE = Architecture(
    key="yunet",
    net="imgfix.nets.yunet:YuNet",
    describe=describe,
    detect=detect,
    task="faces",
)
