"""Every architecture that imgfix builds itself, one file each.

A file `KEY.py` here holds one `ARCHITECTURE`. The table is made by looking through this folder: no file registers
itself, and each is read when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules

from imgfix.zoo.architecture import Architecture


class _Architectures(Mapping[str, Architecture]):
    def __init__(self) -> None:
        self._keys = dict.fromkeys(sorted(module.name for module in iter_modules(__path__)))

    def __getitem__(self, key: str) -> Architecture:
        if key not in self._keys:
            raise KeyError(key)
        found: Architecture = import_module(f"{__name__}.{key}").ARCHITECTURE
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


ARCHITECTURES: Mapping[str, Architecture] = _Architectures()
"""Every architecture by its key, in alphabetical order."""
