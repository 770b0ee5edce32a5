"""Which captions of a memory fit a prompt: word by word, rare words counting more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.nets.words import MOST_WORDS, WordTable, forms, split

FUNCTION_WORDS = frozenset((
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "for", "from", "his", "her", "in", "into", "is", "it",
    "its", "my", "near", "of", "on", "onto", "or", "our", "over", "some", "that", "the", "their", "this", "to",
    "very", "was", "which", "who", "with", "your",
))  # fmt: skip
"""Words that say nothing of what is to be seen; they count only where there is no other."""
PREPOSITIONS = frozenset(
    ("at", "behind", "by", "from", "in", "into", "near", "on", "onto", "over", "to", "under", "with")
)
BESIDES = 0.6
"""Weight of the words from the first preposition on: `a sunset over the sea` is a sunset."""
NOTHING = 0.2
"""Part of a prompt below which a caption says nothing of it."""
UNLIKE = 0.4
"""Cosine of word vectors up to which two words have nothing in common."""
SAME = 0.75
"""Likeness from which a word of a prompt counts as drawn by a word of a caption."""


@dataclass(frozen=True)
class Fit:
    """How well each caption fits a prompt. Shapes: (captions,), (captions,), (words of the prompt, captions)."""

    words: tuple[str, ...]
    """Words of the prompt that count."""
    covered: Tensor
    """Part of the prompt that a caption says, 0 to 1."""
    meant: Tensor
    """Part of a caption that the prompt says, 0 to 1."""
    likeness: Tensor
    """Of each word of the prompt to the nearest word of a caption, 0 to 1."""

    def undrawn(self, caption: int) -> tuple[str, ...]:
        """Words of the prompt that a caption does not say."""
        return tuple(word for word, like in zip(self.words, self.likeness[:, caption], strict=True) if like < SAME)


class CaptionIndex:
    """The captions of a memory, ready to be compared with prompts.

    Each word is compared with the nearest word of the other side by its vector, in both directions, weighted by how
    rare it is among the captions (BERTScore, Zhang et al. 2020, arXiv 1904.09675, with vectors of single words). The
    mean of all vectors, by contrast, lets many weak likenesses outweigh the one word that is meant.

    Args:
        table: vectors of words.
        texts: the captions; equal ones count once.
    """

    def __init__(self, table: WordTable, texts: Sequence[str]) -> None:
        self.table = table
        self.texts = list(dict.fromkeys(texts))
        numbers = {text: number for number, text in enumerate(self.texts)}
        self.rows = torch.tensor([numbers[text] for text in texts])
        """(rows,) number of the text of each row."""
        self.words = [tuple(split(text)[:MOST_WORDS]) for text in self.texts]
        vocabulary = list(dict.fromkeys(word for words in self.words for word in words))
        places = {word: place for place, word in enumerate(vocabulary)}
        self._vectors = F.normalize(torch.stack([table.vector(word) for word in vocabulary]), dim=1)
        counts = Counter(word for words in self.words for word in set(words))
        self._rarest = float(torch.tensor(1.0 + len(self.texts)).log())
        weights = [self._weight(word, counts[word]) for word in vocabulary]
        self._known = dict(zip(vocabulary, weights, strict=True))
        longest = max(1, *(len(words) for words in self.words))
        self._places = torch.full((len(self.texts), longest), len(vocabulary))
        for row, words in enumerate(self.words):
            self._places[row, : len(words)] = torch.tensor([places[word] for word in words])
        self._latest: tuple[tuple[str, ...], Fit | None] = (), None
        self._weights = torch.tensor([*weights, 0.0])[self._places]

    def _weight(self, word: str, count: int) -> float:
        if word in FUNCTION_WORDS:
            return 1e-3
        return float(torch.tensor(1.0 + len(self.texts) / count).log()) if count else self._rarest

    def _likeness(self, word: str, unlike: float) -> Tensor:
        """Of a word to each of the vocabulary, 0 to 1; a plural is its singular, though it has its own vector."""
        known = [form for form in forms(word) if form in self._known]
        vectors = F.normalize(torch.stack([self.table.vector(form) for form in dict.fromkeys((word, *known))]), dim=1)
        return ((vectors @ self._vectors.T).amax(0) - unlike).div(1 - unlike).clamp(0, 1)

    def _weight_of(self, word: str) -> float:
        known = (self._known[form] for form in forms(word) if form in self._known)
        return next(known, self._weight(word, 0))

    def fit(self, words: Sequence[str]) -> Fit:
        """Compare the words of a prompt, at least one, with every caption."""
        key, found = self._latest
        if found is None or key != tuple(words):  # the same for all seeds
            found = self._compared(words, UNLIKE)
            if float(found.covered.max()) < NOTHING:  # then what is remotely near is better than anything at all
                found = replace(found, covered=self._compared(words, 0.0).covered / 2)
            self._latest = tuple(words), found
        return found

    def _compared(self, words: Sequence[str], unlike: float) -> Fit:
        likeness = torch.stack([self._likeness(word, unlike) for word in words])
        each = F.pad(likeness, (0, 1))[:, self._places]  # (words, captions, words of a caption)
        nearest = each.amax(2)
        weights = torch.tensor([self._weight_of(word) for word in words])
        place = next((number for number, word in enumerate(words) if word in PREPOSITIONS), len(words))
        weights[place:] *= BESIDES
        covered = weights @ nearest / weights.sum()
        meant = (each.amax(0) * self._weights).sum(1) / self._weights.sum(1).clamp_min(1e-6)
        counted = [number for number, word in enumerate(words) if word not in FUNCTION_WORDS]
        return Fit(tuple(words[number] for number in counted), covered, meant, nearest[counted])
