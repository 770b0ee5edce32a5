"""Our small ONNX reader against files that the onnx package writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.errors import ModelError
from imgfix.zoo import onnx_reader
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.convert import convert

onnx = pytest.importorskip("onnx")


def write(path: Path, *tensors: object) -> Path:
    nodes = [onnx.helper.make_node("Add", ["x", "onnx::Add_7"], ["/model/b8/conv1/Add_output_0"])]
    graph = onnx.helper.make_graph(nodes, "g", [], [], initializer=list(tensors))
    onnx.save(onnx.helper.make_model(graph), path)
    return path


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "int64", "int32", "float16", "float64"])
def test_every_way_of_storing_a_tensor_is_read(dtype: str, raw: bool, tmp_path: Path) -> None:
    if not raw and dtype in ("float16", "float64"):
        pytest.skip("stored in fields that weights do not use")
    array = np.arange(-6, 6).reshape(3, 4).astype(dtype)
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    values = array.tobytes() if raw else array.ravel().tolist()
    tensor = onnx.helper.make_tensor("t", kind, array.shape, values, raw=raw)
    graph = onnx_reader.read(write(tmp_path / "a.onnx", tensor))
    np.testing.assert_array_equal(graph.initializers["t"], array)
    assert graph.initializers["t"].shape == (3, 4)


def test_scalars_and_nodes_are_read(tmp_path: Path) -> None:
    graph = onnx_reader.read(write(tmp_path / "a.onnx", onnx.numpy_helper.from_array(np.float32(2), "s")))
    assert graph.initializers["s"].shape == ()
    assert graph.nodes[0].kind == "Add"
    assert graph.nodes[0].inputs == ("x", "onnx::Add_7")
    assert graph.nodes[0].outputs == ("/model/b8/conv1/Add_output_0",)


@pytest.mark.parametrize("length", [0, 1, 20, -5, -1])
def test_a_damaged_file_is_refused(length: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", onnx.numpy_helper.from_array(np.ones((40, 40), np.float32), "t"))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match=r"a\.onnx"):
        onnx_reader.read(path)


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="not a readable ONNX file"):
        onnx_reader.read(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", onnx.numpy_helper.from_array(np.ones((40, 40), np.float32), "t"))
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(ModelError, match="another file"):
        onnx_reader.read(path)


def test_a_migan_comes_back_from_its_onnx_form(tmp_path: Path) -> None:
    """In the published file every tensor keeps its torch name, but the noise is folded into nameless constants."""
    torch.manual_seed(0)
    config = {"resolution": 16, "base": 64, "maximum": 4}
    net = ARCHITECTURES["migan"].build(config).eval()
    tensors, nodes = [], []
    for number, (name, value) in enumerate(net.state_dict().items()):
        if name.endswith("noise_strength"):
            continue
        array = value.numpy()
        stored = f"model.{name}"
        if name.endswith("noise_const"):
            owner = name.removesuffix(".noise_const")
            net.get_parameter(f"{owner}.noise_strength").data.fill_(0.5)
            array, stored = array * np.float32(0.5), f"onnx::Add_{number}"
            place = "/model/" + owner.replace(".", "/")
            nodes.append(onnx.helper.make_node("Add", [f"{place}/x", stored], [f"{place}/Add_output_0"]))
        tensors.append(onnx.numpy_helper.from_array(array, stored))
    tensors.append(onnx.numpy_helper.from_array(np.ones((4, 1, 4, 4), np.float32), "model.encoder.b8.filter.weight"))
    path = tmp_path / "migan.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], initializer=tensors)), path)
    other = ARCHITECTURES["migan"].build(config).eval()
    other.load_state_dict(convert([path], "onnx", "migan", config))
    x = torch.rand(1, 4, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(other(x), net(x))
        torch.testing.assert_close(zoo.load(path, task="inpaint").net(x), net(x))


def test_convolutions_without_names_are_matched_in_order(tmp_path: Path) -> None:
    net = ARCHITECTURES["u2net"].build({"small": True})
    layers = [part for part in net.modules() if isinstance(part, torch.nn.Conv2d)]
    nodes, values = [], []
    for number, layer in enumerate(layers):
        for kind, tensor in (("w", layer.weight), ("b", layer.bias)):
            values.append(onnx.numpy_helper.from_array(tensor.detach().numpy(), f"{kind}{number}"))
        nodes.append(onnx.helper.make_node("Conv", [f"x{number}", f"w{number}", f"b{number}"], [f"x{number + 1}"]))
    path = tmp_path / "one.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [], values)), path)
    state = convert([path], "onnx-layers", "u2net", {"small": True})
    assert all(torch.equal(state[name], tensor) for name, tensor in net.state_dict().items())
    with pytest.raises(ModelError, match="do not fit"):
        convert([path], "onnx-layers", "u2net", {"small": False})
