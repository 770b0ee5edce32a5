"""An FFDNet that a small U-Net beside it guides."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.contextffdnet import receptive_field

    reach = receptive_field(config.get("convolutions", 12), tuple(config.get("blocks", (2, 3))))
    return {"scale": 1, "size_multiple": 8, "size_minimum": 8, "receptive_field": reach}


def detect(state: State) -> Config | None:
    """The chain `layers.N` of an FFDNet, with `entry`, `middle` and `hints` beside it."""
    entry, down, first = (shape(state, f"{name}.weight", 4) for name in ("entry", "down", "layers.0"))
    if entry is None or down is None or first is None or "hints.1.weight" not in state:
        return None
    fine, coarse = indices(state, r"encode\.(\d+)\.first\.weight"), indices(state, r"middle\.(\d+)\.first\.weight")
    return {
        "features": first[0],
        "convolutions": len(indices(state, r"layers\.(\d+)\.weight")),
        "widths": [entry[0], down[0]],
        "blocks": [len(fine), len(coarse)],
    }


ARCHITECTURE = Architecture(
    key="contextffdnet",
    net="imgfix.nets.contextffdnet:ContextFFDNet",
    describe=describe,
    detect=detect,
    task="restore",
)
