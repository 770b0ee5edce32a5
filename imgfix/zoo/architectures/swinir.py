"""SwinIR, upscaling and restoration by shifted windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, made_of, shape

if TYPE_CHECKING:
    from torch import Tensor

_CONV = r"(\.[024])?\.(weight|bias)"  # one convolution, or one of three
_NAMES = (
    rf"conv_first\.(weight|bias)|patch_embed\.norm\.(weight|bias)|norm\.(weight|bias)|conv_after_body{_CONV}"
    rf"|layers\.\d+\.conv{_CONV}|layers\.\d+\.residual_group\.blocks\.\d+\.((norm[12]|attn\.(qkv|proj)|mlp\.fc[12])"
    r"\.(weight|bias)|attn\.relative_position_bias_table)"
    r"|(conv_before_upsample\.0|conv_up\d|conv_hr|conv_last|upsample\.\d+)\.(weight|bias)"
)
_LAYER = "layers.0.residual_group.blocks.0"


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.swinir import receptive_field

    scale, unshuffle = config.get("scale", 4), config.get("unshuffle", 1)
    channels = config.get("channels", 3)
    multiple = config.get("window", 8) * unshuffle
    known = {key: config[key] for key in ("depths", "window", "upsampler", "thin") if key in config}
    return {
        "scale": scale // unshuffle,
        "in_channels": channels,
        "out_channels": channels,
        "size_multiple": multiple,
        "size_minimum": multiple,
        "receptive_field": receptive_field(scale, unshuffle=unshuffle, **known),
        "precisions": ("fp32", "bf16"),
    }


def detect(state: State) -> Config | None:
    """Groups of layers with attention in windows, and a bias for each offset in them."""
    state = adapt(state)
    first, dense = shape(state, "conv_first.weight", 4), shape(state, f"{_LAYER}.mlp.fc1.weight", 2)
    table = shape(state, f"{_LAYER}.attn.relative_position_bias_table", 2)
    if first is None or dense is None or table is None or not made_of(state, _NAMES):
        return None
    groups = indices(state, r"layers\.(\d+)\.residual_group\.blocks\.0\.norm1\.weight")
    depths = [len(indices(state, rf"layers\.{g}\.residual_group\.blocks\.(\d+)\.norm1\.weight")) for g in groups]
    tables = [state[f"layers.{g}.residual_group.blocks.0.attn.relative_position_bias_table"] for g in groups]
    window = (math.isqrt(table[0]) + 1) // 2
    tail = _tail(state, first)
    if tail is None:
        return None
    return {
        **tail,
        "features": first[0],
        "depths": depths,
        "heads": [int(each.shape[1]) for each in tables],
        "window": window,
        "hidden": dense[0],
        "thin": "conv_after_body.0.weight" in state,
        # The networks for JPEG are the only ones with windows of 7, and work on values up to 255.
        "value_range": 255.0 if window == 7 else 1.0,
        "normalised": "patch_embed.norm.weight" in state,
    }


def _tail(state: State, first: tuple[int, ...]) -> Config | None:
    """How the picture is enlarged, and its channels."""
    last, direct = shape(state, "conv_last.weight", 4), shape(state, "upsample.0.weight", 4)
    before = shape(state, "conv_before_upsample.0.weight", 4)
    if last is None:
        # One pixel shuffle: as many channels out as in, which a fold before all would hide.
        if direct is None:
            return None
        return {"scale": math.isqrt(direct[0] // first[1]), "channels": first[1], "upsampler": "shuffle-direct"}
    unshuffle = math.isqrt(first[1] // last[0])
    common = {"channels": last[0], "unshuffle": unshuffle}
    if before is None:
        return {"scale": 1, "upsampler": "none", **common}
    common["wide"] = before[0]
    doublings = len(indices(state, r"conv_up(\d)\.weight"))
    if doublings:
        return {"scale": 2**doublings, "upsampler": "nearest", **common}
    stages = indices(state, r"upsample\.(\d+)\.weight")
    factors = [math.isqrt(int(state[f"upsample.{stage}.weight"].shape[0]) // before[0]) for stage in stages]
    return {"scale": math.prod(factors), "upsampler": "shuffle", **common}


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors without the tables that the network makes itself."""
    made = (".relative_position_index", ".attn_mask")
    kept = {name: tensor for name, tensor in state.items() if not name.endswith(made)}
    # Behind a fold the first convolution has a number.
    return {name.replace("conv_first.1.", "conv_first."): tensor for name, tensor in kept.items()}


ARCHITECTURE = Architecture(
    key="swinir", net="imgfix.nets.swinir:SwinIR", describe=describe, detect=detect, adapt=adapt
)
