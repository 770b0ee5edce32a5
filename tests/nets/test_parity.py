"""The field's networks, beside spandrel's modules: the same random weights, the same result.

What spandrel gets is what is published: names and tensors. Which network it is and how large is found from those.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgfix.zoo.architectures import ARCHITECTURES
from tests.nets.published import shaken
from tests.zoo.torchvision_stand_in import spandrel

CLOSE = 1e-5


@dataclass(frozen=True)
class Case:
    """One network, small, with all that its published weights make use of."""

    key: str
    """Ours, in `imgfix.zoo.architectures`."""
    theirs: str
    """Module and class in `spandrel.architectures`."""
    given: dict[str, Any]
    """Hyper-parameters of theirs."""
    found: dict[str, Any]
    """Ours, as they are found in its tensors."""
    height: int = 64
    width: int = 48


SWIN = {"embed_dim": 24, "depths": [2, 3], "num_heads": [3, 3], "mlp_ratio": 2}
SWIN_FOUND = {"channels": 3, "features": 24, "depths": [2, 3], "heads": [3, 3], "hidden": 48, "normalised": True,
              "unshuffle": 1, "wide": 64, "window": 8, "value_range": 1.0, "thin": False}  # fmt: skip
PLKSR = {"dim": 16, "n_blocks": 2, "kernel_size": 9}
PLKSR_FOUND = {"features": 16, "blocks": 2, "kernel": 9, "large": 4, "attention": True}


def swin(scale: int, theirs: str, ours: str, **more: Any) -> Case:
    """A SwinIR with one kind of tail."""
    given = {**SWIN, "upscale": scale, "upsampler": theirs, "window_size": 8}
    found = {**SWIN_FOUND, "scale": scale, "upsampler": ours}
    if ours in ("none", "shuffle-direct"):
        del found["wide"]
    if ours == "shuffle-direct":
        del found["unshuffle"]
    if more.pop("thin", False):
        given["resi_connection"], found["thin"] = "3conv", True
    if more.pop("seven", False):
        given |= {"window_size": 7, "img_range": 255.0, "img_size": 56}
        return Case("swinir", "SwinIR:SwinIR", given, {**found, "window": 7, "value_range": 255.0}, 56, 63)
    return Case("swinir", "SwinIR:SwinIR", given, found)


def plksr(scale: int, layer_norm: bool, dysample: bool) -> Case:
    """A RealPLKSR of one kind."""
    kind = {"layer_norm": layer_norm, "dysample": dysample}
    given = {**PLKSR, "upscaling_factor": scale, **kind}
    return Case("realplksr", "PLKSR:RealPLKSR", given, {**PLKSR_FOUND, "scale": scale, **kind}, 21, 30)


CASES = {
    "scunet": Case(
        "scunet", "SCUNet:SCUNet", {"in_nc": 3, "dim": 64, "config": [2, 1, 2, 3, 1, 1, 2]},
        {"channels": 3, "features": 64, "blocks": [2, 1, 2, 3, 1, 1, 2], "head": 32, "window": 8}, 128, 64,
    ),
    "drunet": Case(
        "drunet", "DRUNet:DRUNet", {"in_nc": 4, "out_nc": 3, "nc": [8, 16, 24, 32], "nb": 2},
        {"channels": 3, "widths": [8, 16, 24, 32], "blocks": 2},
    ),
    "drunet, grey": Case(
        "drunet", "DRUNet:DRUNet", {"in_nc": 2, "out_nc": 1, "nc": [8, 16, 24, 32], "nb": 3},
        {"channels": 1, "widths": [8, 16, 24, 32], "blocks": 3},
    ),
    "fbcnn": Case(
        "fbcnn", "FBCNN:FBCNN", {"nc": [8, 16, 24, 512], "nb": 2},
        {"channels": 3, "widths": [8, 16, 24, 512], "blocks": 2},
    ),
    "fbcnn, grey": Case(
        "fbcnn", "FBCNN:FBCNN", {"in_nc": 1, "out_nc": 1, "nc": [8, 16, 24, 512], "nb": 2},
        {"channels": 1, "widths": [8, 16, 24, 512], "blocks": 2},
    ),
    "lama": Case("lama", "LaMa:LaMa", {"in_nc": 4, "out_nc": 3}, {"features": 64, "blocks": 18}, 40, 56),
    "nafnet": Case(
        "nafnet", "NAFNet:NAFNet", {"width": 8, "enc_blk_nums": [1, 2], "middle_blk_num": 1, "dec_blk_nums": [2, 1]},
        {"channels": 3, "width": 8, "down": [1, 2], "middle": 1, "up": [2, 1]},
    ),
    "span x4": Case(
        "span", "SPAN:SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 12, "upscale": 4},
        {"scale": 4, "features": 12, "normalised": True, "in_channels": 3, "out_channels": 3}, 17, 30,
    ),
    "span x2, plain": Case(
        "span", "SPAN:SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 12, "upscale": 2, "norm": False},
        {"scale": 2, "features": 12, "normalised": False, "in_channels": 3, "out_channels": 3}, 17, 30,
    ),
    "swinir, nearest": swin(4, "nearest+conv", "nearest"),
    "swinir, nearest, thin": swin(4, "nearest+conv", "nearest", thin=True),
    "swinir, shuffle x2": swin(2, "pixelshuffle", "shuffle"),
    "swinir, shuffle x3": swin(3, "pixelshuffle", "shuffle"),
    "swinir, shuffle x4": swin(4, "pixelshuffle", "shuffle"),
    "swinir, one shuffle": swin(2, "pixelshuffledirect", "shuffle-direct"),
    "swinir, same size": swin(1, "", "none"),
    "swinir, same size, windows of 7": swin(1, "", "none", seven=True),
    **{
        f"realplksr x{scale}{', layer norm' * layer_norm}{', dysample' * dysample}": plksr(scale, layer_norm, dysample)
        for scale, layer_norm, dysample in
        ((1, True, True), (2, False, False), (2, True, True), (3, True, True), (4, False, True), (4, True, False))
    },
}  # fmt: skip


def published(case: Case) -> nn.Module:
    """Their module with random weights."""
    spandrel()
    module, name = case.theirs.split(":")
    net: nn.Module = getattr(importlib.import_module(f"spandrel.architectures.{module}"), name)(**case.given).eval()
    # SPAN works on values up to 255, and its sums are as large.
    shaken(net, gain=0.02 if case.key == "span" else 0.3)
    return net


def ours(case: Case, state: dict[str, Tensor]) -> nn.Module:
    """Our network, of the size that is found in the tensors, with those tensors."""
    architecture = ARCHITECTURES[case.key]
    assert architecture.detect is not None
    found = architecture.detect(state)
    assert found == case.found
    net = architecture.build(found)
    net.load_state_dict(architecture.adapt(state) if architecture.adapt else state)
    return net.eval()


def inputs(case: Case, told: float) -> tuple[tuple[Tensor, ...], Tensor]:
    """What theirs and what ours is given."""
    channels = case.found.get("channels", 3)
    picture = torch.rand(2, channels, case.height, case.width, generator=torch.Generator().manual_seed(3))
    plane = torch.full_like(picture[:, :1], told)
    if case.key == "lama":
        hole = torch.zeros_like(plane)
        hole[..., 8:20, 10:30] = 1
        return (picture, hole), torch.cat((hole, picture), dim=1)
    if case.key == "drunet":
        noisy = torch.cat((picture, plane), dim=1)
        return (noisy,), noisy
    if case.key == "fbcnn":
        given = (picture,) if told == 0 else (picture, torch.full((2, 1), 1 - told))
        return given, torch.cat((picture, plane), dim=1)
    return (picture,), picture


def same(case: Case, told: float = 0.1) -> None:
    """Both networks give the same."""
    theirs = published(case)
    state = dict(theirs.state_dict())
    net = ours(case, state)
    given, own = inputs(case, told)
    with torch.inference_mode():
        expected = theirs(*(each.clone() for each in given))
        expected = expected[0] if isinstance(expected, tuple) else expected
        found = net(own)
    assert float(expected.std()) > 1e-3, "nothing to compare"
    assert float(expected.abs().max()) < 10, "weights that no network has"
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= CLOSE


@pytest.mark.parametrize("key", CASES)
def test_the_result_is_that_of_the_published_network(key: str) -> None:
    same(CASES[key])


@pytest.mark.parametrize("key", ["fbcnn", "fbcnn, grey"])
def test_without_a_quality_fbcnn_goes_by_its_own(key: str) -> None:
    same(CASES[key], told=0.0)
    assert CASES[key].key == "fbcnn"


@pytest.mark.parametrize("key", CASES)
def test_no_other_architecture_takes_the_published_weights_for_its_own(key: str) -> None:
    state = published(CASES[key]).state_dict()
    detectors: dict[str, Callable[[Any], Any]] = {k: a.detect for k, a in ARCHITECTURES.items() if a.detect is not None}
    assert [name for name, detect in detectors.items() if detect(state) is not None] == [CASES[key].key]


RELATIVES = {
    "ATD:ATD": {},
    "HAT:HAT": {"embed_dim": 24, "depths": [2, 2], "num_heads": [3, 3], "upsampler": "pixelshuffle", "upscale": 4,
                "img_size": 64, "window_size": 8},
    "DAT:DAT": {"embed_dim": 24, "depth": [2, 2], "num_heads": [2, 2], "img_size": 64},
    "OmniSR:OmniSR": {},
    "PLKSR:PLKSR": {"dim": 16, "n_blocks": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", RELATIVES)
def test_a_relative_with_layers_of_the_same_names_is_left_to_spandrel(name: str) -> None:
    spandrel()
    module, kind = name.split(":")
    state = getattr(importlib.import_module(f"spandrel.architectures.{module}"), kind)(**RELATIVES[name]).state_dict()
    assert [key for key, a in ARCHITECTURES.items() if a.detect is not None and a.detect(state) is not None] == []
