"""What descriptors say of sizes and reach is found out from the networks and compared."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from imgfix.zoo.architectures import ARCHITECTURES

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "rrdbnet x4": ("rrdbnet", {"blocks": 1, "features": 4, "growth": 2}),
    "rrdbnet x4, two blocks": ("rrdbnet", {"blocks": 2, "features": 4, "growth": 2}),
    "rrdbnet x2": ("rrdbnet", {"blocks": 1, "features": 4, "growth": 2, "unshuffle": 2}),
    "rrdbnet x1": ("rrdbnet", {"blocks": 1, "features": 4, "growth": 2, "unshuffle": 4}),
    "rrdbnet x2, one stage": ("rrdbnet", {"blocks": 1, "features": 4, "growth": 2, "upsamples": 1}),
    "rrdbnet x1, plain": ("rrdbnet", {"blocks": 1, "features": 4, "growth": 2, "upsamples": 0}),
    "srvgg x4": ("srvgg", {"scale": 4, "features": 4, "convs": 3}),
    "srvgg x1": ("srvgg", {"scale": 1, "features": 4, "convs": 3}),
    "srvgg x2 from x4": ("srvgg", {"scale": 2, "shuffle": 4, "features": 4, "convs": 3}),
    "srvgg x3 from x4": ("srvgg", {"scale": 3, "shuffle": 4, "features": 4, "convs": 3}),
    "ffdnet": ("ffdnet", {"channels": 3, "features": 4, "convolutions": 3}),
    "blindffdnet": ("blindffdnet", {"features": 4, "convolutions": 3, "estimator": 4, "hints": 2}),
    "refinedffdnet": (
        "refinedffdnet",
        {"features": 4, "convolutions": 3, "widths": (4, 6, 8), "blocks": (1, 1, 2)},
    ),
    "dncnn": ("dncnn", {"channels": 1, "features": 4, "convolutions": 4}),
    "maxim": ("maxim", {"stages": 2, "features": 4, "groups": 1, "bottlenecks": 1}),
    "cidnet": ("cidnet", {"widths": (4, 4, 8, 8), "heads": (1, 2, 2)}),
    "drunet": ("drunet", {"channels": 3, "widths": (4, 4, 6, 8), "blocks": 1}),
    "scunet": ("scunet", {"features": 8, "blocks": (2, 1, 1, 2, 1, 1, 2), "head": 4, "window": 2}),
    "span": ("span", {"scale": 3, "features": 4}),
    "swinir x4": ("swinir", {"scale": 4, "features": 8, "depths": (3,), "heads": (2,), "window": 4, "hidden": 8}),
    "swinir x1": (
        "swinir",
        {
            "scale": 1,
            "features": 8,
            "depths": (2, 2),
            "heads": (2, 2),
            "window": 2,
            "hidden": 8,
            "upsampler": "none",
            "thin": True,
        },
    ),
    "realplksr": ("realplksr", {"scale": 2, "features": 8, "blocks": 2, "kernel": 7, "large": 4, "layer_norm": True}),
    "realplksr, groups": ("realplksr", {"scale": 2, "features": 8, "blocks": 1, "kernel": 3, "large": 4}),
    "realplksr, dysample": (
        "realplksr",
        {"scale": 2, "features": 8, "blocks": 1, "kernel": 3, "large": 4, "layer_norm": True, "dysample": True},
    ),
    "fbcnn": ("fbcnn", {"widths": (4, 4, 6, 8), "blocks": 1}),
    "nafnet": ("nafnet", {"width": 4, "down": (1, 1), "middle": 1, "up": (1, 1)}),
    "lama": ("lama", {"features": 8, "blocks": 2}),
    "siggraph17": ("siggraph17", {"side": 32}),
    "migan 16": ("migan", {"resolution": 16, "base": 64, "maximum": 4}),
    "migan 32": ("migan", {"resolution": 32, "base": 64, "maximum": 4}),
}


GLOBAL = ("migan", "maxim", "cidnet", "fbcnn", "nafnet", "lama", "siggraph17", "realplksr,")
"""Without a bound to the field."""


def network(key: str) -> tuple[nn.Module, dict[str, Any]]:
    """A small network with random weights, in double precision, and what is said of it."""
    net, config = SMALL[key]
    torch.manual_seed(1)
    spec = ARCHITECTURES[net]
    made = spec.build(config).double().eval()
    for parameter in made.parameters():
        if not parameter.any():  # a branch that begins at nothing would not be seen
            nn.init.normal_(parameter, std=0.1)
    return made, {
        "size_multiple": 1,
        "size_minimum": 1,
        "scale": 1,
        **spec.describe(config),
    }


def runs(net: nn.Module, channels: int, height: int, width: int) -> torch.Size | None:
    """The output's size, `None` when the network cannot take the input."""
    try:
        with torch.inference_mode():
            return net(torch.zeros(1, channels, height, width, dtype=torch.float64)).shape
    except (RuntimeError, ValueError):
        return None


@pytest.mark.parametrize("key", SMALL)
def test_the_size_rule_is_the_one_found(key: str) -> None:
    net, facts = network(key)
    channels, scale = facts.get("in_channels", 3), facts["scale"]
    multiple = facts["size_multiple"]
    good = 2 * multiple
    taken = [
        side
        for side in range(1, 3 * multiple + 2)
        if runs(net, channels, side, good) == (1, facts.get("out_channels", 3), side * scale, good * scale)
    ]
    assert taken[0] == facts["size_minimum"]
    assert taken == list(range(facts["size_minimum"], 3 * multiple + 2, multiple))
    assert runs(net, channels, good, good + multiple) is not None


@pytest.mark.parametrize("key", [key for key in SMALL if not key.startswith(GLOBAL)])
def test_the_receptive_field_is_the_one_found(key: str) -> None:
    """A pixel that is not a number spoils exactly the output that depends on it."""
    net, facts = network(key)
    channels, scale, step = facts.get("in_channels", 3), facts["scale"], facts["size_multiple"]
    declared = facts["receptive_field"]
    middle = declared + step - (declared % step) + step
    length, height = 2 * middle + step, step * -(-9 // step)
    reach = 0
    for offset in range(step):
        x = torch.rand(1, channels, height, length, dtype=torch.float64)
        x[..., middle + offset] = torch.nan
        with torch.inference_mode():
            spoilt = net(x).isnan().any(dim=2).any(dim=1)[0].nonzero().squeeze(1)
        first, last = int(spoilt[0]) // scale, int(spoilt[-1]) // scale
        assert first > 0 and last < length - 1, "the picture is too small to see the whole field"
        reach = max(reach, middle + offset - first, last - middle - offset)
    assert reach == declared


@pytest.mark.parametrize("key", ["maxim", "cidnet", "fbcnn", "nafnet", "lama", "siggraph17", "realplksr, groups"])
def test_a_network_without_a_bound_says_so(key: str) -> None:
    net, facts = network(key)
    side = max(2 * facts["size_multiple"], 128)
    x = torch.rand(1, facts.get("in_channels", 3), side, side, dtype=torch.float64)
    y = x.clone()
    y[..., 0, 0] += 0.5
    with torch.inference_mode():
        apart = (net(x) - net(y)).abs().amax(dim=(0, 1))
    assert facts["receptive_field"] is None
    assert float(apart[-1, -1]) > 0, "a corner has no say in the opposite one"


def test_a_network_without_a_bound_may_not_be_tiled() -> None:
    _, facts = network("migan 32")
    assert facts["receptive_field"] is None
    assert facts["tiling"] is False
    assert facts["native_size"] == 32
