"""Reader of the weights and the nodes of an ONNX file, without the `onnx` package.

ONNX is a Protocol Buffers message; only the few fields that weights need are decoded (https://onnx.ai/onnx/repo-docs/IR.html,
https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgfix.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

# TensorProto.DataType -> numpy; what no weights are made of is left out.
_TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}


@dataclass(frozen=True)
class Node:
    """One operation of the graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Named constant tensors and the operations, in the file's order."""

    initializers: dict[str, np.ndarray]
    nodes: list[Node]
    metadata: dict[str, str]
    """What the program that wrote the file says beside the graph."""


def read(path: Path) -> Graph:
    """The initializers and nodes of an ONNX file. Raises ModelError for a damaged file or weights kept outside it."""
    try:
        data = memoryview(path.read_bytes())
        graph, metadata = None, {}
        for number, value in _fields(data):
            if number == 7:
                graph = value
            elif number == 14 and isinstance(value, memoryview):
                pair = {key: _text(text) for key, text in _fields(value)}
                metadata[pair.get(1, "")] = pair.get(2, "")
        if not isinstance(graph, memoryview):
            raise ValueError("no graph in it")
        nodes: list[Node] = []
        initializers: dict[str, np.ndarray] = {}
        for number, value in _fields(graph):
            if number == 1 and isinstance(value, memoryview):
                nodes.append(_node(value))
            elif number == 5 and isinstance(value, memoryview):
                name, array = _tensor(value)
                initializers[name] = array
    except (OSError, ValueError, IndexError, OverflowError, TypeError) as error:
        raise ModelError(f"{path}: not a readable ONNX file ({error})", hint="fetch it again") from error
    return Graph(initializers, nodes, metadata)


def state_of(graph: Graph) -> dict[str, Tensor]:
    """The tensors of an ONNX file that an exporter left their torch names.

    The constant noise of a MI-GAN, which the exporter folds into nameless sums, gets its name back.
    """
    import torch

    named = {name: array for name, array in graph.initializers.items() if not name.startswith("onnx::")}
    state = {name: torch.from_numpy(array.copy()) for name, array in named.items()}
    for node in graph.nodes:
        for name in node.inputs:
            if node.kind == "Add" and name.startswith("onnx::") and name in graph.initializers:
                # `/model/synthesis/b8/conv1/Add_output_0` belongs to `model.synthesis.b8.conv1`.
                owner = ".".join(node.outputs[0].strip("/").split("/")[:-1])
                state[f"{owner}.noise_const"] = torch.from_numpy(graph.initializers[name].copy())
                state[f"{owner}.noise_strength"] = torch.ones(())
    return state


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value (number, or bytes of a nested message, string or fixed-size number) one after another."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if at + length > len(data):
            raise ValueError("it ends in the middle of a field")
        yield number, data[at : at + length]
        at += length


def _text(value: int | memoryview) -> str:
    return bytes(value).decode("utf-8") if isinstance(value, memoryview) else ""


def _node(data: memoryview) -> Node:
    kind, inputs, outputs = "", [], []
    for number, value in _fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            kind = _text(value)
    return Node(kind, tuple(inputs), tuple(outputs))


def _tensor(data: memoryview) -> tuple[str, np.ndarray]:
    name, kind, dims = "", 0, []
    raw: memoryview | None = None
    floats: list[bytes] = []
    integers: list[int] = []
    for number, value in _fields(data):
        if number == 1:
            dims += [value] if isinstance(value, int) else _packed(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, memoryview):
            floats.append(bytes(value))
        elif number in (5, 7):
            integers += [value] if isinstance(value, int) else _packed(value)
        elif number == 8:
            name = _text(value)
        elif number == 9 and isinstance(value, memoryview):
            raw = value
        elif number == 13:
            raise ValueError(f"the weights of {name or 'a tensor'} are in another file")
    if kind not in _TYPES:
        raise ValueError(f"tensor {name} has an unsupported type ({kind})")
    dtype = np.dtype(_TYPES[kind])
    if raw is not None:
        array = np.frombuffer(raw, dtype)
    elif floats:
        array = np.frombuffer(b"".join(floats), "<f4").astype(dtype)
    else:
        signed = [value - (1 << 64) if value >= 1 << 63 else value for value in integers]
        # Half precision is kept as its bits, one number in each integer.
        array = np.array(signed, np.uint16).view("<f2") if kind == 10 else np.array(signed, dtype)
    return name, array.reshape(dims)


def _packed(data: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values
