"""Foreign checkpoints: read without running anything in them, then recognised by their tensor names and shapes."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError
from imgfix.zoo import files, onnx_reader
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Tensor

# Smoothed weights first: they are what the authors evaluate.
NESTS = ("params_ema", "ema", "params", "state_dict", "model_state_dict", "G_ema", "generator", "model", "net")


def read(path: Path) -> dict[str, Tensor]:
    """The state dictionary of a `.pth` (`.pt`, `.ckpt`), safetensors or ONNX file; `params_ema` first where nested.

    A pickle is read with torch's restricted reader, which knows tensors and plain containers only; of a TorchScript
    file the tensors are read and the program is not. Raises ModelError for a file that holds anything else or cannot
    be read.
    """
    if path.suffix.lower() == ".safetensors":
        return files.read_tensors(path)
    if path.suffix.lower() == ".onnx":
        return onnx_reader.read_state(path)
    if _is_torchscript(path):
        from imgfix.zoo import torchscript

        return dict(torchscript.read_tensors(path))
    return unnest(read_pickle(path), path)


def read_pickle(path: Path) -> Any:
    """Whatever plain containers and tensors a `torch.save` file holds. Raises ModelError for other objects in it."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickles that it goes on to refuse
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "nsupported" not in str(error) or not _is_pickle(path):
            raise ModelError(f"{path}: not a readable checkpoint", hint="fetch or copy it again") from error
        raise ModelError(
            f"{path}: refused, because it holds objects other than tensors, which could run code when opened",
            hint="save its state_dict alone, or convert it to safetensors where you trust it",
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # what is no pickle makes the reader stumble wherever its bytes lead it
        words = " ".join(str(error).split()).split(". ")[0]
        reason = f" ({words[:200]})" if " " in words else ""  # a bare number or name tells nothing
        raise ModelError(f"{path}: not a readable checkpoint{reason}", hint="fetch or copy it again") from error


def _is_torchscript(path: Path) -> bool:
    """Whether a file is a traced or scripted network: its program is left alone, its tensors have the usual names."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _is_pickle(path: Path) -> bool:
    """Whether a file begins like a pickle or like the zip archive that torch puts its pickles in."""
    with path.open("rb") as stream:
        return stream.read(2).startswith((b"\x80", b"PK"))


def unnest(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dictionary inside what a checkpoint holds. Raises ModelError when there is none."""
    import torch

    for _ in range(4):
        if not isinstance(content, Mapping):
            break
        tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
        nested = next((name for name in NESTS if isinstance(content.get(name), Mapping)), None)
        if tensors and nested is None:
            return {name.removeprefix("module."): value for name, value in tensors.items()}
        if nested is None:
            break
        content = content[nested]
    raise ModelError(f"{path}: holds no state dictionary (names with tensors)", hint="it needs the network's weights")


def recognise(state: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Any], dict[str, Tensor]] | None:
    """Architecture, hyper-parameters and renamed tensors of a foreign state dictionary; `None` when it is unknown."""
    for architecture in ARCHITECTURES.values():
        config = architecture.detect(state) if architecture.detect else None
        if config is not None:
            return architecture, config, architecture.adapt(state) if architecture.adapt else dict(state)
    return None
