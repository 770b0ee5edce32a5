"""RealBasicVSR: clips as they are, recurrent in both directions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = (
    (r"image_cleaning\.0\.main\.0\.", "cleaner.first."),
    (r"image_cleaning\.0\.main\.2\.", "cleaner.blocks."),
    (r"image_cleaning\.1\.", "cleaner.last."),
    (r"basicvsr\.", ""),
    (r"(backward|forward)_resblocks\.main\.0\.", r"\1_trunk.first."),
    (r"(backward|forward)_resblocks\.main\.2\.", r"\1_trunk.blocks."),
    (r"upsample(\d)\.upsample_conv\.", r"upconv\1."),
)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"scale": 4, "receptive_field": None, "frames": 0, "gan_trained": True, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """A network that cleans, two trunks and a SPyNet."""
    state = adapt(state)
    first = shape(state, "cleaner.first.weight", 4)
    cleaning = indices(state, r"cleaner\.blocks\.(\d+)\.conv1\.weight")
    blocks = indices(state, r"backward_trunk\.blocks\.(\d+)\.conv1\.weight")
    if first is None or not cleaning or not blocks or "flow.levels.5.8.weight" not in state:
        return None
    return {"features": first[0], "blocks": len(blocks), "cleaning": len(cleaning)}


def adapt(state: State) -> dict[str, Tensor]:
    """The generator's tensors under our names: the smoothed ones, where a checkpoint of its training has both."""
    prefix = next((p for p in ("generator_ema.", "generator.") if any(name.startswith(p) for name in state)), "")
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if not name.startswith(prefix) or name.endswith(("spynet.mean", "spynet.std", "step_counter")):
            continue
        name = name.removeprefix(prefix)
        for theirs, ours in _NAMES:
            name = re.sub("^" + theirs, ours, name)
        renamed[re.sub(r"^spynet\.basic_module\.(\d+)\.basic_module\.(\d+)\.conv\.", _flow, name)] = tensor
    return renamed


def _flow(match: re.Match[str]) -> str:
    """A convolution there has its ReLU inside; here they are numbered together."""
    return f"flow.levels.{match[1]}.{2 * int(match[2])}."


ARCHITECTURE = Architecture(
    key="realbasicvsr",
    net="imgfix.nets.realbasicvsr:RealBasicVSR",
    describe=describe,
    detect=detect,
    adapt=adapt,
    task="video",
)
