"""Exports are read back and compared, by other programs where there are any."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.export import export
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


@pytest.mark.parametrize("key", ["srvgg x2 from x4", "migan"])
def test_onnx_equals_the_network_at_sizes_it_was_not_traced_with(key: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    source = model(key, tmp_path)
    done = export(source, tmp_path / "out.onnx")
    assert done.psnr > 100
    assert done.compared_with.startswith("onnxruntime")
    session = onnxruntime.InferenceSession(tmp_path / "out.onnx")
    sides = (8, 8) if key == "migan" else (22, 34)
    x = torch.rand(2, source.descriptor.in_channels, *sides)
    (out,) = session.run(["output"], {"input": x.numpy()})
    with torch.inference_mode():
        torch.testing.assert_close(torch.from_numpy(out), source.net(x), atol=1e-5, rtol=1e-4)
    about = session.get_modelmeta().custom_metadata_map
    assert about["imgfix.licence"] == "MIT"


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


def test_a_pth_that_would_be_misunderstood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot say how this network is used"):
        export(model("srvgg x2 from x4", tmp_path), tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xyz"):
        export(model("srvgg", tmp_path), tmp_path / "out.xyz")
