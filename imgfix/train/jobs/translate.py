"""Training image-to-image translation: from pairs of pictures, or from pictures whose edges or grey tones are given.

Isola et al. 2017, arXiv 1611.07004 (pix2pix): the mean absolute error, and a discriminator that sees both pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from imgfix.errors import UsageError
from imgfix.nets import discriminator
from imgfix.nets.pix2pix import Pix2Pix
from imgfix.tasks.translate import SOURCES, prepared
from imgfix.train import losses
from imgfix.train.captioned import CaptionedPool, read_both, read_captions
from imgfix.train.job import Baseline, Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import NetJob
from imgfix.train.jobs.common import left_out, shown
from imgfix.train.pool import find_pictures
from imgfix.train.recipe import Recipe
from imgfix.train.split import held_out, spread


@dataclass(frozen=True)
class Options:
    """Settings of `imgfix train translate`."""

    source: str = "edges"
    """What the network is given where there are no pairs: `edges` or `grey`."""
    pixel: float = 20.0
    """Weight of the mean absolute error."""
    adversarial: float = 0.5
    """Weight of the adversarial loss; 0 trains without a discriminator."""


DEFAULTS = {
    "crop": 64,
    "batch": 8,
    "lr": 4e-4,
    "betas": (0.5, 0.99),
    "ema": 0.998,
    "export": "last",
    "validate_every": 200,
}


def build(recipe: Recipe, device: torch.device) -> TranslateJob:
    """Make the job; raises ImgfixError for unusable pictures, models or sizes."""
    return TranslateJob(recipe, device)


class TranslateJob(NetJob):
    """See `imgfix.train.job.TrainJob`."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        options = self.options = recipe.options or Options()
        self.source = "pairs" if recipe.input else options.source
        if self.source not in (*SOURCES, "pairs"):
            raise UsageError(f"source = {self.source}: not a kind of input", hint=f"choose one of {', '.join(SOURCES)}")
        self._read()
        start = self._start(
            task="generate", key="pix2pix",
            config={"side": recipe.crop, "inputs": self.inputs.shape[1], "channels": self.targets.shape[1],
                    "source": self.source, "padding": "reflect"},
            check={"native_size": recipe.crop},
        )  # fmt: skip
        if not isinstance(start.net, Pix2Pix):
            raise UsageError(f"a {type(start.net).__name__} does not take pictures", hint="choose `net` pix2pix")
        if options.adversarial:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed + 1)
                channels = self.inputs.shape[1] + self.targets.shape[1]
                self.discriminator = discriminator.build("patch", channels, 32).to(device)
        self._facts = [
            f"{len(self.training)} pictures, {len(self.held)} held out; given: {self.source}",
            *left_out(self.skipped),
            *self._facts,
        ]

    def _read(self) -> None:
        """Decode the pictures, and split their numbers into those to learn from and those to measure on."""
        recipe = self.recipe
        self.skipped: list[str] = []
        apart: set[Path] = set()
        if recipe.input and recipe.target:
            if recipe.val:
                raise UsageError(
                    "`val` does not go with pairs", hint="leave it out: `val_fraction` of them is held out"
                )
            left = {path.stem: path for path in find_pictures([recipe.input])}
            right = {path.stem: path for path in find_pictures([recipe.target])}
            stems = sorted(left.keys() & right.keys())
            if len(stems) < 2:
                raise UsageError(
                    f"{recipe.input} and {recipe.target} share {len(stems)} names", hint="name pairs alike"
                )
            sides = [
                [items[0] for items in [read_captions([str(side[s])])[0] for s in stems]] for side in (left, right)
            ]
            pools = [CaptionedPool(part, recipe.crop, listen=False) for part in sides]
            if len(pools[0]) != len(pools[1]):
                raise UsageError(
                    "some pairs cannot be read", hint="; ".join((*pools[0].skipped, *pools[1].skipped)[:3])
                )
            self.inputs, self.targets = pools[0].pixels, pools[1].pixels
        else:
            items, kept, self.skipped = read_both(recipe.photos, recipe.val)
            apart = {item.path for item in kept}
            pool = CaptionedPool([*items, *kept], recipe.crop, listen=False)
            self.skipped += pool.skipped
            pools = [pool]
            self.targets = pool.pixels
            pictures = self.targets.permute(0, 2, 3, 1).numpy()
            self.inputs = torch.from_numpy(prepared(pictures, self.source)).permute(0, 3, 1, 2)
        self.paths = names = [item.path for item in pools[-1].items]
        apart = apart or set(held_out(names, recipe.val_fraction)[1])
        self.training = [n for n, name in enumerate(names) if name not in apart]
        held = [n for n, name in enumerate(names) if name in apart]
        self.held = [held[n] for n in spread(len(held), recipe.val_limit)]

    def sample(self, draw: Draw) -> Batch:
        chance = draw.uniform(2, "pair")
        numbers = torch.tensor(self.training)[(chance[:, 0] * len(self.training)).long()]
        batch = {"input": self.inputs[numbers].float() / 255, "target": self.targets[numbers].float() / 255}
        flip = (chance[:, 1] < 0.5)[:, None, None, None]
        return {name: torch.where(flip, t.flip(3), t).to(self.device) for name, t in batch.items()}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        given, target = batch["input"], batch["target"]
        if player == "discriminator":
            judge = networks["discriminator"]
            made, true = (judge(torch.cat((given, p), 1)) for p in (batch["output"], target))
            return {"judge": losses.judge("nonsaturating", made, true) / 2}
        made = networks["net"](given).float()
        batch["output"] = made.detach()
        found = {"pixel": self.options.pixel * (made - target).abs().mean()}
        if self.discriminator is not None:
            logits = networks["discriminator"](torch.cat((given, made), 1))
            found["adversarial"] = self.options.adversarial * losses.fool("nonsaturating", logits)
        return found

    def validate(self, net: nn.Module) -> Validation | None:
        if not self.held:
            return None
        numbers = torch.tensor(self.held)
        given = self.inputs[numbers].float().to(self.device) / 255
        target = self.targets[numbers].float().to(self.device) / 255
        made = torch.cat([net(part) for part in given.split(16)]).float()
        error = float((made - target).abs().mean())
        baseline = None
        if self.source != "edges" and given.shape[1] in (1, target.shape[1]):  # edges are no picture to keep
            kept = float((given - target).abs().mean())
            baseline = Baseline("the input", {"l1": kept}, -kept)
        return Validation(
            {"l1": error},
            -error,
            {k: shown(v) for k, v in zip(("input", "output", "target"), (given, made, target), strict=True)},
            baseline,
        )

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        return {"input": shown(batch["input"]), "target": shown(batch["target"])}

    def identity(self) -> NetIdentity:
        return NetIdentity(self.key, self.config, {"task": "generate"})
