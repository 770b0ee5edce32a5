"""Weights files of our own: safetensors with everything needed to build the network in the header.

The header's `imgfix` entry is JSON with `net`, `config` and, where known, `task`, `name`, `licence`, `degradation`,
`facts` (fields of the descriptor) and where the weights came from. Nothing in a file is ever run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError
from imgfix.media.files import atomic_path
from imgfix.zoo.descriptor import TASKS, Descriptor

if TYPE_CHECKING:
    from torch import Tensor

HEADER_LIMIT = 100 << 20


def save(
    path: Path | str,
    net: str,
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    **metadata: Any,
) -> Path:
    """Write a weights file that `imgfix.zoo.load` reads; the same input gives the same bytes.

    `metadata` may hold `name`, `task`, `licence`, `degradation`, `summary`, `facts` (a dict of descriptor fields such
    as `gan_trained`) and anything else that JSON can hold. Raises OutputError when the file cannot be written.
    """
    from safetensors.torch import save as serialise

    header = header_text(net, config, metadata)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(state.items())}
    path = Path(path)
    with atomic_path(path) as temporary:
        # Not through save_file, which makes a file that only its owner can read.
        temporary.write_bytes(serialise(tensors, metadata={"imgfix": header}))
    return path


def header_text(net: str, config: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """The header as JSON, the same for the same values."""
    return json.dumps({"net": net, "config": dict(config), **metadata}, sort_keys=True)


def read_header(path: Path) -> dict[str, Any]:
    """The `imgfix` entry of a safetensors file's header, empty when it has none. Raises ModelError for another file."""
    damaged = ModelError(f"{path}: not a safetensors file, or a damaged one", hint="fetch or copy it again")
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            if len(start) < 8:
                raise damaged
            (length,) = struct.unpack("<Q", start)
            if length > min(HEADER_LIMIT, path.stat().st_size):
                raise damaged
            header = json.loads(stream.read(length))
            text = header.get("__metadata__", {}).get("imgfix", "{}")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise damaged from error
    return parse_header(text, path)


def parse_header(text: Any, path: Path) -> dict[str, Any]:
    """The header that a file of ours carries as JSON, its values checked and its texts made printable.

    Raises ModelError when it is not JSON, or a value is of another type than `save` writes.
    """
    try:
        header = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _wrong(path, "it is not JSON") from error
    if not isinstance(header, dict):
        raise _wrong(path, "it is not a table")
    for name, kind in _HEADER.items():
        if name in header and not isinstance(header[name], kind):
            raise _wrong(path, f"'{name}' is {type(header[name]).__name__} instead of {kind.__name__}")
    if "task" in header and header["task"] not in TASKS:
        raise ModelError(
            f"{path}: a model for '{printable(header['task'])[:40]}', which imgfix does not do",
            hint=f"models are for {', '.join(TASKS)}",
        )
    for name, value in header.get("facts", {}).items():
        if not _is_fact(name, value):
            raise _wrong(path, f"'{printable(name)}' cannot be {printable(str(value))[:40]}")
    return {name: printable(value) if isinstance(value, str) else value for name, value in header.items()}


_HEADER = {
    "net": str, "config": dict, "task": str, "name": str, "licence": str, "degradation": str, "summary": str,
    "facts": dict,
}  # fmt: skip
_LARGEST_FACT = 1 << 16
"""No size rule, scale or reach of any network here comes near this."""


def _is_fact(name: str, value: Any) -> bool:
    """Whether a value can stand in that field of a descriptor; fields that are not known are passed over later."""
    known = {field.name: field.default for field in fields(Descriptor)}
    if name not in known or known[name] is MISSING:
        return True
    default = known[name]
    if isinstance(default, bool | str):
        return type(value) is type(default)
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value)
    if value is None:
        return default is None
    return type(value) is int and (name == "scale") <= value <= _LARGEST_FACT


def printable(text: str) -> str:
    """A text from a file without what would steer a terminal: control characters, line breaks, changes of direction."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _wrong(path: Path, why: str) -> ModelError:
    return ModelError(f"{path}: the header of this weights file is damaged ({why})", hint="fetch or copy it again")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, as stored. Raises ModelError when it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error})", hint="fetch or copy it again") from error
