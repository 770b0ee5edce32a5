"""MobileSAM: from points, boxes and a rough mask to the mask of the thing that they mean."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.tinyvit import ChannelNorm, TinyViT

NOT, POINT, CORNER, OPPOSITE, NOTHING = 0, 1, 2, 3, -1
"""What a place means: not part of it, part of it, a box's left top and right bottom corner, nothing."""


class MobileSAM(nn.Module):
    """Segment Anything with a small encoder: `embed` once for a picture, then `decode` for every prompt.

    SAM: Kirillov et al. 2023, arXiv 2304.02643; MobileSAM: Zhang et al. 2023, arXiv 2306.14289. Licence of the
    published weights: Apache-2.0. Parameters: 9.8 M, of which `decode` uses 4.1 M. The picture's longer side has 1024
    pixels, the rest of the square is zero after normalisation; see `prepare`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, side: int = 1024, channels: int = 256, heads: int = 8, hidden: int = 2048) -> None:
        super().__init__()
        self.side = side
        self.encoder = TinyViT(channels=channels)
        self.prompt = PromptEncoder(side, channels)
        self.decoder = MaskDecoder(channels, heads, hidden)
        self.register_buffer(
            "mean", torch.tensor([123.675, 116.28, 103.53]).reshape(1, 3, 1, 1) / 255, persistent=False
        )
        self.register_buffer(
            "deviation", torch.tensor([58.395, 57.12, 57.375]).reshape(1, 3, 1, 1) / 255, persistent=False
        )

    def prepare(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) in [0, 1], longer side `side`, to (N, 3, side, side): normalised, then filled up with zeros."""
        x = (x - self.mean) / self.deviation
        return F.pad(x, (0, self.side - x.shape[3], 0, self.side - x.shape[2]))

    def embed(self, x: Tensor) -> Tensor:
        """What the decoder has to know of a picture: `prepare`'s input to (N, 256, side / 16, side / 16)."""
        return self.encoder(self.prepare(x))

    def decode(
        self, embedding: Tensor, places: Tensor, meanings: Tensor, rough: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Four masks for each prompt, and how well each is believed to fit.

        embedding: (1, 256, s, s) of one picture. places: (B, n, 2) x and y in pixels of the square. meanings: (B, n),
        each one of NOT, POINT, CORNER, OPPOSITE, NOTHING. rough: (B, 1, 4s, 4s) logits of an earlier mask.
        Returns logits (B, 4, 4s, 4s), above zero = inside, and the expected intersection over union (B, 4). The first
        of the four is for prompts that leave no doubt, the others are part, thing and whole of an ambiguous point.
        """
        tokens = self.prompt.tokens(places, meanings)
        dense = self.prompt.dense(rough)
        return self.decoder(embedding + dense, self.prompt.grid(embedding.shape[-1]), tokens)

    def forward(self, x: Tensor, places: Tensor, meanings: Tensor) -> tuple[Tensor, Tensor]:
        return self.decode(self.embed(x), places, meanings)


class PromptEncoder(nn.Module):
    """Places and rough masks as vectors; places by random Fourier features (Tancik et al. 2020, arXiv 2006.10739)."""

    frequencies: Tensor

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        self.side = side
        self.register_buffer("frequencies", torch.randn(2, channels // 2))
        self.meanings = nn.Parameter(torch.zeros(4, channels))
        self.nothing = nn.Parameter(torch.zeros(channels))
        self.no_mask = nn.Parameter(torch.zeros(channels))
        self.mask = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2), ChannelNorm(4), nn.GELU(),
            nn.Conv2d(4, 16, 2, 2), ChannelNorm(16), nn.GELU(),
            nn.Conv2d(16, channels, 1),
        )  # fmt: skip

    def tokens(self, places: Tensor, meanings: Tensor) -> Tensor:
        """(B, n, 2) pixels and (B, n) meanings to (B, n, C)."""
        where = self._features((places + 0.5) / self.side)
        what = self.meanings[meanings.clamp(min=0)]
        return torch.where((meanings == NOTHING)[..., None], self.nothing.expand_as(what), where + what)

    def dense(self, rough: Tensor | None) -> Tensor:
        """(B, 1, 4s, 4s) logits of an earlier mask to (B, C, s, s); without one a vector for every place."""
        return self.no_mask.reshape(1, -1, 1, 1) if rough is None else self.mask(rough)

    def grid(self, cells: int) -> Tensor:
        """The places of an embedding's own cells: (1, cells * cells, C)."""
        centre = (torch.arange(cells, device=self.frequencies.device, dtype=self.frequencies.dtype) + 0.5) / cells
        y, x = torch.meshgrid(centre, centre, indexing="ij")
        return self._features(torch.stack([x, y], dim=-1)).reshape(1, cells * cells, -1)

    def _features(self, unit: Tensor) -> Tensor:
        """Places in [0, 1], (..., 2), to (..., C)."""
        angle = 2 * math.pi * ((2 * unit - 1) @ self.frequencies)
        return torch.cat([angle.sin(), angle.cos()], dim=-1)


class MaskDecoder(nn.Module):
    """Two blocks in which the prompt's tokens and the picture look at each other, then a mask from each mask token."""

    def __init__(self, channels: int, heads: int, hidden: int, masks: int = 4) -> None:
        super().__init__()
        self.masks = masks
        self.quality_token = nn.Parameter(torch.zeros(1, channels))
        self.mask_tokens = nn.Parameter(torch.zeros(masks, channels))
        self.blocks = nn.ModuleList([TwoWayBlock(channels, heads, hidden, first=index == 0) for index in range(2)])
        self.final = Attention(channels, heads, channels // 2)
        self.final_norm = nn.LayerNorm(channels)
        # Transposed convolutions of kernel and stride 2, as what they are for each cell on its own: a linear layer.
        self.upscale1 = nn.Linear(channels, 4 * (channels // 4))
        self.upscale_norm = nn.LayerNorm(channels // 4, eps=1e-6)
        self.upscale2 = nn.Linear(channels // 4, 4 * (channels // 8))
        self.filters = nn.ModuleList([_perceptron(channels, channels // 8) for _ in range(masks)])
        self.quality = _perceptron(channels, masks)

    def forward(self, image: Tensor, grid: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """image (1 or B, C, s, s), grid (1, s * s, C), prompt (B, n, C) -> (B, masks, 4s, 4s), (B, masks)."""
        count, cells = prompt.shape[0], image.shape[-1]
        own = torch.cat([self.quality_token, self.mask_tokens]).expand(count, -1, -1)
        places = torch.cat([own, prompt], dim=1)
        tokens, pixels = places, image.flatten(2).transpose(1, 2).contiguous().expand(count, -1, -1)
        for block in self.blocks:
            tokens, pixels = block(tokens, pixels, places, grid)
        tokens = self.final_norm(tokens + self.final(tokens + places, pixels + grid, pixels))
        fine = F.gelu(self.upscale_norm(self.upscale1(pixels).unflatten(2, (4, -1))))
        fine = F.gelu(self.upscale2(fine).unflatten(3, (4, -1)))  # (B, cells², 2 x 2, 2 x 2, C / 8)
        filters = torch.stack([make(tokens[:, 1 + index]) for index, make in enumerate(self.filters)], dim=1)
        values = filters @ fine.flatten(1, 3).transpose(1, 2)
        parts = values.reshape(count, self.masks, cells, cells, 2, 2, 2, 2).permute(0, 1, 2, 4, 6, 3, 5, 7)
        return parts.reshape(count, self.masks, 4 * cells, 4 * cells), self.quality(tokens[:, 0])


class TwoWayBlock(nn.Module):
    """Tokens among themselves, tokens at the picture, a perceptron, the picture at the tokens."""

    def __init__(self, channels: int, heads: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.own = Attention(channels, heads, channels)
        self.look = Attention(channels, heads, channels // 2)
        self.answer = Attention(channels, heads, channels // 2)
        self.perceptron = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(4)])

    def forward(self, tokens: Tensor, pixels: Tensor, places: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:  # the tokens are still nothing but their places
            tokens = self.own(tokens, tokens, tokens)
        else:
            tokens = tokens + self.own(tokens + places, tokens + places, tokens)
        tokens = self.norms[0](tokens)
        tokens = self.norms[1](tokens + self.look(tokens + places, pixels + grid, pixels))
        tokens = self.norms[2](tokens + self.perceptron(tokens))
        pixels = self.norms[3](pixels + self.answer(pixels + grid, tokens + places, tokens))
        return tokens, pixels


class Attention(nn.Module):
    """Multi-head attention at a width of its own: (B, n, C) queries, (B, m, C) keys and values to (B, n, C)."""

    def __init__(self, channels: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, width)
        self.key = nn.Linear(channels, width)
        self.value = nn.Linear(channels, width)
        self.out = nn.Linear(width, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = F.scaled_dot_product_attention(
            self._split(self.query(query)), self._split(self.key(key)), self._split(self.value(value))
        )
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _perceptron(channels: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, outputs)
    )
