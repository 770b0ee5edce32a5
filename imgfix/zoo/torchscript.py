"""Tensors out of a TorchScript archive, without loading it: the program inside is never read, let alone run."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from imgfix.errors import ModelError, out_of_memory

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Record:
    """Stands for an object of a class that the archive defines: its attributes, nothing of its behaviour."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def rebuild(
    storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> torch.Tensor:
    """A tensor from flat memory, offset, size and strides, as torch's own pickles describe it.

    Raises ValueError when it would be larger than the memory, by steps of nothing.
    """
    if math.prod(size) > storage.numel():
        raise ValueError(f"a tensor of {math.prod(size)} numbers in a storage of {storage.numel()}")
    return storage.as_strided(size, stride, offset).clone()


class ArchiveUnpickler(pickle.Unpickler):
    """Knows the archive's own classes as `Record`, tensors, and nothing else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        program = archive.read(f"{folder}/data.pkl")
        for operation, argument, _ in pickletools.genops(program):
            # The memo of Python's own reader is an array: one large index would fill the memory.
            if "PUT" in operation.name and isinstance(argument, int) and argument > len(program):
                raise pickle.UnpicklingError("a memo index beyond the file")
        super().__init__(io.BytesIO(program))
        self.archive = archive
        self.folder = folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return Record
        if (module, name) in {("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter")}:
            return rebuild if name == "_rebuild_tensor_v2" else (lambda tensor, *_: tensor)
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if module == "torch.jit._pickle":  # typed lists of plain values
            return lambda values, *_: values
        raise pickle.UnpicklingError(f"{module}.{name} is neither a tensor nor a module of the archive")

    def persistent_load(self, identity: Any) -> torch.Tensor:
        _, dtype, key, _, count = identity
        data = self.archive.read(f"{self.folder}/data/{key}")
        return torch.frombuffer(bytearray(data), dtype=dtype, count=count)


def walk(record: Record, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor below a record, under its dotted name."""
    for name, value in vars(record).items():
        if isinstance(value, torch.Tensor):
            yield prefix + name, value
        elif isinstance(value, Record):
            yield from walk(value, f"{prefix}{name}.")


def read_tensors(path: Path) -> Mapping[str, torch.Tensor]:
    """The named tensors of a TorchScript archive. Raises ModelError when it is damaged or holds other objects."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("/data.pkl")
            root = ArchiveUnpickler(archive, folder).load()
            if not isinstance(root, Record):
                raise ValueError("its root is not a module")
            return dict(walk(root))
    except StopIteration:
        raise ModelError(f"{path}: not a TorchScript archive") from None
    except Exception as error:  # a damaged program makes the reader stumble wherever it leads it
        if out_of_memory(error):
            raise
        words = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: cannot read the tensors ({words})", hint="fetch it again") from error
