"""Reader of ncnn models: a text file with the layers (`.param`) and a binary file with their weights (`.bin`).

Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure. Weights are read for the layers that the
networks here are made of: convolutions, inner products and PReLU. They follow each other in the order of the layers,
without names; a convolution's begin with a tag that says how they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgfix.errors import ModelError

MAGIC = "7767517"
TAG_FP32 = 0x00000000
TAG_FP16 = 0x01306B47

_WITHOUT_WEIGHTS = {
    "Input", "Split", "Concat", "Eltwise", "BinaryOp", "UnaryOp", "Interp", "PixelShuffle", "Reorg", "ReLU", "Sigmoid",
    "Clip", "Noop", "Dropout", "Padding", "Crop", "Pooling", "Reshape", "Permute", "Slice", "TanH", "Softmax", "Swish",
}  # fmt: skip
_CONVOLUTIONS = {"Convolution", "ConvolutionDepthWise", "InnerProduct"}


@dataclass(frozen=True)
class Layer:
    """One line of a `.param` file."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, float | int | list[float]]

    def integer(self, key: int) -> int:
        """A parameter that is a whole number, 0 where it is not given or is something else."""
        value = self.params.get(key, 0)
        return value if isinstance(value, int) else 0

    def number(self, key: int, default: float) -> float:
        """A parameter that is a number."""
        value = self.params.get(key, default)
        return default if isinstance(value, list) else float(value)


def read_layers(path: Path) -> list[Layer]:
    """The layers of a `.param` file, in order. Raises ModelError for a file of another kind."""
    try:
        lines = path.read_text("utf-8").splitlines()
        if lines[0].strip() != MAGIC:
            raise ValueError("no ncnn magic number")
        count = int(lines[1].split()[0])
        layers = [_layer(line) for line in lines[2:] if line.strip()]
        if len(layers) != count:
            raise ValueError(f"{count} layers announced, {len(layers)} there")
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: not an ncnn .param file ({error})") from error
    return layers


def _layer(line: str) -> Layer:
    kind, name, inputs, outputs, *rest = line.split()
    ends = int(inputs) + int(outputs)
    params: dict[int, float | int | list[float]] = {}
    for word in rest[ends:]:
        key, value = word.split("=", 1)
        if int(key) <= -23300:  # an array: its length, then its items
            params[-23300 - int(key)] = [float(item) for item in value.split(",")[1:]]
        else:
            params[int(key)] = float(value) if "." in value or "e" in value else int(value)
    return Layer(kind, name, tuple(rest[: int(inputs)]), tuple(rest[int(inputs) : ends]), params)


def read_weights(param: Path, binary: Path) -> list[tuple[Layer, np.ndarray, np.ndarray | None]]:
    """Every layer that has weights, with them: (layer, flat weights, bias or `None`), weights in the stored precision.

    Raises ModelError when a layer is of an unknown kind or the file is shorter or longer than the layers say.
    """
    layers = read_layers(param)
    try:
        data = binary.read_bytes()
    except OSError as error:
        raise ModelError(f"{binary}: cannot be read ({error.strerror})", hint="keep it beside its .param") from error
    position = 0

    def take(count: int, dtype: str) -> np.ndarray:
        nonlocal position
        end = position + count * np.dtype(dtype).itemsize
        if count < 0 or end > len(data):
            raise ModelError(f"{binary}: shorter than {param.name} says", hint="fetch it again")
        values = np.frombuffer(data[position:end], dtype)
        position = end + -end % 4
        return values

    found: list[tuple[Layer, np.ndarray, np.ndarray | None]] = []
    for layer in layers:
        if layer.kind in _CONVOLUTIONS:
            outputs = layer.integer(0)
            has_bias, size = (1, 2) if layer.kind == "InnerProduct" else (5, 6)
            (tag,) = take(1, "<u4")
            if tag not in (TAG_FP32, TAG_FP16):
                raise ModelError(f"{binary}: weights of {layer.name} are stored in an unknown way ({tag:#x})")
            weight = take(layer.integer(size), "<f2" if tag == TAG_FP16 else "<f4")
            bias = take(outputs, "<f4") if layer.integer(has_bias) else None
            found.append((layer, weight, bias))
        elif layer.kind == "PReLU":
            found.append((layer, take(layer.integer(0), "<f4"), None))
        elif layer.kind not in _WITHOUT_WEIGHTS:
            raise ModelError(f"{param}: layer {layer.name} is of an unknown kind ({layer.kind})")
    if position != len(data):
        raise ModelError(f"{binary}: longer than {param.name} says", hint="fetch it again")
    return found
