"""MAXIM as a TensorFlow.js graph (`model.json` and shards of weights) -> the state of `nets.maxim`.

Format: a frozen TensorFlow graph as JSON, and a manifest that names each constant's type, shape and place in the shards
(https://www.tensorflow.org/js/guide/save_load). Constants have no names of their own worth the word; what a number is
follows from the operation that takes it, whose name is the path of its layer in the authors' program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgfix.errors import ModelError

_LEVELS = 3
_ROOT = re.compile(r"^.*/backbone/")
_TAIL = re.compile(r"(/jit_fn_)?(/einsum)?/[^/]+$")

_NAMES = (
    (r"stage_(\d)_input_conv_(\d)", r"stages.\1.input.\2"),
    (r"stage_(\d)_input_fuse_sam_(\d)", r"stages.\1.fuse.\2"),
    (r"stage_(\d)_encoder_block_(\d)", r"stages.\1.encoder.\2"),
    (r"stage_(\d)_global_block_(\d)", r"stages.\1.bottleneck.\2"),
    (r"stage_(\d)_cross_gating_block_(\d)", r"stages.\1.cross.\2"),
    (r"stage_(\d)_decoder_block_(\d)", r"stages.\1.decoder.\2"),
    (r"stage_(\d)_supervised_attention_module_(\d)", r"stages.\1.attention.\2"),
    (r"stage_(\d)_output_conv_0", r"stages.\1.output"),
    (r"UNetEncoderBlock_0", "block"),
    (r"ConvTranspose_0", "up"),
    (r"cross_gating_block", "cross"),
    (r"channel_attention_block_1_?(\d)", r"channels.\1"),
    (r"channel_attention/Conv_0", "attention/squeeze"),
    (r"channel_attention/Conv_1", "attention/excite"),
    (r"channel_mixing/Dense_0", "enter"),
    (r"channel_mixing/Dense_1", "leave"),
    (r"SplitHeadMultiAxisGmlpLayer_(\d)", r"mixing.\1"),
    (r"SplitHeadMultiAxisGating_([xy])", r"weights_\1"),
    (r"(Grid|Block)GatingUnit/Dense_0", "gate"),
    (r"(Grid|Block)GatingUnit/intermediate_layernorm", "gate_norm"),
    (r"GridGmlpLayer", "grid"),
    (r"BlockGmlpLayer", "block"),
    (r"LayerNorm_([xy])", r"norm_\1"),
    (r"LayerNorm(_in)?", "norm"),
    (r"in_project", "enter"),
    (r"out_project", "leave"),
    (r"input_proj", "project"),
    (r"(weights_[xy])/Dense_0", r"\1/grid"),
    (r"(weights_[xy])/Dense_1", r"\1/block"),
    (r"(attention\.\d)/Conv_0", r"\1/features"),
    (r"(attention\.\d)/Conv_1", r"\1/picture"),
    (r"(attention\.\d)/Conv_2", r"\1/weights"),
    (r"(fuse\.\d|cross\.\d|/cross)/Conv_0", r"\1/project_x"),
    (r"(fuse\.\d|cross\.\d|/cross)/Conv_1", r"\1/project_y"),
    (r"Conv_0", "project"),
    (r"Conv_1", "down"),
)
"""The authors' names and ours, applied in this order."""


def maxim_from_graph(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Read `model.json` and its shards, in the order of the manifest. Raises ModelError for anything else."""
    state: dict[str, Tensor] = {}
    try:
        description = json.loads(paths[0].read_text("utf-8"))
        arrays = read_arrays(description["weightsManifest"], paths[1:])
        for node in description["modelTopology"]["node"]:
            for feed in node.get("input", ()):
                array = arrays.get(feed.split(":")[0])
                # Single numbers are constants of formulas; the shapes of things are integers.
                if array is not None and array.dtype == np.float32 and array.size > 1:
                    name, tensor = _parameter(node["name"], node["op"], array)
                    state[name] = tensor
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{paths[0]}: not a TensorFlow.js graph ({error})", hint="fetch it again") from error
    return state


def read_arrays(manifest: Sequence[Mapping[str, Any]], shards: Sequence[Path]) -> dict[str, np.ndarray]:
    """The constants by name. Raises ValueError when the shards are shorter or longer than the manifest says."""
    data = b"".join(path.read_bytes() for path in shards)
    arrays: dict[str, np.ndarray] = {}
    position = 0
    for group in manifest:
        for row in group["weights"]:
            kind = np.dtype(row["dtype"]).newbyteorder("<")
            count = int(np.prod(row["shape"], dtype=np.int64))
            end = position + count * kind.itemsize
            if end > len(data):
                raise ValueError("the weights are shorter than announced")
            arrays[row["name"]] = np.frombuffer(data[position:end], kind).reshape(row["shape"])
            position = end
    if position != len(data):
        raise ValueError("the weights are longer than announced")
    return arrays


def _parameter(path: str, operation: str, array: np.ndarray) -> tuple[str, Tensor]:
    """Our name of a parameter and its value in torch's layout, from the operation that takes it."""
    layer = _layer(_TAIL.sub("", _ROOT.sub("", path)))
    tensor = torch.from_numpy(array.copy())
    if operation == "Conv2D":  # height, width, in, out
        return f"{layer}.weight", tensor.permute(3, 2, 0, 1).contiguous()
    if operation == "Conv2DBackpropInput":  # height, width, out, in
        return f"{layer}.weight", tensor.permute(3, 2, 0, 1).contiguous()
    if operation == "Einsum":  # in, out
        return f"{layer}.weight", tensor.T.contiguous()
    if operation == "Mul":
        return f"{layer}.weight", tensor.reshape(-1)
    if operation == "AddV2":
        return f"{layer}.bias", tensor.reshape(-1)
    raise ModelError(f"{path}: the graph does something else with a parameter ({operation})")


def _layer(path: str) -> str:
    if match := re.fullmatch(r"UpSampleRatio_(\d+)/Conv_0", path):
        # Numbered in the order of use: in each stage nine to gather the encoder's signals, nine to spread the skips.
        stage, place = divmod(int(match[1]), 2 * _LEVELS**2)
        half, place = divmod(place, _LEVELS**2)
        level, source = divmod(place, _LEVELS)
        return f"stages.{stage}.{('gather', 'spread')[half]}.{_LEVELS - 1 - level}.layers.{source}"
    for theirs, ours in _NAMES:
        path = re.sub(theirs, ours, path)
    return path.replace("/", ".")
