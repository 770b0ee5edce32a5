"""Architecture and hyper-parameters read from a checkpoint's tensor names and shapes.

Each function takes a state dictionary (name -> tensor) and returns the hyper-parameters, or `None` when the checkpoint
belongs to another architecture. The `adapt_...` functions rename what older programs named otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"]


def _indices(state: State, pattern: str) -> list[int]:
    """Sorted numbers that the one group of `pattern` matches in the tensor names."""
    found = {int(match.group(1)) for name in state if (match := re.fullmatch(pattern, name))}
    return sorted(found)


# --- RRDBNet --------------------------------------------------------------------------------------


_RRDBNET = re.compile(r"(conv_(first|body|up\d|hr|last)|body\.\d+\.rdb[123]\.conv[1-5])\.(weight|bias)")


def adapt_rrdbnet(state: State) -> dict[str, Tensor]:
    """The tensors under today's names (`body.0.rdb1.conv1.weight`), whichever of the three habits they follow."""
    renamed: dict[str, Tensor] = {}
    old = "model.0.weight" in state
    stages = [index for index in _indices(state, r"model\.(\d+)\.weight") if index > 1] if old else []
    for name, tensor in state.items():
        if old:
            renamed[_from_2018(name, stages)] = tensor
        else:
            renamed[_from_trunk(name)] = tensor
    return renamed


def _from_2018(name: str, stages: list[int]) -> str:
    """`model.1.sub.0.RDB1.conv1.0.weight` -> `body.0.rdb1.conv1.weight`, the names of the first release."""
    kind = name.rsplit(".", 1)[-1]
    if name.startswith("model.0."):
        return f"conv_first.{kind}"
    if match := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.\w+", name):
        return f"body.{match[1]}.rdb{match[2]}.conv{match[3]}.{kind}"
    if re.fullmatch(r"model\.1\.sub\.\d+\.\w+", name):
        return f"conv_body.{kind}"
    if (match := re.fullmatch(r"model\.(\d+)\.\w+", name)) and int(match[1]) in stages:
        place = stages.index(int(match[1]))
        if place < len(stages) - 2:
            return f"conv_up{place + 1}.{kind}"
        return f"conv_hr.{kind}" if place == len(stages) - 2 else f"conv_last.{kind}"
    return name


def _from_trunk(name: str) -> str:
    """`RRDB_trunk.0.RDB1.conv1.weight` -> `body.0.rdb1.conv1.weight`, the names of the second release."""
    name = re.sub(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2.", name)
    name = re.sub(r"^trunk_conv\.", "conv_body.", name)
    name = re.sub(r"^upconv(\d)\.", r"conv_up\1.", name)
    return re.sub(r"^HRconv\.", "conv_hr.", name)


def rrdbnet(state: State) -> dict[str, Any] | None:
    """RRDBNet under any of its three namings."""
    if not any(name in state for name in ("model.0.weight", "conv_first.weight")):
        return None
    state = adapt_rrdbnet(state)
    first, last, dense = (state.get(f"{name}.weight") for name in ("conv_first", "conv_last", "body.0.rdb1.conv1"))
    blocks = _indices(state, r"body\.(\d+)\.rdb1\.conv1\.weight")
    upsamples = len(_indices(state, r"conv_up(\d+)\.weight"))
    if first is None or last is None or dense is None or not all(_RRDBNET.fullmatch(name) for name in state):
        return None  # something else, or one of the relatives (ESRGAN+) with more in a block
    out_channels = int(last.shape[0])
    unshuffle = math.isqrt(int(first.shape[1]) // out_channels)
    return {
        "upsamples": upsamples,
        "unshuffle": unshuffle,
        "features": int(first.shape[0]),
        "blocks": len(blocks),
        "growth": int(dense.shape[0]),
        "in_channels": int(first.shape[1]) // unshuffle**2,
        "out_channels": out_channels,
    }


# --- SRVGG compact --------------------------------------------------------------------------------


def srvgg(state: State) -> dict[str, Any] | None:
    """SRVGG compact: nothing but `body.N`, the even ones convolutions, the odd ones PReLU slopes (if it has any)."""
    if not all(re.fullmatch(r"body\.\d+\.(weight|bias)", name) for name in state) or "body.0.weight" not in state:
        return None
    numbers = _indices(state, r"body\.(\d+)\.weight")
    first, last = state["body.0.weight"], state[f"body.{numbers[-1]}.weight"]
    if first.ndim != 4 or last.ndim != 4 or first.shape[1] > 4:
        return None
    channels = int(first.shape[1])
    scale = math.isqrt(int(last.shape[0]) // channels)
    if scale**2 * channels != last.shape[0]:
        return None
    return {
        "scale": scale,
        "features": int(first.shape[0]),
        "convs": numbers[-1] // 2 - 1,
        # Slopes are stored, a plain ReLU is not; a leaky one cannot be told from it and is rarer.
        "activation": "prelu" if "body.1.weight" in state else "relu",
        "in_channels": channels,
        "out_channels": channels,
    }


# --- MI-GAN ---------------------------------------------------------------------------------------


def migan(state: State) -> dict[str, Any] | None:
    """MI-GAN: `encoder.bN` and `synthesis.bN`, with or without a `model.` in front."""
    names = [name.removeprefix("model.").removeprefix("module.") for name in state]
    sizes = sorted({int(match[1]) for name in names if (match := re.match(r"synthesis\.b(\d+)\.", name))})
    if not sizes or sizes[0] != 4 or not any(name.startswith("encoder.b") for name in names):
        return None
    short = dict(zip(names, state.values(), strict=True))
    resolution = sizes[-1]
    top, bottom = short.get(f"encoder.b{resolution}.fromrgb.weight"), short.get("synthesis.b4.conv1.conv1.weight")
    if top is None or bottom is None or top.shape[1] != 4 or bottom.shape[1] != 1:
        return None
    maximum = int(bottom.shape[0])
    return {"resolution": resolution, "base": int(top.shape[0]) * resolution, "maximum": maximum}


def adapt_migan(state: State) -> dict[str, Tensor]:
    """The tensors without the prefix and without the fixed filters, which the network makes itself."""
    kept: dict[str, Tensor] = {}
    for name, tensor in state.items():
        name = name.removeprefix("model.").removeprefix("module.")
        if re.search(r"\.(filter\.weight|filter_const)$", name):
            continue
        kept[name] = tensor.reshape(()) if name.endswith("noise_strength") else tensor
    return kept


# --- FFDNet, DnCNN --------------------------------------------------------------------------------


def _chain(state: State) -> list[tuple[int, ...]] | None:
    """Shapes of a chain of 3x3 convolutions named `model.0`, `model.2` ..., `None` for anything else."""
    indices = _indices(state, r"model\.(\d+)\.weight")
    names = {f"model.{index}.{part}" for index in indices for part in ("weight", "bias")}
    if len(indices) < 3 or set(state) != names:
        return None
    shapes = [tuple(state[f"model.{index}.weight"].shape) for index in indices]
    fits = all(before[0] == after[1] for before, after in pairwise(shapes))
    return shapes if fits and all(shape[2:] == (3, 3) for shape in shapes) else None


def ffdnet(state: State) -> dict[str, Any] | None:
    """FFDNet: four sub-pictures and a noise map in, four sub-pictures out."""
    shapes = _chain(state)
    if shapes is None or shapes[0][1] != shapes[-1][0] + 1 or shapes[-1][0] % 4:
        return None
    return {"channels": shapes[-1][0] // 4, "features": shapes[0][0], "convolutions": len(shapes)}


def dncnn(state: State) -> dict[str, Any] | None:
    """DnCNN with its normalisation folded in: a chain with as many channels out as in."""
    shapes = _chain(state)
    if shapes is None or shapes[0][1] != shapes[-1][0]:
        return None
    return {"channels": shapes[0][1], "features": shapes[0][0], "convolutions": len(shapes)}


def adapt_chain(state: State) -> dict[str, Tensor]:
    """The convolutions numbered without the ReLUs between them."""
    indices = _indices(state, r"model\.(\d+)\.weight")
    parts = ("weight", "bias")
    return {f"layers.{n}.{part}": state[f"model.{i}.{part}"] for n, i in enumerate(indices) for part in parts}


# --- BasicVSR -------------------------------------------------------------------------------------


def basicvsr(state: State) -> dict[str, Any] | None:
    """BasicVSR: two trunks, and a SPyNet inside."""
    first, fusion = state.get("backward_trunk.main.0.weight"), state.get("fusion.weight")
    blocks = _indices(state, r"backward_trunk\.main\.2\.(\d+)\.conv1\.weight")
    has_flow = "spynet.basic_module.5.basic_module.8.weight" in state
    if first is None or fusion is None or not blocks or not has_flow or fusion.shape[1] != 2 * first.shape[0]:
        return None  # IconVSR has the same trunks and no 1 x 1 fusion
    if any(name.startswith(("edvr.", "backward_fusion.")) for name in state):
        return None
    return {"features": int(first.shape[0]), "blocks": len(blocks)}


def adapt_basicvsr(state: State) -> dict[str, Tensor]:
    """The tensors under our names; the mean and deviation of ImageNet are constants here."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name in ("spynet.mean", "spynet.std", "step_counter"):
            continue
        name = re.sub(r"^spynet\.basic_module\.(\d+)\.basic_module\.", r"flow.levels.\1.", name)
        name = re.sub(r"^(\w+_trunk)\.main\.0\.", r"\1.first.", name)
        name = re.sub(r"^(\w+_trunk)\.main\.2\.", r"\1.blocks.", name)
        renamed[name] = tensor
    return renamed


# --- HVI-CIDNet -----------------------------------------------------------------------------------

_CIDNET_PARTS = (
    (r"ffn\.", "cross."),
    (r"gdfn\.", "mix."),
    (r"cross\.q\.", "cross.query."),
    (r"cross\.q_dwconv\.", "cross.query_near."),
    (r"cross\.kv\.", "cross.source."),
    (r"cross\.kv_dwconv\.", "cross.source_near."),
    (r"project_in\.", "enter."),
    (r"project_out\.", "leave."),
    (r"mix\.dwconv\.", "mix.near."),
    (r"mix\.dwconv([12])\.", r"mix.bend\1."),
)


def cidnet(state: State) -> dict[str, Any] | None:
    """HVI-CIDNet by its colour space's one parameter and its two branches."""
    first = state.get("HVE_block0.1.weight")
    if "trans.density_k" not in state or first is None or "I_LCA1.ffn.temperature" not in state:
        return None
    widths = [first.shape[0], *(state[f"HVE_block{n}.down.0.weight"].shape[0] for n in (1, 2, 3))]
    heads = [state[f"HV_LCA{n}.ffn.temperature"].shape[0] for n in (1, 2, 3)]
    return {"widths": [int(width) for width in widths], "heads": [int(count) for count in heads]}


def adapt_cidnet(state: State) -> dict[str, Tensor]:
    """The tensors under our names, without the block whose result is never used."""
    return {_from_cidnet(name): tensor for name, tensor in state.items() if not name.startswith("I_LCA5.")}


def _from_cidnet(name: str) -> str:
    """`HVE_block1.down.0.weight` -> `colour.down.0.conv.weight`, `I_LCA2.gdfn.dwconv1.weight` -> `light.attend...`."""
    if name == "trans.density_k":
        return "density"
    branch = "colour" if name.startswith("HV") else "light"
    if match := re.fullmatch(r"\w+_LCA(\d)\.(.+)", name):
        part = match[2]
        for theirs, ours in _CIDNET_PARTS:
            part = re.sub(theirs, ours, part)
        return f"{branch}.attend.{int(match[1]) - 1}.{part}"
    match = re.fullmatch(r"\w+([ED])_block(\d)\.(.+)\.(\w+)", name)
    if match is None:
        return name
    side, number, part, kind = match.groups()
    if number == "0":
        return f"{branch}.{'enter' if side == 'E' else 'leave'}.{kind}"
    part = {"prelu": "slope", "down.0": "conv", "up_scale.0": "conv", "up": "join"}.get(part, part)
    return f"{branch}.{'down' if side == 'E' else 'up'}.{int(number) - 1}.{part}.{kind}"
