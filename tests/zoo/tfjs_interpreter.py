"""Runs a TensorFlow.js graph with plain torch functions: a second opinion on what its weights mean.

It knows nothing of our networks: every step comes from `model.json`, every number from the shards, which are read here
once more and in another way than in the package.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
TYPES = {1: torch.float32, 3: torch.int32, 9: torch.int64, 10: torch.bool}
NAMES = {"DT_FLOAT": 1, "DT_INT32": 3, "DT_INT64": 9, "DT_BOOL": 10}


def run(model: Path, shards: Sequence[Path], x: Tensor) -> Tensor:
    """Feed (N, H, W, C) to the graph's input; returns its output."""
    description = json.loads(model.read_text())
    values = dict(constants(description["weightsManifest"], shards))
    nodes = {node["name"]: node for node in description["modelTopology"]["node"]}
    (wanted,) = description["signature"]["outputs"].values()
    uses: dict[str, int] = {}
    for node in nodes.values():
        for feed in node.get("input", ()):
            uses[clean(feed)] = uses.get(clean(feed), 0) + 1
    goal = clean(wanted["name"])
    stack = [goal]
    while stack:
        name = stack[-1]
        if name in values:
            stack.pop()
            continue
        node = nodes[name]
        feeds = [clean(feed) for feed in node.get("input", ())]
        missing = [feed for feed in feeds if feed not in values]
        if missing:
            stack += missing
            continue
        values[name] = x if node["op"] == "Placeholder" else step(node, [values[feed] for feed in feeds])
        stack.pop()
        for feed in feeds:
            uses[feed] -= 1
            if not uses[feed]:
                del values[feed]
    return values[goal]


def clean(feed: str) -> str:
    return feed.split(":")[0].lstrip("^")


def constants(manifest: Any, shards: Sequence[Path]) -> Any:
    streams = [path.open("rb") for path in shards]
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        data = b""
        while len(data) < count:
            piece = streams[at].read(count - len(data))
            at += not piece
            data += piece
        return data

    for group in manifest:
        for row in group["weights"]:
            kind = np.dtype(KINDS[row["dtype"]])
            shape = tuple(row["shape"])
            data = take(int(np.prod(shape, dtype=int)) * kind.itemsize)
            yield row["name"], torch.from_numpy(np.frombuffer(data, kind).reshape(shape).copy())


def step(node: dict[str, Any], feeds: list[Tensor]) -> Tensor:
    attributes = node.get("attr", {})
    if node["op"] in PLAIN:
        return PLAIN[node["op"]](*feeds)
    return FORMS[node["op"]](feeds, attributes)


def flag(attributes: Any, name: str) -> int:
    value = attributes.get(name, {})
    return int(value.get("i", value.get("b", 0)))


def numbers(tensor: Tensor) -> list[int]:
    return [int(value) for value in tensor.reshape(-1)]


def text(value: str) -> str:
    """Strings are stored in base 64."""
    return base64.b64decode(value).decode()


def divided(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode="floor")


def convolution(feeds: list[Tensor], attributes: Any) -> Tensor:
    x, kernel = feeds
    stride = int(attributes["strides"]["list"]["i"][1])
    pads: list[int] = []
    if text(attributes["padding"]["s"]) == "SAME":
        for size, length in ((x.shape[2], kernel.shape[1]), (x.shape[1], kernel.shape[0])):
            total = max(0, (-(-size // stride) - 1) * stride + length - size)
            pads += [total // 2, total - total // 2]
    elif text(attributes["padding"]["s"]) == "EXPLICIT":
        low = numbers_of(attributes["explicit_paddings"])
        pads = [low[4], low[5], low[2], low[3]]
    x = F.pad(x.permute(0, 3, 1, 2), pads or [0] * 4)
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), stride=stride).permute(0, 2, 3, 1)


def numbers_of(attribute: Any) -> list[int]:
    return [int(value) for value in attribute["list"]["i"]]


def transposed(feeds: list[Tensor], attributes: Any) -> Tensor:
    """The gradient of a convolution with regard to its input: what a transposed one is."""
    size, kernel, x = feeds
    stride = int(attributes["strides"]["list"]["i"][1])
    shape = numbers(size)
    out = F.conv_transpose2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), stride=stride).permute(0, 2, 3, 1)
    assert list(out.shape) == shape, "only what needs no padding"
    return out


def sliced(feeds: list[Tensor], attributes: Any) -> Tensor:
    x, begin, end, strides = feeds
    begins, ends, drops = (flag(attributes, name) for name in ("begin_mask", "end_mask", "shrink_axis_mask"))
    assert not flag(attributes, "ellipsis_mask") and not flag(attributes, "new_axis_mask")
    index: list[Any] = []
    for n, (a, b, s) in enumerate(zip(numbers(begin), numbers(end), numbers(strides), strict=True)):
        if drops >> n & 1:
            index.append(a)
        else:
            index.append(slice(None if begins >> n & 1 else a, None if ends >> n & 1 else b, s))
    return torch.from_numpy(np.array(x.numpy()[tuple(index)]))


def summed(feeds: list[Tensor], attributes: Any) -> Tensor:
    return feeds[0].sum(dim=numbers(feeds[1]), keepdim=bool(flag(attributes, "keep_dims")), dtype=feeds[0].dtype)


def packed(feeds: list[Tensor], attributes: Any) -> Tensor:
    return torch.stack(feeds, dim=flag(attributes, "axis"))


def squeezed(feeds: list[Tensor], attributes: Any) -> Tensor:
    axes = [int(value) for value in attributes["squeeze_dims"]["list"].get("i", [])]
    return feeds[0].squeeze(axes) if axes else feeds[0].squeeze()


def cast(feeds: list[Tensor], attributes: Any) -> Tensor:
    kind = attributes["DstT"]["type"]
    return feeds[0].to(TYPES[NAMES[kind] if isinstance(kind, str) else int(kind)])


PLAIN: dict[str, Callable[..., Tensor]] = {
    "Identity": lambda x: x,
    "Mul": torch.mul,
    "AddV2": torch.add,
    "Sub": torch.sub,
    "RealDiv": torch.div,
    "FloorDiv": divided,
    "FloorMod": torch.remainder,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
    "Square": torch.square,
    "Rsqrt": torch.rsqrt,
    "Reciprocal": torch.reciprocal,
    "Tanh": torch.tanh,
    "Exp": torch.exp,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Sign": torch.sign,
    "Floor": torch.floor,
    "Greater": torch.gt,
    "GreaterEqual": torch.ge,
    "Less": torch.lt,
    "LessEqual": torch.le,
    "NotEqual": torch.ne,
    "LogicalAnd": torch.logical_and,
    "SelectV2": torch.where,
    "Reshape": lambda x, shape: x.reshape(numbers(shape)),
    "BroadcastTo": lambda x, shape: x.broadcast_to(numbers(shape)),
    "Transpose": lambda x, order: x.permute(numbers(order)),
    "ExpandDims": lambda x, axis: x.unsqueeze(int(axis)),
    "Shape": lambda x: torch.tensor(x.shape, dtype=torch.int32),
    "Range": lambda a, b, s: torch.arange(a.item(), b.item(), s.item(), dtype=a.dtype),
    "GatherV2": lambda x, index, axis: torch.index_select(x, int(axis), index.reshape(-1)).reshape(
        *x.shape[: int(axis)], *index.shape, *x.shape[int(axis) + 1 :]
    ),
}
FORMS: dict[str, Callable[[list[Tensor], Any], Tensor]] = {
    "Conv2D": convolution,
    "Conv2DBackpropInput": transposed,
    "StridedSlice": sliced,
    "Sum": summed,
    "Pack": packed,
    "Squeeze": squeezed,
    "Cast": cast,
    "ConcatV2": lambda feeds, attributes: torch.cat(feeds[:-1], dim=int(feeds[-1])),
    "Einsum": lambda feeds, attributes: torch.einsum(text(attributes["equation"]["s"]), *feeds),
}
