"""Checkpoints of architectures that are not written here, through spandrel (the `community` extra)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.degradations import ANY as ANY_DAMAGE
from imgfix.errors import ExitCode, MissingExtraError, ModelError, out_of_memory
from imgfix.zoo import checkpoint, store
from imgfix.zoo.descriptor import Descriptor, Model, Precision, Task
from imgfix.zoo.files import printable

if TYPE_CHECKING:
    from torch import Tensor, nn

NET = "community"
"""Architecture key in the header of an imported file that only spandrel can read."""
GFPGAN = "GFPGAN"
"""Spandrel's name of the network for faces by Wang et al., 2021, arXiv 2101.04061."""
PREFIX = "spandrel:"
"""What the architecture's name in a descriptor begins with."""


def load_community(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> Model:
    """Let spandrel recognise a state dictionary and build its network.

    `about` (name, task, licence) replaces what spandrel says. Raises MissingExtraError when spandrel is not installed,
    ModelError when it cannot be imported or does not know the architecture either.
    """
    try:
        import spandrel
    except Exception as error:
        what = f"{path}: its architecture is not one of imgfix's own, and reading it"
        if isinstance(error, ModuleNotFoundError) and error.name == "spandrel":
            missing = MissingExtraError(what, "community")
            missing.exit_code = ExitCode.MODEL  # the file is at fault here, not the command line
            raise missing from error
        # torchvision, which spandrel needs, may be installed and still not import beside another build of torch.
        raise ModelError(
            f"{what} through spandrel failed, because spandrel cannot be imported ({error})",
            hint="install the torchvision that belongs to your torch (see pytorch.org/get-started)",
        ) from error
    loaded, reason = None, ""
    for part in checkpoint.parts(state):
        try:
            loaded = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(part))
            break
        except Exception as error:  # spandrel raises what it likes for a checkpoint it does not know
            if out_of_memory(error):
                raise
            reason = reason or " ".join(str(error).split())[:200]
    if loaded is None:
        raise ModelError(
            f"{path}: neither imgfix nor spandrel knows this architecture ({printable(reason)})",
            hint="take a model that spandrel lists as supported, or an .onnx file of it",
        )
    net = _as_ours(loaded).float().eval().requires_grad_(False)
    return Model(_descriptor(path, loaded, dict(about or {})), net)


def _as_ours(loaded: Any) -> nn.Module:
    """The network behind our calling convention: mask first for inpainting, output clipped, odd sizes padded inside."""
    from torch import nn

    class Community(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = loaded.model
            self.loaded = loaded  # kept here, so that a copy calls its own network and not this one

        def forward(self, x: Tensor) -> Tensor:
            if self.loaded.architecture.id == GFPGAN:
                # Trained on [-1, 1], which spandrel leaves to its caller. Of the noise in its generator a file keeps
                # one drawing: with that the same face gives the same picture.
                made: Tensor = self.model(2 * x - 1, randomize_noise=False)[0]
                return ((made + 1) / 2).clamp(0, 1)
            made = self.loaded(x[:, 1:], x[:, :1]) if self.loaded.purpose == "Inpainting" else self.loaded(x)
            return made

    return Community()


def _descriptor(path: Path, loaded: Any, about: dict[str, Any]) -> Descriptor:
    size = loaded.size_requirements
    multiple = int(getattr(size, "multiple_of", 1) or 1)
    tiling = str(getattr(loaded.tiling, "name", "SUPPORTED"))
    precisions: list[Precision] = ["fp32"]
    if loaded.supports_bfloat16:
        precisions.append("bf16")
    if loaded.supports_half:
        precisions.append("fp16")
    purposes: dict[str, Task] = {"SR": "upscale", "Inpainting": "inpaint"}
    faces = loaded.purpose == "FaceSR"
    task = about.get("task") or purposes.get(str(loaded.purpose), "restore")
    # A restorer of anything but faces does not say what it undoes: naming it decides.
    any_damage = ("faces",) if faces else ANY_DAMAGE
    jobs = tuple(about.get("facts", {}).get("jobs", ())) or (any_damage if task == "restore" else ())
    return Descriptor(
        name=about.get("name") or path.stem,
        task=task,
        net=f"{PREFIX}{loaded.architecture.name}",
        scale=int(loaded.scale),
        in_channels=4 if loaded.purpose == "Inpainting" else int(loaded.input_channels),
        out_channels=int(loaded.output_channels),
        size_multiple=multiple,
        size_minimum=max(int(getattr(size, "minimum", 0) or 0), multiple),
        # SUPPORTED, DISCOURAGED (tiles where the whole does not fit) or INTERNAL (it makes its own).
        tiling=tiling != "INTERNAL" and not faces,
        native_size=512 if faces else None,
        whole_first=tiling == "DISCOURAGED",
        precisions=tuple(precisions),
        channels_last=False,  # some of them take tensors apart by their place in memory
        self_ensemble=False,
        jobs=jobs,
        licence=about.get("licence", "unknown"),
        sha256=store.sha256_of(path),
    )
