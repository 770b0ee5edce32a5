from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from imgfix.errors import InputError, UsageError
from imgfix.train.kinds import KINDS
from imgfix.train.recipe import (
    Recipe,
    build_recipe,
    differences,
    field_docs,
    parse_assignment,
    read_toml,
    to_dict,
    to_toml,
)


def test_later_layers_win_over_the_defaults_of_the_kind_and_of_the_net() -> None:
    assert build_recipe("tiny", []).batch == 4
    assert build_recipe("tiny", [{"net": "rrdbnet"}]).lr == 1e-4
    assert build_recipe("tiny", [{"net": "rrdbnet"}, {"lr": 3e-4}]).lr == 3e-4


def test_text_from_the_command_line_becomes_the_type_of_the_setting() -> None:
    texts = {"lr": "1e-4", "steps": "1e5", "betas": "0.9,0.95", "compile": "yes", "minutes": "none", "schedule": "step"}
    recipe = build_recipe("tiny", [{"minutes": 3, **texts, "net_config.features": "12", "poison": "3,4"}])
    assert (recipe.lr, recipe.steps, recipe.betas, recipe.compile) == (1e-4, 100_000, (0.9, 0.95), True)
    assert (recipe.minutes, recipe.schedule, recipe.net_config) == (None, "step", {"features": 12})
    assert recipe.options.poison == (3, 4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", "many"),
        ("steps", "2.5"),
        ("compile", "maybe"),
        ("schedule", "linear"),
        ("betas", "0.9"),
        ("steps", True),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_was_expected(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name} = .*expected"):
        build_recipe("tiny", [{name: value}])


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 0), ("lr", 0), ("lr", float("nan")), ("ema", 1), ("val_fraction", 1), ("minutes", -1)]
)
def test_a_value_that_makes_no_sense_is_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        build_recipe("tiny", [{name: value}])


def test_a_typo_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UsageError) as caught:
        build_recipe("tiny", [{"advresarial": 1}])
    assert "adversarial" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="key=value"):
        parse_assignment("lr")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("betas", [0.9, -1.0]), ("betas", [0.9, 1.0]), ("lr", float("inf")), ("discriminator_lr", 0), ("lr_floor", -1),
        ("lr_drops", [0.5, float("nan")]), ("weight_decay", float("inf")), ("penalty_every", 0), ("val_crop", 0),
        ("fourier", -1), ("perceptual", float("nan")), ("sigma", [60, 0]), ("quality", [5, float("inf")]),
    ],
)  # fmt: skip
def test_numbers_that_no_optimizer_and_no_loss_takes_are_refused(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        build_recipe("restore", [{name: value}])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_defaults_of_every_kind_are_accepted(kind: str) -> None:
    assert build_recipe(kind, []).kind == kind


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        build_recipe("upscal", [])
    assert "upscale" in (caught.value.hint or "")


def test_half_a_pair_of_folders_is_refused() -> None:
    with pytest.raises(UsageError, match="input is given without target"):
        build_recipe("tiny", [{"input": "a"}])


def test_a_recipe_survives_the_way_through_its_file(tmp_path: Path) -> None:
    recipe = build_recipe("tiny", [{"photos": ("a b", 'q"uote'), "net_config": {"features": 3, "x": "y"}, "lr": 1 / 3}])
    file = tmp_path / "recipe.toml"
    file.write_text(to_toml(recipe), "utf-8")
    assert build_recipe("tiny", [read_toml(file)]) == recipe


def test_the_file_says_what_every_setting_means() -> None:
    text = to_toml(build_recipe("tiny", []))
    assert tomllib.loads(text)["tiny"]["noise"] == 0.02
    for cls in (Recipe, type(build_recipe("tiny", []).options)):
        docs = field_docs(cls)
        assert all(docs.get(name) for name in cls.__dataclass_fields__), cls


def test_a_file_of_another_kind_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="imgfix train tiny, not for upscale"):
        build_recipe("upscale", [{"kind": "tiny"}])
    with pytest.raises(InputError, match="no such"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("lr = = 3")
    with pytest.raises(InputError, match="not a TOML file"):
        read_toml(tmp_path / "bad.toml")


def test_differences_name_what_matters_and_let_the_rest_change() -> None:
    old = to_dict(build_recipe("tiny", [{"lr": 1e-3}]))
    new = to_dict(build_recipe("tiny", [{"lr": 2e-3, "steps": 7, "noise": 0.5}]))
    assert differences(old, new) == [
        "lr: 0.001 in the run's folder, now 0.002",
        "tiny.noise: 0.02 in the run's folder, now 0.5",
    ]


def test_what_goes_into_a_model_file_names_no_folder_of_the_user() -> None:
    recipe = build_recipe("tiny", [{"photos": ("/home/me/x",), "val": "/home/me/v", "model": "/home/me/m.safetensors"}])
    assert "/home" not in str(to_dict(recipe, private=False))


@pytest.mark.parametrize("text", ["steps = 1e400", "batch = -inf", "crop = nan", "warmup = [1]"])
def test_what_is_no_number_of_anything_is_a_wrong_value(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match="expected a whole number"):
        build_recipe("tiny", [read_toml(tmp_path / "recipe.toml")])


def test_a_recipe_of_a_thousand_brackets_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("steps = " + "[" * 100_000)
    with pytest.raises(InputError):
        read_toml(tmp_path / "recipe.toml")
