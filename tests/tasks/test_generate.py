"""Drawing: seeds, conditions, refusals, and the way between two wishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgfix import zoo
from imgfix.errors import ModelError, UsageError
from imgfix.tasks.generate import GenerationRequest, Generator, between, finished
from imgfix.tasks.morph_files import write_frames
from imgfix.tasks.squares import contact_sheet
from tests.making import generator_file, tone


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    return Generator(zoo.load(generator_file(tmp_path / "tiny.safetensors", classes=("noto", "stamp"))), "cpu")


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_drawn(generator: Generator) -> None:
    first = generator.draw(GenerationRequest("red cat"), 7)
    for seed in range(5):
        generator.draw(GenerationRequest("a dog"), seed)
    assert np.array_equal(first, generator.draw(GenerationRequest("red cat"), 7))
    assert first.shape == (32, 32, 4) and first.dtype == np.uint8
    assert not np.array_equal(first, generator.draw(GenerationRequest("red cat"), 8))


def test_prompt_class_and_sound_each_change_the_picture(generator: Generator, tmp_path: Path) -> None:
    sound = tone(tmp_path / "a.wav")
    wishes = [
        GenerationRequest("cat"),
        GenerationRequest("dog"),
        GenerationRequest("cat", label="noto"),
        GenerationRequest("cat", sound=sound),
        GenerationRequest(sound=sound),
    ]
    drawn = [generator.draw(wish, 3).tobytes() for wish in wishes]
    assert len(set(drawn)) == len(wishes)


def test_without_noise_every_seed_draws_the_same(generator: Generator) -> None:
    assert np.array_equal(
        generator.draw(GenerationRequest("cat"), 1, 0.0), generator.draw(GenerationRequest("cat"), 2, 0.0)
    )


@pytest.mark.parametrize("words", ["", "   ", "?!", "\n"])
def test_an_empty_prompt_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="holds no word"):
        GenerationRequest(words)


def test_a_wish_for_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing says"):
        GenerationRequest()


def test_a_word_that_is_spelled_wrong_draws_what_was_meant(generator: Generator) -> None:
    assert generator.misspelled("a gren appel, zebra") == {"gren": "green", "appel": "apple"}
    meant, typed = (generator.condition(GenerationRequest(prompt=text)) for text in ("green apple", "gren appel"))
    assert torch.equal(meant, typed)
    assert generator.misspelled("grn xpple green apples") == {}, "short, of another first letter, known, a plural"


def test_an_unknown_class_brings_the_nearest_names(generator: Generator) -> None:
    with pytest.raises(UsageError, match="'stmp'") as found:
        generator.draw(GenerationRequest("cat", label="stmp"))
    assert found.value.hint == "did you mean stamp?"
    with pytest.raises(UsageError) as found:
        generator.draw(GenerationRequest("cat", label="zzz"))
    assert "noto, stamp" in (found.value.hint or "")


def test_what_a_model_cannot_be_asked_is_said(tmp_path: Path) -> None:
    path = generator_file(tmp_path / "deaf.safetensors", "dcgan", text=False, classes=("cat",), sound=False)
    deaf = Generator(zoo.load(path), "cpu")
    for wish, words in (
        (GenerationRequest("cat"), "takes no prompt"),
        (GenerationRequest(sound=tone(tmp_path / "a.wav")), "does not listen"),
        (GenerationRequest(image=tmp_path / "x.png"), "does not start from a picture"),
    ):
        with pytest.raises(UsageError, match=words):
            deaf.draw(wish)


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    from imgfix.nets.srvgg import SRVGG

    config = {"scale": 2, "features": 8, "convs": 1}
    path = zoo.save(tmp_path / "up.safetensors", "srvgg", config, SRVGG(**config).state_dict(), task="upscale")
    with pytest.raises(ModelError, match="does not draw"):
        Generator(zoo.load(path))


def test_a_picture_to_start_from_is_followed_as_far_as_asked(generator: Generator, tmp_path: Path) -> None:
    path = tmp_path / "start.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    alone = generator.draw(GenerationRequest(image=path))
    assert np.array_equal(alone, generator.draw(GenerationRequest("cat", image=path, strength=0.0)))
    assert np.array_equal(
        generator.draw(GenerationRequest("cat")), generator.draw(GenerationRequest("cat", image=path, strength=1.0))
    )


def test_a_way_begins_and_ends_with_its_wishes(generator: Generator) -> None:
    frames = list(generator.morph([GenerationRequest("cat"), GenerationRequest("dog")], 5, [1, 2]))
    assert len(frames) == 5
    assert np.array_equal(frames[0], generator.draw(GenerationRequest("cat"), 1))
    assert np.abs(frames[-1].astype(int) - generator.draw(GenerationRequest("dog"), 2)).max() <= 1


def test_noise_between_two_seeds_is_as_long_as_at_the_ends() -> None:
    first, second = torch.randn(1, 64), torch.randn(1, 64)
    middle = between(first, second, 0.5)
    assert float(middle.norm()) == pytest.approx(float(first.norm() + second.norm()) / 2, rel=0.05)
    assert torch.allclose(between(first, first, 0.3), first)


def test_colours_are_divided_by_the_opacity() -> None:
    drawn = torch.zeros(4, 1, 2)
    drawn[:, 0, 0] = torch.tensor([0.25, 0.5, 0.1, 0.5])
    assert finished(drawn).tolist() == [[[128, 255, 51, 128], [0, 0, 0, 0]]]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.webp"])
def test_a_film_has_every_frame(tmp_path: Path, name: str) -> None:
    import av

    frames = [np.full((32, 32, 4), 60 * number, np.uint8) for number in range(4)]
    write_frames(tmp_path / name, frames)
    if name.endswith(".mp4"):
        with av.open(str(tmp_path / name)) as film:
            pictures = list(film.decode(video=0))
            assert len(pictures) == 4 and pictures[0].width == 256
    else:
        with Image.open(tmp_path / name) as film:
            assert film.n_frames == 4


def test_a_sheet_shows_every_picture_with_its_label() -> None:
    pictures = [np.full((20, 20, 3), 40 * number, np.uint8) for number in range(5)]
    plain, named = contact_sheet(pictures), contact_sheet(pictures, ["one", "two", "three", "four", "five"])
    assert named.shape[0] > plain.shape[0]
    for number in range(5):
        assert (plain == 40 * number).all(2).sum() >= 400
