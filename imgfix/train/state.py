"""What learns: networks, their optimizers, the average, and everything else a checkpoint has to carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from imgfix.errors import ModelError, UsageError
from imgfix.train.checkpoint import copied
from imgfix.train.ema import Average
from imgfix.train.job import TrainJob
from imgfix.train.muon import Muon
from imgfix.train.placement import Placement, channels_last
from imgfix.train.recipe import Recipe


class TrainState:
    """The whole state of a training: `saved()` and `restore()` are exact opposites.

    Args:
        recipe: rates, optimizer, average, precision.
        job: brings the networks, on the device already.
        placement: where it runs and how precisely.
    """

    def __init__(self, recipe: Recipe, job: TrainJob, placement: Placement) -> None:
        self.recipe, self.placement = recipe, placement
        self.raw = job.networks()
        if "net" not in self.raw:
            raise UsageError(f"the {recipe.kind} job has no network called 'net'")
        freeze(self.raw["net"], recipe.freeze)
        for network in self.raw.values():
            network.train()
            if recipe.channels_last:
                channels_last(network, placement.device)
        self.average = Average(self.raw["net"], recipe.ema)
        self.networks: dict[str, nn.Module] = dict(self.raw)
        if recipe.compile:
            self.networks = {name: torch.compile(network) for name, network in self.raw.items()}  # type: ignore[misc]
        self.trainable = {name: [p for p in n.parameters() if p.requires_grad] for name, n in self.raw.items()}
        if not self.trainable["net"]:
            raise UsageError("nothing to train: no parameter of the network requires a gradient", hint="freeze less")
        self.optimizers = {name: self._optimizer(name) for name in self.raw}
        self.scaler = torch.amp.GradScaler(placement.device.type, enabled=placement.precision == "fp16")
        self.step = 0
        """Optimizer steps done."""
        self.seconds = 0.0
        """Wall-clock time spent, over all interruptions."""
        self.best: float | None = None
        """Highest validation score so far."""
        self.best_step = 0
        """The step it had."""
        self.skipped: list[int] = []
        """Steps that the guard leaves out."""

    def set_rates(self, factor: float) -> float:
        """Set every learning rate for this step, lowered for recent incidents; returns the net's."""
        factor *= self.recipe.guard_lr_factor ** len(self.recent_incidents())
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self._peak(name) * factor
        return self._peak("net") * factor

    def recent_incidents(self) -> list[int]:
        """Steps that the guard left out a short while ago."""
        return [step for step in self.skipped if step > self.step - self.recipe.guard_window]

    def only(self, player: str) -> None:
        """Let one player's parameters require gradients, and no other's."""
        for name, parameters in self.trainable.items():
            for parameter in parameters:
                parameter.requires_grad_(name == player)

    def clip(self, player: str) -> Tensor:
        """Scale gradients down to the recipe's norm; returns the norm they had."""
        self.scaler.unscale_(self.optimizers[player])
        limit = self.recipe.clip or float("inf")
        return nn.utils.clip_grad_norm_(self.trainable[player], limit)

    def is_finite(self) -> bool:
        """Whether every weight, of the average too, is a number."""
        tensors = [p for n in (*self.raw.values(), self.average.module) for p in n.parameters()]
        return bool(torch.stack([t.detach().abs().max() for t in tensors if t.numel()]).isfinite().all())

    def saved(self) -> dict[str, Any]:
        """Everything that decides how the run goes on; tensors are the live ones, so copy or save before stepping.

        No generator is in it: all randomness follows from (seed, step), see `imgfix.train.job.Draw`.
        """
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "best_step": self.best_step,
            "skipped": list(self.skipped),
            "seed": self.recipe.seed,
            "networks": {name: network.state_dict() for name, network in self.raw.items()},
            "average": self.average.module.state_dict() if self.recipe.ema else {},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any], origin: str = "the checkpoint") -> None:
        """Put a state back; the given tensors are copied, never shared.

        Raises:
            ModelError: the state is of other networks; says what differs.
        """
        for name, network in self.raw.items():
            load_weights(network, state["networks"].get(name, {}), f"{origin} ({name})")
        if self.recipe.ema:
            load_weights(self.average.module, state["average"], f"{origin} (average)")
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(copied(state["optimizers"][name]))
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.best, self.best_step = state["best"], state["best_step"]
        self.skipped = list(state["skipped"])

    def _peak(self, name: str) -> float:
        other = self.recipe.discriminator_lr
        return other if name != "net" and other is not None else self.recipe.lr

    def _optimizer(self, name: str) -> torch.optim.Optimizer:
        kernels = [p for p in self.trainable[name] if p.ndim > 1]
        others = [p for p in self.trainable[name] if p.ndim <= 1]
        groups = [
            {"params": kernels, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        groups = [g for g in groups if g["params"]]
        if self.recipe.optimizer == "muon":
            return Muon(groups, lr=self._peak(name), betas=self.recipe.betas)
        kind = torch.optim.AdamW if self.recipe.optimizer == "adamw" else torch.optim.Adam
        fused = True if self.placement.device.type == "cuda" else None
        return kind(groups, lr=self._peak(name), betas=self.recipe.betas, fused=fused)


def freeze(network: nn.Module, parts: Sequence[str]) -> None:
    """Let the parameters whose names are, or begin with, one of these stay as they are.

    Raises:
        UsageError: the network has no such part; names its own.
    """
    for part in parts:
        held = [p for name, p in network.named_parameters() if name == part or name.startswith(f"{part}.")]
        if not held:
            own = dict.fromkeys(name.split(".")[0] for name, _ in network.named_parameters())
            raise UsageError(f"freeze = {part}: the network has no such part", hint=f"it has {', '.join(own)}")
        for parameter in held:
            parameter.requires_grad_(False)


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], origin: str) -> None:
    """Load weights into a network of the very same shape.

    Raises:
        ModelError: they are of another network; names the first differences.
    """
    own = network.state_dict()
    missing, unexpected = own.keys() - weights.keys(), weights.keys() - own.keys()
    shapes = [n for n in own.keys() & weights.keys() if own[n].shape != weights[n].shape]
    if missing or unexpected or shapes:
        parts = [f"{len(own.keys() & weights.keys()) - len(shapes)} of {len(own)} tensors fit"]
        if shapes:
            first = sorted(shapes)[0]
            parts.append(f"{first} is {tuple(weights[first].shape)} there and {tuple(own[first].shape)} here")
        if missing:
            parts.append(f"{sorted(missing)[0]} is missing there")
        if unexpected:
            parts.append(f"{sorted(unexpected)[0]} is not known here")
        raise ModelError(f"{origin} belongs to another network: " + "; ".join(parts))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
