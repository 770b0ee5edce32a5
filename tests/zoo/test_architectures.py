"""Every architecture file: named after its key, importable, and recognising its own network from bare tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ImgfixError
from imgfix.zoo import architectures, checkpoint
from imgfix.zoo.architectures import ARCHITECTURES

CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("basicvsr", {"features": 4, "blocks": 2}),
    ("blindffdnet", {"features": 4, "convolutions": 3, "estimator": 6, "hints": 2}),
    ("refinedffdnet", {"features": 4, "convolutions": 3, "widths": [4, 6, 8], "blocks": [1, 2, 3]}),
    ("cidnet", {"widths": [4, 4, 8, 8], "heads": [1, 2, 2]}),
    ("dncnn", {"channels": 1, "features": 4, "convolutions": 5}),
    ("drunet", {"channels": 3, "widths": [4, 6, 8, 10], "blocks": 2}),
    ("fbcnn", {"channels": 1, "widths": [4, 6, 8, 10], "blocks": 1}),
    ("ffdnet", {"channels": 3, "features": 4, "convolutions": 3}),
    ("efficientdet", {"classes": 7, "width": 8, "cells": 2, "depth": 1}),
    ("gateunet", {"widths": [4, 6, 8], "blocks": [1, 2, 3], "merged": True}),
    ("gateunet", {"widths": [4, 6, 8], "blocks": [1, 1, 1], "merged": False}),
    ("inception", {}),
    ("lama", {"features": 8, "blocks": 2}),
    ("lpips", {"trunk": "alex"}),
    ("lpips", {"trunk": "vgg"}),
    ("damageunet", {"widths": [4, 6, 8, 10], "blocks": [1, 2, 1], "dilations": [1, 2]}),
    ("noiselevel", {"widths": [4, 6], "blocks": [1, 2]}),
    ("maxim", {"stages": 2, "features": 4, "groups": 1, "bottlenecks": 2}),
    (
        "maskrcnn",
        {
            "classes": 5,
            "width": 4,
            "blocks": [1, 2, 1, 1],
            "pyramid": 8,
            "hidden": 12,
            "mask": 6,
            "layers": 2,
        },
    ),
    ("migan", {"resolution": 16, "base": 64, "maximum": 4}),
    ("migan", {"resolution": 16, "base": 64, "maximum": 4, "noise_until": 8}),
    ("nafnet", {"channels": 3, "width": 4, "down": [1, 2], "middle": 2, "up": [1, 1]}),
    ("mobilesam", {}),
    ("niqe", {}),
    ("realbasicvsr", {"features": 4, "blocks": 2, "cleaning": 3}),
    ("rife", {"features": 6}),
    (
        "realplksr",
        {
            "scale": 2,
            "features": 8,
            "blocks": 2,
            "kernel": 5,
            "large": 2,
            "attention": False,
            "layer_norm": True,
            "dysample": True,
        },
    ),
    ("repgate", {"scale": 3, "channels": 4, "blocks": 2, "convolutions": 2, "merged": True}),
    ("repgate", {"scale": 2, "channels": 4, "blocks": 1, "convolutions": 3, "merged": False}),
    (
        "rrdbnet",
        {
            "upsamples": 1,
            "unshuffle": 2,
            "features": 4,
            "blocks": 2,
            "growth": 2,
            "in_channels": 3,
            "out_channels": 3,
        },
    ),
    ("scunet", {"channels": 1, "features": 8, "blocks": [1, 1, 2, 1, 2, 1, 1], "head": 4, "window": 2}),
    ("siggraph17", {}),
    ("span", {"scale": 3, "features": 4, "normalised": True, "in_channels": 3, "out_channels": 3}),
    ("srvgg", {"scale": 2, "features": 4, "convs": 2, "activation": "prelu", "in_channels": 3, "out_channels": 3}),
    (
        "swinir",
        {
            "scale": 4,
            "channels": 3,
            "upsampler": "nearest",
            "unshuffle": 2,
            "wide": 6,
            "features": 8,
            "depths": [2, 1],
            "heads": [2, 2],
            "window": 4,
            "hidden": 10,
            "thin": True,
            "value_range": 1.0,
            "normalised": True,
        },
    ),
    ("u2net", {"small": True}),
    ("videogate", {"scale": 2, "channels": 4, "blocks": 1, "convolutions": 2, "merged": True}),
    ("words", {"words": 5, "letters": 30, "size": 8, "buckets": 16}),
    ("yunet", {}),
]
each = pytest.mark.parametrize(("key", "config"), CONFIGS, ids=[f"{key}-{n}" for n, (key, _) in enumerate(CONFIGS)])


def test_every_file_holds_one_architecture_of_its_name() -> None:
    folder = Path(architectures.__path__[0])
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == set(ARCHITECTURES) == {architecture.key for architecture in ARCHITECTURES.values()}


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_an_architecture_is_recognised_or_says_why_it_cannot_be(key: str) -> None:
    architecture = ARCHITECTURES[key]
    assert architecture.detect is not None or architecture.header_only
    assert architecture.detect is None or any(key == tried for tried, _ in CONFIGS), "no row of CONFIGS tries it"


@each
def test_a_network_is_recognised_from_its_bare_tensors(key: str, config: dict[str, Any]) -> None:
    torch.manual_seed(3)
    state = ARCHITECTURES[key].build(config).state_dict()
    found = checkpoint.recognise(state)
    assert found is not None
    architecture, read, renamed = found
    assert (architecture.key, read) == (key, config)
    again = architecture.build(read).state_dict()
    assert {name: tensor.shape for name, tensor in again.items()} == {n: t.shape for n, t in renamed.items()}


@each
def test_no_other_architecture_claims_it(key: str, config: dict[str, Any]) -> None:
    with torch.device("meta"):
        state = ARCHITECTURES[key].build(config).state_dict()
    claims = [other.key for other in ARCHITECTURES.values() if other.detect and other.detect(state) is not None]
    assert claims == [key]


def test_a_foreign_network_with_one_name_in_common_is_not_taken_for_ours(tmp_path: Path) -> None:
    torch.save({"up.0.weight": torch.zeros(4, 4), "basis": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(ImgfixError) as caught:
        zoo.load(tmp_path / "x.pth")
    assert "bare tensors of" not in caught.value.message
