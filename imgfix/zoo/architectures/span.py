"""SPAN, a small and quick upscaler."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, made_of, shape

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = r"(conv_[12]|block_[1-6]\.c[123]_r|conv_cat|upsampler\.0)\.(weight|bias)"


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {
        "scale": config.get("scale", 4),
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        "receptive_field": 21,
    }


def detect(state: State) -> Config | None:
    """Six blocks of three convolutions, as trained or folded."""
    plain = adapt(state)
    first, last = shape(plain, "conv_1.weight", 4), shape(plain, "upsampler.0.weight", 4)
    if first is None or last is None or not made_of(plain, _NAMES):
        return None
    # Grey and colour alike have as many channels out as in; where that does not come out, it is colour.
    scale = math.isqrt(last[0] // first[1])
    out_channels = first[1] if scale**2 * first[1] == last[0] else 3
    return {
        "scale": math.isqrt(last[0] // out_channels),
        "features": first[0],
        "normalised": "no_norm" not in state and first[1] == 3,
        "in_channels": first[1],
        "out_channels": out_channels,
    }


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors with each convolution folded into one, from what it was trained as where that is there."""
    from imgfix.nets.span import folded

    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        match = re.fullmatch(r"(.+)\.(sk|conv\.\d|eval_conv)\.(weight|bias)", name)
        if match is None:
            if name not in ("no_norm", "mean"):
                found[name] = tensor
            continue
        base, part, kind = match.groups()
        if part == "eval_conv":
            if f"{base}.sk.weight" not in state:
                found[f"{base}.{kind}"] = tensor
        elif part == "sk" and kind == "weight":
            names = [(f"{base}.{each}.weight", f"{base}.{each}.bias") for each in _PARTS]
            if all(weight in state and bias in state for weight, bias in names):
                parts = ((state[weight], state[bias]) for weight, bias in names)
                found[f"{base}.weight"], found[f"{base}.bias"] = folded(*parts)
    return found


_PARTS = ("conv.0", "conv.1", "conv.2", "sk")


ARCHITECTURE = Architecture(key="span", net="imgfix.nets.span:SPAN", describe=describe, detect=detect, adapt=adapt)
