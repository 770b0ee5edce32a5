"""A network that finds the damage of prints."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape

_BLOCKS, _DILATIONS = (1, 2, 2), (1, 2, 3)


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    from imgfix.nets.damageunet import receptive_field

    reach = receptive_field(tuple(config.get("blocks", _BLOCKS)), tuple(config.get("dilations", _DILATIONS)))
    return {"out_channels": 1, "size_multiple": 16, "size_minimum": 32, "receptive_field": reach}


def detect(state: State) -> Config | None:
    """Three levels of blocks down and up around `middle`; how far its convolutions are dilated is in no weight."""
    downs = [shape(state, f"down.{level}.weight", 4) for level in range(3)]
    head, tail = shape(state, "head.weight", 4), shape(state, "tail.weight", 4)
    blocks = [len(indices(state, rf"encode\.{level}\.(\d+)\.first\.weight")) for level in range(3)]
    middle = indices(state, r"middle\.(\d+)\.first\.weight")
    if head is None or head[1] != 12 or tail is None or tail[0] != 4 or not all(blocks) or not middle:
        return None
    if any(down is None for down in downs):
        return None
    widths = [head[0], *(down[0] for down in downs if down is not None)]
    dilations = list(range(1, len(middle) + 1))
    return {"widths": widths, "blocks": blocks, "dilations": dilations}


ARCHITECTURE = Architecture(
    key="damageunet", net="imgfix.nets.damageunet:DamageUNet", describe=describe, detect=detect, task="damage"
)
