"""imgfix: image restoration behind one calm command line and one small Python API.

    import imgfix

    large = imgfix.upscale("photo.jpg", scale=2)              # (H, W, C) numpy array
    clean = imgfix.inpaint("photo.jpg", mask="mask.png")
    clear = imgfix.restore("scan.jpg")
    apple = imgfix.generate("a red apple", seed=7)            # (H, W, 4) with transparency
    model = imgfix.load("realesrgan-x4plus")                  # a descriptor and a torch module

Nothing heavy is imported until one of these is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgfix.api import generate, inpaint, restore, upscale
    from imgfix.zoo import load

__version__ = "0.1.0"

__all__ = ["__version__", "generate", "inpaint", "load", "restore", "upscale"]

_HOMES = {
    "upscale": "imgfix.api",
    "generate": "imgfix.api",
    "inpaint": "imgfix.api",
    "restore": "imgfix.api",
    "load": "imgfix.zoo",
}
"""Where the public functions live; they are looked up on first use."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'imgfix' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
