"""What computes a network: torch itself, or a library that runs its ONNX file on the CPU; all behind one protocol."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import TYPE_CHECKING, Protocol

from imgfix.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from imgfix.zoo.descriptor import Precision

TORCH, OPENVINO, ONNX = ENGINES = ("torch", "openvino", "onnx")
AUTO = "auto"
_PACKAGES = {
    TORCH: ("torch",),
    OPENVINO: ("openvino", "onnx", "onnxscript"),
    ONNX: ("onnxruntime", "onnx", "onnxscript"),
}
"""Engine -> what has to be there: what runs the network, then what writes its ONNX file."""


class Compiled(Protocol):
    """A network as an engine runs it."""

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 -> (N, C', H', W') float32, of sizes that the network takes.

        Raises RuntimeError where memory runs out, and `imgfix.runtime.prefetch.Stopped`.
        """
        ...


def check_name(name: str) -> None:
    """Raises UsageError: no engine is called so."""
    if name not in (AUTO, *ENGINES):
        raise UsageError(f"unknown engine '{name}'", hint=f"choose auto or one of: {', '.join(ENGINES)}")


def installed() -> list[str]:
    """Engines that can be used here: torch first."""
    return [name for name in ENGINES if is_installed(name)]


def is_installed(name: str) -> bool:
    """Whether everything that an engine needs can be imported."""
    return all(importlib.util.find_spec(package) is not None for package in _PACKAGES[name])


def version(name: str) -> str:
    """An engine with its version: `openvino 2026.4.1`."""
    return f"{name} {importlib.metadata.version(_PACKAGES[name][0])}"


def precisions(name: str, native: list[Precision]) -> list[Precision]:
    """Of the formats that the CPU computes natively, those that an engine uses, in the same order."""
    return native if name != ONNX else [each for each in native if each == "fp32"]


def compile_network(name: str, file: Path, precision: Precision, threads: int) -> Compiled:
    """Make a network's ONNX file ready to run on the CPU.

    Args:
        name: `openvino` or `onnx`.
        file: as of `imgfix.zoo.exported`.
        precision: of the computation; input and output are float32.
        threads: to compute with.

    Raises:
        MissingExtraError: the engine is not installed.
        RuntimeError: it cannot read the network.
    """
    if not is_installed(name):
        raise MissingExtraError(f"`engine` {name}", name)
    if name == OPENVINO:
        from imgfix.runtime.engines.openvino import OpenVinoNetwork

        return OpenVinoNetwork(file, precision, threads)
    from imgfix.runtime.engines.onnx import OnnxNetwork

    return OnnxNetwork(file, threads)
