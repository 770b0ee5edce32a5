"""The project's own networks: merging changes nothing, and what they say of themselves is true."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from imgfix.nets.discriminator import build
from imgfix.nets.repgate import RepGate, merge, silence
from imgfix.zoo.architectures import ARCHITECTURES

SMALL = {
    "repgate": {"scale": 2, "channels": 8, "blocks": 2, "convolutions": 2},
    "gateunet": {"widths": (8, 8, 8), "blocks": (1, 1, 1)},
}


def small(key: str) -> nn.Module:
    torch.manual_seed(0)
    net = ARCHITECTURES[key].build(dict(SMALL[key]))
    with torch.no_grad():
        for parameter in net.parameters():  # also what starts at zero shall matter
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.eval()


@pytest.mark.parametrize("key", SMALL)
def test_merging_keeps_the_function_and_loads_again(key: str) -> None:
    net, x = small(key), torch.rand(2, 3, 16, 24)
    merged = merge(copy.deepcopy(net))
    assert sum(p.numel() for p in merged.parameters()) < 0.5 * sum(p.numel() for p in net.parameters())
    again = ARCHITECTURES[key].build({**SMALL[key], "merged": True})
    again.load_state_dict(merged.state_dict())
    with torch.no_grad():
        assert torch.allclose(net(x), again(x), atol=1e-5)


@pytest.mark.parametrize("key", SMALL)
def test_nothing_outside_the_stated_receptive_field_matters(key: str) -> None:
    net = small(key)
    facts = ARCHITECTURES[key].describe(dict(SMALL[key]))
    reach, scale = facts["receptive_field"], facts["scale"]
    size = 2 * ((reach + 16) // 8 * 8) + 16
    x = torch.rand(1, 3, size, size, dtype=torch.float64)
    net = net.double()
    changed, middle = x.clone(), size // 2
    changed[..., middle, middle] += 1
    with torch.no_grad():
        rows = (net(changed) - net(x)).abs().sum(dim=(0, 1, 3)).nonzero().flatten() // scale
    assert middle - int(rows.min()) <= reach and int(rows.max()) - middle <= reach


def test_a_network_given_merged_kernels_starts_as_that_network() -> None:
    merged, x = merge(small("repgate")), torch.rand(1, 3, 9, 7)
    fresh = RepGate(**SMALL["repgate"])  # type: ignore[arg-type]
    fresh.load_state_dict(merged.state_dict(), strict=False)
    silence(fresh, set(merged.state_dict()))
    with torch.no_grad():
        assert torch.allclose(fresh(x), merged(x), atol=1e-6)


@pytest.mark.parametrize("kind", ["unet", "patch"])
def test_discriminators_judge_positions(kind: str) -> None:
    logits = build(kind, 3, 8)(torch.rand(2, 3, 48, 64))
    assert logits.shape[:2] == (2, 1) and logits.shape[2] > 1 and logits.isfinite().all()
