"""The libraries and extras that are installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform

from imgfix import __version__
from imgfix.pipelines.doctor.check import Check

LIBRARIES = (
    "torch",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "opencv-python",
    "av",
    "safetensors",
    "typer",
    "rich",
)
EXTRAS = {
    "community": ("spandrel", "checkpoints of other architectures"),
    "heif": ("pillow_heif", "HEIC and HEIF pictures"),
    "text": ("rapidocr", "finding and reading text in pictures"),
    "jxl": ("pillow_jxl", "JPEG XL pictures"),
    "raw": ("rawpy", "raw files of cameras"),
    "onnx": ("onnxruntime", "imgfix weights export, and the engine onnx"),
    "openvino": ("openvino", "the engine openvino, faster on many CPUs"),
    "diffusion": ("diffusers", "imgfix generate with diffusers pipelines"),
    "serve": ("starlette", "imgfix serve and imgfix ui"),
    "mcp": ("mcp", "imgfix serve --mcp"),
    "ray": ("ray", "the work spread over the machines of a Ray cluster"),
    "remote": ("fsspec", "inputs and outputs at s3://, gs://, https:// and the like"),
    "watch": ("watchfiles", "imgfix watch without polling"),
    "tensorboard": ("tensorboard", "TensorBoard logs of trainings"),
}
"""Extra -> the module that shows it is there, and what it is for."""


def libraries(checks: list[Check]) -> dict[str, str | None]:
    """Versions of the libraries that imgfix stands on, None for one that is not here."""
    found: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    where = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    checks.append(Check("program", f"imgfix {__version__}", "ok", where))
    there = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    checks.append(Check("program", "libraries", "ok", there))
    for module, package in (("torch", "torch"), ("cv2", "opencv-python-headless"), ("PIL", "pillow"), ("av", "av")):
        try:
            importlib.import_module(module)
        except Exception as error:  # a damaged library raises whatever it likes
            words = f"cannot be imported: {' '.join(str(error).split())[:200]}"
            checks.append(Check("program", package, "broken", words, f"pip install --force-reinstall {package}"))
    return found


def extras(checks: list[Check]) -> dict[str, bool]:
    """Whether each extra is installed."""
    found = {}
    for extra, (module, purpose) in EXTRAS.items():
        found[extra] = importlib.util.find_spec(module) is not None
        if found[extra]:
            checks.append(Check("extras", extra, "ok", purpose))
        else:
            checks.append(Check("extras", extra, "missing", purpose, f"pip install 'imgfix[{extra}]'"))
    return found
