"""SRVGG compact (Real-ESRGAN's small models and many community ones)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices

if TYPE_CHECKING:
    from imgfix.zoo.ncnn import Layer


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


def detect_ncnn(layers: Sequence[Layer]) -> Config | None:
    """Convolutions and PReLUs in turn, a pixel shuffle, and where the scale is smaller than its step, a last resize."""
    weighted = [layer for layer in layers if layer.kind in ("Convolution", "PReLU")]
    shuffles = [layer for layer in layers if layer.kind == "PixelShuffle"]
    kinds = [layer.kind for layer in weighted]
    if len(shuffles) != 1 or len(kinds) < 3 or kinds != ["Convolution", "PReLU"] * (len(kinds) // 2) + ["Convolution"]:
        return None
    convolutions = [layer for layer in weighted if layer.kind == "Convolution"]
    features, outputs = convolutions[0].integer(0), convolutions[-1].integer(0)
    shuffle = shuffles[0].integer(0)
    if not shuffle or outputs % shuffle**2:
        return None
    resized = [layer.number(1, 1.0) for layer in layers[layers.index(shuffles[0]) :] if layer.kind == "Interp"]
    scale = round(shuffle * resized[-1]) if resized and resized[-1] < 1 else shuffle
    return {
        "scale": scale,
        **({"shuffle": shuffle} if scale != shuffle else {}),
        "features": features,
        "convs": len(convolutions) - 2,
        "activation": "prelu",
        "in_channels": outputs // shuffle**2,
        "out_channels": outputs // shuffle**2,
    }


ARCHITECTURE = Architecture(
    key="srvgg", net="imgfix.nets.srvgg:SRVGG", describe=describe, detect=detect, detect_ncnn=detect_ncnn
)
