"""Checkpoints of architectures that are not written here, through spandrel (the `community` extra)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import MissingExtraError, ModelError
from imgfix.zoo import store
from imgfix.zoo.descriptor import Descriptor, Model, Precision, Task

if TYPE_CHECKING:
    from torch import Tensor


def load_community(path: Path, state: Mapping[str, Tensor]) -> Model:
    """Let spandrel recognise a state dictionary and build its network.

    Raises MissingExtraError when spandrel cannot be imported, ModelError when it does not know the architecture either.
    """
    try:
        import spandrel
    except Exception as error:
        # torchvision, which spandrel needs, may be there and still fail to import beside another build of torch.
        what = f"{path}: this architecture is not one of imgfix's own; reading it"
        if isinstance(error, ModuleNotFoundError) and error.name == "spandrel":
            raise MissingExtraError(what, "community") from error
        raise ModelError(
            f"{what} failed, because spandrel cannot be imported ({error})",
            hint="reinstall torchvision in the version that belongs to your torch",
        ) from error
    try:
        loaded = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(state))
    except Exception as error:  # spandrel raises what it likes for a checkpoint it does not know
        raise ModelError(
            f"{path}: neither imgfix nor spandrel knows this architecture ({error})",
            hint="use a model that spandrel lists as supported",
        ) from error
    return Model(_descriptor(path, loaded), loaded.model.float().eval().requires_grad_(False))


def _descriptor(path: Path, loaded: Any) -> Descriptor:
    size = loaded.size_requirements
    in_channels = int(loaded.input_channels)
    tiling = str(getattr(loaded.tiling, "name", "SUPPORTED")) != "DISCOURAGED"
    precisions: list[Precision] = ["fp32"]
    if loaded.supports_bfloat16:
        precisions.append("bf16")
    if loaded.supports_half:
        precisions.append("fp16")
    purpose = str(getattr(loaded, "purpose", "SR"))
    task: Task = "upscale" if purpose == "SR" else "inpaint" if purpose == "Inpainting" else "restore"
    return Descriptor(
        name=path.stem,
        task=task,
        net=f"spandrel:{loaded.architecture.name}",
        scale=int(loaded.scale),
        in_channels=in_channels,
        out_channels=int(loaded.output_channels),
        size_multiple=int(getattr(size, "multiple_of", 1) or 1),
        size_minimum=int(getattr(size, "minimum", 0) or 1),
        receptive_field=None,
        tiling=tiling,
        precisions=tuple(precisions),
        sha256=store.sha256_of(path),
    )
