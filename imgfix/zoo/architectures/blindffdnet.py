"""An FFDNet that estimates the noise level itself."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.ffdnet import blind_receptive_field

    reach = blind_receptive_field(config.get("convolutions", 12))
    return {"jobs": ("noise", "jpeg"), "scale": 1, "size_multiple": 4, "size_minimum": 4, "receptive_field": reach}


def detect(state: State) -> Config | None:
    """The chain `layers.N` of an FFDNet, with `hint` and `estimate` beside it."""
    hint, inner = shape(state, "hint.weight", 4), shape(state, "estimate.2.weight", 4)
    numbers = indices(state, r"layers\.(\d+)\.weight")
    if hint is None or inner is None or not numbers or "estimate.8.weight" not in state:
        return None
    return {"features": hint[0], "convolutions": len(numbers), "estimator": inner[0], "hints": hint[1]}


ARCHITECTURE = Architecture(
    key="blindffdnet", net="imgfix.nets.ffdnet:BlindFFDNet", describe=describe, detect=detect, task="restore"
)
