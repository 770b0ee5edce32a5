"""From the files that a source gives to the tensors of one of our networks; the same files give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ModelError
from imgfix.zoo import building, checkpoint, ncnn
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES

State = dict[str, Tensor]


def convert(paths: Sequence[Path], form: str, net: str, config: Mapping[str, Any]) -> State:
    """Read a source's files, stored as `form`, into the tensors of `net`, in the precision they are stored in.

    Raises ModelError when the files are damaged or do not fit the network.
    """
    if form not in FORMATS:
        raise ModelError(f"there is no converter for files of the form '{form}'", hint="upgrade imgfix")
    if net == "community":  # built by spandrel when it is loaded
        return checkpoint.read(paths[0]).state
    architecture = ARCHITECTURES[net]
    state = FORMATS[form](paths, architecture, dict(config))
    building.build(
        architecture, config, state, paths[-1], hint="the catalog's hyper-parameters do not fit these weights"
    )
    return state


def _checkpoint(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    state = checkpoint.read(paths[0]).state
    return architecture.adapt(state) if architecture.adapt else state


def ncnn_state(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    """Convolutions and slopes have no names there: they are matched in order, which in our networks is that of use."""
    param, binary = paths
    layers = ncnn.read_weights(param, binary)
    wanted = [
        (name, module)
        for name, module in architecture.build(config).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.PReLU)
    ]
    if len(layers) != len(wanted):
        raise ModelError(f"{param}: {len(layers)} layers with weights, but {architecture.key} has {len(wanted)}")
    state: State = {}
    for (layer, weight, bias), (name, module) in zip(layers, wanted, strict=True):
        if weight.size != module.weight.numel() or (bias is None) != (getattr(module, "bias", None) is None):
            raise ModelError(f"{param}: layer {layer.name} does not fit {name} of {architecture.key}")
        state[f"{name}.weight"] = torch.from_numpy(weight.copy()).reshape(module.weight.shape)
        if bias is not None:
            state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    return state


def _onnx_layers(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    """Exporters that fold batch normalisation rename convolutions: matched in order, which is that of use."""
    from imgfix.zoo import onnx_reader

    graph = onnx_reader.read(paths[0])
    layers = [node for node in graph.nodes if node.kind == "Conv"]
    wanted = [(name, part) for name, part in architecture.build(config).named_modules() if isinstance(part, nn.Conv2d)]
    if len(layers) != len(wanted):
        raise ModelError(f"{paths[0]}: {len(layers)} convolutions, but {architecture.key} has {len(wanted)}")
    state: State = {}
    for node, (name, module) in zip(layers, wanted, strict=True):
        values = [graph.initializers.get(found) for found in node.inputs[1:]]
        if values[0] is None or values[0].shape != tuple(module.weight.shape):
            raise ModelError(f"{paths[0]}: the weights of {node.outputs[0]} do not fit {name} of {architecture.key}")
        for part, value in zip(("weight", "bias"), values, strict=False):
            if value is not None:
                state[f"{name}.{part}"] = torch.from_numpy(value.copy())
    return state


def _efficientdet(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo.efficientdet import efficientdet_from_layers
    from imgfix.zoo.tflite_reader import read_layers

    return efficientdet_from_layers(read_layers(paths[0]))


def _lpips_layers(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo.perceptual import lpips_from_layers

    return lpips_from_layers(checkpoint.read_pickle(paths[0]))


def _lpips_flax(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo.perceptual import lpips_from_flax, read_pickled_arrays

    return lpips_from_flax(read_pickled_arrays(paths[0]))


def _inception(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo import torchscript
    from imgfix.zoo.perceptual import inception_from_graph

    return inception_from_graph(torchscript.read_tensors(paths[0]))


def _niqe(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo.perceptual import niqe_from_arrays

    return niqe_from_arrays(paths[0])


def _maxim(paths: Sequence[Path], architecture: Architecture, config: dict[str, Any]) -> State:
    from imgfix.zoo.maxim import maxim_from_graph

    return maxim_from_graph(paths)


@dataclass(frozen=True)
class Adopted:
    """A checkpoint whose architecture was not known before it was read."""

    net: str
    """Key of its architecture, `community` for one that only spandrel may know."""
    config: dict[str, Any]
    """Its hyper-parameters."""
    state: State
    """Its tensors."""
    task: str
    """The job it is taken to be for, empty where only spandrel can tell."""
    facts: dict[str, Any]
    """What the file says of itself, for its descriptor."""


def adopt(path: Path) -> Adopted:
    """Read a checkpoint of any architecture. Raises ModelError for one that cannot be read or is only half there."""
    found = checkpoint.read(path)
    header = found.header
    if header.get("net") in ARCHITECTURES:
        architecture, config, state = ARCHITECTURES[header["net"]], header.get("config", {}), found.state
        task, facts = header.get("task", architecture.task), header.get("facts", {})
    elif (recognised := checkpoint.recognise(found.state)) is not None:
        architecture, config, state = recognised
        cleans = architecture.task == "upscale" and architecture.describe(config).get("scale", 1) == 1
        task, facts = ("restore", {"jobs": list(ANY_DAMAGE)}) if cleans else (architecture.task, {})
    else:
        return Adopted("community", {}, found.state, "", {})
    building.build(architecture, config, state, path, hint="its tensor names are known but its shapes do not fit")
    return Adopted(architecture.key, dict(config), dict(state), task, facts)


FORMATS: dict[str, Callable[[Sequence[Path], Architecture, dict[str, Any]], State]] = {
    "torch": _checkpoint,
    "safetensors": _checkpoint,
    "ncnn": ncnn_state,
    "onnx": _checkpoint,
    "onnx-layers": _onnx_layers,
    "efficientdet-tflite": _efficientdet,
    "lpips-layers": _lpips_layers,
    "lpips-flax": _lpips_flax,
    "inception-torchscript": _inception,
    "niqe-npz": _niqe,
    "maxim-tfjs": _maxim,
}
"""How a source's files may be stored. A new form is a function and a row here."""
