"""U2-Net, the main subject of a picture."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"out_channels": 1, "tiling": False, "native_size": 320, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """Six levels down, five back, six side outputs that are joined; the first inner width tells the size."""
    inner = shape(state, "down.0.down.0.0.weight", 4)
    if inner is None or "join.weight" not in state or indices(state, r"sides\.(\d+)\.weight") != [0, 1, 2, 3, 4, 5]:
        return None
    return {"small": inner[0] == 16}


ARCHITECTURE = Architecture(key="u2net", net="imgfix.nets.u2net:U2Net", describe=describe, detect=detect, task="cutout")
