"""An FFDNet whose result a U-Net refines."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.refinedffdnet import receptive_field

    reach = receptive_field(config.get("convolutions", 12), tuple(config.get("blocks", (2, 2, 3))))
    return {
        "scale": 1,
        "jobs": ("noise", "noise-level", "jpeg"),
        "in_channels": 4,
        "out_channels": 3,
        "size_multiple": 8,
        "size_minimum": 8,
        "receptive_field": reach,
    }


def detect(state: State) -> Config | None:
    """The chain `layers.N` of an FFDNet, with a U-Net of two levels and a `middle` beside it."""
    head, first = shape(state, "head.weight", 4), shape(state, "layers.0.weight", 4)
    downs = [shape(state, f"down.{level}.weight", 4) for level in range(2)]
    blocks = [len(indices(state, rf"encode\.{level}\.(\d+)\.first\.weight")) for level in range(2)]
    blocks.append(len(indices(state, r"middle\.(\d+)\.first\.weight")))
    if head is None or head[1] != 37 or first is None or first[1] != 13 or not all(blocks):
        return None
    if any(down is None for down in downs):
        return None
    return {
        "features": first[0],
        "convolutions": len(indices(state, r"layers\.(\d+)\.weight")),
        "widths": [head[0], *(down[0] for down in downs if down is not None)],
        "blocks": blocks,
    }


ARCHITECTURE = Architecture(
    key="refinedffdnet",
    net="imgfix.nets.refinedffdnet:RefinedFFDNet",
    describe=describe,
    detect=detect,
    task="restore",
)
