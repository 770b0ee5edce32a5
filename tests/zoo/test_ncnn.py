"""ncnn files: read, put into our networks, and compared with a run of the graph itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from imgfix.errors import ModelError
from imgfix.zoo import ncnn
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.convert import convert
from tests.zoo import ncnn_interpreter
from tests.zoo.helpers import NcnnWriter, write_ncnn_rrdbnet, write_ncnn_srvgg

SRVGG = {"scale": 4, "features": 6, "convs": 2}
SRVGG_X2 = {"scale": 2, "shuffle": 4, "features": 6, "convs": 2}
RRDB = {"blocks": 2, "features": 6, "growth": 3}


def network(key: str, config: dict[str, int]) -> torch.nn.Module:
    torch.manual_seed(3)
    return ARCHITECTURES[key].build(config).eval()


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize(("key", "config"), [("srvgg", SRVGG), ("srvgg", SRVGG_X2), ("rrdbnet", RRDB)])
def test_our_network_equals_a_run_of_the_graph(key: str, config: dict[str, int], half: bool, tmp_path: Path) -> None:
    net = network(key, config)
    write = write_ncnn_srvgg if key == "srvgg" else write_ncnn_rrdbnet
    param, binary = write(net, tmp_path, half)
    state = convert([param, binary], "ncnn", key, config)
    other = ARCHITECTURES[key].build(config).eval()
    other.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    x = torch.rand(1, 3, 12, 16)
    with torch.inference_mode():
        torch.testing.assert_close(other(x), ncnn_interpreter.run(param, binary, x), atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(other(x), net(x), atol=2e-3 if half else 1e-6, rtol=1e-3)


def test_weights_stay_in_the_stored_precision(tmp_path: Path) -> None:
    param, binary = write_ncnn_srvgg(network("srvgg", SRVGG), tmp_path)
    state = convert([param, binary], "ncnn", "srvgg", SRVGG)
    assert state["body.0.weight"].dtype == torch.float16
    assert state["body.0.bias"].dtype == torch.float32
    assert state["body.1.weight"].dtype == torch.float32


def test_odd_counts_of_halves_are_padded(tmp_path: Path) -> None:
    writer = NcnnWriter()
    conv = torch.nn.Conv2d(1, 1, 3, padding=1)
    writer.conv(writer.layer("Input", [])[0], conv)
    assert len(writer.data) == 4 + 20 + 4
    ((_, weight, bias),) = ncnn.read_weights(*writer.write(tmp_path))
    np.testing.assert_allclose(weight, conv.weight.detach().numpy().ravel(), atol=1e-3)
    np.testing.assert_array_equal(bias, conv.bias.detach().numpy())  # type: ignore[arg-type,union-attr]


@pytest.mark.parametrize("change", ["cut", "longer", "tag", "magic", "count", "kind", "binary as text"])
def test_a_damaged_file_is_refused(change: str, tmp_path: Path) -> None:
    param, binary = write_ncnn_srvgg(network("srvgg", SRVGG), tmp_path)
    text, data = param.read_text(), binary.read_bytes()
    if change == "cut":
        binary.write_bytes(data[:-4])
    elif change == "longer":
        binary.write_bytes(data + bytes(4))
    elif change == "tag":
        binary.write_bytes(b"\x38\x4b\x0d\x00" + data[4:])
    elif change == "magic":
        param.write_text(text.replace("7767517", "767517"))
    elif change == "count":
        param.write_text("\n".join(text.splitlines()[:-1]))
    elif change == "kind":
        param.write_text(text.replace("PixelShuffle", "LSTM"))
    else:
        param.write_bytes(data)
    with pytest.raises(ModelError, match=r"net\.(param|bin)"):
        convert([param, binary], "ncnn", "srvgg", SRVGG)


@pytest.mark.parametrize("config", [SRVGG | {"convs": 3}, SRVGG | {"features": 8}, SRVGG | {"scale": 2}])
def test_hyper_parameters_that_do_not_fit_are_refused(config: dict[str, int], tmp_path: Path) -> None:
    files = write_ncnn_srvgg(network("srvgg", SRVGG), tmp_path)
    with pytest.raises(ModelError):
        convert(files, "ncnn", "srvgg", config)
