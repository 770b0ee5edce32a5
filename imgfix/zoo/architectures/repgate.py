"""RepGate, the upscaler of our own."""

from __future__ import annotations

import math
from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    reach = config.get("blocks", 6) * config.get("convolutions", 3) + 3
    return {"scale": config.get("scale", 4), "receptive_field": reach}


def detect(state: State) -> Config | None:
    """A gated body between `head` and `tail`, without the `past` of a VideoGate."""
    return None if "past.weight" in state else trunk(state)


def trunk(state: State) -> Config | None:
    """Hyper-parameters of the trunk that RepGate and VideoGate share; `None` when there is no such trunk."""
    head, fuse, tail = (shape(state, f"{name}.weight", 4) for name in ("head", "fuse", "tail"))
    blocks = indices(state, r"body\.(\d+)\.convolutions\.0\.weight")
    if head is None or fuse is None or tail is None or "mix.weight" not in state or not blocks:
        return None
    if head[1] != 3 or fuse[1] != 3 * fuse[0] or tail[0] % 3:
        return None
    return {
        "scale": math.isqrt(tail[0] // 3),
        "channels": head[0],
        "blocks": len(blocks),
        "convolutions": len(indices(state, r"body\.0\.convolutions\.(\d+)\.weight")),
        "merged": "head.squeeze" not in state,
    }


ARCHITECTURE = Architecture(key="repgate", net="imgfix.nets.repgate:RepGate", describe=describe, detect=detect)
