"""What one kind of training (upscale, inpaint, restore, video ...) gives the loop, and what the loop gives it.

The loop knows steps, optimizers, averages, files and failures; a job knows pictures, degradations and losses.
All randomness of a job comes from a `Draw`, which is a pure function of (seed, step, slot). That is why an
interrupted run continues exactly: there is no generator, worker or data order whose state has to be carried along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
"""One sampled batch. It lives for one turn of the loop, so a job may add to it: the output that the net's turn
computed (detached) saves the discriminator's turn a second forward pass."""


@dataclass(frozen=True)
class Draw:
    """The randomness of one batch: equal fields give equal numbers, on every run and after every interruption."""

    seed: int
    """The recipe's seed."""
    step: int
    """Optimizer step, from 0."""
    slot: int
    """Which part of the step's whole batch this is: accumulation turn and process together, 0 .. slots - 1."""
    slots: int
    """How many parts the step's whole batch has: accumulation turns times processes."""
    batch: int
    """Samples in this part."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where the batch is wanted, and where `generator` draws."""

    @cached_property
    def generator(self) -> torch.Generator:
        """Generator on the training device (noise, degradations); call order matters, as with any generator."""
        return torch.Generator(device=self.device).manual_seed(self.seed_for("device"))

    @cached_property
    def cpu_generator(self) -> torch.Generator:
        """Generator on the CPU (small choices that steer control flow, without waiting for the device)."""
        return torch.Generator().manual_seed(self.seed_for("cpu"))

    def seed_for(self, salt: str) -> int:
        """Give a seed that follows from this draw and a purpose."""
        return _hash(salt, self.seed, self.step, self.slot)

    @property
    def rows(self) -> range:
        """Numbers of this part's samples, counted over the whole run: no two parts and no two steps share one."""
        first = (self.step * self.slots + self.slot) * self.batch
        return range(first, first + self.batch)

    def uniform(self, count: int, salt: str = "") -> Tensor:
        """Draw `count` numbers for each sample, depending on nothing but the seed, the sample's row and the salt.

        Two processes with batch B therefore see the same samples as one process with batch 2 B. Meant for what
        decides a sample: which picture, where to crop, how to turn it.

        Returns:
            float64 tensor on the CPU, (batch, count), in [0, 1).
        """
        key = np.uint64(_hash("uniform", self.seed, salt))
        rows = np.asarray(self.rows, dtype=np.uint64)[:, None]
        columns = np.arange(count, dtype=np.uint64)[None, :]
        with np.errstate(over="ignore"):
            mixed = _splitmix(_splitmix(rows ^ key) + columns * np.uint64(0xD1342543DE82EF95))
        return torch.from_numpy((mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53)


@dataclass(frozen=True)
class Baseline:
    """What the held-out pictures get without a network: what a network has to be better than to be of use."""

    name: str
    """How they were made: "bicubic", "the input" ..."""
    metrics: dict[str, float]
    """As of `Validation`."""
    score: float
    """As of `Validation`."""


@dataclass(frozen=True)
class Validation:
    """What one look at the held-out pictures found."""

    metrics: dict[str, float]
    """Metric name to value, for the log ("psnr": 31.2, "lpips": 0.18)."""
    score: float
    """The number that decides which weights are best; higher is better (negate an error)."""
    samples: dict[str, Tensor] = field(default_factory=dict)
    """Columns of the sample sheet: name ("input", "output", "target") to (N, 3, H, W) in [0, 1]; sizes may differ."""
    baseline: Baseline | None = None
    """The same without a network, where there is such a thing."""


@dataclass(frozen=True)
class NetIdentity:
    """How the exported file names its network, so that every other verb can build it again."""

    net: str
    """Key in `imgfix.zoo.architectures`."""
    config: dict[str, object]
    """Hyper-parameters that build the network that `TrainJob.exported` has the weights of."""
    metadata: dict[str, object] = field(default_factory=dict)
    """More for the file's header, as in `imgfix.zoo.save`: task, name, licence, degradation, facts (plain values)."""


@runtime_checkable
class TrainJob(Protocol):
    """One kind of training. Built once, on its device; nothing in it changes while the loop runs but its networks."""

    def networks(self) -> dict[str, nn.Module]:
        """Networks that are trained, on the device: "net" (exported, averaged) and perhaps "discriminator".

        Frozen helpers (teacher, perceptual net) stay out; the job keeps them itself.
        """
        ...

    def players(self, step: int) -> tuple[str, ...]:
        """Which networks learn at this step, in turn: ("net",), or ("net", "discriminator") for a GAN."""
        ...

    def sample(self, draw: Draw) -> Batch:
        """Make one batch on the device, as a pure function of `draw`; float32, in [0, 1] for pictures."""
        ...

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the weighted loss terms of one player; the loop adds them up and differentiates.

        Use the passed networks, not your own references: they may be compiled. While one player learns, the
        parameters of the others do not require gradients (so the net's adversarial term costs the discriminator
        nothing). Called under autocast where the precision says so; compute fragile terms in `.float()`.

        Args:
            player: the network that learns now.
            networks: all of `networks()`.
            batch: what `sample` returned; may be added to.
            step: optimizer step, for terms that fade in.

        Returns:
            name to scalar tensor, already multiplied by its weight; "loss" and "gradient" are names of the loop's own.
        """
        ...

    def validate(self, net: nn.Module) -> Validation | None:
        """Measure the (averaged) net on held-out pictures; called in eval mode under `torch.inference_mode()`.

        Returns None when nothing is held out.
        """
        ...

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        """Columns of a sheet that shows what the net gets and what it should give: name to (N, 3, H, W) in [0, 1]."""
        ...

    def identity(self) -> NetIdentity:
        """How the exported file names the network."""
        ...

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        """Give the (averaged) net's weights as other verbs load them: its state, folded if it was trained unfolded."""
        ...

    def facts(self) -> list[str]:
        """Lines for the start of the run: how many pictures, which were skipped and why, which teacher."""
        ...


def _hash(*parts: object) -> int:
    """Hash to 63 bits that are the same on every machine and in every Python."""
    digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _splitmix(value: np.ndarray) -> np.ndarray:
    """Mix 64-bit numbers (splitmix64 finaliser; Steele, Lea & Flood 2014): neighbouring inputs, unrelated outputs."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = value ^ (value >> np.uint64(31))
    return mixed
