"""TensorFlow Lite files made by code: quantised weights come back as the numbers they stand for."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from imgfix.errors import ModelError
from imgfix.zoo import tflite_reader

Node = dict | list | np.ndarray
"""A table (number of a field -> struct format and number, or a node), a vector of tables, a vector of numbers."""


def written(root: dict) -> bytes:
    """A FlatBuffers message; references point forward, so a node is written before what it refers to."""
    data = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", data, 0, _write(data, root))
    return bytes(data)


def _write(data: bytearray, node: Node) -> int:
    data += b"\0" * (-len(data) % 8)
    if isinstance(node, np.ndarray):
        data += b"\0\0\0\0" + struct.pack("<I", node.size) + node.tobytes()  # what follows the length is aligned
        return len(data) - node.nbytes - 4
    if isinstance(node, list):
        place = len(data)
        data += struct.pack("<I", len(node)) + bytes(4 * len(node))
        slots = [place + 4 + 4 * index for index in range(len(node))]
        _refer(data, dict(zip(slots, node, strict=True)))
        return place
    count = max(node, default=-1) + 1
    body, offsets = bytearray(4), [0] * count
    for number, value in node.items():
        body += b"\0" * (-len(body) % 8)
        offsets[number] = len(body)
        body += struct.pack(*value) if isinstance(value, tuple) else bytes(4)
    virtual = len(data)
    data += struct.pack(f"<HH{count}H", 4 + 2 * count, len(body), *offsets)
    data += b"\0" * (-len(data) % 8)
    place = len(data)
    struct.pack_into("<i", body, 0, place - virtual)
    data += body
    _refer(data, {place + offsets[n]: value for n, value in node.items() if not isinstance(value, tuple)})
    return place


def _refer(data: bytearray, slots: dict[int, Node]) -> None:
    for slot, node in slots.items():
        target = _write(data, node)
        struct.pack_into("<I", data, slot, target - slot)


def tensor(shape: list[int], kind: int, buffer: int, scales: list[float] | None = None) -> dict:
    fields: dict = {0: np.array(shape, "<i4"), 1: ("<b", kind), 2: ("<I", buffer)}
    if scales is not None:
        fields[4] = {2: np.array(scales, "<f4"), 3: np.zeros(len(scales), "<i8"), 6: ("<i", 0)}
    return fields


def model(path: Path, weight: np.ndarray, scales: list[float], bias: np.ndarray) -> Path:
    """One convolution with int8 weights that have a scale for each output, and an int32 bias."""
    buffers = [{}] + [{0: np.frombuffer(values.tobytes(), "u1")} for values in (weight, bias)]
    tensors = [
        tensor([1, 4, 4, weight.shape[3]], 0, 0),
        tensor(list(weight.shape), 9, 1, scales),
        tensor([bias.size], 2, 2, [0.5]),
    ]
    operator = {0: ("<I", 0), 1: np.array([0, 1, 2], "<i4")}
    path.write_bytes(written({1: [{0: ("<b", 3)}], 2: [{0: tensors, 3: [operator]}], 4: buffers}))
    return path


def test_quantised_weights_are_scaled_by_output(tmp_path: Path) -> None:
    weight = np.arange(-9, 9, dtype=np.int8).reshape(2, 1, 3, 3)
    path = model(tmp_path / "one.tflite", weight, [0.5, 2.0], np.array([4, -6], "<i4"))
    [layer] = tflite_reader.read_layers(path)
    assert not layer.depthwise
    assert layer.weight.tolist() == (weight * np.array([0.5, 2.0]).reshape(2, 1, 1, 1)).tolist()
    assert layer.bias is not None and layer.bias.tolist() == [2.0, -3.0]


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_a_damaged_file_is_named(tmp_path: Path, keep: int) -> None:
    path = model(tmp_path / "one.tflite", np.zeros((2, 1, 3, 3), np.int8), [1, 1], np.zeros(2, "<i4"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"one\.tflite: not a readable TensorFlow Lite file"):
        tflite_reader.read_layers(path)
