"""EfficientDet-Lite, boxes and names of things."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, shape

_ANCHORS = 9


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {
        "out_channels": config.get("classes", 90),
        "size_multiple": 32,
        "size_minimum": 128,
        "tiling": False,
        "native_size": 320,
        "precisions": ("fp32",),
    }


def detect(state: State) -> Config | None:
    """Cells that join five levels, a head for boxes and one for names."""
    boxes, names = shape(state, "box.last.weight", 4), shape(state, "name.last.weight", 4)
    if boxes is None or names is None or "cells.0.enter_down.0.weight" not in state or boxes[0] != 4 * _ANCHORS:
        return None
    cells = {name.split(".")[1] for name in state if name.startswith("cells.")}
    depth = {name.split(".")[2] for name in state if name.startswith("box.depthwise.")}
    return {"classes": names[0] // _ANCHORS, "width": names[1], "cells": len(cells), "depth": len(depth)}


ARCHITECTURE = Architecture(
    key="efficientdet",
    net="imgfix.nets.efficientdet:EfficientDetLite",
    describe=describe,
    detect=detect,
    task="detect",
)
