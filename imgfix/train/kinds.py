"""The kinds of training there are: one explicit table, nothing registers itself.

A kind's module holds
    Options       frozen dataclass, every field with a default and a sentence under it: degradations, losses, weights
    DEFAULTS      dict of `Recipe` (or `Options`) fields that differ from the common defaults
    NET_DEFAULTS  dict of the same for single architectures: {"rrdbnet": {"lr": 1e-4}} (may be left out)
    build(recipe: Recipe, device: torch.device) -> TrainJob     (its settings are in `recipe.options`)
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imgfix.errors import UsageError

KINDS: dict[str, str] = {
    "upscale": "imgfix.train.jobs.upscale",
    "inpaint": "imgfix.train.jobs.inpaint",
    "restore": "imgfix.train.jobs.restore",
    "video": "imgfix.train.jobs.video",
    "generate": "imgfix.train.jobs.generate",
    "translate": "imgfix.train.jobs.translate",
    "select": "imgfix.train.jobs.select",
    "noise": "imgfix.train.jobs.noise",
    "damage": "imgfix.train.jobs.damage",
}
"""Kind to the module that holds it."""


@dataclass(frozen=True)
class Kind:
    """One kind of training, imported."""

    name: str
    """Its key in `KINDS`."""
    options: type
    """Dataclass of the settings that only this kind has."""
    defaults: Mapping[str, Any]
    """Settings whose defaults differ for this kind."""
    net_defaults: Mapping[str, Mapping[str, Any]]
    """The same for single architectures."""
    build: Callable[..., Any]
    """Makes the job from (recipe, device)."""


def available() -> list[str]:
    """Name the kinds whose module is there."""
    return [name for name, module in KINDS.items() if _exists(module)]


def find_kind(name: str) -> Kind:
    """Import one kind.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS or not _exists(KINDS[name]):
        near = difflib.get_close_matches(name, available(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(available())}"
        raise UsageError(f"'{name}' is not a kind of training", hint=hint)
    module = importlib.import_module(KINDS[name])
    return Kind(name, module.Options, module.DEFAULTS, getattr(module, "NET_DEFAULTS", {}), module.build)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
