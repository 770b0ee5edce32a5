"""Weights files of other programs as `--model`: ONNX graphs, ncnn pairs, checkpoints of any layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ExitCode, ModelError
from imgfix.runtime.engine import Engine
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.importer import import_file
from tests.zoo.helpers import TINY, NcnnWriter, tiny_net, write_ncnn_rrdbnet, write_ncnn_srvgg


def onnx_graph(
    path: Path, *, scale: int = 2, factor: float = 1.0, last: bool = False, sides: tuple[Any, Any] = ("h", "w"),
    multiple: int = 1, inputs: int = 1,
) -> Path:  # fmt: skip
    """A graph that enlarges by nearest neighbour; values run to `factor`, sides are multiples of `multiple`."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    shape = [1, *sides, 3] if last else [1, 3, *sides]
    ends = [helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, shape) for n in range(inputs)]
    scales = [1.0, scale, scale, 1.0] if last else [1.0, 1.0, scale, scale]
    constants = [
        numpy_helper.from_array(np.array(scales, np.float32), "scales"),
        numpy_helper.from_array(np.array(factor, np.float32), "top"),
        numpy_helper.from_array(np.array(0, np.float32), "bottom"),
    ]
    nodes = [helper.make_node("Clip", ["x0", "bottom", "top"], ["inside"])]
    source = "inside"
    if multiple > 1:  # folded and unfolded again: other sides are an error
        nodes += [
            helper.make_node("SpaceToDepth", [source], ["folded"], blocksize=multiple),
            helper.make_node("DepthToSpace", ["folded"], ["unfolded"], blocksize=multiple),
        ]
        source = "unfolded"
    nodes.append(helper.make_node("Resize", [source, "", "scales"], ["y"], mode="nearest"))
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends, [result], constants), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "about",
    [{}, {"factor": 255.0}, {"last": True}, {"scale": 4, "multiple": 4}, {"last": True, "factor": 255.0}],
    ids=str,
)
def test_a_foreign_graph_is_run_as_it_is(about: dict[str, Any], tmp_path: Path) -> None:
    scale = about.get("scale", 2)
    model = zoo.load(onnx_graph(tmp_path / "foreign.onnx", **about), task="upscale")
    facts = model.descriptor
    assert (facts.net, facts.scale, facts.size_multiple) == ("onnx", scale, about.get("multiple", 1))
    assert facts.precisions == ("fp32",)
    x = torch.rand(1, 3, 37, 50)
    out = Engine(model, "cpu", "auto").run(x)
    expected = x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


def test_a_graph_that_keeps_the_size_is_a_restorer_of_whatever_it_is_asked_for(tmp_path: Path) -> None:
    facts = zoo.load(onnx_graph(tmp_path / "clean.onnx", scale=1), task="restore").descriptor
    assert (facts.scale, facts.jobs) == (1, ANY_DAMAGE)


@pytest.mark.parametrize(
    ("about", "why"),
    [({"inputs": 2}, "takes 2 inputs"), ({"sides": (64, 64)}, "64x64 only")],
)
def test_a_graph_that_cannot_be_used_says_why(about: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        zoo.load(onnx_graph(tmp_path / "odd.onnx", **about))
    assert caught.value.exit_code == ExitCode.MODEL
    assert "odd.onnx" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("suffix", [".param", ".bin"])
def test_an_ncnn_pair_is_named_by_either_file(suffix: str, tmp_path: Path) -> None:
    net = tiny_net()
    write_ncnn_srvgg(net, tmp_path, half=False)
    model = zoo.load(tmp_path / f"net{suffix}", task="upscale")
    assert (model.descriptor.net, model.descriptor.config) == ("srvgg", TINY)
    x = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(model.net(x), net(x))


def test_an_ncnn_network_that_is_brought_down_at_its_end_keeps_its_scale(tmp_path: Path) -> None:
    config = {"scale": 3, "shuffle": 4, "features": 4, "convs": 1, "activation": "prelu"}
    write_ncnn_srvgg(ARCHITECTURES["srvgg"].build(config), tmp_path)
    assert zoo.load(tmp_path / "net.param").descriptor.scale == 3


def test_an_ncnn_rrdbnet_is_read_and_can_be_imported(tmp_path: Path) -> None:
    net = ARCHITECTURES["rrdbnet"].build({"features": 8, "blocks": 2, "growth": 4})
    param, _ = write_ncnn_rrdbnet(net, tmp_path, half=False)
    descriptor = zoo.load(param).descriptor
    assert (descriptor.net, descriptor.scale, descriptor.config["blocks"]) == ("rrdbnet", 4, 2)
    import_file(param, "from-ncnn")
    again = zoo.load("from-ncnn").net.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in net.state_dict().items())


def test_another_ncnn_network_is_refused_with_what_can_be_read(tmp_path: Path) -> None:
    writer = NcnnWriter()
    (x,) = writer.layer("Input", [])
    writer.layer("Sigmoid", [writer.conv(x, torch.nn.Conv2d(3, 3, 3))])
    param, _ = writer.write(tmp_path)
    with pytest.raises(ModelError, match="cannot be read from ncnn") as caught:
        zoo.load(param)
    assert "rrdbnet and srvgg" in (caught.value.hint or "")


def test_an_ncnn_file_without_its_other_half_is_refused(tmp_path: Path) -> None:
    param, binary = write_ncnn_srvgg(tiny_net(), tmp_path)
    binary.unlink()
    with pytest.raises(ModelError, match=r"net\.bin"):
        zoo.load(param)


STATE = tiny_net().state_dict()
OTHER = {"discriminator.weight": torch.zeros(3, 3)}


@pytest.mark.parametrize(
    "content",
    [
        {"params": OTHER, "params_ema": STATE},
        {"g_ema": STATE, "d": OTHER},
        {"generator": {"state_dict": STATE}},
        {"state_dict": {f"net_g.{name}": tensor for name, tensor in STATE.items()} | OTHER},
        {"model": {f"module.{name}": tensor for name, tensor in STATE.items()}},
        {f"_orig_mod.{name}": tensor for name, tensor in STATE.items()},
        {"epoch": 3, "anything": {"deep": {"weights": STATE}}},
        {"params": {name: tensor.half() for name, tensor in STATE.items()}},
    ],
    ids=range(8),
)
@pytest.mark.parametrize("suffix", [".pth", ".ckpt"])
def test_a_checkpoint_of_any_layout_is_read(content: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / f"x{suffix}")
    model = zoo.load(tmp_path / f"x{suffix}", task="upscale")
    assert model.descriptor.config == TINY
    for name, tensor in model.net.state_dict().items():
        torch.testing.assert_close(tensor, STATE[name], atol=1e-3, rtol=0)
