"""Word tables, conditions and generators."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from imgfix.nets.codemixture import CodeMixture, clustered
from imgfix.nets.conditions import ConditionEncoder, steer
from imgfix.nets.dcgan import DCGANDiscriminator, DCGANGenerator
from imgfix.nets.r3gan import CodeMemory, R3Discriminator, R3Generator
from imgfix.nets.words import split
from tests.making import NETS, SMALL, word_table


def test_words_are_split_without_case_accents_and_signs() -> None:
    assert split("A Café-Crème, don't_stop!") == ["a", "cafe", "creme", "dont", "stop"]
    assert split(" ?! ") == []
    assert split("кошка 猫") == ["кошка", "猫"]


def test_a_plural_is_its_singular_and_an_unknown_word_is_made_of_pieces() -> None:
    table = word_table()
    assert torch.equal(table.vector("cats"), table.vector("cat"))
    assert table.knows("apples") and not table.knows("florb")
    assert torch.isfinite(table.vector("florb")).all() and table.vector("florb").abs().max() > 0
    assert not torch.equal(table.vector("florb"), table.vector("blorf"))
    assert table.embed("").shape == (1, 8) and table.embed("red cat").shape == (2, 8)


def test_a_table_survives_storage_in_half_precision() -> None:
    table, other = word_table(), word_table()
    other.vectors.zero_()
    other.load_state_dict({name: tensor.half().float() for name, tensor in table.state_dict().items()})
    assert torch.equal(other.vectors, table.vectors) and other.numbers == table.numbers


def encoder() -> ConditionEncoder:
    torch.manual_seed(0)
    made = ConditionEncoder(words=word_table().config(), classes=("a", "b"), sound=True, image=True, size=16)
    assert made.words is not None
    made.words.copy_from(word_table())
    return made.eval()


def given(count: int = 3) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "words": torch.randn(count, 4, 8),
        "word_mask": torch.ones(count, 4, dtype=torch.bool),
        "sound": torch.randn(count, 1, 64, 128),
        "has_sound": torch.ones(count, dtype=torch.bool),
        "image": torch.rand(count, 4, 32, 32),
        "has_image": torch.ones(count, dtype=torch.bool),
        "class": torch.zeros(count, dtype=torch.long),
    }


def test_any_subset_of_conditions_is_taken_and_each_changes_the_vector() -> None:
    made, all_of_them = encoder(), given()
    whole = made(all_of_them, 3)
    assert whole.shape == (3, 16)
    for present, key in (("word_mask", "words"), ("has_sound", "sound"), ("has_image", "image")):
        without = {**all_of_them, present: torch.zeros_like(all_of_them[present])}
        fewer = {name: value for name, value in all_of_them.items() if name not in (present, key)}
        assert torch.allclose(made(without, 3), made(fewer, 3), atol=1e-6)
        assert not torch.allclose(made(without, 3), whole)
    nothing = made({}, 2)
    assert torch.allclose(nothing[0, :8], made.nothing) and torch.equal(nothing[0], nothing[1])
    assert not torch.allclose(made({**all_of_them, "class": torch.ones(3, dtype=torch.long)}, 3), whole)


def test_where_only_classes_are_known_nothing_stands_beside_them() -> None:
    made = ConditionEncoder(classes=("a", "b"), size=16)
    assert made.total == 16 and made.manner is not None
    drawn = made({"class": torch.tensor([1, 0, -1])}, 3)
    assert torch.equal(drawn, made.manner.weight[torch.tensor([1, 0, 2])])
    assert ConditionEncoder(size=16)({}, 3).shape == (3, 0)


def test_noise_outweighs_the_class_before_dcgan_learns() -> None:
    torch.manual_seed(0)
    net = DCGANGenerator(side=16, width=8, classes=("a", "b"))
    classes = torch.arange(2).repeat_interleave(32)
    with torch.no_grad():
        drawn = net(torch.randn(64, net.noise), {"class": classes}).unflatten(0, (2, 32))
        apart = net(torch.zeros(64, net.noise), {"class": classes}).unflatten(0, (2, 32))
    assert float(drawn.std(1).mean()) > 0.95 * float(drawn.flatten(0, 1).std(0).mean())
    assert not torch.allclose(apart[0], apart[1])


def test_a_row_does_not_depend_on_the_others() -> None:
    made, batch = encoder(), given()
    batch["has_sound"] = torch.tensor([True, False, True])
    whole = made(batch, 3)
    for row in range(3):
        alone = made({name: value[row : row + 1] for name, value in batch.items()}, 1)
        assert torch.allclose(alone[0], whole[row], atol=1e-5)


def test_the_order_of_words_and_padding_do_not_matter() -> None:
    made, batch = encoder(), given(1)
    turned = {**batch, "words": batch["words"].flip(1)}
    assert torch.allclose(made(batch, 1), made(turned, 1), atol=1e-5)
    padded = {
        **batch,
        "words": torch.cat((batch["words"], torch.randn(1, 3, 8)), 1),
        "word_mask": torch.cat((batch["word_mask"], torch.zeros(1, 3, dtype=torch.bool)), 1),
    }
    assert torch.allclose(made(batch, 1), made(padded, 1), atol=1e-5)


@pytest.mark.parametrize("key", NETS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_generators_draw_the_size_they_say(key: str, channels: int) -> None:
    net = NETS[key](channels=channels, classes=["a"], **SMALL[key]).eval()
    drawn = net(torch.randn(2, net.noise), {"class": torch.tensor([0, -1])})
    assert drawn.shape == (2, channels, 32, 32)


@pytest.mark.parametrize("key", NETS)
def test_a_side_that_cannot_be_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="side"):
        NETS[key](**{**SMALL[key], "side": 42})


@pytest.mark.parametrize("kind", [DCGANDiscriminator, R3Discriminator])
def test_discriminators_look_at_what_is_asked_for(kind: Any) -> None:
    sizes = {"widths": (8, 8, 8)} if kind is R3Discriminator else {"width": 4}
    judge = kind(side=32, channels=3, asked=5, **sizes).eval()
    pictures = torch.rand(4, 3, 32, 32)
    one, other = judge(pictures, torch.randn(4, 5)), judge(pictures, torch.randn(4, 5))
    assert one.shape == (4,) and not torch.allclose(one, other)


def test_steered_noise_is_largest_where_it_should_be_and_keeps_its_numbers() -> None:
    noise = torch.randn(64, 12)
    wanted = torch.arange(64) % 5
    turned = steer(noise, wanted, 5)
    assert torch.equal(turned[:, :5].argmax(1), wanted)
    assert torch.equal(turned.sort(1).values, noise.sort(1).values) and torch.equal(turned[:, 5:], noise[:, 5:])


def test_codes_hold_what_pictures_differ_in() -> None:
    net = R3Generator(channels=4, **SMALL["r3gan"])
    y = torch.linspace(0, 1, 32)[:, None]
    pictures = torch.stack([(y * n / 8).expand(4, 32, 32) for n in range(8)])
    assert net.settle(pictures) > 0.99
    codes = net.encode(pictures)
    assert codes.shape == (8, 12) and float(codes.mean(0).abs().max()) < 2e-3
    torch.nn.init.zeros_(net.last.weight)
    torch.nn.init.zeros_(net.last.bias)
    assert float((net.decode(codes) - pictures).abs().max()) < 0.05


def test_what_is_remembered_comes_back_and_noise_chooses_among_equals() -> None:
    torch.manual_seed(0)
    conditions = torch.nn.functional.layer_norm(torch.randn(6, 96), (96,))
    conditions[5] = conditions[4]  # one caption, two pictures
    codes = torch.randn(6, 12)
    memory = CodeMemory(16, 96, 12, 6, 6)
    memory.remember(conditions, torch.arange(6), codes)
    found = memory(torch.cat((torch.zeros(6, 16), conditions), 1))
    assert float((found[:4] - codes[:4]).abs().max()) < 0.05
    with torch.no_grad():
        memory.whim.fill_(4)
    chosen = memory(torch.cat((torch.randn(40, 16), conditions[4].expand(40, 96)), 1))
    nearest = torch.cdist(chosen, codes).argmin(1)
    assert set(nearest.tolist()) == {4, 5}


def mixture(clusters: int = 4, axes: int = 8) -> tuple[CodeMixture, torch.Tensor, torch.Tensor]:
    """Two classes of codes: one in two lumps of unequal size, one a line; with the codes and their classes."""
    torch.manual_seed(0)
    lumps = 0.1 * torch.randn(400, 12)
    lumps[:300, 0] += 5
    lumps[300:, 0] -= 5
    line = 0.01 * torch.randn(200, 12)
    line[:, 1] += 3 * torch.randn(200)
    codes, labels = torch.cat((lumps, line)), torch.tensor([0] * 400 + [1] * 200)
    made = CodeMixture(24, 16, 12, 32, 2, 16, clusters, axes)
    made.settle(codes, labels, torch.randn(2, 16), torch.ones(12))
    return made, codes, labels


def drawn_by(made: CodeMixture, label: torch.Tensor, count: int = 2000) -> torch.Tensor:
    return made(torch.cat((torch.randn(count, 24), label.expand(count, 16)), 1)).detach()


def test_codes_that_noise_draws_are_spread_like_those_of_the_class() -> None:
    made, codes, labels = mixture()
    for label in (0, 1):
        own, drawn = codes[labels == label], drawn_by(made, made.keys[label])
        assert float((drawn.mean(0) - own.mean(0)).abs().max()) < 0.3
        assert float((drawn.std(0) - own.std(0)).abs().max()) < 0.3
    lumps = drawn_by(made, made.keys[0])[:, 0]
    assert float((lumps.abs() - 5).abs().max()) < 1  # in one or the other, never between them
    assert float((lumps > 0).float().mean()) == pytest.approx(0.75, abs=0.05)


def test_without_noise_it_is_the_largest_cluster_and_what_is_learned_is_added() -> None:
    made, _, _ = mixture(clusters=2)
    asked = torch.cat((torch.zeros(1, 24), made.keys[:1]), 1)
    plain = made(asked)
    assert float(plain[0, 0].detach()) == pytest.approx(5, abs=0.2)
    with torch.no_grad():
        made.last.bias.fill_(1)
    code, added = made.parts(asked)
    assert torch.equal(code, plain) and float(added.min()) > 0 and torch.equal(made(asked), code + added)


def test_a_condition_between_classes_gives_codes_between_theirs() -> None:
    made, _, _ = mixture(clusters=1)
    ends = torch.cat((torch.zeros(2, 24), made.keys), 1)
    one, other = made(ends)
    middle = made(ends.mean(0, keepdim=True))[0]
    assert torch.allclose(middle, (one + other) / 2, atol=1e-4)


def test_clusters_are_found_and_few_or_equal_points_do_no_harm() -> None:
    places = torch.tensor([[0.0, 0], [10, 0], [0, 10]])
    points = (places[:, None] + 0.1 * torch.randn(3, 20, 2)).flatten(0, 1)
    owner, centres = clustered(points, 3, torch.Generator().manual_seed(0))
    assert all(len(set(owner[i : i + 20].tolist())) == 1 for i in (0, 20, 40)) and len(set(owner.tolist())) == 3
    assert float(torch.cdist(places, centres).amin(1).max()) < 0.2
    made = CodeMixture(24, 16, 12, 32, 3, 16, 4, 8)
    made.settle(torch.ones(3, 12), torch.tensor([0, 1, 1]), torch.randn(3, 16), torch.ones(12))  # nothing of the third
    for label in range(3):
        assert torch.isfinite(drawn_by(made, made.keys[label], 5)).all()


def test_a_mixture_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="classes"):
        R3Generator(**SMALL["r3gan"], mixture=[4, 8])
