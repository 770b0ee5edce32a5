"""What a generator is asked for: any of a text, a sound, a picture and a class, as one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.words import WordTable

Conditions = Mapping[str, Tensor]
"""A batch of conditions, each key optional; a row that lacks one has a 0 in the key that says so.

    words    (N, T, size) word vectors;    word_mask  (N, T) bool, which of them are there (none: no text)
    sound    (N, 1, bands, frames);        has_sound  (N,) bool
    image    (N, C, S, S) in [0, 1];       has_image  (N,) bool
    class    (N,) number of the class, -1 for none
"""


class ConditionEncoder(nn.Module):
    """Brings all conditions into one space, where they can stand in for one another and be mixed.

    Text, sound and picture say what to draw: their vectors are averaged, a learned one stands in where there is none.
    The class says in which style (or, without the others, what); its vector stands beside that.

    Args:
        words: arguments of the word table; `None` for a network without text.
        classes: names of the classes.
        sound, image: whether it has an audio and an image encoder.
        size: numbers of each of the two vectors; where there is a word table, those of its vectors instead.
        channels: of the pictures it looks at.
    """

    def __init__(
        self,
        *,
        words: Mapping[str, int] | None = None,
        classes: Sequence[str] = (),
        sound: bool = False,
        image: bool = False,
        size: int = 256,
        channels: int = 4,
    ) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.words = WordTable(**words) if words is not None else None
        self.size = size = self.words.size if self.words is not None else size
        self.text = TextEncoder(size) if self.words is not None else None
        self.sound = PatternEncoder(1, size) if sound else None
        self.image = PatternEncoder(channels, size) if image else None
        says = any(encoder is not None for encoder in (self.text, self.sound, self.image))
        # Without them there must be no stand-in either: a vector that is the same for all pictures is learned faster
        # than anything else, and a generator with batch norm then draws one picture, whatever the noise.
        self.nothing = nn.Parameter(torch.zeros(size if says else 0))
        # The embedding of the style; `manner` is its name in weights files. Its last row: no class given.
        self.manner = nn.Embedding(len(classes) + 1, size) if classes else None
        if self.manner is not None:
            nn.init.normal_(self.manner.weight, 0, 0.5)

    @property
    def total(self) -> int:
        """Numbers of the condition vector."""
        return len(self.nothing) + (self.size if self.manner is not None else 0)

    def content(self, given: Conditions, rows: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Average what text, sound and picture say.

        Returns:
            (N, size), or (N, 0) where only classes can be given, and the single vectors by their names.
        """
        parts: dict[str, Tensor] = {}
        weight = self.nothing.new_zeros(rows, 1)
        total = self.nothing.new_zeros(rows, len(self.nothing))
        for name, encoder, present in (
            ("words", self.text, "word_mask"),
            ("sound", self.sound, "has_sound"),
            ("image", self.image, "has_image"),
        ):
            if encoder is None or name not in given:
                continue
            found = given[present]
            here = (found.any(1) if found.ndim > 1 else found)[:, None].float()
            rows_with = here[:, 0].nonzero()[:, 0]
            if not len(rows_with):
                continue
            if name == "words":
                longest = int(found.any(0).nonzero().max()) + 1
                vectors = self.text(given[name][:, :longest], found[:, :longest])  # type: ignore[misc]
            else:  # convolutions are dear, and few have a sound
                vectors = total.new_zeros(rows, self.size).index_copy(
                    0, rows_with, encoder(given[name][rows_with]).float()
                )
            parts[name] = vectors
            total = total + here * parts[name]
            weight = weight + here
        return torch.where(weight > 0, total / weight.clamp_min(1), self.nothing.expand_as(total)), parts

    def join(self, content: Tensor, given: Conditions) -> Tensor:
        """Put the vector of the class beside the content, brought to one length so that neither outweighs the other."""
        if len(self.nothing):
            content = F.layer_norm(content, (self.size,))
        if self.manner is None:
            return content
        which = given.get("class")
        if which is None:
            which = torch.full((content.shape[0],), -1, device=content.device)
        which = torch.where(which < 0, len(self.classes), which)
        return torch.cat((content, self.manner(which)), 1)

    def forward(self, given: Conditions, rows: int) -> Tensor:
        """Encode a batch of conditions to (N, total)."""
        return self.join(self.content(given, rows)[0], given)

    def config(self) -> dict[str, Any]:
        """The arguments that make the same encoder again."""
        return {
            "words": self.words.config() if self.words is not None else None,
            "classes": list(self.classes),
            "sound": self.sound is not None,
            "image": self.image is not None,
        }


class TextEncoder(nn.Module):
    """Word vectors to one vector: their mean, to which a network adds what it learned of the words.

    Nothing is added at first. Shapes: (N, T, size) and a mask (N, T) to (N, size), of deviation 1 at first.
    """

    def __init__(self, size: int, hidden: int = 192, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.first = nn.Linear(size, hidden)
        self.attention = nn.Linear(hidden, heads)
        self.out = nn.Linear(hidden, size)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        mean = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        hidden = F.leaky_relu(self.first(words), 0.2)
        scores = self.attention(hidden).masked_fill(~mask[..., None], -1e4)
        shares = scores.softmax(1) * mask[..., None]
        chosen = (shares[..., None] * hidden.unflatten(2, (self.heads, -1))).sum(1).flatten(1)
        return F.layer_norm(mean, mean.shape[1:]) + self.out(chosen)


class PatternEncoder(nn.Module):
    """A spectrogram or a small picture to one vector: strided convolutions, then mean and maximum over the place.

    Shapes: (N, inputs, H, W), sides of at least 16, to (N, size).
    """

    def __init__(self, inputs: int, size: int, widths: Sequence[int] = (24, 48, 96, 128)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise((inputs, *widths)))
        self.out = nn.Linear(2 * widths[-1], size)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.out(torch.cat((x.mean((2, 3)), x.amax((2, 3))), 1))


def steer(noise: Tensor, sector: Tensor, sectors: int) -> Tensor:
    """Turn noise so that the largest of its first `sectors` numbers stands at `sector`; its distribution stays.

    Where a caption has several pictures, training gives each a sector: the seed then decides which of them is drawn,
    instead of their mean. (The idea of implicit maximum likelihood, Li & Malik 2018, arXiv 1809.09087, with the
    assignment fixed instead of searched for.)

    Args:
        noise: (N, numbers).
        sector: (N,) in 0 .. sectors - 1.
        sectors: how many there are, at most as many as numbers.
    """
    first = noise[:, :sectors]
    largest = first.argmax(1, keepdim=True)
    wanted = sector[:, None]
    turned = noise.clone()
    turned.scatter_(1, largest, first.gather(1, wanted))
    turned.scatter_(1, wanted, first.gather(1, largest))
    return turned
