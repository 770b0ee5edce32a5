"""Foreign checkpoints are recognised by their tensors, whichever program named them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from imgfix.zoo import checkpoint
from imgfix.zoo.architectures import ARCHITECTURES

RRDB: dict[str, Any] = {"features": 8, "blocks": 3, "growth": 4, "in_channels": 3, "out_channels": 3}


def state_of(key: str, config: dict[str, Any]) -> dict[str, Tensor]:
    torch.manual_seed(5)
    return ARCHITECTURES[key].build(config).state_dict()


def as_named_in_2018(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The naming of the first ESRGAN release: one flat `model.N`, counting activations and upsamplings."""
    blocks = 1 + max(int(match[1]) for name in state if (match := re.match(r"body\.(\d+)", name)))
    stages = sum(name.startswith("conv_up") and name.endswith("weight") for name in state)
    flat = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    flat |= {f"conv_up{stage}": f"model.{3 * stage}" for stage in range(1, stages + 1)}
    flat |= {"conv_hr": f"model.{3 * stages + 2}", "conv_last": f"model.{3 * stages + 4}"}
    renamed = {}
    for name, tensor in state.items():
        stem, kind = name.rsplit(".", 1)
        if match := re.fullmatch(r"body\.(\d+)\.rdb(\d)\.conv(\d)", stem):
            renamed[f"model.1.sub.{match[1]}.RDB{match[2]}.conv{match[3]}.0.{kind}"] = tensor
        else:
            renamed[f"{flat[stem]}.{kind}"] = tensor
    return renamed


def as_named_in_2019(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The naming of the second release."""
    renamed = {}
    for name, tensor in state.items():
        name = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", name)
        name = name.replace("conv_body", "trunk_conv").replace("conv_up", "upconv").replace("conv_hr", "HRconv")
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize("naming", [dict, as_named_in_2018, as_named_in_2019])
@pytest.mark.parametrize("upsamples", [0, 1, 2, 3])
@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_rrdbnet_is_recognised_under_all_its_names(naming: Any, upsamples: int, unshuffle: int) -> None:
    config = RRDB | {"upsamples": upsamples, "unshuffle": unshuffle}
    state = state_of("rrdbnet", config)
    found = checkpoint.recognise(naming(state))
    assert found is not None
    spec, read, renamed = found
    assert (spec.key, read) == ("rrdbnet", config)
    assert renamed.keys() == state.keys()
    assert all(torch.equal(renamed[name], state[name]) for name in state)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("activation", ["prelu", "relu"])
@pytest.mark.parametrize("channels", [1, 3])
def test_srvgg_is_recognised(scale: int, activation: str, channels: int) -> None:
    config = {"scale": scale, "features": 8, "convs": 3, "activation": activation}
    config |= {"in_channels": channels, "out_channels": channels}
    found = checkpoint.recognise(state_of("srvgg", config))
    assert found is not None
    assert (found[0].key, found[1]) == ("srvgg", config)


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
@pytest.mark.parametrize("config", [{"resolution": 32, "base": 256, "maximum": 16}, {"resolution": 8, "base": 64}])
def test_migan_is_recognised_with_and_without_its_filters(prefix: str, config: dict[str, int]) -> None:
    config = {"maximum": 12} | config
    state = state_of("migan", config)
    foreign = {f"{prefix}{name}": tensor for name, tensor in state.items()}
    foreign[f"{prefix}encoder.b8.conv2.downsample.filter.weight"] = torch.ones(8, 1, 4, 4)
    foreign[f"{prefix}synthesis.b8.conv1.upsample.filter_const"] = torch.ones(1, 1, 8, 8)
    found = checkpoint.recognise(foreign)
    assert found is not None
    spec, read, renamed = found
    assert (spec.key, read) == ("migan", config)
    assert renamed.keys() == state.keys()
    spec.build(read).load_state_dict(renamed)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"weight": torch.ones(3)},
        {"conv_first.weight": torch.ones(8, 3, 3, 3)},
        {"body.0.weight": torch.ones(8), "body.1.weight": torch.ones(8)},
        {"body.0.weight": torch.ones(8, 3, 3, 3), "body.2.weight": torch.ones(7, 8, 3, 3)},
        {"model.0.weight": torch.ones(8, 3, 3, 3), "odd": torch.ones(1)},
        {"encoder.b8.fromrgb.weight": torch.ones(8, 4, 1, 1)},
    ],
)
def test_anything_else_is_not(state: dict[str, Tensor]) -> None:
    assert checkpoint.recognise(state) is None


def test_a_relative_with_more_in_a_block_is_left_to_others() -> None:
    state = as_named_in_2018(state_of("rrdbnet", RRDB))
    state["model.1.sub.0.RDB1.conv1x1.weight"] = torch.ones(4, 8, 1, 1)
    assert checkpoint.recognise(state) is None


def as_named_in_basicsr(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """BasicVSR as BasicSR names it: SPyNet as `basic_module`, trunks as `main`, and two constants beside."""
    renamed = {"spynet.mean": torch.zeros(1, 3, 1, 1), "spynet.std": torch.ones(1, 3, 1, 1)}
    for name, tensor in state.items():
        name = re.sub(r"^flow\.levels\.(\d+)\.", r"spynet.basic_module.\1.basic_module.", name)
        name = re.sub(r"_trunk\.first\.", "_trunk.main.0.", name)
        renamed[re.sub(r"_trunk\.blocks\.", "_trunk.main.2.", name)] = tensor
    return renamed


def test_basicvsr_is_recognised_with_its_size() -> None:
    config = {"features": 8, "blocks": 2}
    state = state_of("basicvsr", config)
    found = checkpoint.recognise(as_named_in_basicsr(state))
    assert found is not None
    spec, read, renamed = found
    assert (spec.key, read) == ("basicvsr", config)
    assert renamed.keys() == state.keys()
    assert all(torch.equal(renamed[name], state[name]) for name in state)
    ARCHITECTURES["basicvsr"].build(read).load_state_dict(renamed)


def test_a_relative_of_basicvsr_with_more_in_it_is_not_taken_for_it() -> None:
    state = as_named_in_basicsr(state_of("basicvsr", {"features": 8, "blocks": 1}))
    more = {"backward_fusion.weight": torch.zeros(8, 16, 3, 3), "edvr.conv_first.weight": torch.zeros(8, 3, 3, 3)}
    assert checkpoint.recognise(state | more) is None
