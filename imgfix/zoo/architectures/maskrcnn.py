"""Mask R-CNN with a ResNet or MobileNetV2 and a feature pyramid, in torchvision's layout."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from imgfix.zoo.architecture import Architecture, Config, State, indices, shape

if TYPE_CHECKING:
    from torch import Tensor

# Older files, the published one among them, lack the sequences around single layers.
_FORMER = (
    (re.compile(r"(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"rpn\.head\.conv\.(weight|bias)"), r"rpn.head.conv.0.0.\1"),
)
_FORMER_MASK = re.compile(r"roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)")


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {
        "out_channels": config.get("classes", 91),
        "tiling": False,
        "native_size": config.get("least", 800),
        "precisions": ("fp32",),
    }


def adapt(state: State) -> dict[str, Tensor]:
    """The names of the present layout; counters of batches, which frozen normalisation has no use for, are dropped."""
    return {_present(name): tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def detect(state: State) -> Config | None:
    """A ResNet with bottlenecks, a head of three anchors, and heads for classes, boxes and masks.

    One with MobileNetV2 is told by its file's header alone: its anchors' shapes and names are nowhere in the tensors.
    """
    named = {_present(name): tensor for name, tensor in state.items()}
    stem = shape(named, "backbone.body.conv1.weight", 4)
    anchors = shape(named, "rpn.head.cls_logits.weight", 4)
    hidden = shape(named, "roi_heads.box_head.fc7.weight", 2)
    names = shape(named, "roi_heads.box_predictor.cls_score.weight", 2)
    mask = shape(named, "roi_heads.mask_head.0.0.weight", 4)
    deep = "backbone.body.layer4.0.conv3.weight" in named
    if stem is None or anchors is None or hidden is None or names is None or mask is None or not deep:
        return None
    if anchors[0] != 3 or "roi_heads.mask_predictor.conv5_mask.weight" not in named:
        return None
    return {
        "classes": names[0],
        "width": stem[0],
        "blocks": [
            len(indices(named, rf"backbone\.body\.layer{level}\.(\d+)\.conv1\.weight")) for level in range(1, 5)
        ],
        "pyramid": anchors[1],
        "hidden": hidden[0],
        "mask": mask[0],
        "layers": len(indices(named, r"roi_heads\.mask_head\.(\d+)\.0\.weight")),
    }


def _present(name: str) -> str:
    for former, present in _FORMER:
        name = former.sub(present, name) if former.fullmatch(name) else name
    found = _FORMER_MASK.fullmatch(name)
    return f"roi_heads.mask_head.{int(found[1]) - 1}.0.{found[2]}" if found else name


ARCHITECTURE = Architecture(
    key="maskrcnn",
    net="imgfix.nets.maskrcnn:MaskRCNN",
    describe=describe,
    detect=detect,
    adapt=adapt,
    task="detect",
    header_only="what its classes are called, and the shapes of its anchors, are not in its tensors",
    marks=("backbone.body.0.0.weight", "rpn.head.cls_logits.weight"),  # one with MobileNetV2
)
