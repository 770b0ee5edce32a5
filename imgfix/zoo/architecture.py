"""What is known of one network architecture: how it is recognised, described and built.

Each file in `imgfix/zoo/architectures/` makes one `Architecture`. It names its network by an import string, so that
looking through the architectures imports neither torch nor any network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from imgfix.zoo.ncnn import Layer

Config = dict[str, Any]
"""Hyper-parameters: the keyword arguments of the network's class."""
State = Mapping[str, "Tensor"]
"""A bare state dictionary: names and tensors, nothing else."""


@dataclass(frozen=True)
class Architecture:
    """How one architecture is recognised, described and built."""

    key: str
    """Its name in the catalog, in file headers and in descriptors; also the name of its file here."""
    net: str
    """Import string of the `nn.Module`: `imgfix.nets.rrdbnet:RRDBNet`."""
    describe: Callable[[Config], dict[str, Any]]
    """Hyper-parameters -> the fields of `Descriptor` that follow from them."""
    detect: Callable[[State], Config | None] | None = None
    """A bare state dictionary -> hyper-parameters; `None` when it is of another architecture."""
    adapt: Callable[[State], dict[str, Tensor]] | None = None
    """Renames the tensors of a recognised state dictionary to this network's own names; `None`: they are the same."""
    detect_ncnn: Callable[[Sequence[Layer]], Config | None] | None = None
    """The layers of an ncnn file -> hyper-parameters; `None` when they are another architecture's."""
    task: str = "upscale"
    """The job that a bare state dictionary of this architecture is taken to be for."""
    header_only: str = ""
    """Why a bare state dictionary is not enough to build it, where there is no `detect`, or it does not know all."""
    marks: tuple[str, ...] = ()
    """Names of tensors that together only such a network has."""

    def build(self, config: Config) -> nn.Module:
        """The network with random weights. Raises TypeError or ValueError for hyper-parameters it does not know."""
        module, name = self.net.split(":")
        net: nn.Module = getattr(import_module(module), name)(**config)
        return net


def indices(state: State, pattern: str) -> list[int]:
    """Sorted numbers that the one group of `pattern` matches in the tensor names."""
    found = {int(match.group(1)) for name in state if (match := re.fullmatch(pattern, name))}
    return sorted(found)


def shape(state: State, name: str, dimensions: int) -> tuple[int, ...] | None:
    """Shape of a tensor; `None` when there is none of that name, or one with another number of dimensions."""
    tensor = state.get(name)
    return tuple(tensor.shape) if tensor is not None and tensor.ndim == dimensions else None


def made_of(state: State, pattern: str) -> bool:
    """Whether all tensor names match: relatives of a network often have its layers, and more."""
    known = re.compile(pattern)
    return all(known.fullmatch(name) for name in state)
