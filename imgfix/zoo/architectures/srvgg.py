"""SRVGG compact (Real-ESRGAN's small models and many community ones)."""

from __future__ import annotations

import math
import re
from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    scale = config.get("scale", 4)
    return {
        "scale": scale,
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        # Of the four bicubic taps around an output pixel, some may lie in what the next input pixel made.
        "receptive_field": config.get("convs", 32) + 2 + (config.get("shuffle", scale) != scale),
    }


def detect(state: State) -> Config | None:
    """Nothing but `body.N`, the even ones convolutions, the odd ones PReLU slopes (if it has any)."""
    if not all(re.fullmatch(r"body\.\d+\.(weight|bias)", name) for name in state) or "body.0.weight" not in state:
        return None
    numbers = indices(state, r"body\.(\d+)\.weight")
    first, last = state["body.0.weight"], state[f"body.{numbers[-1]}.weight"]
    if first.ndim != 4 or last.ndim != 4 or first.shape[1] > 4:
        return None
    channels = int(first.shape[1])
    scale = math.isqrt(int(last.shape[0]) // channels)
    if scale**2 * channels != last.shape[0]:
        return None
    return {
        "scale": scale,
        "features": int(first.shape[0]),
        "convs": numbers[-1] // 2 - 1,
        # Slopes are stored, a plain ReLU is not; a leaky one cannot be told from it and is rarer.
        "activation": "prelu" if "body.1.weight" in state else "relu",
        "in_channels": channels,
        "out_channels": channels,
    }


ARCHITECTURE = Architecture(key="srvgg", net="imgfix.nets.srvgg:SRVGG", describe=describe, detect=detect)
