"""Runs an ncnn graph with plain torch functions: a second opinion on what its weights mean.

It knows nothing of our networks: every step comes from the `.param` file, every number from the `.bin` file, which is
read here once more and in another way than in the package.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def run(param: Path, binary: Path, x: Tensor) -> Tensor:
    """Feed (1, C, H, W) to the graph's input; returns its last output."""
    with binary.open("rb") as weights:
        blobs: dict[str, Tensor] = {}
        out = x
        for line in param.read_text().splitlines()[2:]:
            kind, _, inputs, outputs, *words = line.split()
            count = int(inputs)
            feeds = [blobs[name] for name in words[:count]]
            names = words[count : count + int(outputs)]
            params = dict(word.split("=", 1) for word in words[count + int(outputs) :])
            out = x if kind == "Input" else step(kind, feeds, params, weights)
            blobs.update(dict.fromkeys(names, out))
        assert not weights.read(1), "weights are left over"
    return out


def step(kind: str, feeds: list[Tensor], params: dict[str, str], weights) -> Tensor:  # type: ignore[no-untyped-def]
    """One layer."""
    x = feeds[0]
    if kind == "Convolution":
        weight, bias = convolution(params, weights)
        outputs, kernel = int(params["0"]), int(params["1"])
        x = F.conv2d(x, weight.reshape(outputs, -1, kernel, kernel), bias, padding=int(params.get("4", 0)))
        if params.get("9") == "2":
            x = F.leaky_relu(x, float(params["-23310"].split(",")[1]))
        return x
    if kind == "PReLU":
        slopes = np.fromfile(weights, "<f4", int(params["0"]))
        return F.prelu(x, torch.from_numpy(slopes))
    if kind == "Concat":
        return torch.cat(feeds, 1)
    if kind == "Eltwise":
        factors = [float(word) for word in params["-23301"].split(",")[1:]]
        return sum(factor * feed for factor, feed in zip(factors, feeds, strict=True))  # type: ignore[return-value]
    if kind == "BinaryOp":
        assert params.get("0", "0") == "0"  # addition
        return feeds[0] + feeds[1]
    if kind == "PixelShuffle":
        return F.pixel_shuffle(x, int(params["0"]))
    if kind == "Interp":
        mode = {"1": "nearest", "2": "bilinear", "3": "bicubic"}[params["0"]]
        size = [round(x.shape[-2] * float(params["1"])), round(x.shape[-1] * float(params["2"]))]
        return F.interpolate(x, size=size, mode=mode)
    assert kind == "Split", kind
    return x


def convolution(params: dict[str, str], weights) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
    """Weights and bias of the next convolution in the file."""
    count = int(params["6"])
    tag = int(np.fromfile(weights, "<u4", 1)[0])
    kind = {0x01306B47: "<f2", 0: "<f4"}[tag]
    weight = np.fromfile(weights, kind, count).astype(np.float32)
    if kind == "<f2" and count % 2:
        weights.read(2)
    bias = np.fromfile(weights, "<f4", int(params["0"]))
    return torch.from_numpy(weight), torch.from_numpy(bias)
