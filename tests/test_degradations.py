"""One table of degradations: its words are those of the catalog, of restoring and of training."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
import torch

from imgfix.degradations import (
    ANY,
    BY_NAME,
    EXPECTED,
    TABLE,
    TRAINED,
    UNDONE,
    Degradation,
    level_of_quality,
    share_of_quality,
)
from imgfix.errors import UsageError
from imgfix.tasks.benchmark import find_degradation
from imgfix.tasks.restore import RestoreOptions
from imgfix.train.jobs import upscale, video
from imgfix.zoo import catalog


def test_every_word_of_the_catalog_is_a_row() -> None:
    for entry in catalog.entries():
        assert set(entry.expects) <= set(EXPECTED), entry.name
        assert set(entry.jobs) <= BY_NAME.keys(), entry.name


def test_every_option_of_a_row_is_one_of_restoring_and_none_is_left_out() -> None:
    options = {row.option for row in TABLE if row.option}
    assert options == {field.name for field in fields(RestoreOptions)} - {"strength", "tile"}
    assert len(UNDONE) == len(options)


@pytest.mark.parametrize("row", [row for row in TABLE if row.option and not row.level], ids=lambda row: row.name)
def test_restoring_what_a_model_is_for_asks_for_its_row(row: Degradation) -> None:
    filled = RestoreOptions().filled([row.name])
    assert filled.degradations(None) == [row.name]


def test_without_a_word_noise_and_jpeg_are_looked_for() -> None:
    filled = RestoreOptions().filled()
    assert (filled.denoise, filled.jpeg, any(filled.flags.values())) == ("auto", "auto", False)


@pytest.mark.parametrize("options", [upscale.Options, video.Options])
def test_what_a_training_can_do_to_its_pictures_is_said_in_words_of_the_table(options: type) -> None:
    for name in get_args(get_type_hints(options)["degradation"]):
        assert set(TRAINED[name]) <= set(EXPECTED)


@pytest.mark.parametrize("row", [row for row in TABLE if row.apply], ids=lambda row: row.name)
def test_what_a_benchmark_applies_is_there_and_repeats(row: Degradation) -> None:
    module, _, function = row.apply.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    picture = torch.rand(1, 3, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    damage = find_degradation(row.name + ("20" if row.level else ""), "restore")
    first, again, other = (damage.apply(picture, 1, number) for number in (3, 3, 4))
    assert first.shape == picture.shape and torch.equal(first, again)
    assert torch.equal(first, other) == (row.name != "noise")
    assert torch.equal(first, picture) == (row.name == "bicubic")


@pytest.mark.parametrize("name", ["noise", "bicubic4", "rain", "rain3", "fog", "noise2.5", ""])
def test_a_degradation_that_no_benchmark_applies_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_degradation(name, "restore")
    assert caught.value.hint == "known: jpegQUALITY, noiseSIGMA, bicubic"


def test_levels_and_shares_fall_with_the_quality() -> None:
    assert [level_of_quality(quality) for quality in (1, 5, 10, 15, 95, 100)] == [30, 30, 24, 20, 1.75, 0]
    assert [share_of_quality(quality) for quality in (1, 5, 45, 90)] == [0.8, 0.8, 0, 0]


def test_a_restorer_that_does_not_say_is_not_asked_for_colours() -> None:
    assert set(UNDONE) - set(ANY) == {"color", "faces"}
