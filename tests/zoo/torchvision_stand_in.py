"""Imports spandrel where there is no torchvision, which does not come in a build for every torch.

Of torchvision, spandrel takes two functions and an enumeration, and only two of its networks ever call them.
"""

from __future__ import annotations

import enum
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import pytest
import torch
from torch import Tensor


class InterpolationMode(enum.Enum):
    """How pixels between pixels are made."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(..., C, H, W) less a mean and over a deviation, each one a channel."""
    low, spread = (torch.tensor(values).to(tensor)[:, None, None] for values in (mean, std))
    return tensor.sub_(low).div_(spread) if inplace else (tensor - low) / spread


def rotate(*_arguments: object, **_named: object) -> Tensor:
    """Not made: no published network turns pictures."""
    raise NotImplementedError("this stand-in for torchvision does not turn pictures")


@contextmanager
def torchvision() -> Iterator[None]:
    """The stand-in in the place of torchvision; where the real one can be imported, nothing."""
    try:
        importlib.import_module("torchvision.transforms.functional")
    except Exception:  # a torchvision beside another build of torch fails in ways of its own
        made = {name: ModuleType(name) for name in _NAMES}
        for thing in (InterpolationMode, normalize, rotate):
            setattr(made[_NAMES[-1]], thing.__name__, thing)
        before = {name: sys.modules.get(name) for name in made}
        sys.modules.update(made)
        try:
            yield
        finally:  # others look for torchvision too, and should not find this
            for name, module in before.items():
                if module is None:
                    del sys.modules[name]
                else:
                    sys.modules[name] = module
    else:
        yield


_NAMES = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


def spandrel() -> ModuleType:
    """The real spandrel. A test that asks for it is skipped where it is not installed."""
    with torchvision():
        return pytest.importorskip("spandrel", reason="needs spandrel: pip install --no-deps spandrel einops")
