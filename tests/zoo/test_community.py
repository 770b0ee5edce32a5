"""The bridge to spandrel, with a stand-in for it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgfix import zoo
from imgfix.errors import MissingExtraError, ModelError
from imgfix.zoo.importer import import_file

STATE = {"swin.weight": torch.full((3, 3, 1, 1), 0.25), "swin.bias": torch.zeros(3)}


class Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.swin = nn.Conv2d(3, 3, 1)


class Loaded(SimpleNamespace):
    """What spandrel returns: a descriptor that can be called."""

    def __call__(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        out = self.model.swin(image)
        return (out if mask is None else out * mask).clamp(0, 1)


def fake_spandrel(purpose: str = "SR", known: bool = True) -> ModuleType:
    class ModelLoader:
        def __init__(self, device: str) -> None:
            assert device == "cpu"

        def load_from_state_dict(self, state: dict[str, Tensor]) -> Loaded:
            if not known:
                raise RuntimeError("unsupported architecture")
            model = Swin()
            model.load_state_dict(state)
            return Loaded(
                model=model.half(),
                architecture=SimpleNamespace(name="SwinIR", id="SwinIR"),
                purpose=purpose,
                scale=1 if purpose == "Inpainting" else 4,
                input_channels=3,
                output_channels=3,
                size_requirements=SimpleNamespace(minimum=16, multiple_of=8, square=False),
                tiling=SimpleNamespace(name="DISCOURAGED" if purpose == "Inpainting" else "SUPPORTED"),
                supports_half=False,
                supports_bfloat16=True,
            )

    module = ModuleType("spandrel")
    module.ModelLoader = ModelLoader  # type: ignore[attr-defined]
    return module


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.save({"params_ema": STATE}, tmp_path / "4x-swin.pth")
    return tmp_path / "4x-swin.pth"


def test_an_unknown_architecture_goes_through_spandrel(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", fake_spandrel())
    model = zoo.load(path, task="upscale")
    facts = model.descriptor
    assert (facts.net, facts.scale, facts.size_multiple, facts.size_minimum) == ("spandrel:SwinIR", 4, 8, 16)
    assert (facts.tiling, facts.receptive_field, facts.precisions) == (True, None, ("fp32", "bf16"))
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(model.net(x), 0.25 * x.sum(1, keepdim=True).expand_as(x))


def test_an_inpainting_network_gets_mask_and_picture_apart(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", fake_spandrel("Inpainting"))
    model = zoo.load(path, task="inpaint")
    assert (model.descriptor.in_channels, model.descriptor.tiling, model.descriptor.whole_first) == (4, True, True)
    x = torch.rand(1, 4, 16, 16)
    x[:, 0] = 0
    with torch.inference_mode():
        assert not model.net(x).any()


def test_a_restoration_network_is_for_restoring(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", fake_spandrel("Restoration"))
    assert zoo.load(path).descriptor.task == "restore"


def test_it_can_be_imported_and_used_by_name(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", fake_spandrel())
    entry = import_file(path, "swin-x4", licence="Apache-2.0")
    assert (entry.net, entry.scale) == ("community", 4)
    descriptor = zoo.load("swin-x4", task="upscale").descriptor
    assert (descriptor.name, descriptor.licence, descriptor.net) == ("swin-x4", "Apache-2.0", "spandrel:SwinIR")


def test_without_spandrel_the_extra_is_named(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    monkeypatch.delitem(sys.modules, "spandrel")

    class Missing:
        def find_spec(self, name: str, *arguments: Any) -> None:
            if name == "spandrel":
                raise ModuleNotFoundError("No module named 'spandrel'", name="spandrel")

    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(MissingExtraError) as caught:
        zoo.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint == "pip install 'imgfix[community]'"


def test_a_spandrel_that_does_not_import_is_told_apart(path: Path, monkeypatch: Any) -> None:
    class Broken:
        def find_spec(self, name: str, *arguments: Any) -> None:
            if name == "spandrel":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ModelError, match="torchvision::nms") as caught:
        zoo.load(path)
    assert "torchvision" in (caught.value.hint or "")


def test_an_architecture_nobody_knows_is_said_to_be_so(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", fake_spandrel(known=False))
    with pytest.raises(ModelError, match="neither imgfix nor spandrel"):
        zoo.load(path)
