"""YuNet's weights as the ONNX file that OpenCV publishes: the same operations in their order, the same outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from imgfix.nets.yunet import STRIDES, YuNet


class _Graph:
    def __init__(self) -> None:
        self.onnx = pytest.importorskip("onnx")
        self.nodes: list[object] = []
        self.initializers: list[object] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: object) -> str:
        out = name or f"t{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(self.onnx.numpy_helper.from_array(value, name))
        return name

    def conv(self, x: str, layer: nn.Conv2d) -> str:
        weight, bias = (self.constant(each.detach().numpy()) for each in (layer.weight, layer.bias))
        side, pad, stride = layer.kernel_size[0], layer.padding[0], layer.stride[0]
        return self.add(
            "Conv", x, weight, bias, kernel_shape=[side] * 2, pads=[pad] * 4, strides=[stride] * 2, group=layer.groups
        )

    def unit(self, x: str, unit: nn.Module) -> str:
        x = self.conv(self.conv(x, unit.point), unit.depth)
        return self.add("Relu", x) if unit.active else x

    def halved(self, x: str) -> str:
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def write(net: YuNet, path: Path, height: int = 64, width: int = 64) -> Path:
    """Write the file; skips the test where the package `onnx` is not installed."""
    graph = _Graph()
    x = graph.halved(graph.unit(graph.add("Relu", graph.conv("input", net.first)), net.second))
    levels = []
    for number, stage in enumerate(net.stages):
        for unit in stage:
            x = graph.unit(x, unit)
        if number >= 2:
            levels.append(x)
        if number in (1, 2, 3):
            x = graph.halved(x)
    scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
    x = graph.unit(levels[2], net.lateral[0])
    joined = [x]
    for level, lateral in ((levels[1], net.lateral[1]), (levels[0], net.lateral[2])):
        mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        x = graph.unit(graph.add("Add", level, graph.add("Resize", x, "", scales, **mode)), lateral)
        joined.insert(0, x)
    outputs = []
    heads = (("cls", net.named, 1), ("bbox", net.boxed, 4), ("obj", net.there, 1), ("kps", net.marked, 10))
    drawn = {word: [graph.unit(x, unit) for x, unit in zip(joined, head, strict=True)] for word, head, _ in heads}
    for word, _, values in heads:
        for x, stride in zip(drawn[word], STRIDES, strict=True):
            name = f"{word}_{stride}"
            turned = graph.add("Transpose", x, perm=[0, 2, 3, 1])
            shape = graph.constant(np.array([1, -1, values], np.int64))
            if values == 1:
                graph.add("Sigmoid", graph.add("Reshape", turned, shape), name=name)
            else:
                graph.add("Reshape", turned, shape, name=name)
            outputs.append((name, [1, height * width // stride**2, values]))
    helper, floats = graph.onnx.helper, graph.onnx.TensorProto.FLOAT
    # OpenCV asks for the outputs in this order by their names.
    outputs.sort(key=lambda each: ("cls", "obj", "bbox", "kps").index(each[0].split("_")[0]))
    body = helper.make_graph(
        graph.nodes,
        "yunet",
        [helper.make_tensor_value_info("input", floats, [1, 3, height, width])],
        [helper.make_tensor_value_info(name, floats, shape) for name, shape in outputs],
        graph.initializers,
    )
    made = helper.make_model(body, opset_imports=[helper.make_opsetid("", 11)])
    made.ir_version = 8
    path.write_bytes(made.SerializeToString())
    return path
