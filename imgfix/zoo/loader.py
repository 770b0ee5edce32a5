"""From a name or a path to a `Model`: a descriptor with its network, ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from imgfix.errors import ModelError, UsageError
from imgfix.zoo import auto, building, catalog, checkpoint, community, files, pull, store
from imgfix.zoo.descriptor import Model

Progress = Callable[[int, int], None]

FILE_SUFFIXES = {".safetensors", ".pth", ".pt", ".ckpt", ".onnx"}


def load(
    name_or_path: str | Path,
    *,
    task: str | tuple[str, ...] | None = None,
    scale: int | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Load a model by catalog name, `auto`, or path of a weights file; the network is on the CPU, fp32, in eval mode.

    A catalog model that is not on this machine is fetched, unless `offline`; `auto` (which needs `task`, and takes
    `scale` into account) never fetches. Several tasks stand in the order in which `auto` tries them.
    `progress` is called with bytes done and bytes in all. Raises ModelError
    (unknown, damaged, of another task) or DownloadError.
    """
    name = str(name_or_path)
    path = Path(name).expanduser()
    if path.suffix.lower() in FILE_SUFFIXES or path.is_file():
        return _for_task(load_file(path), task)
    if name == "auto":
        if task is None:
            raise UsageError("'auto' needs to know the task", hint="name a model, or say what it is for")
        name, _ = auto.resolve(task, scale)
    entry = catalog.find(name)
    if task is not None and entry.task not in auto.tasks(task):
        raise ModelError(f"{name} is a model for '{entry.task}', not for '{auto.words(task)}'", hint=_others(task))
    if not store.installed(entry):
        pull.pull(entry, offline=offline, progress=progress)
    return load_entry(entry)


def load_entry(entry: catalog.Entry) -> Model:
    """Verify and load an installed model of the catalog. Raises ModelError."""
    digest = store.verify(entry)
    path = store.path_of(entry)
    if entry.imported:
        return load_file(path)
    architecture = building.known(entry.net, path)
    net = building.build(architecture, entry.config, files.read_tensors(path), path, hint=store.remedy(entry))
    facts = {"name": entry.name, "task": entry.task, "sha256": digest, **entry.described}
    return Model(building.describe(architecture, entry.config, **facts), net)


def load_file(path: Path) -> Model:
    """Load a weights file: one of ours, a checkpoint whose architecture is recognised, or any other through spandrel.

    Raises ModelError, or MissingExtraError when only the `community` packages could tell what it is.
    """
    if not path.is_file():
        raise ModelError(f"{path}: there is no such weights file", hint="See: imgfix weights list")
    header = files.read_header(path) if path.suffix.lower() == ".safetensors" else {}
    if "net" not in header:
        return _load_foreign(path)
    if header["net"] == community.NET:
        return community.load_community(path, files.read_tensors(path), header)
    architecture = building.known(header["net"], path)
    config = header.get("config", {})
    net = building.build(
        architecture, config, files.read_tensors(path), path, hint="the file does not match its own header"
    )
    facts = {key: header[key] for key in ("licence", "degradation") if key in header} | header.get("facts", {})
    facts |= {"name": header.get("name") or path.stem, "task": header.get("task", architecture.task)}
    return Model(building.describe(architecture, config, sha256=store.sha256_of(path), **facts), net)


def _load_foreign(path: Path) -> Model:
    state = checkpoint.read(path)
    found = checkpoint.recognise(state)
    if found is None:
        return community.load_community(path, state)
    architecture, config, state = found
    net = building.build(architecture, config, state, path, hint="its tensor names are known but its shapes do not fit")
    facts = {"name": path.stem, "task": architecture.task, "sha256": store.sha256_of(path)}
    descriptor = building.describe(architecture, config, **facts)
    if descriptor.task == "upscale" and descriptor.scale == 1:
        descriptor = replace(
            descriptor, task="restore", jobs=("noise", "jpeg")
        )  # the many community models that only clean up
    return Model(descriptor, net)


def _for_task(model: Model, task: str | tuple[str, ...] | None) -> Model:
    found = model.descriptor.task
    if task is not None and found not in auto.tasks(task):
        name = model.descriptor.name
        raise ModelError(f"{name} is a model for '{found}', not for '{auto.words(task)}'", hint=_others(task))
    return model


def _others(task: str | tuple[str, ...]) -> str:
    names = [entry.name for entry in catalog.entries() if entry.task in auto.tasks(task)]
    return f"models for '{auto.words(task)}': {', '.join(names)}" if names else "See: imgfix weights list"
