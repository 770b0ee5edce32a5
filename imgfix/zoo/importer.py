"""A user's own checkpoint, kept in the data folder under a name of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import ModelError, OutputError, UsageError
from imgfix.zoo import catalog, checkpoint, community, files, folders, loader, store
from imgfix.zoo.entry import Entry

if TYPE_CHECKING:
    from torch import Tensor

    from imgfix.zoo.descriptor import Model

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def import_file(
    path: Path, name: str, *, task: str | None = None, licence: str | None = None, overwrite: bool = False
) -> Entry:
    """Recognise a weights file, check that it loads, and keep it in the data folder as `name`.

    The architecture and its hyper-parameters are read from our own header or from tensor names and shapes; what only
    spandrel knows is kept as it is. `task` and `licence` replace what the file says of itself. Raises UsageError (the
    name), OutputError (it exists), ModelError (the file) or MissingExtraError.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not a model name", hint="use small letters, digits, dots and dashes: my-photos-x4"
        )
    if name == "auto" or any(entry.name == name for entry in catalog.entries()):
        raise UsageError(f"'{name}' is already the name of a catalog model", hint="choose another `name`")
    target = folders.check_data() / "models" / f"{name}.safetensors"
    former = folders.models_folder() / target.name  # where earlier versions kept it
    if (target.exists() or former.exists()) and not overwrite:
        raise OutputError(f"there is already an imported model '{name}'", hint="choose another `name`, or `overwrite`")
    model = loader.load_file(path)
    descriptor = model.descriptor
    net, config, header, state = descriptor.net, descriptor.config, _header(path), _tensors(path, model)
    if net.startswith(community.PREFIX):
        net, config = community.NET, {}
    kept = {key: header[key] for key in ("degradation", "facts", "summary") if key in header}
    # A list shows the scale; what only spandrel can read has no hyper-parameters to tell it from.
    kept["facts"] = {"scale": descriptor.scale, "jobs": list(descriptor.jobs), **kept.get("facts", {})}
    files.save(
        target,
        net,
        config,
        state,
        name=name,
        task=task or descriptor.task,
        licence=licence or descriptor.licence,
        **kept,
    )
    store.write_record(
        target,
        store.PullRecord(name, store.sha256_of(target), target.stat().st_size, str(path.resolve()), descriptor.sha256),
    )
    if former != target:
        for left in (former, store.record_path(former)):
            left.unlink(missing_ok=True)
    return catalog.find(name)


def _header(path: Path) -> dict[str, Any]:
    return {} if path.suffix.lower() in loader.NCNN_SUFFIXES else checkpoint.read(path).header


def _tensors(path: Path, model: Model) -> Mapping[str, Tensor]:
    """The tensors to keep, in the precision they are stored in where the file names them. Raises ModelError."""
    if path.suffix.lower() in {".onnx", *loader.NCNN_SUFFIXES}:
        state = model.net.state_dict()
        if not state:
            raise ModelError(
                f"{path}: an ONNX graph that is run as it is cannot be imported", hint="use it by its path"
            )
        return state
    found = checkpoint.read(path)
    if "net" not in found.header and (recognised := checkpoint.recognise(found.state)):
        return recognised[2]
    return found.state
