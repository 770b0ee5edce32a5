"""FFDNet: noise of a given level."""

from __future__ import annotations

from typing import Any

from imgfix.zoo import chain
from imgfix.zoo.architecture import Architecture, Config, State


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    channels = config.get("channels", 3)
    return {
        "jobs": ("noise", "noise-level", "jpeg"),
        "in_channels": channels + 1,
        "out_channels": channels,
        "size_multiple": 2,
        "size_minimum": 2,
        "receptive_field": 2 * config.get("convolutions", 12) + 1,
    }


def detect(state: State) -> Config | None:
    """A chain of convolutions: four sub-pictures and a noise map in, four sub-pictures out."""
    shapes = chain.shapes(state)
    if shapes is None or shapes[0][1] != shapes[-1][0] + 1 or shapes[-1][0] % 4:
        return None
    return {"channels": shapes[-1][0] // 4, "features": shapes[0][0], "convolutions": len(shapes)}


ARCHITECTURE = Architecture(
    key="ffdnet", net="imgfix.nets.ffdnet:FFDNet", describe=describe, detect=detect, adapt=chain.adapt, task="restore"
)
