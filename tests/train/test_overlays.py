"""Composites: what is laid over a photo is where its mask says, and nothing else has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgfix.errors import InputError
from imgfix.train.overlays import compose as composing
from imgfix.train.overlays import wording
from imgfix.train.overlays.assets import Assets, load_assets, sticker
from imgfix.train.overlays.compose import KINDS, Composite, Plan, compose
from imgfix.train.overlays.kinds import Sheet, stamp
from imgfix.train.overlays.layer import Layer, lay, region_of, resized, turned
from imgfix.train.overlays.lettering import Style, write_line
from imgfix.train.overlays.scene import print_on_scene

PLAIN = Plan(none=0.0, scene=0.0, compressed=0.0)


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    folder = tmp_path / "stickers"
    folder.mkdir()
    disc = np.zeros((40, 60, 4), np.uint8)
    disc[8:32, 10:50] = 220, 30, 40, 255
    Image.fromarray(disc).save(folder / "disc.png")
    return load_assets(stickers=[str(folder)])


def photo(seed: int = 0, side: int = 160) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 190, (side // 8, side // 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def made(kind: str, assets: Assets, seed: int, plan: Plan = PLAIN) -> Composite:
    return compose(photo(seed), (160, 160), assets, plan, np.random.default_rng(seed), only=[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_the_alpha_covers_changes(kind: str, assets: Assets) -> None:
    found = [made(kind, assets, seed) for seed in range(6)]
    assert any(one.instances for one in found)
    for one in found:
        changed = (one.picture != one.clean).any(axis=-1)
        covered = np.zeros(changed.shape, bool)
        for instance in one.instances:
            covered |= instance.alpha > 0
        assert not (changed & ~covered).any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_holds_what_of_it_is_seen(kind: str, assets: Assets) -> None:
    shares = []
    for seed in range(6):
        for instance in made(kind, assets, seed).instances:
            assert instance.kind == kind and instance.mask.any()
            shares.append(float(instance.alpha[instance.mask].sum() / instance.alpha.sum()))
    assert min(shares) > 0.85


def test_what_is_written_in_the_scene_is_no_instance(assets: Assets) -> None:
    plan = Plan(none=1.0, scene=1.0, compressed=0.0)
    found = [compose(photo(s), (160, 160), assets, plan, np.random.default_rng(s)) for s in range(4)]
    assert all(not one.instances and np.array_equal(one.picture, one.clean) for one in found)
    assert any(np.abs(one.picture.astype(int) - photo(s)).max() > 40 for s, one in enumerate(found))


def test_a_print_in_the_scene_takes_the_scene_s_light(assets: Assets) -> None:
    dark, bright = np.full((120, 120, 3), 30, np.float32), np.full((120, 120, 3), 200, np.float32)
    for canvas in (dark, bright):
        print_on_scene(canvas, Sheet(120, 120, assets, np.random.default_rng(3)))
    changed = np.abs(dark - 30).max(axis=-1) > 6
    assert changed.any() and dark[changed].mean() < bright[changed].mean()


def test_a_composite_follows_from_its_seed(assets: Assets) -> None:
    one, again, other = (
        compose(photo(), (128, 128), assets, Plan(), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(one.picture, again.picture) and one.picture.shape == (128, 128, 3)
    assert not np.array_equal(one.picture, other.picture)


def test_masks_shrink_with_the_picture(assets: Assets) -> None:
    one = compose(photo(), (80, 80), assets, PLAIN, np.random.default_rng(1), only=["frame"])
    assert one.instances and all(instance.mask.shape == (80, 80) for instance in one.instances)


def test_what_nobody_would_see_is_not_laid_over() -> None:
    grey = np.full((20, 20, 3), 120, np.float32)
    same = Layer("logo", np.full((8, 8, 3), 121.0), np.ones((8, 8)), np.ones((8, 8), bool), 4, 4)
    outside = Layer("logo", np.full((8, 8, 3), 255.0), np.ones((8, 8)), np.ones((8, 8), bool), 17, 4)
    assert lay(grey, same) is None and lay(grey, outside) is None
    assert (grey == 120).all()


def test_alpha_blends_exactly() -> None:
    picture = np.full((6, 6, 3), 100, np.float32)
    layer = Layer("logo", np.full((4, 4, 3), 200.0), np.full((4, 4), 0.25), np.ones((4, 4), bool), 1, 1)
    instance = lay(picture, layer)
    assert instance is not None and instance.mask.sum() == 16
    assert (picture[1:5, 1:5] == 125).all() and (picture[0] == 100).all()


def test_gaps_between_letters_belong_to_a_line() -> None:
    alpha = np.zeros((10, 30), np.float32)
    alpha[2:8, 2:8] = alpha[2:8, 12:18] = 1
    assert not region_of(alpha)[4, 10] and region_of(alpha, 7)[4, 10]
    assert not region_of(alpha, 7)[4, 28] and not region_of(np.zeros((4, 4), np.float32)).any()


def test_a_line_has_its_colours_and_an_outline_around_them() -> None:
    plain = write_line("Hi", None, 30, Style((250, 10, 10)))
    outlined = write_line("Hi", None, 30, Style((250, 10, 10), outline=0.1, outline_colour=(0, 0, 255)))
    assert plain[..., 3].max() == 1 and (outlined[..., 3] > 0.5).sum() > 1.3 * (plain[..., 3] > 0.5).sum()
    edge = (outlined[..., 3] > 0.9) & (outlined[..., 2] > 200)
    assert edge.any() and (outlined[..., 0] > 200)[outlined[..., 3] > 0.9].any()
    assert write_line("", None, 30, Style()).size == 0


def test_a_box_lies_behind_a_line() -> None:
    boxed = write_line("Hi", None, 30, Style((255, 255, 255), box=0.5, box_colour=(0, 0, 0), margin=0.3))
    assert boxed[..., 3].max() == pytest.approx(1, abs=1e-3)
    assert (np.abs(boxed[..., 3] - 0.5) < 1e-3).mean() > 0.3


def test_turning_and_resizing_keep_colours_at_soft_edges() -> None:
    red = np.zeros((12, 12, 4), np.float32)
    red[3:9, 3:9] = 255, 0, 0, 1
    for found in (turned(red, 30), resized(red, 30, 30), resized(red, 5, 5)):
        seen = found[found[..., 3] > 0.02]
        assert (seen[:, 0] > 250).all() and (seen[:, 1:3] < 3).all()


def test_dates_have_digits_and_other_alphabets_their_letters() -> None:
    rng = np.random.default_rng(0)
    assert all(any(letter.isdigit() for letter in wording.date(rng)) for _ in range(50))
    assert any("Ѐ" <= letter <= "ӿ" for letter in wording.words(rng, 2, "cyrillic"))
    assert wording.words(rng, 3).isprintable() and wording.name(rng)


def test_a_sticker_is_cut_to_what_is_seen(assets: Assets, tmp_path: Path) -> None:
    assert sticker(assets.stickers[0]).shape == (24, 40, 4)
    Image.new("RGBA", (9, 9)).save(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, word in (("none.png", "nothing in it is seen"), ("text.png", "it looks like text")):
        with pytest.raises(InputError, match=word):
            sticker(tmp_path / name)


def test_folders_that_do_not_help_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_assets(stickers=[str(tmp_path / "missing")])
    (tmp_path / "broken.ttf").write_text("no font")
    with pytest.raises(InputError, match="no font with Latin letters"):
        load_assets(fonts=[str(tmp_path)])


def test_without_stickers_the_other_kinds_are_drawn() -> None:
    bare = load_assets()
    assert made("sticker", bare, 0).instances == ()
    assert made("caption", bare, 1).instances


def test_frames_lie_below_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(weights=(1,) * 7, none=0.0)
    for seed in range(30):
        drawn = composing._drawn(plan, np.random.default_rng(seed))
        assert "frame" not in drawn[1:] and len(set(drawn)) == len(drawn) > 0


def test_a_round_stamp_holds_writing_that_is_taller_than_wide(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "words", lambda *_: "i")
    monkeypatch.setattr(wording, "date", lambda *_: "1")
    for seed in range(20):
        for layer in stamp(Sheet(320, 240, assets, np.random.default_rng(seed))):
            assert layer.alpha.max() > 0
