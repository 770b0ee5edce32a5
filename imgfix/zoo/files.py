"""Weights files of our own: safetensors with everything needed to build the network in the header.

The header's `imgfix` entry is JSON with `net`, `config` and, where known, `task`, `name`, `licence`, `degradation`,
`facts` (fields of the descriptor) and where the weights came from. Nothing in a file is ever run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError
from imgfix.media.files import atomic_path

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

    header = {"net": net, "config": dict(config), **metadata}
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(state.items())}
    path = Path(path)
    with atomic_path(path) as temporary:
        # Not through save_file, which makes a file that only its owner can read.
        temporary.write_bytes(serialise(tensors, metadata={"imgfix": json.dumps(header, sort_keys=True)}))
    return path


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
            return json.loads(header.get("__metadata__", {}).get("imgfix", "{}"))
    except (OSError, ValueError, AttributeError) as error:
        raise damaged from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, as stored. Raises ModelError when it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error})", hint="fetch or copy it again") from error
