"""Vectors of words: a small table that travels inside the network, and pieces of words for those it does not know."""

from __future__ import annotations

import difflib
import re
import unicodedata
import zlib

import torch
from torch import Tensor, nn

MOST_WORDS = 16
"""Words of a caption that are looked at."""


class WordTable(nn.Module):
    """Word vectors in bytes, and for unknown words the vectors of their pieces (fastText; Bojanowski et al. 2017,
    arXiv 1607.04606: here fitted so that the pieces of a known word average to that word).

    Nothing in it is trained. Everything is stored as integers, so a file in half precision holds it exactly.

    Args:
        words: how many words it knows.
        letters: length of the word list in bytes (UTF-8, one word a line).
        size: numbers of a vector.
        buckets: vectors for pieces of 3 to 5 letters, found by a hash.
    """

    letters: Tensor
    vectors: Tensor
    pieces: Tensor
    scales: Tensor

    def __init__(self, words: int = 0, letters: int = 0, size: int = 96, buckets: int = 4096) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("letters", torch.zeros(letters, dtype=torch.uint8))
        self.register_buffer("vectors", torch.zeros(words, size, dtype=torch.int8))
        self.register_buffer("pieces", torch.zeros(buckets, size, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(2))
        self._numbers: dict[str, int] | None = None

    @property
    def numbers(self) -> dict[str, int]:
        """Word to its row; read from the letters on first use."""
        if self._numbers is None:
            listed = bytes(self.letters.cpu().tolist()).decode("utf-8").split("\n")
            self._numbers = {word: number for number, word in enumerate(listed) if word}
        return self._numbers

    def config(self) -> dict[str, int]:
        """The arguments that make an empty table of the same shape."""
        return {
            "words": self.vectors.shape[0],
            "letters": self.letters.shape[0],
            "size": self.size,
            "buckets": self.pieces.shape[0],
        }

    def copy_from(self, other: WordTable) -> None:
        """Take over what another table of the same shape holds."""
        self.load_state_dict(other.state_dict())
        self._numbers = None

    def knows(self, word: str) -> bool:
        """Whether the word itself is in the table, or its singular."""
        return any(form in self.numbers for form in forms(word))

    def near(self, word: str) -> str | None:
        """The word of the table that a word of four letters or more was meant to be; None where none is spelled alike.

        The first letter counts as right, and one letter in five may be missing
        or too many. A word of the same letters goes first; of others, four in five letters are right.
        """
        if len(word) < 4:
            return None
        room = max(1, len(word) // 5)
        alike = [known for known in self.numbers if known[0] == word[0] and abs(len(known) - len(word)) <= room]
        swapped = [known for known in alike if sorted(known) == sorted(word)]
        near = difflib.get_close_matches(word, swapped, 1, 0.7) or difflib.get_close_matches(word, alike, 1, 0.8)
        return next(iter(near), None)

    def vector(self, word: str) -> Tensor:
        """Vector of one word, known or not: (size,) float32 on the CPU."""
        for form in forms(word):
            if form in self.numbers:
                return self.vectors[self.numbers[form]].float().cpu() * float(self.scales[0])
        rows = [place % max(1, self.pieces.shape[0]) for place in pieces_of(word)]
        return self.pieces[rows].float().mean(0).cpu() * float(self.scales[1])

    def embed(self, text: str) -> Tensor:
        """Vectors of a text's words: (1 .. MOST_WORDS, size) float32 on the CPU; a row of zeros for no word at all."""
        words = split(text)[:MOST_WORDS]
        if not words:
            return torch.zeros(1, self.size)
        return torch.stack([self.vector(word) for word in words])


def split(text: str) -> list[str]:
    """Cut a text into lower-case words without accents: letters and digits of any script."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("'", ""))
    return re.findall(r"\w+", "".join(c for c in plain if not unicodedata.combining(c)).replace("_", " "))


def pieces_of(word: str) -> list[int]:
    """Hashes of a word's pieces of 3 to 5 letters, its ends marked."""
    marked = f"<{word}>"
    found = [marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)]
    return [zlib.crc32(piece.encode("utf-8")) for piece in found or [marked]]


def forms(word: str) -> list[str]:
    """A word, and what its singular might be."""
    found = [word]
    if len(word) > 3 and word.endswith("s"):
        found.append(word[:-1])
        if word.endswith("es"):
            found.append(word[:-2])
        if word.endswith("ies"):
            found.append(word[:-3] + "y")
    return found
