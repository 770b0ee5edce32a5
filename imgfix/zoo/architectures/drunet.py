"""DRUNet: noise of a given level."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.drunet import receptive_field

    channels = config.get("channels", 3)
    return {
        "in_channels": channels + 1,
        "out_channels": channels,
        "size_multiple": 8,
        "size_minimum": 8,
        "receptive_field": receptive_field(config.get("blocks", 4)),
    }


def detect(state: State) -> Config | None:
    """A residual U-Net without biases that takes a channel more than it gives."""
    first, last = shape(state, "m_head.weight", 4), shape(state, "m_tail.weight", 4)
    blocks = len(indices(state, r"m_body\.(\d+)\.res\.0\.weight"))
    folds = [shape(state, f"m_down{level}.{blocks}.weight", 4) for level in (1, 2, 3)]
    up = shape(state, "m_up3.0.weight", 4)
    if first is None or last is None or up is None or up[2:] != (2, 2) or first[1] != last[0] + 1:
        return None
    widths = [fold[0] for fold in folds if fold is not None and fold[2:] == (2, 2)]
    if len(widths) != 3 or any(name.endswith(".bias") for name in state):
        return None
    return {"channels": last[0], "widths": [first[0], *widths], "blocks": blocks}


ARCHITECTURE = Architecture(
    key="drunet", net="imgfix.nets.drunet:DRUNet", describe=describe, detect=detect, task="restore"
)
