"""What the kinds of training share: a network that learns, and for those that make pictures losses and measurements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from imgfix.train.job import Baseline, Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.common import Losses, LossWeights, Metric, folded, score_of, starting_net
from imgfix.train.pool import Pool, load_pairs, load_photos
from imgfix.train.recipe import Recipe
from imgfix.train.start import Start

Results = TypeVar("Results")
"""What a network, or the method that it has to beat, makes of the held-out pictures."""


class NetJob(ABC):
    """One network that learns, perhaps against a discriminator; the rest of `imgfix.train.job.TrainJob` is abstract."""

    net: nn.Module
    key: str
    """Of `imgfix.zoo.architectures`."""
    config: dict[str, Any]
    discriminator: nn.Module | None = None

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self._facts: list[str] = []

    def _start(self, *, task: str, key: str, config: dict[str, Any], check: dict[str, Any]) -> Start:
        """Make the network, see `imgfix.train.jobs.common.starting_net`. Raises ModelError, UsageError."""
        start, facts = starting_net(self.recipe, self.device, task=task, key=key, config=config, check=check)
        self.net, self.key, self.config = start.net, start.key, start.config
        self._facts += facts
        return start

    def networks(self) -> dict[str, nn.Module]:
        return {"net": self.net} | ({"discriminator": self.discriminator} if self.discriminator is not None else {})

    def players(self, step: int) -> tuple[str, ...]:
        return tuple(self.networks())

    @abstractmethod
    def sample(self, draw: Draw) -> Batch: ...

    @abstractmethod
    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]: ...

    @abstractmethod
    def validate(self, net: nn.Module) -> Validation | None: ...

    @abstractmethod
    def identity(self) -> NetIdentity: ...

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        return {"input": batch["input"], "target": batch["target"]}

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu() for name, tensor in net.state_dict().items()}

    def facts(self) -> list[str]:
        return list(self._facts)


class PairedJob(NetJob, Generic[Results]):
    """A network that makes pictures whose targets are known: learned by `Losses`, measured on held-out pairs."""

    BASELINE: ClassVar[str]
    """How `without_net` makes its pictures: "bicubic", "the input" ..."""
    loss_terms: Losses
    metric: Metric

    def _judge_by(self, weights: LossWeights, *, conditions: int = 0) -> None:
        """conditions: channels that the discriminator sees beside the picture. Raises ImgfixError, see `Losses`."""
        self.loss_terms = Losses(weights, self.recipe, self.device, conditions=conditions)
        self.metric = Metric(self.loss_terms, self.device)
        self.discriminator = self.loss_terms.discriminator

    def players(self, step: int) -> tuple[str, ...]:
        return self.loss_terms.players(step)

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            return self.loss_terms.discriminator_terms(networks, batch, step)
        return self.net_losses(networks, batch, step)

    def net_losses(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        """The loss terms of the network's turn."""
        return self.loss_terms.net_terms(networks, batch, networks["net"](batch["input"]), step)

    def validate(self, net: nn.Module) -> Validation | None:
        made = self.results(net)
        metrics = self.measured(made)
        return Validation(metrics, self.score(metrics), self.samples(made), self.baseline)

    @cached_property
    def baseline(self) -> Baseline:
        """What the held-out pictures get without a network."""
        metrics = self.measured(self.without_net())
        return Baseline(self.BASELINE, metrics, self.score(metrics))

    @abstractmethod
    def results(self, net: nn.Module) -> Results:
        """What the network makes of the held-out inputs, in [0, 1]."""

    @abstractmethod
    def without_net(self) -> Results:
        """The same by the best method that needs none."""

    @abstractmethod
    def measured(self, made: Results) -> dict[str, float]:
        """Metrics of what was made against the held-out targets."""

    @abstractmethod
    def samples(self, made: Results) -> dict[str, Tensor]:
        """Columns of the sample sheet, see `Validation.samples`."""

    def score(self, metrics: Mapping[str, float]) -> float:
        """The number that decides which weights are best; higher is better."""
        return score_of(metrics)

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return folded(net)


@dataclass(frozen=True)
class Material:
    """What is learned from: photos that a job damages itself, or the user's own pairs."""

    training: Pool
    """The targets."""
    inputs: Pool | None
    """Those of the pairs, in the same order."""
    held_out: Pool
    held_out_inputs: Pool | None
    skipped: tuple[str, ...]
    """A line for each file that was left out."""
    scale: int
    """How many times larger the targets are."""

    def pairs(self, draw: Draw, crop: int) -> Batch:
        """Crops of the user's pairs, targets of `crop` pixels a side."""
        assert self.inputs is not None
        side = crop // self.scale
        windows = self.inputs.windows(draw, side)
        return {"input": self.inputs.take(windows, side), "target": self.training.take(windows, side, self.scale)}

    def held_out_pairs(self, limit: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The held-out ones of the user's pairs, (1, 3, H, W) each."""
        assert self.held_out_inputs is not None
        for index in range(min(len(self.held_out), limit)):
            yield self.held_out_inputs.picture(index), self.held_out.picture(index)

    def held_out_pictures(self, limit: int) -> Iterator[Tensor]:
        """Held-out targets, (1, 3, H, W) each."""
        return (self.held_out.picture(index) for index in range(min(len(self.held_out), limit)))

    def facts(self, held_out: int) -> str:
        """How many pictures there are."""
        return f"{len(self.training)} pictures, {self.training.megapixels:.0f} MP; {held_out} held out"


def load_material(recipe: Recipe, device: torch.device, *, crop: int, scale: int = 1) -> Material:
    """Decode the pairs or the photos of a recipe.

    Args:
        recipe: names the folders.
        device: where the pools lie.
        crop: least side of a photo; pairs go by the recipe's.
        scale: how many times larger the targets of pairs are.

    Raises:
        InputError: nothing usable, see `load_pairs` and `load_photos`.
    """
    fraction = recipe.val_fraction
    if recipe.input and recipe.target:
        inputs, targets, held_inputs, held_targets, skipped = load_pairs(
            recipe.input, recipe.target, scale=scale, crop=recipe.crop, device=device, fraction=fraction
        )
        return Material(targets, inputs, held_targets, held_inputs, skipped, scale)
    photos = load_photos(recipe.photos, crop=crop, device=device, held_out=recipe.val, fraction=fraction)
    return Material(photos.training, None, photos.held_out, None, photos.skipped, scale)
