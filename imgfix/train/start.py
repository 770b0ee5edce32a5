"""The network a training starts from: fresh, from the catalog, or from a file of the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from imgfix.errors import ModelError, UsageError
from imgfix.train.recipe import Recipe


@dataclass(frozen=True)
class Start:
    """A network to train and how it is built again later."""

    net: nn.Module
    """On the CPU, fp32."""
    key: str
    """Its architecture in `imgfix.zoo.architectures`."""
    config: dict[str, Any]
    """Its hyper-parameters."""
    described: dict[str, Any] = field(default_factory=dict)
    """Fields of its descriptor (scale, channels, size rule ...)."""
    licence: str | None = None
    """Licence of the weights it starts from; None for a fresh network."""


def starting_net(
    recipe: Recipe,
    *,
    task: str,
    key: str,
    config: Mapping[str, Any] | None = None,
    check: Mapping[str, Any] | None = None,
) -> Start:
    """Make or load the network that `recipe` names. The seed decides fresh weights.

    Args:
        recipe: `model`, or `net` and `net_config`, say what is wanted.
        task: what the model must be for.
        key: architecture where the recipe names none.
        config: hyper-parameters of a fresh `key` network where the recipe says nothing about them.
        check: fields of the descriptor the job depends on ({"scale": 4}); another value is refused.

    Raises:
        UsageError: the architecture or a hyper-parameter is unknown.
        ModelError: the model is unknown, of another task, or does not fit `check`.
    """
    start = _loaded(recipe, task) if recipe.model else _fresh(recipe, key, dict(config or {}))
    for name, wanted in (check or {}).items():
        if start.described.get(name) != wanted:
            origin = recipe.model or f"net {start.key}"
            raise ModelError(
                f"{origin}: its {name} is {start.described.get(name)}, but this training needs {wanted}",
                hint=f"choose another model, or set {name} to match",
            )
    return start


def _loaded(recipe: Recipe, task: str) -> Start:
    from imgfix import zoo

    assert recipe.model is not None
    if recipe.net is not None or recipe.net_config:
        raise UsageError("model and net are given together", hint="fine-tune a model, or start a fresh net; not both")
    model = zoo.load(recipe.model)
    found = model.descriptor
    if found.task != task:
        raise ModelError(f"{recipe.model} is a model for '{found.task}'; imgfix train {recipe.kind} needs '{task}'")
    described = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return Start(model.net.requires_grad_(True).train(), found.net, dict(found.config), described, found.licence)


def _fresh(recipe: Recipe, key: str, config: dict[str, Any]) -> Start:
    from imgfix.zoo.architectures import ARCHITECTURES

    key = recipe.net or key
    if key not in ARCHITECTURES:
        near = difflib.get_close_matches(key, list(ARCHITECTURES), n=2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(ARCHITECTURES))}"
        raise UsageError(f"'{key}' is not a network", hint=hint)
    spec, config = ARCHITECTURES[key], {**config, **recipe.net_config}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = spec.build(config)
        described = spec.describe(config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"net {key} cannot be built with {config}: {error}") from None
    return Start(net, key, config, described)
