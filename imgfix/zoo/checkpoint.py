"""Foreign checkpoints: read without running anything in them, then recognised by their tensor names and shapes."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError, out_of_memory
from imgfix.zoo import files, onnx_reader
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Tensor

# Smoothed weights first: they are what the authors evaluate.
NESTS = (
    "params_ema", "g_ema", "G_ema", "ema", "params", "state_dict", "model_state_dict", "generator", "netG", "net_g",
    "gen", "G", "model", "net", "network", "weights",
)  # fmt: skip
DEPTH = 4
"""How deep a state dictionary may lie in what a checkpoint holds."""


HEADER = "imgfix"
"""Where our own `.pth` and ONNX files keep what the header of a safetensors file says, as JSON."""
SLACK = 16 << 20
"""Bytes by which what is unpacked may exceed four times the file, whatever the file says of itself."""


@dataclass(frozen=True)
class Checkpoint:
    """What a weights file holds."""

    state: dict[str, Tensor]
    """Its tensors by name."""
    header: dict[str, Any]
    """What a file of ours says of itself (`imgfix.zoo.files`), empty for a foreign one."""


def read(path: Path) -> Checkpoint:
    """A `.pth` (`.pt`, `.ckpt`), safetensors or ONNX file; of nested state dictionaries the smoothed one.

    A pickle is read with torch's restricted reader, which knows tensors and plain containers only; of a TorchScript
    file the tensors are read and the program is not. Nothing much larger than the file is unpacked. Raises ModelError
    for a file that holds anything else or cannot be read.
    """
    if path.suffix.lower() == ".safetensors":
        return Checkpoint(files.read_tensors(path), files.read_header(path))
    if path.suffix.lower() == ".onnx":
        graph = onnx_reader.read(path)
        text = graph.metadata.get(HEADER)
        return Checkpoint(onnx_reader.state_of(graph), files.parse_header(text, path) if text else {})
    members = _members(path)
    if any(name.endswith("/constants.pkl") for name in members):
        from imgfix.zoo import torchscript

        return Checkpoint(_bounded(dict(torchscript.read_tensors(path)), path), {})
    content = read_pickle(path)
    text = content.get(HEADER) if isinstance(content, Mapping) else None
    return Checkpoint(_bounded(unnest(content, path), path), files.parse_header(text, path) if text else {})


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
    except Exception as error:  # what is no pickle makes the reader stumble wherever its bytes lead it
        if out_of_memory(error):
            raise
        words = " ".join(str(error).split()).split(". ")[0]
        reason = f" ({words[:200]})" if " " in words else ""  # a bare number or name tells nothing
        raise ModelError(f"{path}: not a readable checkpoint{reason}", hint="fetch or copy it again") from error


def _members(path: Path) -> list[str]:
    """Names in a zip archive, empty for another file. Raises ModelError for a damaged or a far too well packed one.

    torch stores tensors as they are; an archive that unpacks to many times its size was not written by it.
    """
    try:
        if not zipfile.is_zipfile(path):
            return []
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, struct.error) as error:
        raise ModelError(f"{path}: a damaged checkpoint ({error})", hint="fetch or copy it again") from error
    if sum(info.file_size for info in infos) > _room(path):
        raise _too_large(path)
    return [info.filename for info in infos]


def _bounded(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The same tensors. Raises ModelError when together they claim far more than the file can hold."""
    if sum(tensor.numel() * tensor.element_size() for tensor in state.values()) > _room(path):
        raise _too_large(path)
    return state


def _room(path: Path) -> int:
    return 4 * path.stat().st_size + SLACK


def _too_large(path: Path) -> ModelError:
    return ModelError(
        f"{path}: refused, because it would unpack to many times its size", hint="fetch the file from its authors"
    )


def _is_pickle(path: Path) -> bool:
    """Whether a file begins like a pickle or like the zip archive that torch puts its pickles in."""
    with path.open("rb") as stream:
        return stream.read(2).startswith((b"\x80", b"PK"))


def unnest(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dictionary inside what a checkpoint holds, without the prefixes of wrappers around the network.

    The smoothed weights are taken before the plain ones; under names that are not known, what has most numbers. Raises
    ModelError when there is none.
    """
    found = _tables(content)
    if not found:
        raise ModelError(
            f"{path}: holds no state dictionary (names with tensors)", hint="it needs the network's weights"
        )
    return min(found, key=lambda each: each[0])[1]


def _tables(content: Any, depth: int = 0) -> list[tuple[tuple[int, int], dict[str, Tensor]]]:
    """Every table of tensors inside, each with its place: by the name it stands under, then by its size."""
    import torch

    if not isinstance(content, Mapping) or depth > DEPTH:
        return []
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    found = []
    if tensors:
        numbers = sum(tensor.numel() for tensor in tensors.values())
        found.append(((len(NESTS), -numbers), _unwrapped(tensors)))
    for name, inner in content.items():
        place = NESTS.index(name) if name in NESTS else len(NESTS)
        found += [((min(place, rank), size), table) for (rank, size), table in _tables(inner, depth + 1)]
    return found


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names without what data-parallel and compiled modules put before them."""
    return {name.removeprefix("_orig_mod.").removeprefix("module."): tensor for name, tensor in state.items()}


def recognise(state: Mapping[str, Tensor]) -> tuple[Architecture, dict[str, Any], dict[str, Tensor]] | None:
    """Architecture, hyper-parameters and renamed tensors of a foreign state dictionary; `None` when it is unknown.

    The network may be one part of a larger program: a generator beside its discriminator.
    """
    for part in parts(state):
        for architecture in ARCHITECTURES.values():
            config = architecture.detect(part) if architecture.detect else None
            if config is not None:
                return architecture, config, architecture.adapt(part) if architecture.adapt else dict(part)
    return None


def parts(state: Mapping[str, Tensor]) -> Iterator[Mapping[str, Tensor]]:
    """The state dictionary itself, then what stands in it under each first name, largest first, to a depth of two."""
    yield state
    for _ in range(2):
        groups: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            first, _, rest = name.partition(".")
            if rest:
                groups.setdefault(first, {})[rest] = tensor
        if not groups:
            return
        ordered = sorted(groups.values(), key=lambda group: -sum(tensor.numel() for tensor in group.values()))
        yield from ordered[:8]
        state = ordered[0]
