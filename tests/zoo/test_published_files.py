"""The field's weights from their catalog rows to a picture: fetched, converted, loaded and run, then again offline.

The files are served by this machine and small, but laid out as the published ones are: the same names, nesting and
wrappers.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgfix import zoo
from imgfix.errors import DownloadError
from imgfix.nets.yunet import YuNet
from imgfix.runtime.engine import Engine
from imgfix.zoo import catalog, fetch, store
from imgfix.zoo.architectures import ARCHITECTURES
from tests.nets.published import shaken
from tests.zoo.helpers import Server, http_source, serve
from tests.zoo.test_detect import as_named_in_2019
from tests.zoo.yunet_file import write as write_yunet

State = dict[str, Tensor]
SIDE = 96


def saved(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def plain(state: State, net: nn.Module) -> bytes:
    return saved(state)


def with_swinirs_tables(state: State, net: nn.Module) -> bytes:
    """Beside the weights, what it computes from the size of its windows and of its training pictures."""
    extra = {}
    for name in state:
        if name.endswith("attn.qkv.weight"):
            block = name.removesuffix("attn.qkv.weight")
            extra[f"{block}attn.relative_position_index"] = torch.zeros(16, 16, dtype=torch.int64)
            extra[f"{block}attn_mask"] = torch.zeros(4, 16, 16)
    return saved({"params_ema": {**state, **extra}})


def old_rrdbnet(state: State, net: nn.Module) -> bytes:
    return saved(as_named_in_2019(state))


def as_opencv_publishes(state: State, net: nn.Module) -> bytes:
    assert isinstance(net, YuNet)
    net.load_state_dict(state)
    with tempfile.TemporaryDirectory() as folder:
        return write_yunet(net, Path(folder) / "yunet.onnx").read_bytes()


def in_params(state: State, net: nn.Module) -> bytes:
    return saved({"params": state})


def traced_lama(state: State, net: nn.Module) -> bytes:
    """A program with the network three modules deep, as it is published."""

    class Inside(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.generator = inner

        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            return self.generator(torch.cat((mask, image), dim=1))

    class Wrapper(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.model = Inside(inner)

        def forward(self, image: Tensor, mask: Tensor) -> Tensor:
            return self.model(image, mask)

    net.load_state_dict(state)
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(Wrapper(net).eval(), (torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32))), stream)
    return stream.getvalue()


def openmmlab(state: State, net: nn.Module) -> bytes:
    """A checkpoint of its training: a smoothed generator beside the last one."""
    theirs = {}
    for name, tensor in state.items():
        name = re.sub(r"^cleaner\.first\.", "image_cleaning.0.main.0.", name)
        name = re.sub(r"^cleaner\.blocks\.", "image_cleaning.0.main.2.", name)
        name = re.sub(r"^cleaner\.last\.", "image_cleaning.1.", name)
        name = re.sub(r"^(\w+)_trunk\.first\.", r"\1_resblocks.main.0.", name)
        name = re.sub(r"^(\w+)_trunk\.blocks\.", r"\1_resblocks.main.2.", name)
        name = re.sub(r"^upconv(\d)\.", r"upsample\1.upsample_conv.", name)
        name = re.sub(
            r"^flow\.levels\.(\d)\.(\d)\.",
            lambda m: f"spynet.basic_module.{m[1]}.basic_module.{int(m[2]) // 2}.conv.",
            name,
        )
        theirs[name if name.startswith("image_cleaning") else f"basicvsr.{name}"] = tensor
    theirs |= {f"basicvsr.spynet.{name}": torch.zeros(1, 3, 1, 1) for name in ("mean", "std")}
    both = {f"generator.{name}": tensor + 1 for name, tensor in theirs.items()}
    both |= {f"generator_ema.{name}": tensor for name, tensor in theirs.items()}
    return saved({"meta": {}, "state_dict": {**both, "step_counter": torch.zeros(1)}})


@dataclass(frozen=True)
class Case:
    """A row, a network of its kind that is small, and how its file is laid out."""

    config: dict[str, Any]
    layout: Callable[[State, nn.Module], bytes] = plain


UNET = {"widths": [4, 6, 8, 10], "blocks": 1}
SWIN = {"features": 8, "depths": [2, 2], "heads": [2, 2], "window": 4, "hidden": 16, "upsampler": "nearest"}
SCUNET = {"features": 8, "blocks": [1, 2, 1, 2, 1, 1, 1], "head": 4, "window": 4}
ROWS = {
    "bsrgan-x4": Case({"features": 4, "blocks": 1, "growth": 2}, old_rrdbnet),
    "swinir-m-x4-realsr": Case(SWIN, with_swinirs_tables),
    "swinir-l-x4-realsr": Case({**SWIN, "thin": True}, with_swinirs_tables),
    "lama": Case({"features": 8, "blocks": 1}, traced_lama),
    "drunet-color": Case({"channels": 3, **UNET}),
    "scunet-real-psnr": Case(SCUNET),
    "scunet-real-gan": Case(SCUNET),
    "fbcnn-color": Case({"channels": 3, **UNET}),
    "fbcnn-gray-double": Case({"channels": 1, **UNET}),
    "nafnet-64-gopro": Case({"width": 4, "down": [1, 2], "middle": 1, "up": [1, 1]}, in_params),
    "nafnet-64-sidd": Case({"width": 4, "down": [1, 1], "middle": 2, "up": [1, 1]}, in_params),
    "yunet": Case({}, as_opencv_publishes),
    "realbasicvsr-x4": Case({"features": 4, "blocks": 1, "cleaning": 1}, openmmlab),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PATIENCE", 0.0)
    with serve() as running:
        yield running


def ready(name: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[nn.Module, bytes]:
    """Serve a small file in the place of the published one, and put a row for it into the catalog."""
    case, row = ROWS[name], catalog.find(name)
    architecture = ARCHITECTURES[row.net]
    torch.manual_seed(0)
    net = architecture.build(case.config).eval().requires_grad_(False)
    data = case.layout(dict(shaken(net)), architecture.build(case.config))
    source = row.sources[0]
    file = source.files[0].path
    server.files[f"/{file}"] = data
    mirrors = (http_source(f"{server.url}/moved/{file}", data), http_source(f"{server.url}/{file}", data))
    small = replace(
        row, config=case.config, parameters=0, sources=tuple(replace(m, format=source.format) for m in mirrors)
    )
    monkeypatch.setattr(catalog, "entries", lambda: [small])
    return net, data


@pytest.mark.parametrize("name", ROWS)
def test_a_published_file_is_fetched_converted_and_run_and_then_needs_no_network(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, data = ready(name, server, monkeypatch)
    server.cuts, server.cut_after = 1, len(data) // 2
    model = zoo.load(name)
    asked = [path for path, _ in server.requests]
    assert "/moved/" in asked[0] and "/moved/" not in asked[-1], "the second address was not tried"
    assert server.requests[-1][1] == f"bytes={len(data) // 2}-", "it was fetched again from the start"
    facts = model.descriptor
    x = torch.rand(1, facts.in_channels, SIDE, SIDE)
    with torch.inference_mode():
        if facts.frames == 0:
            clip = x[:, None].repeat(1, 2, 1, 1, 1)
            torch.testing.assert_close(model.net(clip), net(clip))
        elif facts.task == "faces":
            torch.testing.assert_close(model.net(x), net(x))
        else:
            out = Engine(model, "cpu", "fp32").run(x)
            assert out.shape == (1, facts.out_channels, SIDE * facts.scale, SIDE * facts.scale)
            torch.testing.assert_close(out[..., :64, :64], net(x)[..., :64, :64], atol=1e-5, rtol=1e-4)
    server.requests.clear()
    assert zoo.load(name, offline=True).descriptor == facts
    assert server.requests == []


@pytest.mark.parametrize("name", ["lama", "realbasicvsr-x4"])
def test_a_file_that_is_another_is_refused(name: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = ready(name, server, monkeypatch)
    for path in server.files:
        server.files[path] = data[:-40] + bytes(40)
    with pytest.raises(DownloadError):
        zoo.load(name)
    assert not store.installed(catalog.find(name))


def test_every_row_of_these_networks_is_tried() -> None:
    nets = {"yunet", "swinir", "lama", "drunet", "scunet", "fbcnn", "nafnet", "realbasicvsr"}
    assert {entry.name for entry in catalog.entries() if entry.net in nets} <= set(ROWS)


def test_hyper_parameters_of_a_row_are_those_its_network_has_by_default_where_it_names_none() -> None:
    """A detector finds every hyper-parameter, a row names those that differ; both build the same network."""
    for name in ROWS:
        row = catalog.find(name)
        architecture = ARCHITECTURES[row.net]
        with torch.device("meta"):
            state = architecture.build(dict(row.config)).state_dict()
            assert architecture.detect is not None
            found = architecture.detect(state)
            assert found is not None
            again = architecture.build(found).state_dict()
        assert {key: t.shape for key, t in state.items()} == {key: t.shape for key, t in again.items()}, name
        assert architecture.describe(found) == architecture.describe(dict(row.config)), name
