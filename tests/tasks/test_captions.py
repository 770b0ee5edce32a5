"""Captions that fit a prompt."""

from __future__ import annotations

import pytest
import torch

from imgfix.nets.words import WordTable
from imgfix.tasks.captions import CaptionIndex

WORDS = ("cat", "fish", "food", "over", "red", "sea", "sunset")


@pytest.fixture
def table() -> WordTable:
    """Words without any likeness, except that `sea` is somewhat like `fish`."""
    letters = "\n".join(WORDS).encode()
    made = WordTable(len(WORDS), len(letters), 16, 32)
    made.letters.copy_(torch.tensor(list(letters), dtype=torch.uint8))
    made.vectors.copy_(127 * torch.eye(len(WORDS), 16, dtype=torch.int8))
    made.vectors[WORDS.index("sea"), WORDS.index("fish")] = 90
    return made


def test_a_caption_with_the_same_words_fits_wholly_whatever_their_order(table: WordTable) -> None:
    index = CaptionIndex(table, ["cat food", "cat", "red fish"])
    fit = index.fit(["food", "cat"])
    assert int(fit.covered.argmax()) == 0
    assert float(fit.covered[0]) == pytest.approx(1) and float(fit.meant[0]) == pytest.approx(1)
    assert fit.undrawn(0) == () and fit.undrawn(1) == ("food",)


def test_words_that_a_caption_adds_and_words_that_it_lacks_are_told_apart(table: WordTable) -> None:
    fit = CaptionIndex(table, ["cat food", "cat"]).fit(["cat"])
    assert fit.covered.tolist() == pytest.approx([1, 1])
    assert float(fit.meant[0]) < 0.7 < float(fit.meant[1])


def test_a_rare_word_outweighs_a_common_one_and_function_words_do_not_count(table: WordTable) -> None:
    index = CaptionIndex(table, ["sunset", "sea", "sea cat", "sea fish", "sea food"])
    fit = index.fit(["a", "sunset", "over", "the", "sea"])
    assert fit.words == ("sunset", "sea")
    assert float(fit.covered[0]) > float(fit.covered[1])
    assert fit.undrawn(0) == ("sea",)


def test_equal_captions_count_once_and_keep_their_rows(table: WordTable) -> None:
    index = CaptionIndex(table, ["cat", "fish", "cat", ""])
    assert index.texts == ["cat", "fish", ""] and index.rows.tolist() == [0, 1, 0, 2]
    assert index.fit(["cats"]).covered.tolist() == pytest.approx([1, 0, 0])
