"""What a memory of captioned pictures draws for a wish: which of them, in which colour and pose, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.words import split
from imgfix.tasks.captions import FUNCTION_WORDS, CaptionIndex, Fit
from imgfix.tasks.recolour import COLOURS, SYNONYMS
from imgfix.tasks.several import NUMBERS

SLACK = 0.04
"""By how much less than the best caption another one may say of the prompt, to be chosen by a seed."""
OF_CLASS = 0.8
"""Part of what the best caption says that one of the class asked for must say; else the class is given up."""
POOR = 0.65
"""Part of a prompt that its caption says, below which the drawing does not fit."""
_MEANT, _COVERED = 5.0, 12.0
"""What it costs a caption to say more than the prompt, and less than the best one, in deviations of the seed's whim."""
_DIRECTED = frozenset(("left", "right", "up", "down", "clock", "oclock", "clockwise", "anticlockwise", "thirty"))
"""Words of captions whose pictures mean something else when mirrored or turned."""
_TURN, _SHRINK, _STRETCH, _BEND = 0.11, 0.06, 0.05, 0.045
"""Deviations of the pose: radians, parts of the size, of either axis, and of half the side."""


@dataclass(frozen=True)
class Drawing:
    """One picture of the memory, and how it is drawn."""

    code: Tensor
    """(1, codes)."""
    places: Tensor | None = None
    """Where each pixel of the coarse picture is taken from; see `R3Generator.decode`."""
    caption: str | None = None
    """Of the picture that was chosen."""
    undrawn: tuple[str, ...] = ()
    """Words of the prompt that this caption does not say."""
    covered: float = 1.0
    """Part of the prompt that it says."""
    colour: str | None = None
    """What it has to be recoloured to; None where the caption says the colour, or none was asked for."""
    count: int = 1
    """How many of it are put together; 1 where the caption says the number, or none was asked for."""
    other_class: bool = False
    """Whether the class that was asked for has no such picture."""

    @property
    def fits(self) -> bool:
        """Whether the caption says enough of the prompt."""
        return self.covered >= POOR


@dataclass(frozen=True)
class _PromptWords:
    """Words of a prompt, sorted."""

    things: tuple[str, ...]
    colour: str | None
    number: str | None


class CaptionedMemory:
    """The memory of a generator that keeps its captions.

    Args:
        net: an `R3Generator` with a `CodeMemory` that has texts, on any device.
    """

    def __init__(self, net: Any) -> None:
        self.net, self.memory = net, net.plan
        self.index = CaptionIndex(net.conditions.words, self.memory.texts)
        self.owners = self.memory.owners.long().cpu()
        self._colours = self._that_say({*COLOURS, *SYNONYMS})
        self._numbers = self._that_say(set(NUMBERS))

    @cached_property
    def classes(self) -> Tensor:
        """(rows,) number of the class of each row; zeros where there is none."""
        encoder = self.net.conditions
        if encoder.manner is None:
            return torch.zeros(len(self.owners), dtype=torch.long)
        keys = self.memory.keys[:, encoder.size :].float()
        return torch.cdist(keys * self.memory.scales[0], encoder.manner.weight[:-1].float()).argmin(1).cpu()

    def _that_say(self, words: set[str]) -> list[frozenset[str]]:
        return [frozenset(words.intersection(said)) for said in self.index.words]

    def choose(self, prompt: str | None, sound: Tensor | None, number: int, noise: Tensor) -> Drawing:
        """Choose a picture.

        Args:
            prompt: words, spelled as the table knows them.
            sound: (1, size) vector of what is heard.
            number: of the class asked for; -1 for none.
            noise: (1, noise) prefers some of what fits about as well, and poses it.
        """
        fit, wanted = None, _PromptWords((), None, None)
        score = torch.zeros(len(self.index.texts))
        if prompt is not None:
            wanted = _sorted_words(split(prompt))
            fit = self.index.fit(wanted.things)
            score = fit.covered
        if sound is not None:
            heard = self._heard(sound)
            score = heard if prompt is None else (score + heard) / 2
        right_class = self.classes == number if number >= 0 else torch.ones(len(self.owners), dtype=torch.bool)
        other_class = not bool((right_class & (score[self.index.rows] >= OF_CLASS * score.max())).any())
        rows = torch.ones_like(right_class) if other_class else right_class
        allowed = self._allowed(score, rows, wanted)
        best = torch.where(allowed, score, -1).max()
        cost = _COVERED * (best - score)
        if fit is not None:
            cost = cost + _MEANT * (1 - fit.meant)
        whim = self.memory.likings(noise)[0].cpu()[self.owners]
        liked = torch.where(rows & allowed[self.index.rows], whim - cost[self.index.rows], float("-inf"))
        row = int(liked.argmax())
        return self._drawing(row, int(self.index.rows[row]), fit, wanted, noise, other_class)

    def _heard(self, sound: Tensor) -> Tensor:
        """How near each caption is to what is heard: (captions,), the cosine."""
        size = self.net.conditions.size
        keys = self.memory.keys[:, :size].float()
        near = (F.normalize(sound.float(), dim=1) @ F.normalize(keys, dim=1).T)[0].cpu()
        return torch.full((len(self.index.texts),), -1.0).scatter_reduce(0, self.index.rows, near, "amax")

    def _allowed(self, score: Tensor, rows: Tensor, wanted: _PromptWords) -> Tensor:
        """Captions that say as much as the best one, of these the ones of colour and number: (captions,) bool.

        Where no colour or number is asked for, the ones without.
        """
        there = torch.zeros(len(score), dtype=torch.bool)
        there[self.index.rows[rows]] = True
        allowed = there & (score >= torch.where(there, score, -1).max() - SLACK)
        for word, said in ((wanted.number, self._numbers), (wanted.colour, self._colours)):
            exactly = allowed & torch.tensor([word is not None and word in words for words in said])
            neither = allowed & torch.tensor([not words for words in said])
            allowed = next((kept for kept in (exactly, neither) if bool(kept.any())), allowed)
        return allowed

    def _drawing(
        self, row: int, caption: int, fit: Fit | None, wanted: _PromptWords, noise: Tensor, other_class: bool
    ) -> Drawing:
        said = {SYNONYMS.get(word, word) for word in self.index.words[caption]}
        values = self.memory.values[self.owners[row]].float() * self.memory.scales[1]
        return Drawing(
            values[None],
            self.pose(noise, caption=self.index.texts[caption]),
            self.index.texts[caption],
            fit.undrawn(caption) if fit is not None else (),
            float(fit.covered[caption]) if fit is not None else 1.0,
            wanted.colour if wanted.colour not in said else None,
            NUMBERS[wanted.number] if wanted.number is not None and wanted.number not in said else 1,
            other_class,
        )

    def pose(self, noise: Tensor, caption: str = "") -> Tensor | None:
        """Turn, mirror, stretch and bend a drawing as the noise says; None where that would change what it means.

        Returns:
            (1, side / 2, side / 2, 2), see `R3Generator.decode`.
        """
        if _DIRECTED.intersection(split(caption)):
            return None
        chance = F.pad(noise[0, -32:].float(), (0, max(0, 32 - noise.shape[1])))
        half = self.net.side // 2
        turn = (_TURN * chance[0]).clamp(-0.25, 0.25)
        size = 1 + (_SHRINK * chance[1].abs()).clamp(max=0.16) + 0.5 * turn.abs()  # turned corners stay inside
        wide, high = (_STRETCH * chance[2:4]).clamp(-0.12, 0.12)
        sign = -1.0 if float(chance[4]) < 0 else 1.0
        cosine, sine = turn.cos() * size, turn.sin() * size
        rows = [sign * cosine * (1 + wide), -sine * (1 + wide), sine * (1 + high) * sign, cosine * (1 + high)]
        matrix = torch.stack([rows[0], rows[1], turn * 0, rows[2], rows[3], turn * 0]).view(1, 2, 3)
        places = F.affine_grid(matrix, [1, 1, half, half], align_corners=False)
        bends = (_BEND * chance[5:23].view(1, 2, 3, 3)).clamp(-0.12, 0.12)
        return places + F.interpolate(bends, size=(half, half), mode="bicubic").permute(0, 2, 3, 1)


def _sorted_words(words: list[str]) -> _PromptWords:
    """A colour and a number, where another word says of what."""
    colour = next((word for word in words if SYNONYMS.get(word, word) in COLOURS), None)
    number = next((word for word in words if word in NUMBERS), None)
    things = list(words)
    for word in (colour, number):
        if word is not None and any(other not in FUNCTION_WORDS and other != word for other in things):
            things.remove(word)
    colour = colour if colour not in things else None
    number = number if number not in things else None
    return _PromptWords(tuple(things), SYNONYMS.get(colour, colour) if colour else None, number)
