"""From a catalog name to a verified file to a descriptor with its network."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgfix.zoo.architecture import Architecture
    from imgfix.zoo.architectures import ARCHITECTURES
    from imgfix.zoo.auto import resolve as resolve_auto
    from imgfix.zoo.descriptor import Descriptor, Model
    from imgfix.zoo.files import save
    from imgfix.zoo.loader import load, load_file

__all__ = ["ARCHITECTURES", "Architecture", "Descriptor", "Model", "load", "load_file", "resolve_auto", "save"]

# Looked up on first use, so that listing models does not import torch.
_HOMES = {
    "ARCHITECTURES": ("architectures", "ARCHITECTURES"),
    "Architecture": ("architecture", "Architecture"),
    "Descriptor": ("descriptor", "Descriptor"),
    "Model": ("descriptor", "Model"),
    "load": ("loader", "load"),
    "load_file": ("loader", "load_file"),
    "resolve_auto": ("auto", "resolve"),
    "save": ("files", "save"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"imgfix.zoo.{module}"), attribute)
