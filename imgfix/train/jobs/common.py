"""What several kinds of training share: where the network starts, adversarial and perceptual terms, teachers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from imgfix.errors import ImgfixError, UsageError
from imgfix.nets import discriminator, repgate
from imgfix.train import losses
from imgfix.train.job import Batch
from imgfix.train.placement import channels_last
from imgfix.train.recipe import Recipe
from imgfix.train.start import Start
from imgfix.train.start import starting_net as start_from
from imgfix.zoo.descriptor import Model

MOST_SKIPPED = 10
"""Unusable files that are named; others are counted."""


@dataclass(frozen=True)
class LossWeights:
    """Losses and their weights; a weight of 0 leaves a term out."""

    pixel: float = 1.0
    """Weight of the pixel loss."""
    pixel_kind: Literal["l1", "charbonnier"] = "l1"
    """Mean absolute error, or its smooth relative."""
    fourier: float = 0.0
    """Weight of the L1 distance of spectra, which favours crisp texture at no loss of PSNR."""
    perceptual: float = 0.0
    """Weight of LPIPS."""
    perceptual_model: str = "lpips-alex"
    """Catalog name or file of the LPIPS network used as the loss; it is always measured with `lpips-alex`."""
    distil: float = 0.0
    """Weight of the pixel distance to the teacher's output."""
    distil_fourier: float = 0.0
    """Weight of the L1 distance to the teacher's spectrum, which keeps its sharpness."""
    distil_until: int = 1_000_000_000
    """Step from which the teacher is no longer asked."""
    adversarial: float = 0.0
    """Weight of the adversarial loss."""
    adversarial_from: int = 0
    """Step from which the discriminator plays."""
    adversary: losses.Adversary = "relativistic"
    """Form of the adversarial loss."""
    discriminator: Literal["unet", "patch"] = "unet"
    """Architecture of the discriminator."""
    discriminator_channels: int = 32
    """Its width."""
    r1: float = 0.0
    """Weight of the R1 penalty (gradients at real pictures)."""
    r2: float = 0.0
    """Weight of the R2 penalty (gradients at made pictures)."""
    penalty_every: int = 16
    """Steps between two penalties (each then weighs that many times more)."""


class Losses:
    """The terms that compare a result with its target; used by every kind that makes pictures."""

    def __init__(self, terms: LossWeights, recipe: Recipe, device: torch.device, *, conditions: int = 0) -> None:
        self.terms = terms
        self.discriminator = (
            discriminator.build(terms.discriminator, 3 + conditions, terms.discriminator_channels).to(device)
            if terms.adversarial
            else None
        )
        self.perceptual = losses.Perceptual(terms.perceptual_model, device, jitter=4) if terms.perceptual else None
        self.teacher: nn.Module | None = None
        if recipe.teacher:
            from imgfix import zoo

            self.teacher = zoo.load(recipe.teacher).net.to(device).eval().requires_grad_(False)
            if recipe.channels_last:
                channels_last(self.teacher, device)
        elif terms.distil:
            raise UsageError("a distillation weight is given without a teacher", hint="add `teacher`")

    def players(self, step: int) -> tuple[str, ...]:
        """Who learns at this step."""
        playing = self.discriminator is not None and step >= self.terms.adversarial_from
        return ("net", "discriminator") if playing else ("net",)

    def net_terms(
        self, networks: Mapping[str, nn.Module], batch: Batch, result: Tensor, step: int, trust: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute the net's loss terms.

        Args:
            networks: all networks, as the loop passes them.
            batch: has "target", "input", and perhaps the "condition" that a discriminator sees beside the picture.
            result: what the net made.
            step: optimizer step.
            trust: weights (N, 1, H, W) of the pixel loss, or `None`.
        """
        weights, target, found = self.terms, batch["target"], {}
        result = result.float()
        batch["output"] = result.detach()
        if weights.pixel:
            if trust is not None:
                found["pixel"] = weights.pixel * ((result - target).abs() * trust).mean()
            elif weights.pixel_kind == "l1":
                found["pixel"] = weights.pixel * (result - target).abs().mean()
            else:
                found["pixel"] = weights.pixel * losses.charbonnier(result, target)
        if weights.fourier:
            found["fourier"] = weights.fourier * losses.fourier(result, target)
        if self.perceptual is not None:
            found["perceptual"] = weights.perceptual * self.perceptual(result, target)
        if self.teacher is not None and (weights.distil or weights.distil_fourier) and step < weights.distil_until:
            with torch.no_grad():
                taught = _brought_down(self.teacher(batch["input"]).float().clamp(0, 1), result)
            found["distil"] = weights.distil * (result - taught).abs().mean()
            if weights.distil_fourier:
                found["distil_fourier"] = weights.distil_fourier * losses.fourier(result, taught)
        if "discriminator" in self.players(step):
            judge = networks["discriminator"]
            real = None
            if weights.adversary == "relativistic":
                with torch.no_grad():
                    real = judge(_seen(batch, target))
            found["adversarial"] = weights.adversarial * losses.fool(
                weights.adversary, judge(_seen(batch, result)), real
            )
        return found

    def discriminator_terms(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the discriminator's loss terms on what the net's turn left in the batch."""
        weights, judge = self.terms, networks["discriminator"]
        found = {
            "judge": losses.judge(weights.adversary, *(judge(_seen(batch, batch[k])) for k in ("output", "target")))
        }
        if step % weights.penalty_every == 0:
            for name, weight, key in (("r1", weights.r1, "target"), ("r2", weights.r2, "output")):
                if weight:
                    penalty = losses.gradient_penalty(judge, _seen(batch, batch[key]))
                    found[name] = weight * weights.penalty_every * penalty
        return found


def _seen(batch: Batch, picture: Tensor) -> Tensor:
    """What the discriminator sees: the picture, and the condition before it."""
    return torch.cat((batch["condition"], picture), dim=1) if "condition" in batch else picture


class Metric:
    """LPIPS for validation: measured where the perceptual loss is used and the metric's weights are at hand."""

    def __init__(self, loss_terms: Losses, device: torch.device) -> None:
        self.net: nn.Module | None = None
        if loss_terms.perceptual is not None:
            try:
                self.net = losses.Perceptual("lpips-alex", device)
            except ImgfixError:
                self.net = loss_terms.perceptual.net

    def __call__(self, result: Tensor, target: Tensor) -> dict[str, float]:
        return {} if self.net is None else {"lpips": float(self.net(result, target).mean())}


def starting_net(
    recipe: Recipe, device: torch.device, *, task: str, key: str, config: dict[str, Any], check: dict[str, Any]
) -> tuple[Start, list[str]]:
    """Make the network: fresh, from `recipe.model`, or fresh with what fits of the model's tensors.

    With a model and no architecture, training goes on with exactly that network (see `imgfix.train.start`). With both,
    a fresh network takes over every tensor whose name and shape fit. An x2 network that starts from an x4 one draws, to
    begin with, what that draws, brought down by half.

    Returns:
        the start, its network on the device, and facts to print.

    Raises:
        ModelError: an unknown model, or one that does not fit.
        UsageError: an unknown architecture, or nothing of the model fits it.
    """
    model = recipe.model if recipe.net or recipe.net_config else None
    start = start_from(replace(recipe, model=None) if model else recipe, task=task, key=key, config=config, check=check)
    facts = []
    if model:
        from imgfix import zoo

        own = start.net.state_dict()
        fitting = fitted(zoo.load(model), own, start.described.get("scale"))
        if not fitting:
            raise UsageError(f"nothing of {model} fits a {start.key} of {start.config}")
        start.net.load_state_dict(fitting, strict=False)
        repgate.silence(start.net, set(fitting))
        facts.append(f"takes {len(fitting)} of {len(own)} tensors from {model}")
    start.net.to(device).train()
    return start, facts


def fitted(model: Model, own: Mapping[str, Tensor], scale: int | None) -> dict[str, Tensor]:
    """What of a model fits a network: tensors of the same name and shape.

    Where the model enlarges k times as far as the network, by a pixel shuffle, the k * k pixels of its last layer that
    share one pixel of the network are averaged.

    Args:
        model: what to take from.
        own: the network's tensors by name.
        scale: how far the network enlarges.
    """
    outputs, finer = model.descriptor.out_channels, model.descriptor.scale // scale if scale else 1
    found = {}
    for name, tensor in model.net.state_dict().items():
        mine = own[name].shape if name in own else None
        if mine == tensor.shape:
            found[name] = tensor
        elif mine and scale and mine == (outputs * scale**2, *tensor.shape[1:]) and len(tensor) == mine[0] * finer**2:
            found[name] = tensor.unflatten(0, (-1, scale, finer, scale, finer)).mean((2, 4)).flatten(0, 2)
    return found


def folded(net: nn.Module) -> dict[str, Tensor]:
    """The weights as they are exported: on the CPU, re-parameterised convolutions merged; the net stays as it is."""
    return repgate.merge(copy.deepcopy(net).cpu()).state_dict()


def folded_config(key: str, config: dict[str, Any]) -> dict[str, object]:
    """The hyper-parameters that fit `folded`."""
    return config | ({"merged": True} if key in ("repgate", "gateunet") else {})


def shown(pictures: Tensor, back: Tensor | float = 1.0) -> Tensor:
    """Pictures of 1, 3 or 4 channels as (N, 3, H, W) on a background, white or (N or 1, 3, 1, 1)."""
    if pictures.shape[1] == 4:
        return pictures[:, :3] + (1 - pictures[:, 3:]) * back
    return pictures.expand(-1, 3, -1, -1)


def centre(picture: Tensor, side: int, multiple: int) -> Tensor:
    """Cut the middle out: at most `side` pixels a side, multiples of `multiple`."""
    height, width = (max(multiple, min(length, side) // multiple * multiple) for length in picture.shape[-2:])
    top, left = (picture.shape[-2] - height) // 2, (picture.shape[-1] - width) // 2
    return picture[..., top : top + height, left : left + width]


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average dictionaries of numbers that have equal keys."""
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def score_of(metrics: Mapping[str, float]) -> float:
    """Which of two results is better: by LPIPS where it was measured, else by PSNR; higher is better."""
    return -metrics["lpips"] if "lpips" in metrics else metrics["psnr"]


def sheet_column(pictures: list[Tensor], side: int) -> Tensor:
    """Stack pictures (1, 3, H, W) of different sizes to a column of a sample sheet, cut to `side` pixels."""
    cut = [picture[..., :side, :side].clamp(0, 1).float().cpu() for picture in pictures]
    height, width = (max(p.shape[axis] for p in cut) for axis in (-2, -1))
    return torch.cat([functional.pad(p, (0, width - p.shape[-1], 0, height - p.shape[-2])) for p in cut])


def _brought_down(taught: Tensor, result: Tensor) -> Tensor:
    """What a teacher made, at the size of the result: a teacher may enlarge further."""
    if taught.shape == result.shape:
        return taught
    factor = taught.shape[-1] // result.shape[-1]
    if not factor or taught.shape[-2:] != torch.Size(factor * length for length in result.shape[-2:]):
        sizes = [f"{x.shape[-1]}x{x.shape[-2]}" for x in (taught, result)]
        raise UsageError(
            f"the teacher makes {sizes[0]} where {sizes[1]} is needed", hint="choose a teacher of this scale"
        )
    return functional.avg_pool2d(taught, factor)


def left_out(skipped: Sequence[str]) -> list[str]:
    """Lines about files that could not be used, for a run's facts; many are counted."""
    more = len(skipped) - MOST_SKIPPED
    return [*(f"skipped {line}" for line in skipped[:MOST_SKIPPED]), *([f"skipped {more} more"] if more > 0 else [])]
