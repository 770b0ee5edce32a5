"""Every architecture that imgfix builds itself, one file each.

A file `KEY.py` here holds one `ARCHITECTURE`. The table is made by looking through this folder: no file registers
itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from imgfix.zoo.architecture import Architecture


def _found() -> dict[str, Architecture]:
    names = sorted(module.name for module in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}").ARCHITECTURE for name in names}


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(_found())
"""Every architecture by its key, in alphabetical order."""
