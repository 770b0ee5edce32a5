"""What a memory of captioned pictures draws for a wish."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from imgfix import zoo
from imgfix.media import image
from imgfix.pipelines.generate import GeneratePipeline
from imgfix.pipelines.models import Listener
from imgfix.pipelines.options import GenerateRequest, Saving
from imgfix.tasks.generate import GenerationRequest, Generator
from imgfix.tasks.remembered import Drawing


@pytest.fixture(scope="module")
def stickers() -> Generator:
    return Generator(zoo.load("generate-stickers"), "cpu")


def drawing(generator: Generator, prompt: str, seed: int = 0, label: str | None = None) -> Drawing:
    found = generator.drawing(GenerationRequest(prompt, label=label), seed)
    assert found is not None
    return found


def test_eight_seeds_of_a_prompt_differ_in_more_than_noise(stickers: Generator) -> None:
    drawn = [stickers.draw(GenerationRequest("a sunset over the sea"), seed).astype(float) for seed in range(8)]
    apart = [np.sqrt(((a - b) ** 2).mean()) for i, a in enumerate(drawn) for b in drawn[:i]]
    assert min(apart) > 10 and np.mean(apart) > 40


def test_seeds_choose_among_pictures_that_fit_and_none_else(stickers: Generator) -> None:
    found = [drawing(stickers, "a dog", seed) for seed in range(8)]
    assert {each.caption for each in found} <= {"dog", "dog face"}
    assert len({tuple(each.code[0].tolist()) for each in found}) >= 3


def test_no_colour_and_no_number_comes_unasked(stickers: Generator) -> None:
    assert {drawing(stickers, "a frog face", seed).caption for seed in range(8)} == {"frog face"}


def test_without_noise_there_is_one_picture_and_it_stands_straight(stickers: Generator) -> None:
    wish = GenerationRequest("cat")
    assert np.array_equal(stickers.draw(wish, 1, 0.0), stickers.draw(wish, 2, 0.0))
    chosen = stickers.drawing(wish, 1, 0.0)
    assert chosen is not None and chosen.places is not None
    half = stickers.side // 2
    straight = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, half, half], align_corners=False)
    assert torch.allclose(chosen.places, straight, atol=1e-5)


@pytest.mark.parametrize(
    ("prompt", "caption", "colour", "count"),
    [
        ("a black cat", "black cat", None, 1),
        ("a brown fish", "fish", "brown", 1),
        ("three apples", "apple", None, 3),
        ("two hearts", "two hearts", None, 1),
        ("five purple cats", "cat", "purple", 5),
        ("an orange", None, None, 1),
    ],
)
def test_colours_and_numbers_are_those_of_a_caption_or_made(
    stickers: Generator, prompt: str, caption: str | None, colour: str | None, count: int
) -> None:
    found = drawing(stickers, prompt)
    assert (found.colour, found.count) == (colour, count)
    assert caption is None or found.caption == caption
    assert found.fits and found.undrawn == ()


def test_a_colour_changes_the_drawing(stickers: Generator) -> None:
    pixels = stickers.draw(GenerationRequest("a brown fish"), 3)
    seen = pixels[pixels[..., 3] > 200][:, :3].astype(float).mean(0)
    assert seen[0] > seen[1] > seen[2] and seen[0] < 170


def test_a_prompt_that_nothing_fits_says_so(stickers: Generator) -> None:
    found = drawing(stickers, "quantum chromodynamics lecture")
    assert not found.fits and found.undrawn


def test_a_class_is_kept_where_it_has_such_a_picture(stickers: Generator) -> None:
    memory = stickers.memory
    assert memory is not None
    values = memory.memory.values.float() * memory.memory.scales[1]
    for seed in range(4):
        found = drawing(stickers, "cat", seed, "twemoji")
        owner = int((values - found.code).abs().sum(1).argmin())
        rows = (memory.owners == owner).nonzero()[:, 0]
        assert {stickers.classes[int(n)] for n in memory.classes[rows]} == {"twemoji"} and not found.other_class


def test_what_points_somewhere_is_not_mirrored(stickers: Generator) -> None:
    assert drawing(stickers, "backhand index pointing left").places is None


class Hearing(Listener):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def said(self, text: str) -> None:
        self.heard.append(text)

    def warned(self, text: str) -> None:
        self.heard.append(text)


def test_the_caption_is_in_the_result_and_in_the_record(tmp_path: Path) -> None:
    listener = Hearing()
    request = GenerateRequest(prompts=["three brown fish", "quantum chromodynamics"], seed=1)
    pipeline = GeneratePipeline(request, Saving(output=f"{tmp_path}/"), listener=listener)
    first, second = (pipeline.run(order) for order in pipeline.orders)
    assert first.drawn is not None and second.drawn is not None
    assert first.summary == ("as 'fish'", "brown by recolouring", "3 drawings put together")
    assert first.drawn.values == {
        **{"prompt": "three brown fish", "class": None, "seed": 1, "caption": "fish"},
        **{"recoloured": "brown", "copies": 3},
    }
    assert any("knows nothing that fits 'quantum chromodynamics' well" in text for text in listener.heard)
    assert second.drawn.undrawn
    target = pipeline.orders[0].target
    assert target is not None
    record = image.read_record(target)
    assert record is not None and record["generate"]["caption"] == "fish" and record["generate"]["copies"] == 3
    assert json.loads(json.dumps(record)) == record and "--caption" not in record["command"]
