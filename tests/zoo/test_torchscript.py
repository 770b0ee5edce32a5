from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from imgfix.errors import ModelError
from imgfix.nets.inception import InceptionFeatures
from imgfix.zoo.perceptual import inception_from_graph, inception_names
from imgfix.zoo.torchscript import read_tensors


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.rest = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 1))
        self.register_buffer("count", torch.arange(5))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.rest(self.first(pixels))


def test_the_tensors_of_an_archive_come_out_under_their_names(tmp_path: Path) -> None:
    net = Small().eval()
    torch.jit.trace(net, torch.rand(1, 3, 8, 8)).save(str(tmp_path / "net.pt"))
    found = read_tensors(tmp_path / "net.pt")
    for name, tensor in net.state_dict().items():
        if name != "count":  # a trace leaves out what the forward pass does not use
            assert torch.equal(found[name], tensor)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("nothing of the kind")
    with pytest.raises(ModelError, match="cannot read"):
        read_tensors(tmp_path / "text.pt")


def test_every_convolution_of_inception_has_one_place_in_the_graph() -> None:
    net = InceptionFeatures()
    convolutions = {name.removesuffix(".0") for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)}
    ours, theirs = zip(*inception_names(), strict=True)
    assert set(ours) == convolutions
    assert len(set(theirs)) == len(theirs) == 94


def test_normalisation_is_folded_into_the_convolutions() -> None:
    generator = torch.Generator().manual_seed(0)
    net = InceptionFeatures()
    tensors = {}
    for ours, theirs in inception_names():
        layer = net.get_submodule(f"{ours}.0")
        assert isinstance(layer, nn.Conv2d)
        tensors[f"net.layers.{theirs}.weight"] = torch.randn(layer.weight.shape, generator=generator)
        for name in ("beta", "mean", "var"):
            tensors[f"net.layers.{theirs}.{name}"] = torch.rand(layer.out_channels, generator=generator)
    state = inception_from_graph(tensors)
    net.load_state_dict(state)
    pixels = torch.rand(1, 3, 16, 16, generator=generator)
    graph = {name: tensors[f"net.layers.conv.{name}"] for name in ("weight", "beta", "mean", "var")}
    expected = nn.functional.batch_norm(
        nn.functional.conv2d(pixels, graph["weight"], stride=2),
        graph["mean"],
        graph["var"],
        None,
        graph["beta"],
        eps=0.001,
    )
    assert torch.allclose(net.stem[0][0](pixels), expected, atol=1e-4)
