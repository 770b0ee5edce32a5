"""What several kinds of training share: where the network starts, adversarial and perceptual terms, teachers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from imgfix.errors import ImgfixError, UsageError
from imgfix.nets import discriminator
from imgfix.train import losses
from imgfix.train.job import Batch
from imgfix.train.recipe import Recipe


@dataclass(frozen=True)
class Terms:
    """Losses and their weights; a weight of 0 leaves a term out."""

    pixel: float = 1.0
    """Weight of the pixel loss."""
    pixel_kind: Literal["l1", "charbonnier"] = "l1"
    """Mean absolute error, or its smooth relative."""
    fourier: float = 0.0
    """Weight of the L1 distance of spectra, which favours crisp texture at no loss of PSNR."""
    perceptual: float = 0.0
    """Weight of LPIPS."""
    perceptual_trunk: Literal["vgg", "alex"] = "vgg"
    """Network that LPIPS as a loss looks through; it is measured with `alex`."""
    distil: float = 0.0
    """Weight of the pixel distance to the teacher's output."""
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


class Judges:
    """The terms that compare a result with its target; used by every kind that makes pictures."""

    def __init__(self, terms: Terms, recipe: Recipe, device: torch.device) -> None:
        self.terms = terms
        self.discriminator = (
            discriminator.build(terms.discriminator, 3, terms.discriminator_channels).to(device)
            if terms.adversarial
            else None
        )
        self.perceptual = losses.Perceptual(terms.perceptual_trunk, device) if terms.perceptual else None
        self.teacher: nn.Module | None = None
        if recipe.teacher:
            from imgfix import zoo

            self.teacher = zoo.load(recipe.teacher).net.to(device).eval().requires_grad_(False)
            if device.type == "cuda":
                self.teacher = self.teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        elif terms.distil:
            raise UsageError("a distillation weight is given without a teacher", hint="add --teacher NAME")

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
            batch: has "target" and "input".
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
        if self.teacher is not None and weights.distil and step < weights.distil_until:
            with torch.no_grad():
                taught = self.teacher(batch["input"]).float().clamp(0, 1)
            found["distil"] = weights.distil * (result - taught).abs().mean()
        if "discriminator" in self.players(step):
            judge = networks["discriminator"]
            real = None
            if weights.adversary == "relativistic":
                with torch.no_grad():
                    real = judge(target)
            found["adversarial"] = weights.adversarial * losses.fool(weights.adversary, judge(result), real)
        return found

    def discriminator_terms(self, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        """Compute the discriminator's loss terms on what the net's turn left in the batch."""
        weights, judge = self.terms, networks["discriminator"]
        found = {"judge": losses.judge(weights.adversary, judge(batch["output"]), judge(batch["target"]))}
        if step % weights.penalty_every == 0:
            for name, weight, key in (("r1", weights.r1, "target"), ("r2", weights.r2, "output")):
                if weight:
                    penalty = losses.gradient_penalty(judge, batch[key])
                    found[name] = weight * weights.penalty_every * penalty
        return found


class Metric:
    """LPIPS for validation: measured where the perceptual loss is used and the metric's weights are at hand."""

    def __init__(self, judges: Judges, device: torch.device) -> None:
        self.net: nn.Module | None = None
        if judges.perceptual is not None:
            try:
                self.net = losses.Perceptual("alex", device)
            except ImgfixError:
                self.net = judges.perceptual

    def __call__(self, result: Tensor, target: Tensor) -> dict[str, float]:
        return {} if self.net is None else {"lpips": float(self.net(result, target))}


def starting_net(
    recipe: Recipe, device: torch.device, key: str, config: dict[str, Any]
) -> tuple[nn.Module, str, dict[str, Any], list[str]]:
    """Make the network: fresh, or from `recipe.model`.

    With a model and no architecture of its own, training goes on with exactly that network. With both, a fresh network
    is built and takes over every tensor whose name and shape fit: so does an x2 network start from an x4 one.

    Returns:
        network on the device, its key in NETS, its hyper-parameters, facts to print.

    Raises:
        ModelError: an unknown model.
        UsageError: an unknown architecture, or nothing of the model fits.
    """
    from imgfix import zoo

    torch.manual_seed(recipe.seed)
    loaded = zoo.load(recipe.model) if recipe.model else None
    if loaded is not None and recipe.net is None and not recipe.net_config:
        net = loaded.net.train().requires_grad_(True)
        return net.to(device), loaded.descriptor.net, dict(loaded.descriptor.config), [f"goes on from {recipe.model}"]
    key = recipe.net or key
    if key not in zoo.NETS:
        raise UsageError(f"'{key}' is not an architecture", hint=f"there are: {', '.join(zoo.NETS)}")
    config = (config if recipe.net in (None, key) else {}) | recipe.net_config
    try:
        net = zoo.NETS[key].build(config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key} cannot be built with {config}: {error}") from None
    facts = []
    if loaded is not None:
        own = net.state_dict()
        fitting = {n: t for n, t in loaded.net.state_dict().items() if n in own and own[n].shape == t.shape}
        if not fitting:
            raise UsageError(f"nothing of {recipe.model} fits a {key} of {config}")
        net.load_state_dict(fitting, strict=False)
        facts.append(f"takes {len(fitting)} of {len(own)} tensors from {recipe.model}")
    return net.train().to(device), key, config, facts


def centre(picture: Tensor, side: int, multiple: int) -> Tensor:
    """Cut the middle out: at most `side` pixels a side, multiples of `multiple`."""
    height, width = (max(multiple, min(length, side) // multiple * multiple) for length in picture.shape[-2:])
    top, left = (picture.shape[-2] - height) // 2, (picture.shape[-1] - width) // 2
    return picture[..., top : top + height, left : left + width]


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average dictionaries of numbers that have equal keys."""
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


def sheet_column(pictures: list[Tensor], side: int) -> Tensor:
    """Stack pictures (1, 3, H, W) of different sizes to a column of a sample sheet, cut to `side` pixels."""
    import torch.nn.functional as F

    cut = [picture[..., :side, :side].clamp(0, 1).float().cpu() for picture in pictures]
    height, width = (max(p.shape[axis] for p in cut) for axis in (-2, -1))
    return torch.cat([F.pad(p, (0, width - p.shape[-1], 0, height - p.shape[-2])) for p in cut])
