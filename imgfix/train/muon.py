"""Muon: momentum whose matrices are orthogonalised, with Adam for what is no matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

NARROW = 8
"""Kernels with fewer input or output channels (first layers, depthwise ones) are left to Adam."""
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd fifth-degree polynomial of the Newton-Schulz iteration, as the author gives them."""


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for kernels with many inputs and outputs; Adam for everything else.

    A kernel of shape (O, I, kh, kw) counts as a matrix of O rows and I * kh * kw columns. Its momentum (Nesterov's) is
    brought near the closest orthogonal matrix by five Newton-Schulz iterations and scaled to the size that an update of
    Adam typically has, so that Adam's learning rates fit. Method: K. Jordan et al., "Muon: an optimizer for hidden
    layers in neural networks" (2024); scale after Liu et al. 2025 (arXiv 2502.16982).

    Args:
        params: parameters or groups of them.
        lr: learning rate of both.
        momentum: part of the old momentum that stays.
        betas, eps: of Adam.
        weight_decay: decoupled, as a part of the learning rate.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step along the gradients that are there; parameters without one stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self._orthogonal if is_wide(parameter) else self._adam
                    parameter.add_(update(parameter, group), alpha=-group["lr"])
        return loss

    def _orthogonal(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        keep = group["momentum"]
        momentum = state["momentum"].mul_(keep).add_(gradient)
        matrix = orthogonalised((gradient + keep * momentum).reshape(len(parameter), -1))
        return matrix.view(parameter.shape) * (0.2 * math.sqrt(max(matrix.shape)))

    def _adam(self, parameter: Tensor, group: dict[str, Any]) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        taken, (first, second) = float(state["step"]), group["betas"]
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        size = (square / (1 - second**taken)).sqrt_().add_(group["eps"])
        step: Tensor = mean / (1 - first**taken) / size
        return step


def is_wide(parameter: Tensor) -> bool:
    """Whether a parameter is a matrix or kernel that Muon orthogonalises."""
    return parameter.ndim > 1 and min(parameter.shape[:2]) >= NARROW


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Bring the singular values of a matrix (rows, columns) near 1, between some 0.7 and 1.2; zeros stay zeros."""
    first, third, fifth = POLYNOMIAL
    x = matrix.float()
    x = x / x.norm().clamp_min(1e-12)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    for _ in range(iterations):
        gram = x @ x.T
        x = first * x + (third * gram + fifth * gram @ gram) @ x
    orthogonal: Tensor = x.T if tall else x
    return orthogonal.to(matrix.dtype)
