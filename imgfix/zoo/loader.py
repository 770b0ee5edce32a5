"""From a name or a path to a `Model`: a descriptor with its network, ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ModelError, UsageError
from imgfix.zoo import auto, building, catalog, checkpoint, community, files, ncnn, onnx_model, pull, references, store
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Model
from imgfix.zoo.entry import Entry

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[int, int], None]

NCNN_SUFFIXES = {".param", ".bin"}
FILE_SUFFIXES = {".safetensors", ".pth", ".pt", ".ckpt", ".onnx", *NCNN_SUFFIXES}


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
    if is_file(name):
        return _for_task(load_file(Path(name).expanduser()), task)
    if name == "auto":
        if task is None:
            raise UsageError("'auto' needs to know the task", hint="name a model, or say what it is for")
        name, _ = auto.resolve(task, scale)
    entry = catalog.find(name)
    if task is not None and entry.task and entry.task not in auto.tasks(task):
        raise ModelError(f"{name} is a model for '{entry.task}', not for '{auto.words(task)}'", hint=_others(task))
    if not store.installed(entry):
        pull.pull(entry, offline=offline, progress=progress)
        entry = catalog.find(name)
    return _for_task(load_entry(entry), task)


def is_file(name: str) -> bool:
    """Whether a model is named by its weights file, and not by a name or an address."""
    if references.is_reference(name):
        return False
    path = Path(name).expanduser()
    return path.suffix.lower() in FILE_SUFFIXES or path.is_file()


_TOLD = ("licence", "degradation", "expects", "jobs", "gan_trained", "overlap", "tiling", "native_size")
"""What the catalog adds to what spandrel says of a model."""


def load_entry(entry: Entry) -> Model:
    """Verify and load an installed model of the catalog. Raises ModelError."""
    digest = store.verify(entry)
    path = store.path_of(entry)
    store.note_use(path)
    if entry.imported or not entry.net:
        return load_file(path)
    if entry.net == community.NET:
        model = community.load_community(path, files.read_tensors(path), {"name": entry.name, "task": entry.task})
        known = {name: value for name, value in entry.described.items() if name in _TOLD and value}
        return Model(replace(model.descriptor, **known), model.net)
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
    if path.suffix.lower() == ".onnx":
        return onnx_model.load(path)
    if path.suffix.lower() in NCNN_SUFFIXES:
        return _load_ncnn(path)
    found = checkpoint.read(path)
    header = found.header
    if "net" not in header:
        return _load_foreign(path, found.state)
    if header["net"] == community.NET:
        return community.load_community(path, found.state, header)
    architecture = building.known(header["net"], path)
    config = header.get("config", {})
    net = building.build(architecture, config, found.state, path, hint="the file does not match its own header")
    facts = {key: header[key] for key in ("licence", "degradation") if key in header} | header.get("facts", {})
    facts |= {"name": header.get("name") or path.stem, "task": header.get("task", architecture.task)}
    return Model(building.describe(architecture, config, sha256=store.sha256_of(path), **facts), net)


def _load_foreign(path: Path, state: Mapping[str, Tensor]) -> Model:
    found = checkpoint.recognise(state)
    if found is None:
        for known in ARCHITECTURES.values():
            if known.marks and all(name in state for name in known.marks):
                raise ModelError(
                    f"{path}: bare tensors of a {known.key}, which are not enough to build it: {known.header_only}",
                    hint="take the .safetensors file that imgfix wrote",
                )
        return community.load_community(path, state)
    architecture, config, state = found
    net = building.build(architecture, config, state, path, hint="its tensor names are known but its shapes do not fit")
    facts = {"name": path.stem, "task": architecture.task, "sha256": store.sha256_of(path)}
    descriptor = building.describe(architecture, config, **facts)
    if descriptor.task == "upscale" and descriptor.scale == 1:
        # The many community models that only clean up, of whatever it is.
        descriptor = replace(descriptor, task="restore", jobs=ANY_DAMAGE, expects=())
    return Model(descriptor, net)


def _load_ncnn(path: Path) -> Model:
    """The pair of files that ncnn keeps a network in, named by either of them."""
    from imgfix.zoo.convert import ncnn_state  # imports torch

    pair = path.with_suffix(".param"), path.with_suffix(".bin")
    layers = ncnn.read_layers(pair[0])
    for architecture in ARCHITECTURES.values():
        config = architecture.detect_ncnn(layers) if architecture.detect_ncnn else None
        if config is not None:
            state = ncnn_state(pair, architecture, config)
            net = building.build(architecture, config, state, pair[1], hint="its layers are not quite that network's")
            facts = {"name": path.stem, "task": architecture.task, "sha256": store.sha256_of(pair[1])}
            return Model(building.describe(architecture, config, **facts), net)
    readable = " and ".join(each.key for each in ARCHITECTURES.values() if each.detect_ncnn)
    raise ModelError(
        f"{pair[0]}: an ncnn network of an architecture that cannot be read from ncnn files",
        hint=f"{readable} can; take the model as .onnx, .pth or .safetensors",
    )


def _for_task(model: Model, task: str | tuple[str, ...] | None) -> Model:
    found = model.descriptor.task
    if task is not None and found not in auto.tasks(task):
        name = model.descriptor.name
        raise ModelError(f"{name} is a model for '{found}', not for '{auto.words(task)}'", hint=_others(task))
    return model


def _others(task: str | tuple[str, ...]) -> str:
    names = [entry.name for entry in catalog.entries() if entry.task in auto.tasks(task)]
    return f"models for '{auto.words(task)}': {', '.join(names)}" if names else "See: imgfix weights list"
