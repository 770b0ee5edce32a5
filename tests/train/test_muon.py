"""Muon: what it orthogonalises, and what it leaves to Adam."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from imgfix.train.muon import Muon, is_wide, orthogonalised


@pytest.mark.parametrize("shape", [(40, 360), (80, 40), (16, 16)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix * 1e-4))
    assert values.max() < 1.3
    assert values.median() > 0.6 and values.min() > 0.2  # the square one has singular values near zero


def test_orthogonalising_keeps_the_singular_vectors() -> None:
    matrix = torch.randn((12, 30), generator=torch.Generator().manual_seed(1))
    left, values, right = torch.linalg.svd(orthogonalised(matrix), full_matrices=False)
    across = torch.linalg.svd(matrix, full_matrices=False)
    wanted = across[0] @ across[2]
    assert functional.cosine_similarity((left @ right).flatten(), wanted.flatten(), dim=0) > 0.99
    assert (values > 0).all()


def test_nothing_stays_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(8, 20)), torch.zeros(8, 20))


def test_what_is_no_wide_matrix_takes_the_steps_of_adam() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(3, 12, 3), nn.Conv2d(12, 12, 3, groups=12), nn.PReLU(12))
    twin = copy.deepcopy(net)
    assert not any(is_wide(p) for p in net.parameters())
    optimizers = [
        Muon(net.parameters(), lr=1e-2, betas=(0.9, 0.99)),
        torch.optim.Adam(twin.parameters(), lr=1e-2, betas=(0.9, 0.99)),
    ]
    for step in range(5):
        x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        for one, optimizer in zip((net, twin), optimizers, strict=True):
            optimizer.zero_grad()
            one(x).square().mean().backward()
            optimizer.step()
    for mine, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_kernel_moves_as_far_at_any_size_of_its_gradient_and_of_its_layout() -> None:
    moved = []
    for factor, layout in ((1.0, torch.contiguous_format), (1e-4, torch.contiguous_format), (1.0, torch.channels_last)):
        torch.manual_seed(3)
        kernel = nn.Parameter(torch.zeros(16, 12, 3, 3).to(memory_format=layout))
        kernel.grad = (factor * torch.randn(16, 12, 3, 3)).to(memory_format=layout)
        Muon([kernel], lr=1e-2).step()
        moved.append(kernel.detach())
    torch.testing.assert_close(moved[1], moved[0], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(moved[2], moved[0], rtol=1e-3, atol=1e-6)
    assert 0.5e-3 < float(moved[0].square().mean().sqrt()) < 3e-3  # about a fifth of the rate, Adam's usual size


def test_weight_decay_shrinks_and_parameters_without_a_gradient_stay() -> None:
    kernel, other = nn.Parameter(torch.ones(8, 8)), nn.Parameter(torch.ones(8, 8))
    kernel.grad = torch.zeros(8, 8)
    Muon([kernel, other], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(kernel.detach(), torch.full((8, 8), 0.95))
    assert torch.equal(other.detach(), torch.ones(8, 8))
