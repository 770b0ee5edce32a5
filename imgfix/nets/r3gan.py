"""A modern generator and its discriminator: residual blocks without any normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.codemixture import CodeMixture
from imgfix.nets.conditions import ConditionEncoder, Conditions

SIMILAR = 96.0
"""By what the product of two conditions is divided: the length of a text's vector."""


class R3Generator(nn.Module):
    """Noise and condition to a code, the code to a coarse picture of half the size, and residual blocks to the picture.

    The coarse picture is a weighted sum of fixed pictures: the principal components of what it was trained on (Turk &
    Pentland 1991), which cost no training at all. Codes are planned by a layer, or remembered with the captions of the
    training set and mixed by nearness, or drawn from Gaussians of each class; drawing means to sharpen what is coarse.
    The blocks are those of R3GAN (Huang et al. 2024, arXiv 2501.05441): no normalisation, fix-up initialisation, plain
    upsampling; with full instead of grouped convolutions, which a processor prefers. The last step is a pixel shuffle:
    nothing is computed at full resolution.

    Shapes: noise (N, noise) and conditions to (N, channels, side, side), about [0, 1]; colours are multiplied by the
    opacity where there is a fourth channel.
    Parameters: 0.4 M that are learned at 64 pixels, without the encoders of the conditions; and what is stored.

    Args:
        side: 16 or more, a multiple of 8.
        codes: numbers of a code.
        widths: channels at a quarter and at half of the size.
        hidden: width of the layer between noise and condition and the code.
        memory: how many conditions and pictures are remembered, and the bytes of their captions where those are kept,
            instead of such a layer.
        mixture: how many clusters of codes a class has, and axes a cluster, instead of such a layer.
    """

    mean: Tensor
    basis: Tensor
    steps: Tensor

    def __init__(
        self,
        side: int = 64,
        channels: int = 4,
        noise: int = 64,
        codes: int = 384,
        widths: Sequence[int] = (96, 48),
        hidden: int = 1024,
        condition: int = 96,
        memory: Sequence[int] | None = None,
        mixture: Sequence[int] | None = None,
        **conditions: Any,
    ) -> None:
        super().__init__()
        if side < 16 or side % 8:
            raise ValueError(f"side {side}: must be 16 or more, a multiple of 8")
        if mixture is not None and not conditions.get("classes"):
            raise ValueError("a mixture of codes needs classes")
        self.side, self.channels, self.noise, self.codes = side, channels, noise, codes
        self.conditions = ConditionEncoder(size=condition, channels=channels, **conditions)
        total, label = self.conditions.total, self.conditions.size
        self.plan: CodeMixture | CodeMemory | CodePlanner
        if mixture is not None:
            self.plan = CodeMixture(noise, total, codes, hidden, len(self.conditions.classes), label, *mixture)
        elif memory is not None:
            self.plan = CodeMemory(noise, total, codes, *memory)
        else:
            self.plan = CodePlanner(noise, total, codes, hidden)
        cells = channels * (side // 2) ** 2
        self.register_buffer("mean", torch.zeros(cells))
        self.register_buffer("basis", torch.zeros(codes, cells))
        self.register_buffer("steps", torch.ones(codes))
        self.first = nn.Conv2d(4 * channels, widths[0], 3, 1, 1)
        self.coarse = nn.ModuleList([_Block(widths[0]), _Block(widths[0])])
        self.narrow = nn.Conv2d(widths[0], widths[1], 1)
        self.again = nn.Conv2d(channels, widths[1], 3, 1, 1)
        self.fine = _Block(widths[1])
        self.last = nn.Conv2d(widths[1], 4 * channels, 3, 1, 1)
        nn.init.normal_(self.last.weight, 0, 0.005)

    @torch.no_grad()
    def settle(self, pictures: Tensor) -> float:
        """Choose the fixed pictures: principal components of these ones; returns the part of the variance they hold.

        To be done once, before training.

        Args:
            pictures: (N, channels, side, side) in [0, 1].
        """
        flat = self._halved(pictures)
        self.mean.copy_(flat.mean(0))
        flat = flat - self.mean
        wanted = min(self.codes, *flat.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, values, axes = torch.svd_lowrank(flat, min(wanted + 16, *flat.shape), niter=2)
        spread = values[:wanted] / len(flat) ** 0.5
        self.basis.zero_()
        self.basis[:wanted].copy_(axes[:, :wanted].T)
        # Between equal steps, in which fine detail is drowned out, and steps as large as the spread, in which noise is.
        self.steps[:wanted].copy_((spread * spread.mean()).sqrt().clamp_min(1e-4))
        return float(values[:wanted].square().sum() / flat.square().sum().clamp_min(1e-12))

    def encode(self, picture: Tensor) -> Tensor:
        """Codes (N, codes) of pictures."""
        lengths = self.basis.square().sum(1).clamp_min(1e-12)  # not 1 where they are stored in bytes
        return (self._halved(picture) - self.mean) @ self.basis.T / (lengths * self.steps)

    def decode(self, code: Tensor, places: Tensor | None = None) -> Tensor:
        """Draw the pictures of codes (N, codes).

        places: (N, side / 2, side / 2, 2), where each pixel of the coarse picture is taken from, x and y in -1 .. 1.
        The shape is then changed before the blocks make it sharp, and not blurred after.
        """
        half = self.side // 2
        coarse = (self.mean + (code * self.steps) @ self.basis).unflatten(1, (self.channels, half, half))
        if places is not None:
            beyond = "zeros" if self.channels == 4 else "border"
            coarse = F.grid_sample(coarse, places, "bicubic", beyond, align_corners=False)
        seen = (coarse * 2 - 1).contiguous(memory_format=torch.channels_last)
        x = self.first(F.pixel_unshuffle(seen, 2))
        for block in self.coarse:
            x = block(x)
        x = F.interpolate(self.narrow(x), scale_factor=2, mode="nearest") + self.again(seen)
        x = self.fine(x)
        enlarged = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        return enlarged + F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2)), 2)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Draw pictures from noise (N, noise) and condition vectors (N, total)."""
        return self.decode(self.plan(torch.cat((noise, condition), 1)))

    def forward(self, noise: Tensor, given: Conditions) -> Tensor:
        return self.draw(noise, self.conditions(given, noise.shape[0]))

    def _halved(self, pictures: Tensor) -> Tensor:
        return F.avg_pool2d(pictures, 2).flatten(1)


class CodePlanner(nn.Module):
    """One wide hidden layer: noise beside conditions (N, noise + conditions) to codes (N, codes)."""

    def __init__(self, noise: int, conditions: int, codes: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(noise + conditions, hidden)
        self.last = nn.Linear(hidden, codes)
        with torch.no_grad():
            self.first.weight.normal_(0, 1 / max(1, conditions) ** 0.5)
            self.first.bias.normal_(0, 0.5)
            self.last.weight.normal_(0, 0.3 / hidden**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.leaky_relu(self.first(x), 0.2))


class CodeMemory(nn.Module):
    """Codes that are remembered with the conditions they belong to, mixed by how near a condition is to each.

    One step of attention over stored pairs (a kernel regression; Nadaraya 1964, and as a network's memory Graves et al.
    2014, arXiv 1410.5401). A known condition gives its own code almost alone; between known ones codes are mixed. The
    noise prefers some of what is about equally near. Everything stored fits into bytes.

    Shapes: noise beside conditions (N, noise + conditions) to codes (N, codes).
    letters: bytes of the captions themselves (UTF-8, one a line, a line a row); 0 where they are not kept.
    """

    keys: Tensor
    values: Tensor
    owners: Tensor
    scales: Tensor
    captions: Tensor | None

    def __init__(self, noise: int, conditions: int, codes: int, rows: int, pictures: int, letters: int = 0) -> None:
        super().__init__()
        self.noise, self.codes = noise, codes
        self.register_buffer("captions", torch.zeros(letters, dtype=torch.uint8) if letters else None)
        self.register_buffer("keys", torch.zeros(rows, conditions, dtype=torch.int8))
        self.register_buffer("values", torch.zeros(pictures, codes, dtype=torch.int8))
        self.register_buffer("owners", torch.zeros(rows, dtype=torch.int32))
        self.register_buffer("scales", torch.ones(2))
        self.sharpness = nn.Parameter(torch.tensor(40.0))
        self.whim = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        noise, conditions = x[:, : self.noise].float(), x[:, self.noise :].float()
        keys = self.keys.float() * self.scales[0]
        values = self.values.float() * self.scales[1]
        near = conditions @ keys.T / SIMILAR
        likings = self.likings(noise)
        shares = (self.sharpness * near + self.whim * likings[:, self.owners.long()]).softmax(1)
        mixed = torch.zeros(len(x), len(values), device=x.device).index_add(1, self.owners.long(), shares)
        return mixed @ values

    def likings(self, noise: Tensor) -> Tensor:
        """How much noise (N, noise) prefers each picture: (N, pictures), of deviation 1 where the noise has that."""
        width = min(self.noise, self.codes)
        return noise[:, :width] @ F.normalize(self.values[:, :width].float(), dim=1).T

    @property
    def texts(self) -> list[str]:
        """The caption of each row; none where captions are not kept."""
        if self.captions is None:
            return []
        return self.captions.cpu().numpy().tobytes().decode("utf-8").split("\n")

    @torch.no_grad()
    def remember(self, conditions: Tensor, owners: Tensor, codes: Tensor, texts: Sequence[str] = ()) -> None:
        """Store pairs of conditions (rows, conditions) and the codes (pictures, codes) of their owners (rows,).

        texts: the captions of the rows, where they are kept.
        """
        for number, (kept, given) in enumerate(((self.keys, conditions), (self.values, codes))):
            step = float((given.abs().amax() / 127).half().clamp_min(1e-6))
            self.scales[number] = step
            kept.copy_((given / step).round().clamp(-127, 127))
        self.owners.copy_(owners)
        if self.captions is not None:
            self.captions.copy_(torch.tensor(list("\n".join(texts).encode("utf-8")), dtype=torch.uint8))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.normal_(self.second.weight, 0, 0.2 / (9 * width) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.2)), 0.2))


class R3Discriminator(nn.Module):
    """Judges whether a picture is true and shows what it should: residual blocks without normalisation.

    Shapes: (N, channels, side, side) and what it should show (N, asked) to logits (N,).
    """

    def __init__(
        self, side: int = 64, channels: int = 4, widths: Sequence[int] = (32, 64, 112, 160), asked: int = 0
    ) -> None:
        super().__init__()
        if side != 4 * 2 ** len(widths):
            raise ValueError(f"side {side} needs {side.bit_length() - 3} widths, not {len(widths)}")
        self.first = nn.Conv2d(channels, widths[0], 4, 2, 1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(_Block(width) for width in widths[1:])
        features = 2 * widths[-1]
        self.gather = nn.Linear(widths[-1] * 16, features)
        self.judge = nn.Linear(features, 1)
        self.asked = (
            nn.Sequential(nn.Linear(asked, features), nn.LeakyReLU(0.2), nn.Linear(features, features))
            if asked
            else None
        )

    def forward(self, picture: Tensor, asked: Tensor | None = None) -> Tensor:
        x = self.first((picture * 2 - 1).contiguous(memory_format=torch.channels_last))
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(down(F.leaky_relu(x, 0.2)))
        features = F.leaky_relu(self.gather(F.leaky_relu(x, 0.2).flatten(1)), 0.2)
        logits = self.judge(features)[:, 0]
        if self.asked is not None and asked is not None:
            logits = logits + (self.asked(asked) * features).sum(1) / features.shape[1] ** 0.5
        return logits
