"""An ONNX file as a model: rebuilt as one of our networks where its tensors tell which, else run by ONNX Runtime.

A graph of others must take one picture, (N, C, H, W) or (N, H, W, C) with free sides, and return one. What it does not
say of itself is found out by running it on small pictures: scale, size rule, and whether it counts to 1 or to 255.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import MissingExtraError, ModelError, out_of_memory
from imgfix.zoo import building, checkpoint, store
from imgfix.zoo.architecture import Architecture
from imgfix.zoo.architectures import ARCHITECTURES
from imgfix.zoo.descriptor import Descriptor, Model

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NET = "onnx"
"""What stands for the architecture of a graph that is run as it is."""
_PROBE = 64
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)


def load(path: Path) -> Model:
    """Load an ONNX file. Raises ModelError (damaged, of a kind that cannot be used) or MissingExtraError (onnx)."""
    found = checkpoint.read(path)
    header = found.header
    if header.get("net") in ARCHITECTURES:
        return _own(path, found)
    recognised = checkpoint.recognise(found.state)
    if recognised is not None:
        architecture, config, state = recognised
        net = _rebuilt(architecture, config, state, path)
        if net is not None:
            facts = {"name": path.stem, "task": architecture.task, "sha256": store.sha256_of(path)}
            return Model(building.describe(architecture, config, **facts), net)
    runner = _Runner(path)
    return Model(_found_out(path, runner), runner.as_module())


def _own(path: Path, found: checkpoint.Checkpoint) -> Model:
    """An export of ours. Where the exporter folded some of its tensors away, the graph itself is run."""
    header = found.header
    architecture, config = ARCHITECTURES[header["net"]], header.get("config", {})
    facts = {key: header[key] for key in ("licence", "degradation") if key in header} | header.get("facts", {})
    facts |= {"name": header.get("name") or path.stem, "task": header.get("task", architecture.task)}
    facts["sha256"] = store.sha256_of(path)
    net = _rebuilt(architecture, config, found.state, path)
    if net is None:
        net, facts["precisions"] = _Runner(path, own=True).as_module(), ("fp32",)
    return Model(building.describe(architecture, config, **facts), net)


def _rebuilt(
    architecture: Architecture, config: Mapping[str, Any], state: Mapping[str, Tensor], path: Path
) -> nn.Module | None:
    """The network, `None` when not all of its tensors are there. Constants that the exporter added are passed over."""
    import torch

    try:
        with torch.device("meta"):
            wanted = architecture.build(dict(config)).state_dict()
        return building.build(architecture, config, {name: state[name] for name in wanted}, path)
    except (ModelError, *building.UNFIT):
        return None


@dataclass
class _Runner:
    """A graph in ONNX Runtime, behind our convention: (N, C, H, W) float32 in [0, 1]."""

    path: Path
    own: bool = False
    """An export of ours, whose header says what it takes."""

    def __post_init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError(f"{self.path}: running an ONNX graph", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints of its failures, where only data may go
                self.session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own
            if out_of_memory(error):
                raise
            words = " ".join(str(error).split())[:200]
            raise ModelError(f"{self.path}: ONNX Runtime cannot read it ({words})", hint="export it again") from error
        self.factor = 1.0
        self._check()

    def _check(self) -> None:
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        if len(inputs) != 1 or not outputs:
            names = ", ".join(each.name for each in inputs)
            raise self._unusable(
                f"takes {len(inputs)} inputs ({names}); a graph with one picture as its input is needed"
            )
        self.input, self.output = inputs[0].name, outputs[0].name
        shape = inputs[0].shape
        if len(shape) != 4 or inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            raise self._unusable(f"takes {inputs[0].type} of the shape {shape}, not pictures (N, C, H, W)")
        self.dtype = np.float16 if inputs[0].type == "tensor(float16)" else np.float32
        self.last = shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)
        channels = shape[3] if self.last else shape[1]
        sides = shape[1:3] if self.last else shape[2:]
        if not self.own and any(isinstance(side, int) and side > 0 for side in sides):
            raise self._unusable(f"takes pictures of {sides[1]}x{sides[0]} only; export it with free sides")
        self.channels = channels if isinstance(channels, int) and channels > 0 else 3
        if not self.own and self.channels not in (1, 3):
            raise self._unusable(f"takes {self.channels} channels, not a picture")

    def _unusable(self, why: str) -> ModelError:
        return ModelError(f"{self.path}: {why}", hint="take its weights as .pth or .safetensors instead")

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """(N, C, H, W) float32 to the same, enlarged by the graph's scale. Raises ModelError when it does not run."""
        given = (pictures * self.factor).astype(self.dtype)
        if self.last:
            given = np.ascontiguousarray(given.transpose(0, 2, 3, 1))
        try:
            (result,) = self.session.run([self.output], {self.input: given})
        except Exception as error:
            if out_of_memory(error):
                raise
            words = " ".join(str(error).split())[:200]
            raise self._unusable(f"ONNX Runtime cannot run it on {given.shape} ({words})") from error
        result = np.asarray(result, np.float32)
        if self.last:
            result = result.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(result / self.factor)

    def as_module(self) -> nn.Module:
        """The graph as a network, whatever device it is said to be on: it runs on the CPU."""
        import torch
        from torch import nn

        run = self

        class OnnxGraph(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.from_numpy(run(x.detach().cpu().float().numpy())).to(x.device)

            def __deepcopy__(self, memo: dict[int, Any]) -> OnnxGraph:
                return self  # a session cannot be copied, and holds nothing that changes

        return OnnxGraph().eval()


def _found_out(path: Path, run: _Runner) -> Descriptor:
    """The descriptor of a graph that says nothing of itself. Raises ModelError for one that returns no picture."""
    if not _keeps_grey(run, 1.0) and _keeps_grey(run, 255.0):
        run.factor = 255.0
    result = run(np.full((1, run.channels, _PROBE, _PROBE), 0.5, np.float32))
    scale = result.shape[-1] // _PROBE if result.ndim == 4 else 0
    if scale < 1 or result.shape[1] not in (1, 3) or result.shape[-2:] != (_PROBE * scale,) * 2:
        raise run._unusable(f"returns {result.shape} for a picture of {_PROBE}x{_PROBE}, not a picture")
    multiple = next((step for step in _MULTIPLES if _takes(run, _PROBE + step, scale)), _MULTIPLES[-1])
    return Descriptor(
        name=path.stem,
        task="upscale" if scale > 1 else "restore",
        net=NET,
        scale=scale,
        in_channels=run.channels,
        out_channels=result.shape[1],
        size_multiple=multiple,
        size_minimum=multiple * math.ceil(32 / multiple),
        precisions=("fp32",),
        jobs=() if scale > 1 else ANY_DAMAGE,
        sha256=store.sha256_of(path),
    )


def _keeps_grey(run: _Runner, factor: float) -> bool:
    """Whether middle grey comes out as something like grey when the graph counts to `factor`."""
    run.factor = factor
    try:
        result = run(np.full((1, run.channels, _PROBE, _PROBE), 0.5, np.float32))
    finally:
        run.factor = 1.0
    return bool(np.isfinite(result).all()) and 0.2 < float(result.mean()) < 0.8


def _takes(run: _Runner, side: int, scale: int) -> bool:
    try:
        result = run(np.full((1, run.channels, side, side), 0.5, np.float32))
    except ModelError:
        return False
    return result.shape[-2:] == (side * scale, side * scale)
