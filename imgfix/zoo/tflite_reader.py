"""Reader of the weights of a TensorFlow Lite file, without TensorFlow.

The file is one FlatBuffers message (https://flatbuffers.dev/internals/); of its schema only the few fields that weights
need are known here. Quantised weights come back as float32.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgfix.errors import ModelError

# TensorType -> numpy; what no weights are made of is left out.
_TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}
CONV_2D, DEPTHWISE_CONV_2D = 3, 4


@dataclass(frozen=True)
class Layer:
    """One convolution of the graph."""

    depthwise: bool
    weight: np.ndarray
    """float32, (outputs, height, width, inputs), depthwise (1, height, width, channels)."""
    bias: np.ndarray | None
    """float32, one for each output."""


def read_layers(path: Path) -> list[Layer]:
    """The convolutions of a file's graph in the order in which they run. Raises ModelError for a damaged file."""
    try:
        data = path.read_bytes()
        if data[4:8] != b"TFL3":
            raise ValueError("it does not begin as one")
        return list(_layers(_Table.root(data)))
    except (OSError, ValueError, IndexError, KeyError, struct.error) as error:
        raise ModelError(f"{path}: not a readable TensorFlow Lite file ({error})", hint="fetch it again") from error


@dataclass(frozen=True)
class _Table:
    """A FlatBuffers table: fields by number, each of which may be absent."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def _place(self, field: int) -> int | None:
        table = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if 4 + 2 * field >= struct.unpack_from("<H", self.data, table)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, table + 4 + 2 * field)[0]
        return self.at + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        place = self._place(field)
        return default if place is None else struct.unpack_from(kind, self.data, place)[0]

    def _target(self, field: int) -> int | None:
        place = self._place(field)
        return None if place is None else place + struct.unpack_from("<I", self.data, place)[0]

    def table(self, field: int) -> _Table | None:
        target = self._target(field)
        return None if target is None else _Table(self.data, target)

    def tables(self, field: int) -> list[_Table]:
        found = []
        target = self._target(field)
        if target is not None:
            for index in range(struct.unpack_from("<I", self.data, target)[0]):
                place = target + 4 + 4 * index
                found.append(_Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]))
        return found

    def array(self, field: int, dtype: str) -> np.ndarray:
        target = self._target(field)
        if target is None:
            return np.zeros(0, dtype)
        count = struct.unpack_from("<I", self.data, target)[0]
        return np.frombuffer(self.data, dtype, count, target + 4)


def _layers(model: _Table) -> list[Layer]:
    # An operator's code was one byte at first; larger ones are in a field of their own.
    codes = [max(code.number(0, "<b"), code.number(3, "<i")) for code in model.tables(1)]
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = graph.tables(0)
    found = []
    for operator in graph.tables(3):
        code = codes[operator.number(0, "<I")]
        if code in (CONV_2D, DEPTHWISE_CONV_2D):
            inputs = operator.array(1, "<i4")
            weight = _values(tensors[inputs[1]], buffers)
            bias = _values(tensors[inputs[2]], buffers) if len(inputs) > 2 and inputs[2] >= 0 else None
            found.append(Layer(code == DEPTHWISE_CONV_2D, weight, bias))
    return found


def _values(tensor: _Table, buffers: list[_Table]) -> np.ndarray:
    """A tensor's values; whole numbers that stand for others are brought back to those."""
    dtype = _TYPES[tensor.number(1, "<b")]
    shape = tensor.array(0, "<i4")
    raw = buffers[tensor.number(2, "<I")].array(0, "u1")
    values = raw.view(dtype).reshape(shape).astype(np.float32)
    quantised = tensor.table(4)
    scale = quantised.array(2, "<f4") if quantised else np.zeros(0)
    if quantised is None or scale.size == 0:
        return values
    zero = quantised.array(3, "<i8").astype(np.float32)
    along = [1] * len(shape)
    along[quantised.number(6, "<i") if scale.size > 1 else 0] = scale.size
    return (values - (zero.reshape(along) if zero.size else 0)) * scale.reshape(along)
