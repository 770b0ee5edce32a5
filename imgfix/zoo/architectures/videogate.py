"""VideoGate, the recurrent upscaler of our own."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State
from imgfix.zoo.architectures.repgate import trunk


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    scale = config.get("scale", 4)
    return {"scale": scale, "receptive_field": None, "frames": 0, "causal": True, "precisions": ("fp32", "bf16")}


def detect(state: State) -> Config | None:
    """The trunk of a RepGate, with `past` and `gate` beside it."""
    return trunk(state) if "past.weight" in state and "gate.weight" in state else None


ARCHITECTURE = Architecture(
    key="videogate", net="imgfix.nets.videogate:VideoGate", describe=describe, detect=detect, task="video"
)
