"""A training small enough for tests: pictures of a folder, twice enlarged by a network of a few hundred parameters."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from imgfix.errors import InputError
from imgfix.train.job import Batch, Draw, NetIdentity, Validation
from imgfix.train.recipe import Recipe
from imgfix.train.split import held_out
from imgfix.train.start import starting_net

CONFIG = {"features": 8, "convs": 2, "scale": 2}
DEFAULTS = {"steps": 20, "batch": 4, "crop": 16, "warmup": 2, "validate_every": 10, "log_every": 1}
HALT = int(os.environ.get("IMGFIX_TEST_HALT", "-1"))
"""Step at which it waits to be killed."""
NET_DEFAULTS = {"rrdbnet": {"lr": 1e-4}}


@dataclass(frozen=True)
class Options:
    """Settings of the tiny job."""

    adversarial: float = 0.0
    """Weight of a discriminator's opinion; 0 trains without one."""
    noise: float = 0.02
    """Noise on the input, drawn on the device."""
    dropout: float = 0.0
    """Part of the input that is dropped, by torch's global generator."""
    poison: tuple[int, ...] = ()
    """Steps whose target is not a number."""


class TinyJob:
    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.options, self.device = recipe, recipe.options, device
        files = [f for folder in recipe.photos for f in sorted(Path(folder).rglob("*.png"))]
        if not files:
            raise InputError(f"{', '.join(recipe.photos)}: no pictures")
        training, held = held_out(files, recipe.val_fraction)
        self.pictures = [_read(file) for file in training]
        self.held = [_read(file) for file in held]
        self.start = starting_net(recipe, task="upscale", key="srvgg", config=CONFIG, check={"scale": 2})
        self.net = self.start.net.to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed + 1)
            self.discriminator = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3)).to(
                device
            )

    def networks(self) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {"net": self.net}
        if self.options.adversarial:
            found["discriminator"] = self.discriminator
        return found

    def players(self, step: int) -> tuple[str, ...]:
        return ("net", "discriminator") if self.options.adversarial and step >= 2 else ("net",)

    def sample(self, draw: Draw) -> Batch:
        if draw.step == HALT:
            time.sleep(600)
        crops = []
        for which, down, right in draw.uniform(3).tolist():
            picture = self.pictures[int(which * len(self.pictures))]
            side = self.recipe.crop
            top, left = (int(p * (s - side + 1)) for p, s in zip((down, right), picture.shape[1:], strict=True))
            crops.append(picture[:, top : top + side, left : left + side])
        target = torch.stack(crops).to(self.device)
        small = functional.avg_pool2d(target, 2)
        if self.options.noise:
            small = small + self.options.noise * torch.randn(small.shape, generator=draw.generator, device=self.device)
        if draw.step in self.options.poison:
            target = target * math.nan
        return {"input": small, "target": target}

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        if player == "discriminator":
            real, fake = networks[player](batch["target"]), networks[player](batch["output"])
            return {"hinge": functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()}
        output = networks["net"](functional.dropout(batch["input"], self.options.dropout))
        batch["output"] = output.detach()
        terms = {"l1": (output - batch["target"]).abs().mean()}
        if self.options.adversarial and step >= 2:
            terms["adversarial"] = -self.options.adversarial * networks["discriminator"](output).mean()
        return terms

    def validate(self, net: nn.Module) -> Validation | None:
        if not self.held:
            return None
        target = torch.stack([picture[:, :32, :32] for picture in self.held]).to(self.device)
        small = functional.avg_pool2d(target, 2)
        output = net(small)
        psnr = -10 * math.log10(float((output - target).square().mean()) + 1e-12)
        return Validation({"psnr": psnr}, psnr, {"input": small, "output": output, "target": target})

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        return {"input": batch["input"], "target": batch["target"]}

    def identity(self) -> NetIdentity:
        return NetIdentity(self.start.key, self.start.config, {"task": "upscale", "name": "tiny"})

    def exported(self, net: nn.Module) -> dict[str, Tensor]:
        return dict(net.state_dict())

    def facts(self) -> list[str]:
        return [f"{len(self.pictures)} pictures to train on, {len(self.held)} held out"]


def build(recipe: Recipe, device: torch.device) -> TinyJob:
    return TinyJob(recipe, device)


def _read(file: Path) -> Tensor:
    with Image.open(file) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float() / 255
