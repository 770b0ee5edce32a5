"""HVI-CIDNet: its colour space, sizes, and the names of the published file."""

from __future__ import annotations

import pytest
import torch

from imgfix.nets.cidnet import CIDNet, to_hvi, to_rgb
from imgfix.zoo.architectures import cidnet


@pytest.mark.parametrize("density", [0.2, 0.35, 1.0])
def test_the_colour_space_and_back_is_the_identity(density: float) -> None:
    torch.manual_seed(0)
    k = torch.tensor([density])
    x = torch.rand(1, 3, 32, 32)
    x[..., :8] *= 0.02  # dark
    x[0, :, 0, :8] = torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 0]]
    ).T
    assert torch.allclose(to_rgb(to_hvi(x, k), k), x, atol=2e-4)


def test_grey_has_no_colour() -> None:
    x = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8).expand(1, 3, 8, 8)
    hvi = to_hvi(x, torch.tensor([0.3]))
    assert (hvi[:, :2] == 0).all()
    assert torch.equal(hvi[:, 2], x[:, 0])


def test_dark_colours_lie_closer_together() -> None:
    red = torch.tensor([1.0, 0.2, 0.2]).reshape(1, 3, 1, 1)
    k = torch.tensor([0.5])
    assert to_hvi(red * 0.05, k)[:, :2].norm() < 0.5 * to_hvi(red, k)[:, :2].norm()


def test_it_has_the_parameters_of_the_published_one_without_the_unused_block() -> None:
    with torch.device("meta"):
        net = CIDNet()
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_904_609


def test_size_and_range_are_kept() -> None:
    torch.manual_seed(0)
    net = CIDNet((4, 4, 8, 8), (1, 2, 2)).eval()
    with torch.inference_mode():
        out = net(torch.rand(2, 3, 24, 40))
    assert out.shape == (2, 3, 24, 40)
    assert float(out.min()) >= 0 and float(out.max()) <= 1


def published(net: CIDNet) -> dict[str, torch.Tensor]:
    """The state under the authors' names, with the block that is not used."""
    parts = {"cross.query_near": "ffn.q_dwconv", "cross.query": "ffn.q", "cross.source_near": "ffn.kv_dwconv",
             "cross.source": "ffn.kv", "cross.leave": "ffn.project_out", "cross.temperature": "ffn.temperature",
             "mix.enter": "gdfn.project_in", "mix.near": "gdfn.dwconv", "mix.bend1": "gdfn.dwconv1",
             "mix.bend2": "gdfn.dwconv2", "mix.leave": "gdfn.project_out", "norm": "norm"}  # fmt: skip
    layers = {"conv": ("down.0", "up_scale.0"), "slope": ("prelu", "prelu"), "join": ("", "up")}
    state = {}
    for name, tensor in net.state_dict().items():
        if name == "density":
            state["trans.density_k"] = tensor
            continue
        branch, kind, *rest = name.split(".")
        prefix = {"colour": "HV", "light": "I"}[branch]
        if kind in ("enter", "leave"):
            state[f"{prefix}{'E' if kind == 'enter' else 'D'}_block0.1.{rest[0]}"] = tensor
        elif kind == "attend":
            inner = ".".join(rest[1:])
            part = max((part for part in parts if inner.startswith(part)), key=len)
            state[f"{prefix}_LCA{int(rest[0]) + 1}.{parts[part]}{inner[len(part) :]}"] = tensor
        else:
            layer = layers[rest[1]][kind == "up"]
            state[f"{prefix}{'D' if kind == 'up' else 'E'}_block{int(rest[0]) + 1}.{layer}.{rest[2]}"] = tensor
    state["I_LCA5.norm.weight"] = torch.zeros(8)
    return state


def test_the_published_names_are_recognised() -> None:
    config = {"widths": [4, 6, 8, 16], "heads": [2, 4, 8]}
    net = CIDNet(**config)  # type: ignore[arg-type]
    state = published(net)
    assert cidnet.detect(state) == config
    adapted = cidnet.adapt(state)
    net.load_state_dict(adapted)
    assert adapted.keys() == net.state_dict().keys()
