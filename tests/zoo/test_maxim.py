"""MAXIM's TensorFlow.js graph: names, layouts, damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from imgfix.errors import ModelError
from imgfix.zoo import maxim

ROOT = "StatefulPartitionedCall/jax2tf_apply_/Wrapper/backbone/"


def graph(folder: Path, layers: list[tuple[str, str, np.ndarray]], cut: int = 0) -> list[Path]:
    """A graph in which each operation (path, kind) takes one constant; the weights lie in two shards."""
    nodes, rows, data = [], [], b""
    for number, (path, kind, array) in enumerate(layers):
        name = f"constant_{number}"
        nodes += [{"name": name, "op": "Const"}, {"name": ROOT + path, "op": kind, "input": ["x", name]}]
        rows.append({"name": name, "shape": list(array.shape), "dtype": str(array.dtype)})
        data += array.tobytes()
    description = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["a", "b"], "weights": rows}]}
    (folder / "model.json").write_text(json.dumps(description))
    data = data[: len(data) - cut]
    (folder / "a.bin").write_bytes(data[:37])
    (folder / "b.bin").write_bytes(data[37:])
    return [folder / "model.json", folder / "a.bin", folder / "b.bin"]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def test_parameters_are_named_and_turned_into_torchs_layout(tmp_path: Path) -> None:
    conv, dense, up, bias = numbers(3, 3, 4, 8), numbers(4, 6), numbers(2, 2, 4, 8), numbers(1, 1, 1, 8)
    state = maxim.maxim_from_graph(
        graph(
            tmp_path,
            [
                ("stage_0_encoder_block_1/channel_attention_block_10/conv1/Conv2D", "Conv2D", conv),
                ("stage_0_encoder_block_1/channel_attention_block_10/conv1/jit_fn_/AddV2", "AddV2", bias),
                ("stage_1_global_block_0/SplitHeadMultiAxisGmlpLayer_1/in_project/einsum/Einsum", "Einsum", dense),
                ("stage_1_decoder_block_2/ConvTranspose_0/conv2d_transpose", "Conv2DBackpropInput", up),
                ("stage_1_decoder_block_2/UNetEncoderBlock_0/Conv_0/jit_fn_/Mul", "AddV2", np.float32(3).reshape(1)),
                ("stage_1_cross_gating_block_0/LayerNorm_x/jit_fn_/Mul_4", "Mul", bias),
                ("somewhere/Reshape", "Reshape", np.arange(4, dtype=np.int32)),
            ],
        )
    )
    expected = {
        "stages.0.encoder.1.channels.0.conv1.weight": conv.transpose(3, 2, 0, 1),
        "stages.0.encoder.1.channels.0.conv1.bias": bias.reshape(-1),
        "stages.1.bottleneck.0.mixing.1.enter.weight": dense.T,
        "stages.1.decoder.2.up.weight": up.transpose(3, 2, 0, 1),
        "stages.1.cross.0.norm_x.weight": bias.reshape(-1),
    }
    assert state.keys() == expected.keys()
    for name, array in expected.items():
        assert torch.equal(state[name], torch.from_numpy(array.copy())), name


@pytest.mark.parametrize(
    ("number", "place"),
    [(0, "0.gather.2.layers.0"), (5, "0.gather.1.layers.2"), (8, "0.gather.0.layers.2"), (9, "0.spread.2.layers.0"),
     (17, "0.spread.0.layers.2"), (18, "1.gather.2.layers.0"), (52, "2.spread.0.layers.1")],
)  # fmt: skip
def test_layers_numbered_in_the_order_of_use_find_their_place(tmp_path: Path, number: int, place: str) -> None:
    files = graph(tmp_path, [(f"UpSampleRatio_{number}/Conv_0/Conv2D", "Conv2D", numbers(1, 1, 2, 2))])
    assert list(maxim.maxim_from_graph(files)) == [f"stages.{place}.weight"]


@pytest.mark.parametrize("cut", [4, 40, -8])
def test_shards_of_another_length_are_refused(tmp_path: Path, cut: int) -> None:
    files = graph(tmp_path, [("a/Conv2D", "Conv2D", numbers(3, 3, 4, 4))], max(0, cut))
    if cut < 0:
        files[-1].write_bytes(files[-1].read_bytes() + bytes(-cut))
    with pytest.raises(ModelError, match="than announced"):
        maxim.maxim_from_graph(files)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"modelTopology": {"node": 3}, "weightsManifest": []}', "\x00\xff"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ModelError, match="not a TensorFlow"):
        maxim.maxim_from_graph([path])


def test_an_operation_that_does_something_else_with_a_parameter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="something else"):
        maxim.maxim_from_graph(graph(tmp_path, [("a/Tanh", "Tanh", numbers(2, 30))]))
