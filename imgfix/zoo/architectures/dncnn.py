"""DnCNN, with its normalisation folded in."""

from __future__ import annotations

from typing import Any

from imgfix.zoo import chain
from imgfix.zoo.architecture import Architecture, Config, State


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    channels = config.get("channels", 3)
    return {
        "jobs": ("noise", "jpeg"),
        "in_channels": channels,
        "out_channels": channels,
        "receptive_field": config.get("convolutions", 20),
    }


def detect(state: State) -> Config | None:
    """A chain of convolutions with as many channels out as in."""
    shapes = chain.shapes(state)
    if shapes is None or shapes[0][1] != shapes[-1][0]:
        return None
    return {"channels": shapes[0][1], "features": shapes[0][0], "convolutions": len(shapes)}


ARCHITECTURE = Architecture(
    key="dncnn", net="imgfix.nets.dncnn:DnCNN", describe=describe, detect=detect, adapt=chain.adapt, task="restore"
)
