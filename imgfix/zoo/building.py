"""From an architecture, hyper-parameters and tensors to a network, and to what its descriptor says."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.degradations import EXPECTED
from imgfix.errors import ModelError
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Descriptor
from imgfix.zoo.files import printable

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
    """A network with these weights: CPU, fp32, evaluation mode, no gradients.

    The hyper-parameters are compared with the tensors before any memory is spent on them. Raises ModelError if they do
    not fit.
    """
    try:
        _compare(architecture, config, state)
        net = architecture.build(dict(config))
        net.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    except UNFIT as error:
        reason = " ".join(" ".join(line.split())[:200] for line in str(error).strip().splitlines()[:3])
        raise ModelError(f"{path}: does not fit {architecture.key} ({printable(reason)})", hint=hint) from error
    return net.eval().requires_grad_(False)


UNFIT = (
    RuntimeError, TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError,
    NotImplementedError,
)  # fmt: skip
"""What a constructor may stumble with over hyper-parameters it was never meant for; RecursionError among them."""
_LARGEST_NUMBER = 1 << 20
"""No hyper-parameter is larger, so that not even a list of their length takes much."""
_LARGEST_SCALE = 64


class _Budget:
    """Counts the parameters that a constructor makes, and stops it when there are far more than the file has."""

    def __init__(self, tensors: int) -> None:
        self.left = 4 * tensors + 1000  # some are made and replaced again
        self.thread = threading.get_ident()

    def __call__(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if threading.get_ident() == self.thread:
            self.left -= 1
            if self.left < 0:
                raise ValueError("its hyper-parameters ask for many more layers than it has tensors")


def _compare(architecture: Architecture, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Build the network without memory and compare names and shapes. Raises what `UNFIT` lists."""
    import torch
    from torch.nn.modules import module

    for name, value in _numbers(config):
        largest = _LARGEST_SCALE if name in ("scale", "shuffle") else _LARGEST_NUMBER
        if abs(value) > largest:
            raise ValueError(f"{name} = {value:.6g} is out of range")
    counted = module.register_module_parameter_registration_hook(_Budget(len(state)))
    try:
        with torch.device("meta"):
            wanted = architecture.build(dict(config)).state_dict()
    finally:
        counted.remove()
    for name, tensor in wanted.items():
        if name not in state:
            raise KeyError(f"no tensor {name}")
        if tensor.shape != state[name].shape:
            raise ValueError(f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}")
    if more := [name for name in state if name not in wanted]:
        raise ValueError(f"{len(more)} tensors too many, {more[0]} among them")


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number inside hyper-parameters, with the name it stands under."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _numbers(inner, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


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
        return replace(descriptor, jobs=())
    jobs = descriptor.jobs or ANY_DAMAGE
    expects = descriptor.expects or tuple(job for job in jobs if job in EXPECTED and "other" not in jobs)
    return replace(descriptor, jobs=jobs, expects=expects)


def known(key: str, path: Path) -> Architecture:
    """The architecture that a file's header names. Raises ModelError when this version has none of that name."""
    if key not in ARCHITECTURES:
        raise ModelError(f"{path}: its architecture '{key}' is unknown to this version", hint="upgrade imgfix")
    return ARCHITECTURES[key]
