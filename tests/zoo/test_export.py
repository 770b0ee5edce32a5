"""Exports are read back and compared, by other programs where there are any."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.zoo import catalog
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.entry import Entry
from imgfix.zoo.export import Exported, export
from imgfix.zoo.importer import import_file
from tests.zoo.helpers import TINY, tiny_net

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "srvgg": ("srvgg", TINY),
    "srvgg x2 from x4": ("srvgg", TINY | {"shuffle": 4}),
    "migan": ("migan", {"resolution": 8, "base": 32, "maximum": 4}),
}


def model(key: str, folder: Path) -> zoo.Model:
    net, config = SMALL[key]
    torch.manual_seed(0)
    state = ARCHITECTURES[net].build(config).state_dict()
    return zoo.load(zoo.save(folder / "m.safetensors", net, config, state, licence="MIT", task=ARCHITECTURES[net].task))


@pytest.fixture(scope="module", params=["srvgg x2 from x4", "migan"])
def onnx_export(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[zoo.Model, Exported]:
    """A small model with its ONNX file."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("onnx")
    source = model(request.param, folder)
    return source, export(source, folder / "out.onnx")


def test_onnx_equals_the_network_at_sizes_it_was_not_traced_with(onnx_export: tuple[zoo.Model, Exported]) -> None:
    import onnxruntime

    source, done = onnx_export
    assert done.psnr > 100
    assert done.compared_with.startswith("onnxruntime")
    session = onnxruntime.InferenceSession(done.path)
    sides = (8, 8) if source.descriptor.net == "migan" else (22, 34)
    x = torch.rand(2, source.descriptor.in_channels, *sides)
    (out,) = session.run(["output"], {"input": x.numpy()})
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(out), source.net(x), atol=1e-5, rtol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert about["imgfix.licence"] == "MIT"


def test_an_onnx_export_is_a_model_again(onnx_export: tuple[zoo.Model, Exported]) -> None:
    source, done = onnx_export
    again = zoo.load(done.path, task=source.descriptor.task)
    for fact in ("task", "scale", "in_channels", "size_multiple", "licence", "config"):
        assert getattr(again.descriptor, fact) == getattr(source.descriptor, fact), fact
    x = torch.rand(1, source.descriptor.in_channels, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(again.net(x), source.net(x), atol=1e-5, rtol=1e-4)


def test_the_axes_of_an_onnx_file_are_called_what_they_are(onnx_export: tuple[zoo.Model, Exported]) -> None:
    import onnx

    source, done = onnx_export
    graph = onnx.load(done.path).graph
    taken, given = (
        [axis.dim_param or axis.dim_value for axis in end.type.tensor_type.shape.dim]
        for end in (graph.input[0], graph.output[0])
    )
    if source.descriptor.native_size:
        assert (taken, given) == (["batch", 4, 8, 8], ["batch", 3, 8, 8])
        return
    assert taken == ["batch", 3, "height", "width"]
    assert given[0] == "batch" and "height" in given[2] and "width" in given[3]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("half", [True, False])
def test_weights_come_back(suffix: str, half: bool, tmp_path: Path) -> None:
    source = model("srvgg", tmp_path)
    done = export(source, tmp_path / f"out{suffix}", half=half)
    assert done.psnr > 60 if half else math.isinf(done.psnr)
    again = zoo.load(tmp_path / f"out{suffix}")
    assert again.descriptor.config == TINY
    if suffix == ".pth":
        content = torch.load(tmp_path / "out.pth", weights_only=True)
        assert content["params"].keys() == tiny_net().state_dict().keys()
    else:
        assert again.descriptor.licence == "MIT"


def test_a_pth_keeps_what_its_tensors_do_not_tell(tmp_path: Path) -> None:
    source = model("srvgg x2 from x4", tmp_path)
    export(source, tmp_path / "out.pth")
    again = zoo.load(tmp_path / "out.pth").descriptor
    assert (again.scale, again.config) == (2, source.descriptor.config)


SHIPPED = [entry for entry in catalog.entries() if entry.shipped]


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_shipped_model_goes_out_as_pth_and_comes_back_by_import(entry: Entry, tmp_path: Path) -> None:
    source = zoo.load(entry.name)
    export(source, tmp_path / "out.pth")
    import_file(tmp_path / "out.pth", "back")
    again = zoo.load("back").descriptor
    for fact in ("task", "net", "config", "scale", "gan_trained", "jobs", "licence", "overlap", "tiling"):
        assert getattr(again, fact) == getattr(source.descriptor, fact), fact


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_every_shipped_model_is_imported_from_its_bare_tensors(entry: Entry, tmp_path: Path) -> None:
    source = zoo.load(entry.name)
    torch.save(source.net.state_dict(), tmp_path / "bare.pth")
    if ARCHITECTURES[entry.net].header_only:
        with pytest.raises(ModelError, match=ARCHITECTURES[entry.net].header_only):
            import_file(tmp_path / "bare.pth", "back")
        return
    import_file(tmp_path / "bare.pth", "back")
    again = zoo.load("back")
    assert (again.descriptor.net, again.descriptor.config) == (entry.net, {**again.descriptor.config, **entry.config})
    assert all(torch.equal(tensor, again.net.state_dict()[name]) for name, tensor in source.net.state_dict().items())


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xyz"):
        export(model("srvgg", tmp_path), tmp_path / "out.xyz")
