"""A model as a file for other programs: ONNX, safetensors or `.pth`, checked against the network it came from."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import MissingExtraError, ModelError, UsageError, out_of_memory
from imgfix.media.files import atomic_path
from imgfix.zoo import checkpoint, community, files
from imgfix.zoo.descriptor import Descriptor, Model

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".onnx", ".safetensors", ".pth")


@dataclass(frozen=True)
class Exported:
    """What an export wrote, and how near it comes to the network."""

    path: Path
    """The file."""
    bytes: int
    """Its size."""
    compared_with: str
    """What read it back: `onnxruntime 1.20.0`, `safetensors`, `torch.load`."""
    largest_difference: float
    """Largest difference of any output value from the network's own, both in [0, 1]."""
    psnr: float
    """Peak signal-to-noise ratio of the two outputs in dB, infinite when they are equal."""


def export(model: Model, path: Path, *, half: bool = False) -> Exported:
    """Write a model in the form that the file's suffix names, read it back, and compare the outputs.

    `.onnx`: input `input` (N, C, H, W), output `output`, both in [0, 1]; N, H and W are free, but for a network with a
    native size, where only N is. `.safetensors`: our own header, loads here again. `.pth`: the state dictionary under
    `params`, as other programs expect it. `half` stores the weights of the last two as fp16. Raises UsageError (another
    suffix), MissingExtraError (ONNX), ModelError or OutputError.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: cannot export to '{suffix}'", hint=f"name a file that ends in {', '.join(SUFFIXES)}")
    if suffix == ".onnx":
        if half:
            raise UsageError(
                "`half` is for .safetensors and .pth", hint="convert the ONNX file with onnxconverter-common"
            )
        if model.descriptor.frames != 1:
            raise ModelError(
                f"{model.descriptor.name} carries a memory from frame to frame and cannot be exported to ONNX",
                hint="export to .safetensors or .pth",
            )
        return _export_onnx(model, path)
    return _export_weights(model, path, half)


def probe(descriptor: Descriptor, *, larger: bool = False) -> Tensor:
    """A smooth random picture (with a box as the mask) or clip of a size the network takes; the second size differs."""
    import torch
    import torch.nn.functional as F

    step = math.lcm(descriptor.size_multiple, 8)
    height, width = step * max(1, 32 // step), step * max(1, 40 // step)
    height, width = max(height, descriptor.size_minimum), max(width, descriptor.size_minimum)
    if descriptor.native_size:
        height = width = descriptor.native_size
    elif larger:
        height, width = width + step, height
    noise = torch.rand(1, descriptor.in_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    picture = F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False).clamp(0, 1)
    if descriptor.frames != 1:  # a short clip, (1, T, C, H, W)
        return torch.stack([picture.roll(shift, -1) for shift in range(3)], dim=1)
    if descriptor.task == "inpaint":
        picture[:, :1] = 0
        picture[:, :1, height // 4 : height // 2, width // 4 : width // 2] = 1
    return picture


def _export_onnx(model: Model, path: Path) -> Exported:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("export to ONNX", "onnx") from error
    with atomic_path(path) as temporary:
        write_onnx(model, temporary)
        graph = onnx.load(temporary)
        graph.doc_string = f"{model.descriptor.name}, licence of the weights: {model.descriptor.licence}"
        _name_axes(graph)
        for key in ("name", "task", "scale", "licence", "sha256"):
            graph.metadata_props.add(key=f"imgfix.{key}", value=str(getattr(model.descriptor, key)))
        graph.metadata_props.add(key=checkpoint.HEADER, value=_header(model.descriptor))
        onnx.save(graph, temporary)
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])

        def run(picture: Tensor) -> Any:
            return session.run(None, {"input": picture.numpy()})[0]

        difference, psnr = _compare(model, run)
    return Exported(path, path.stat().st_size, f"onnxruntime {onnxruntime.__version__}", difference, psnr)


AXES = ("batch", "channels", "height", "width")


def _name_axes(graph: Any) -> None:
    """Call the free axes of the input what they are; the exporter numbers them (`s77`), also inside sizes of others."""
    found = [axis.dim_param for axis in graph.graph.input[0].type.tensor_type.shape.dim]
    names = {number: name for number, name in zip(found, AXES, strict=False) if number}
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = re.sub(r"\w+", lambda word: names.get(word[0], word[0]), axis.dim_param)


def _header(descriptor: Descriptor) -> str:
    """What a file of ours says of itself, as JSON: enough to build the network again and to use it."""
    facts = {name: getattr(descriptor, name) for name in ("gan_trained", "overlap", "tiling", "jobs", "expects")}
    about = {name: getattr(descriptor, name) for name in ("name", "task", "licence", "degradation")}
    facts = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
    return files.header_text(descriptor.net, descriptor.config, {**about, "facts": facts})


def write_onnx(model: Model, path: Path) -> None:
    """Write a network's bare ONNX file, with torch's present exporter or, where that fails, with its older one.

    Input and output are as of `export`, which also compares them. Raises MissingExtraError, ModelError.
    """
    with _quiet():
        _write_onnx(model, path)


def _write_onnx(model: Model, path: Path) -> None:
    import torch

    picture = probe(model.descriptor)
    names: dict[str, Any] = {"input_names": ["input"], "output_names": ["output"]}
    free = [0] if model.descriptor.native_size else [0, 2, 3]
    try:
        dynamic = torch.export.Dim.DYNAMIC
        torch.onnx.export(
            model.net,
            (picture,),
            path,
            dynamo=True,
            dynamic_shapes=(dict.fromkeys(free, dynamic),),
            external_data=False,
            verbose=False,
            **names,
        )
        return
    except Exception as error:  # an exporter in motion: it fails with classes of its own
        if out_of_memory(error):
            raise
        first = error
    axes = {0: "batch", 2: "height", 3: "width"}
    named = {key: axes[key] for key in free}
    try:
        torch.onnx.export(
            model.net,
            (picture,),
            path,
            dynamo=False,
            opset_version=17,
            dynamic_axes={"input": named, "output": named},
            **names,
        )
    except Exception as error:
        if isinstance(first, ImportError):
            raise MissingExtraError("export to ONNX", "onnx") from first
        raise ModelError(f"{model.descriptor.name} cannot be exported to ONNX ({first})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporters talk to developers; the user gets one figure at the end."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _export_weights(model: Model, path: Path, half: bool) -> Exported:
    import torch

    from imgfix.zoo import loader

    descriptor = model.descriptor
    if descriptor.net.startswith(community.PREFIX):
        raise ModelError(
            f"{descriptor.name} can only be exported to ONNX", hint="it was not made here: use its own file"
        )
    state = {
        name: tensor.half() if half and tensor.is_floating_point() else tensor
        for name, tensor in model.net.state_dict().items()
    }
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".pth":
            # Others read `params`; beside it stands what tensor names and shapes do not tell.
            torch.save({"params": state, checkpoint.HEADER: _header(descriptor)}, temporary)
        else:
            header = json.loads(_header(descriptor))
            files.save(temporary, header.pop("net"), header.pop("config"), state, **header)
        again = loader.load_file(temporary)
        # A generator takes no picture, and a detector gives none: their tensors are compared.
        if descriptor.in_channels == 0 or descriptor.task in ("detect", "overlay"):
            difference, psnr = _compare_tensors(model.net.state_dict(), again.net.state_dict())
        else:
            difference, psnr = _compare(model, lambda picture: again.net(picture).numpy())
    reader = "torch.load" if path.suffix.lower() == ".pth" else "safetensors"
    return Exported(path, path.stat().st_size, reader, difference, psnr)


def _compare_tensors(own: Mapping[str, Tensor], again: Mapping[str, Tensor]) -> tuple[float, float]:
    """Largest difference of any parameter, and the PSNR of all of them."""
    differences = [(tensor.double() - again[name].double()).flatten() for name, tensor in own.items() if tensor.numel()]
    largest = max(float(each.abs().max()) for each in differences)
    squares = sum(float(each.square().sum()) for each in differences)
    count = sum(each.numel() for each in differences)
    return largest, math.inf if squares == 0 else -10 * math.log10(squares / count)


def _compare(model: Model, run: Any) -> tuple[float, float]:
    """Largest difference and PSNR of the outputs, over two sizes where the network takes them."""
    import numpy as np
    import torch

    largest, squares, count = 0.0, 0.0, 0
    with torch.inference_mode():
        for larger in (False, True) if model.descriptor.native_size is None else (False,):
            picture = probe(model.descriptor, larger=larger)
            difference = np.abs(np.asarray(run(picture), np.float64) - model.net(picture).numpy())
            largest = max(largest, float(difference.max()))
            squares += float((difference**2).sum())
            count += difference.size
    return largest, math.inf if squares == 0 else -10 * math.log10(squares / count)
