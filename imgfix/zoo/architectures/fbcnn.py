"""FBCNN: JPEG artefacts, of a quality that is found or given."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    channels = config.get("channels", 3)
    return {
        "in_channels": channels + 1,
        "out_channels": channels,
        "last_channel": "quality",
        "size_multiple": 8,
        "size_minimum": 8,
        "receptive_field": None,
        "jobs": ("jpeg",),
    }


def detect(state: State) -> Config | None:
    """A residual U-Net whose decoder is steered by a quality."""
    first = shape(state, "m_head.weight", 4)
    blocks = len(indices(state, r"m_body_encoder\.(\d+)\.res\.0\.weight"))
    folds = [shape(state, f"m_down{level}.{blocks}.weight", 4) for level in (1, 2, 3)]
    up = shape(state, "m_up3.0.weight", 4)
    if first is None or up is None or up[2:] != (2, 2) or "to_gamma_3.0.weight" not in state:
        return None
    widths = [fold[0] for fold in folds if fold is not None and fold[2:] == (2, 2)]
    if len(widths) != 3:
        return None
    return {"channels": first[1], "widths": [first[0], *widths], "blocks": blocks}


ARCHITECTURE = Architecture(
    key="fbcnn", net="imgfix.nets.fbcnn:FBCNN", describe=describe, detect=detect, task="restore"
)
