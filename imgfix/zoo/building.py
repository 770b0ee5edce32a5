"""From an architecture, hyper-parameters and tensors to a network, and to what its descriptor says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Descriptor

if TYPE_CHECKING:
    from torch import Tensor, nn


def build(
    architecture: Architecture,
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    path: Path,
    *,
    hint: str | None = None,
) -> nn.Module:
    """A network with these weights: CPU, fp32, evaluation mode, no gradients. Raises ModelError if they do not fit."""
    try:
        net = architecture.build(dict(config))
        net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[:3]
        raise ModelError(f"{path}: does not fit {architecture.key} ({' '.join(reason)})", hint=hint) from error
    return net.eval().requires_grad_(False)


def describe(architecture: Architecture, config: Mapping[str, Any], **facts: Any) -> Descriptor:
    """The descriptor of a network: what follows from its hyper-parameters, and over it what is known of the weights."""
    known = {field.name for field in fields(Descriptor)}
    values: dict[str, Any] = {
        "net": architecture.key,
        **architecture.describe(dict(config)),
        **facts,
        "config": dict(config),
    }
    for name in ("precisions", "jobs", "expects"):
        if name in values:
            values[name] = tuple(values[name])
    descriptor = Descriptor(**{key: value for key, value in values.items() if key in known})
    if descriptor.task != "restore":
        return descriptor
    jobs = descriptor.jobs or ("noise", "jpeg")  # like those that are trained here
    return replace(descriptor, jobs=jobs, expects=descriptor.expects or jobs)


def known(key: str, path: Path) -> Architecture:
    """The architecture that a file's header names. Raises ModelError when this version has none of that name."""
    if key not in ARCHITECTURES:
        raise ModelError(f"{path}: its architecture '{key}' is unknown to this version", hint="upgrade imgfix")
    return ARCHITECTURES[key]
