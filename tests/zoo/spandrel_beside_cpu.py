"""Real spandrel beside a CPU build of torch: a stand-in for the few names of torchvision that it imports.

torchvision's wheels are tied to one build of torch and often do not import beside another. spandrel needs two functions
of it, inside two architectures; everything else of its descriptors and networks is its own.
"""

from __future__ import annotations

import enum
import sys
from types import ModuleType
from typing import Any

import pytest
import torch


class InterpolationMode(enum.Enum):
    """As torchvision names them."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


def normalize(picture: torch.Tensor, mean: Any, std: Any, inplace: bool = False) -> torch.Tensor:
    """(…, C, H, W) minus the mean, over the deviation of each channel."""
    middle, spread = (torch.as_tensor(each, dtype=picture.dtype)[:, None, None] for each in (mean, std))
    return picture.sub_(middle).div_(spread) if inplace else (picture - middle) / spread


def rotate(picture: torch.Tensor, *arguments: Any, **named: Any) -> torch.Tensor:
    """Only used while LaMa learns."""
    raise NotImplementedError


def spandrel() -> ModuleType:
    """spandrel itself; skips the test where it is not installed."""
    pytest.importorskip("einops")
    try:
        import torchvision.transforms.functional  # noqa: F401
    except Exception:
        functional = ModuleType("torchvision.transforms.functional")
        functional.__dict__.update(InterpolationMode=InterpolationMode, normalize=normalize, rotate=rotate)
        transforms, package = ModuleType("torchvision.transforms"), ModuleType("torchvision")
        transforms.functional, package.transforms = functional, transforms  # type: ignore[attr-defined]
        names = {module.__name__: module for module in (package, transforms, functional)}
        sys.modules.update(names)
        try:
            return pytest.importorskip("spandrel")
        finally:
            for name in names:  # nobody else is to take it for the real one
                del sys.modules[name]
    return pytest.importorskip("spandrel")
