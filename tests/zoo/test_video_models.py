"""Recurrent models on disk: what their descriptor says, export and reading back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from imgfix import zoo
from imgfix.errors import ModelError
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.building import describe
from imgfix.zoo.descriptor import Model
from imgfix.zoo.export import export

CONFIGS: dict[str, dict[str, Any]] = {
    "basicvsr": {"features": 6, "blocks": 1},
    "videogate": {"channels": 8, "blocks": 1, "convolutions": 1, "merged": True},
}


def model_of(key: str) -> Model:
    torch.manual_seed(1)
    spec, config = ARCHITECTURES[key], CONFIGS[key]
    return Model(describe(spec, config, name=key, task=spec.task), spec.build(config).eval())


@pytest.mark.parametrize(("key", "causal"), [("basicvsr", False), ("videogate", True)])
def test_the_descriptor_says_how_a_sequence_is_run(key: str, causal: bool) -> None:
    found = model_of(key).descriptor
    assert (found.task, found.frames, found.causal, found.scale) == ("video", 0, causal, 4)
    assert found.receptive_field is None


@pytest.mark.parametrize("key", CONFIGS)
def test_a_recurrent_model_is_exported_and_read_back(key: str, tmp_path: Path) -> None:
    done = export(model_of(key), tmp_path / "net.safetensors")
    assert done.largest_difference == 0
    again = zoo.load(tmp_path / "net.safetensors", task="video")
    assert again.descriptor.causal == (key == "videogate")


@pytest.mark.parametrize("key", CONFIGS)
def test_a_recurrent_model_has_no_onnx_form(key: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be exported to ONNX"):
        export(model_of(key), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", CONFIGS)
def test_a_recurrent_model_is_not_taken_for_an_upscaler_of_pictures(key: str, tmp_path: Path) -> None:
    export(model_of(key), tmp_path / "net.safetensors")
    with pytest.raises(ModelError, match="is a model for 'video', not for 'upscale'"):
        zoo.load(tmp_path / "net.safetensors", task="upscale")
