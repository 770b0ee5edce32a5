"""RRDBNet (ESRGAN, Real-ESRGAN, BSRGAN), under any of the three namings of its tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices

if TYPE_CHECKING:
    from torch import Tensor

    from imgfix.zoo.ncnn import Layer

_NAMES = re.compile(r"(conv_(first|body|up\d|hr|last)|body\.\d+\.rdb[123]\.conv[1-5])\.(weight|bias)")


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    upsamples, unshuffle = config.get("upsamples", 2), config.get("unshuffle", 1)
    return {
        "scale": 2**upsamples // unshuffle,
        "in_channels": config.get("in_channels", 3),
        "out_channels": config.get("out_channels", 3),
        "size_multiple": unshuffle,
        "size_minimum": unshuffle,
        "receptive_field": _receptive_field(config.get("blocks", 23), upsamples, unshuffle),
    }


def _receptive_field(blocks: int, upsamples: int, unshuffle: int) -> int:
    """Followed from each output pixel of one body pixel back to the body, and from there to the input."""
    side = 2**upsamples
    body = 15 * blocks + 2  # convolutions at the body's resolution
    reach = 0
    for output in range(side):
        low, high = output - 2, output + 2  # conv_last and conv_hr
        for _ in range(upsamples):
            low, high = (low - 1) // 2, (high + 1) // 2  # conv_up, then the pixel that was doubled
        own = output * unshuffle // side  # a body pixel is a group of `unshuffle` input pixels: which of them is it
        reach = max(reach, own - unshuffle * (low - body), unshuffle * (high + body + 1) - 1 - own)
    return reach


def detect(state: State) -> Config | None:
    """Hyper-parameters from tensor shapes; `None` for relatives with more in a block (ESRGAN+)."""
    if not any(name in state for name in ("model.0.weight", "conv_first.weight")):
        return None
    state = adapt(state)
    first, last, dense = (state.get(f"{name}.weight") for name in ("conv_first", "conv_last", "body.0.rdb1.conv1"))
    blocks = indices(state, r"body\.(\d+)\.rdb1\.conv1\.weight")
    upsamples = len(indices(state, r"conv_up(\d+)\.weight"))
    if first is None or last is None or dense is None or not all(_NAMES.fullmatch(name) for name in state):
        return None
    out_channels = int(last.shape[0])
    unshuffle = math.isqrt(int(first.shape[1]) // out_channels)
    return {
        "upsamples": upsamples,
        "unshuffle": unshuffle,
        "features": int(first.shape[0]),
        "blocks": len(blocks),
        "growth": int(dense.shape[0]),
        "in_channels": int(first.shape[1]) // unshuffle**2,
        "out_channels": out_channels,
    }


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors under today's names (`body.0.rdb1.conv1.weight`), whichever of the three namings they follow."""
    renamed: dict[str, Tensor] = {}
    old = "model.0.weight" in state
    stages = [index for index in indices(state, r"model\.(\d+)\.weight") if index > 1] if old else []
    for name, tensor in state.items():
        renamed[_from_first_release(name, stages) if old else _from_second_release(name)] = tensor
    return renamed


def _from_first_release(name: str, stages: list[int]) -> str:
    """`model.1.sub.0.RDB1.conv1.0.weight` -> `body.0.rdb1.conv1.weight`, the names of 2018."""
    kind = name.rsplit(".", 1)[-1]
    if name.startswith("model.0."):
        return f"conv_first.{kind}"
    if match := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.\w+", name):
        return f"body.{match[1]}.rdb{match[2]}.conv{match[3]}.{kind}"
    if re.fullmatch(r"model\.1\.sub\.\d+\.\w+", name):
        return f"conv_body.{kind}"
    if (match := re.fullmatch(r"model\.(\d+)\.\w+", name)) and int(match[1]) in stages:
        place = stages.index(int(match[1]))
        if place < len(stages) - 2:
            return f"conv_up{place + 1}.{kind}"
        return f"conv_hr.{kind}" if place == len(stages) - 2 else f"conv_last.{kind}"
    return name


def _from_second_release(name: str) -> str:
    """`RRDB_trunk.0.RDB1.conv1.weight` -> `body.0.rdb1.conv1.weight`."""
    name = re.sub(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2.", name)
    name = re.sub(r"^trunk_conv\.", "conv_body.", name)
    name = re.sub(r"^upconv(\d)\.", r"conv_up\1.", name)
    return re.sub(r"^HRconv\.", "conv_hr.", name)


def detect_ncnn(layers: Sequence[Layer]) -> Config | None:
    """Fifteen convolutions a block, joined by concatenation; each enlarging is a resize by two before a convolution."""
    convolutions = [layer for layer in layers if layer.kind == "Convolution"]
    upsamples = sum(layer.kind == "Interp" and layer.number(1, 1.0) == 2 for layer in layers)
    joins = sum(layer.kind == "Concat" for layer in layers)
    blocks, left = divmod(len(convolutions) - 4 - upsamples, 15)
    if left or blocks < 1 or joins != 12 * blocks or any(layer.kind == "PReLU" for layer in layers):
        return None
    first, dense, last = convolutions[0], convolutions[1], convolutions[-1]
    outputs, features = last.integer(0), first.integer(0)
    inputs = first.integer(6) // (9 * features) if features else 0  # weights of a 3 x 3 convolution
    unshuffle = math.isqrt(inputs // outputs) if outputs else 0
    if not unshuffle:
        return None
    return {
        "upsamples": upsamples,
        "unshuffle": unshuffle,
        "features": features,
        "blocks": blocks,
        "growth": dense.integer(0),
        "in_channels": inputs // unshuffle**2,
        "out_channels": outputs,
    }


ARCHITECTURE = Architecture(
    key="rrdbnet",
    net="imgfix.nets.rrdbnet:RRDBNet",
    describe=describe,
    detect=detect,
    adapt=adapt,
    detect_ncnn=detect_ncnn,
)
