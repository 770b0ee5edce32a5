"""Networks as ONNX files for other engines, and what was measured of them: kept in the home folder under their hash."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
from pathlib import Path

import torch

from imgfix import __version__
from imgfix.errors import ImgfixError
from imgfix.media.files import atomic_path
from imgfix.zoo import export, folders
from imgfix.zoo.descriptor import Model


def folder() -> Path:
    """Where the files are kept; it need not exist yet."""
    return folders.home() / "engines"


def file_for(model: Model) -> Path:
    """The ONNX file of a network, written when it is not there yet (seconds).

    Raises:
        MissingExtraError: it cannot be written without the packages that write ONNX.
        ModelError: the network cannot be expressed in ONNX.
        OutputError: the file cannot be written.
    """
    place = folder() / f"{key(model)}.onnx"
    if not place.is_file():
        folders.check_home()
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(place) as temporary:
            export.write_onnx(model, temporary)
    return place


def key(model: Model) -> str:
    """What tells one network from another: its architecture with its code, its configuration and its weights."""
    facts = model.descriptor
    digest = hashlib.sha256(json.dumps([__version__, facts.net, facts.config], sort_keys=True, default=str).encode())
    with contextlib.suppress(OSError, TypeError):  # code without a file
        digest.update(Path(inspect.getfile(type(model.net))).read_bytes())
    for name, tensor in sorted(model.net.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def recall(model: Model) -> dict[str, dict[str, float]]:
    """What was measured of a network in other engines: circumstances in words -> figures. Empty when nothing was."""
    try:
        found = json.loads(_notes(model).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(each, dict) for each in found.values()) else {}


def remember(model: Model, circumstances: str, figures: dict[str, float]) -> None:
    """Keep what was measured, for `recall`. Where nothing can be written, it is measured again the next time."""
    known = recall(model)
    known[circumstances] = known.get(circumstances, {}) | figures
    with contextlib.suppress(ImgfixError, OSError), atomic_path(_notes(model)) as temporary:
        temporary.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


def _notes(model: Model) -> Path:
    return folder() / f"{key(model)}.json"
