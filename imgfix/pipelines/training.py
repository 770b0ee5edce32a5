"""A training as it is asked for: layers of settings joined to a recipe, and the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from imgfix.train.loop import Outcome
    from imgfix.train.recipe import Recipe


def usual_folder(kind: str) -> Path:
    """Where a run goes when nothing else is said."""
    return Path("runs") / kind


def recipe_of(
    kind: str,
    out: Path,
    file: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    resume: bool | None = None,
) -> Recipe:
    """Join, from weakest to strongest: the run's own recipe where no data is named, a file, settings, what is given.

    given: settings that have a keyword or an option of their own; None says nothing. Raises UsageError.
    """
    from imgfix.train.recipe import build_recipe, read_toml
    from imgfix.train.run import with_absolute_paths

    said = {name: value for name, value in (given or {}).items() if value is not None}
    layers: list[dict[str, Any]] = []
    saved = out / "recipe.toml"
    if "photos" not in said and "input" not in said and file is None and resume is not False and saved.exists():
        layers.append(read_toml(saved))
    if file is not None:
        layers.append(read_toml(file))
    layers += [{name: value} for name, value in (settings or {}).items()]
    return with_absolute_paths(build_recipe(kind, [*layers, said]))


def run(recipe: Recipe, out: Path, resume: bool | None = None, console: Console | None = None) -> Outcome:
    """Train into a folder; console: where to show progress. Raises ImgfixError."""
    from imgfix.train.run import run_training

    return run_training(recipe, out, resume=resume, console=console)
