"""A training as it is asked for: layers of settings joined to a recipe, and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgfix.train.loop import Outcome
    from imgfix.train.progress import Reporter
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
    layers.append(said)
    kind, layers = _renamed(kind, layers)
    follows: dict[str, Any] = _of_the_model(kind, layers)
    if _says(layers, kind, "minutes") and not _says(layers, kind, "batch", "crop", "pace"):
        follows["pace"] = True
    return with_absolute_paths(build_recipe(kind, [follows, *layers]))


def _renamed(kind: str, layers: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The kind as it is called today, and the layers for it: `generate` with a network that takes a picture, or with
    pairs, is `translate`. Raises ModelError."""
    if kind != "generate" or not (_says(layers, kind, "input") or _takes_a_picture(layers)):
        return kind, layers
    from imgfix.train.jobs.translate import Options

    own = {field.name for field in fields(Options)}
    made = []
    for layer in layers:
        rest = {name: value for name, value in layer.items() if name not in (kind, "kind")}
        table = layer.get(kind) or {}
        made.append(rest | {name: value for name, value in table.items() if name in own})
    return "translate", made


def _takes_a_picture(layers: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the network, or that of the model, that is named draws from a picture. Raises ModelError."""
    from imgfix import zoo
    from imgfix.zoo.architectures import ARCHITECTURES

    said: dict[str, Any] = {}
    for layer in layers:
        said |= {name: layer[name] for name in ("net", "model") if layer.get(name)}
    net = said.get("net") or ("model" in said and zoo.load(str(said["model"])).descriptor.net)
    known = ARCHITECTURES.get(str(net))
    return known is not None and bool(known.describe({}).get("in_channels", 3))


def run(recipe: Recipe, out: Path, resume: bool | None = None, reporter: Reporter | None = None) -> Outcome:
    """Train into a folder; reporter: where to show progress. Raises ImgfixError."""
    from imgfix.train.run import run_training

    return run_training(recipe, out, resume=resume, reporter=reporter)


def closing(recipe: Recipe, outcome: Outcome, out: Path) -> list[str]:
    """What is to be said when a run has ended: how good the model is, whether it is of use, and how it is used."""
    from imgfix.train.progress import measured

    numbers = measured(outcome.metrics, outcome.baseline)
    lines = [f"{outcome.reason} at step {outcome.step}" + (f": {numbers}" if numbers else "")]
    if outcome.reason == "interrupted":
        return [*lines, f"the same command goes on from {out / 'checkpoint.pt'}"]
    model = out / "model.safetensors"
    if not model.exists():
        return lines
    if outcome.best is not None and recipe.export == "best" and outcome.best_step < outcome.step:
        lines.append(f"model.safetensors holds the weights of step {outcome.best_step}, the best validation")
    base = outcome.baseline
    if base is not None and outcome.best is not None and outcome.best <= base.score:
        before = _before(out) if recipe.model else None
        if before is None or outcome.best <= before["score"]:
            return [*lines, f"it is no better than {base.name}: {_remedy(recipe)}"]
        was = measured({name: before[name] for name in outcome.metrics if name in before}, None)
        lines.append(
            f"it is better than {recipe.model} was before ({was}); {base.name} measures better still, "
            "as it often does than a model that was trained for looks"
        )
    if recipe.kind in ("noise", "damage"):  # no command takes one by name: restore takes the one that ships
        return lines
    return [*lines, f"use it: {_use(recipe, model)}"]


def facts(outcome: Outcome, out: Path) -> dict[str, Any]:
    """How a run ended, as plain values."""
    model, base = out / "model.safetensors", outcome.baseline
    return {
        "status": outcome.reason,
        "folder": str(out),
        "model": str(model) if model.exists() else None,
        "step": outcome.step,
        "seconds": round(outcome.seconds, 1),
        "metrics": outcome.metrics,
        "baseline": base and {"name": base.name, **base.metrics},
        "best": outcome.best,
        "best_step": outcome.best_step,
        "incidents": outcome.incidents,
    }


def _before(out: Path) -> dict[str, Any] | None:
    """What the model that a training starts from got on the held-out pictures, from the run's log."""
    from imgfix.train.log import read_log

    log = out / "log.jsonl"
    rows = read_log(log) if log.exists() else []
    return next((row for row in rows if row["kind"] == "validate" and row["step"] == 0), None)


_TRAINED = {("upscale", 2): "photo-x2", ("upscale", 4): "photo-x4", ("video", 4): "video-x4.light",
            ("restore", None): "restore", ("inpaint", None): "inpaint-photo"}  # fmt: skip
"""(kind, scale) -> a shipped model to start from."""


def _remedy(recipe: Recipe) -> str:
    more = "`minutes`" if recipe.minutes is not None else "`steps`"
    longer = f"train longer (the same command with more {more} goes on)"
    known = _TRAINED.get((recipe.kind, getattr(recipe.options, "scale", None)))
    if recipe.model:
        return f"{longer}, or at a lower rate (`lr={recipe.lr / 4:g}`)"
    return f"{longer}, or start from a trained model (`model={known}`)" if known else longer


def _use(recipe: Recipe, model: Path) -> str:
    """The command that uses a model."""
    if recipe.kind == "translate":
        return f"imgfix generate --image PHOTO --model {model}"
    if recipe.kind == "inpaint":
        return f"imgfix inpaint PHOTO --mask MASK --model {model}"
    if recipe.kind != "generate":
        return f"imgfix {'upscale' if recipe.kind == 'video' else recipe.kind} INPUT --model {model}"
    from imgfix import zoo

    made = zoo.load(model).descriptor
    if made.config.get("words"):
        return f'imgfix generate "WORDS" --model {model}'
    if made.config.get("classes"):
        return f"imgfix generate --class NAME --model {model}"
    return f"imgfix generate --model {model}"


def _of_the_model(kind: str, layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The scale of the model that a training starts from, where nothing is said of it. Raises ModelError."""
    from imgfix.train.kinds import find_kind

    model = next((layer["model"] for layer in reversed(layers) if layer.get("model")), None)
    if model is None or not hasattr(find_kind(kind).options, "scale") or _says(layers, kind, "scale", "net"):
        return {}
    from imgfix import zoo

    scale = zoo.load(str(model)).descriptor.scale
    return {"scale": scale} if scale > 1 else {}  # one that does not enlarge is refused for that


def _says(layers: Sequence[Mapping[str, Any]], kind: str, *names: str) -> bool:
    """Whether any layer says something of one of these settings."""
    said = [
        name for layer in layers for name in (*layer, *(layer[kind] if isinstance(layer.get(kind), Mapping) else ()))
    ]
    return any(name.split(".")[0] in names for name in said)
