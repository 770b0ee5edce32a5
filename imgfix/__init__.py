"""imgfix: image restoration behind one calm command line and one small Python API.

    import imgfix

    large = imgfix.upscale("photo.jpg", scale=2)              # (H, W, C) numpy array
    clean = imgfix.inpaint("photo.jpg", mask="mask.png")
    mask = imgfix.select("photo.jpg", object="dog")           # (H, W), 255 where the dog is
    clear = imgfix.restore("scan.jpg")
    both = imgfix.run("recipe.toml", "scan.jpg")              # several of these in one pass
    apple = imgfix.generate("a red apple", seed=7)            # (H, W, 4) with transparency
    numbers, means = imgfix.evaluate("out/", "gt/")           # PSNR, SSIM ...
    imgfix.train("upscale", "photos/", minutes=10)            # a model of your own
    model = imgfix.load("realesrgan-x4plus")                  # a descriptor and a torch module

Nothing heavy is imported until one of these is used.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgfix.api import cutout, evaluate, generate, inpaint, restore, run, select, upscale
    from imgfix.zoo import load

__version__ = "0.1.0"

__all__ = [
    "__version__", "cutout", "evaluate", "generate", "inpaint", "load", "restore", "run", "select", "train", "upscale",
]  # fmt: skip

_HOMES = {
    "upscale": "imgfix.api",
    "generate": "imgfix.api",
    "inpaint": "imgfix.api",
    "restore": "imgfix.api",
    "run": "imgfix.api",
    "select": "imgfix.api",
    "cutout": "imgfix.api",
    "evaluate": "imgfix.api",
    "load": "imgfix.zoo",
}
"""Where the public functions live; they are looked up on first use."""


class _Train(ModuleType):
    """The package `imgfix.train`, which is also the function: Python binds a package's name to the package."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        from imgfix.api import train

        return train(*arguments, **keywords)


class _Imgfix(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "train" and isinstance(value, ModuleType):
            value.__class__ = _Train
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Imgfix


def __getattr__(name: str) -> Any:
    if name == "train":
        return importlib.import_module("imgfix.train")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'imgfix' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
