"""HVI-CIDNet, for low light."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, shape

if TYPE_CHECKING:
    from torch import Tensor

_PARTS = (
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
"""The authors' names and ours, applied in this order."""


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"jobs": ("light",), "size_multiple": 8, "size_minimum": 8, "receptive_field": None}


def detect(state: State) -> Config | None:
    """The one parameter of its colour space, and two branches; as published, or under our own names."""
    if "density" not in state and "trans.density_k" not in state:
        return None
    state = adapt(state)
    levels = ("enter", "down.0.conv", "down.1.conv", "down.2.conv")
    widths = [shape(state, f"colour.{level}.weight", 4) for level in levels]
    heads = [state.get(f"colour.attend.{n}.cross.temperature") for n in range(3)]
    if None in widths or any(head is None for head in heads):
        return None
    return {
        "widths": [width[0] for width in widths if width],
        "heads": [int(head.shape[0]) for head in heads if head is not None],
    }


def adapt(state: State) -> dict[str, Tensor]:
    """The tensors under our names, without the block whose result is never used."""
    return {_ours(name): tensor for name, tensor in state.items() if not name.startswith("I_LCA5.")}


def _ours(name: str) -> str:
    """`HVE_block1.down.0.weight` -> `colour.down.0.conv.weight`, `I_LCA2.gdfn.dwconv1.weight` -> `light.attend...`."""
    if name == "trans.density_k":
        return "density"
    branch = "colour" if name.startswith("HV") else "light"
    if match := re.fullmatch(r"\w+_LCA(\d)\.(.+)", name):
        part = match[2]
        for theirs, ours in _PARTS:
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


ARCHITECTURE = Architecture(
    key="cidnet", net="imgfix.nets.cidnet:CIDNet", describe=describe, detect=detect, adapt=adapt, task="restore"
)
