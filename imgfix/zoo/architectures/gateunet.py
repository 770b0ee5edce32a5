"""GateUNet, the restoration network of our own."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.gateunet import receptive_field

    reach = receptive_field(tuple(config.get("blocks", (2, 2, 3))))
    return {"jobs": ("noise", "jpeg"), "scale": 1, "size_multiple": 8, "size_minimum": 8, "receptive_field": reach}


def detect(state: State) -> Config | None:
    """Gated blocks in `encode`, `middle` and `decode`."""
    head, *down = (shape(state, f"{name}.weight", 4) for name in ("head", "down.0", "down.1"))
    blocks = [len(indices(state, rf"{part}\.(\d+)\.convolutions\.0\.weight")) for part in _STAGES]
    if head is None or head[1] != 12 or None in down or not all(blocks) or "up.1.weight" not in state:
        return None
    widths = [head[0], *(each[0] for each in down if each)]
    return {"widths": widths, "blocks": blocks, "merged": "head.squeeze" not in state}


_STAGES = (r"encode\.0", r"encode\.1", "middle")

ARCHITECTURE = Architecture(
    key="gateunet", net="imgfix.nets.gateunet:GateUNet", describe=describe, detect=detect, task="restore"
)
