"""Community checkpoints through spandrel itself, of architectures that are not written here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from imgfix import zoo
from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ExitCode, ModelError
from tests.zoo.spandrel_beside_cpu import spandrel


def upscaler(path: Path) -> torch.nn.Module:
    """A small SAFMN with random weights, saved as its authors do."""
    spandrel()
    from spandrel.architectures.SAFMN import SAFMN

    torch.manual_seed(0)
    net = SAFMN(dim=8, n_blocks=1, upscaling_factor=2).eval()
    torch.save({"params": net.state_dict()}, path)
    return net


def restorer(path: Path) -> torch.nn.Module:
    """A small Retinexformer."""
    spandrel()
    from spandrel.architectures.RetinexFormer import RetinexFormer

    torch.manual_seed(0)
    net = RetinexFormer(n_feat=8, stage=1, num_blocks=[1, 1, 1]).eval()
    torch.save({"params": net.state_dict()}, path)
    return net


def test_an_upscaler_gives_what_its_own_network_gives(tmp_path: Path) -> None:
    net = upscaler(tmp_path / "2x.pth")
    model = zoo.load(tmp_path / "2x.pth", task="upscale")
    facts = model.descriptor
    assert (facts.net, facts.scale, facts.size_multiple, facts.tiling) == ("spandrel:SAFMN", 2, 8, True)
    x = torch.rand(1, 3, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(model.net(x), net(x).clamp(0, 1))


def test_a_restorer_is_for_whatever_it_is_asked_for(tmp_path: Path) -> None:
    restorer(tmp_path / "1x.pth")
    facts = zoo.load(tmp_path / "1x.pth", task="restore").descriptor
    assert (facts.net, facts.scale, facts.jobs) == ("spandrel:RetinexFormer", 1, ANY_DAMAGE)


def test_a_network_beside_a_discriminator_is_found(tmp_path: Path) -> None:
    net = upscaler(tmp_path / "2x.pth")
    state = {f"generator.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save(state | {"discriminator.0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "gan.ckpt")
    assert zoo.load(tmp_path / "gan.ckpt").descriptor.net == "spandrel:SAFMN"


def test_a_face_network_is_not_taken_for_an_upscaler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = upscaler(tmp_path / "face.pth")
    purpose = type(spandrel().ModelLoader(device="cpu").load_from_state_dict(net.state_dict()))
    monkeypatch.setattr(purpose, "purpose", property(lambda self: "FaceSR"))
    with pytest.raises(ModelError, match="for 'restore', not for 'upscale'"):
        zoo.load(tmp_path / "face.pth", task="upscale")


def test_tensors_that_nothing_reads_are_refused_as_a_model(tmp_path: Path) -> None:
    spandrel()
    torch.save({"mystery.weight": torch.zeros(3, 3)}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="neither imgfix nor spandrel") as caught:
        zoo.load(tmp_path / "x.pth")
    assert caught.value.exit_code == ExitCode.MODEL
