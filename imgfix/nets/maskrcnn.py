"""Mask R-CNN: the things in a picture, each with its class, its box and its mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.mobilenetv2 import MobileNetV2FPN
from imgfix.nets.proposals import RATIOS, SIZES, RegionProposals
from imgfix.nets.resnetfpn import ResNetFPN
from imgfix.nets.roiheads import RoIHeads

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""A picture in [0, 1] is brought to the network's range with these, red, green, blue."""
BACKBONES = ("resnet", "mobilenetv2")
MULTIPLE = 32
"""Of the sides that the network sees; zeros are put behind the picture."""


@dataclass(frozen=True)
class Instances:
    """What was found in one picture, surest first, at most 100."""

    boxes: Tensor
    """(n, 4): left, top, right, bottom in pixels of the picture."""
    scores: Tensor
    """(n,), 0.05 to 1."""
    classes: Tensor
    """(n,), from 1; 0 is the background."""
    masks: Tensor
    """(n, 28, 28) in [0, 1], each over its box; see `roiheads.pasted`."""


class MaskRCNN(nn.Module):
    """Two-stage detector with masks: ResNet-50, feature pyramid, region proposals, heads for boxes and masks.

    Mask R-CNN: He et al. 2017, arXiv 1703.06870. Licence of the published weights: BSD-3-Clause. Parameters: 44.4 M
    with 91 classes. Names and shapes of the tensors are those of torchvision's maskrcnn_resnet50_fpn, whose weights
    load. This is the forward pass; targets, samples and losses are in `imgfix.train.detection`.

    backbone: `resnet` or `mobilenetv2`, the light one. width, blocks: of the ResNet. pyramid: width of the feature
    pyramid. hidden: of the box head. mask, layers: width and number of the mask head's convolutions. classes: with
    the background. epsilon: what the frozen batch normalisation adds to a variance, 0 in the published weights for
    COCO. least, most: pixels that the shorter side is brought to, and the longer one does not exceed. sizes, ratios:
    of the anchors, see `proposals`. names: what the classes from 1 on are called, empty for COCO's.

    Shapes: (1, 3, H, W), sRGB in [0, 1], to `Instances`.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        classes: int = 91,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        pyramid: int = 256,
        hidden: int = 1024,
        mask: int = 256,
        layers: int = 4,
        epsilon: float = 0.0,
        least: int = 800,
        most: int = 1333,
        backbone: str = "resnet",
        sizes: Sequence[int] = SIZES,
        ratios: Sequence[float] = RATIOS,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ValueError(f"backbone {backbone!r} is none of {', '.join(BACKBONES)}")
        if names and len(names) != classes - 1:
            raise ValueError(f"{len(names)} names for {classes - 1} classes")
        self.backbone: ResNetFPN | MobileNetV2FPN = (
            ResNetFPN(width, blocks, pyramid, epsilon) if backbone == "resnet" else MobileNetV2FPN(pyramid)
        )
        self.names = tuple(names)
        self.rpn = RegionProposals(pyramid, sizes, ratios)
        self.roi_heads = RoIHeads(pyramid, hidden, mask, layers, classes)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)
        self.classes, self.least, self.most = classes, least, most

    def forward(self, x: Tensor) -> Instances:
        """Raises ValueError for more than one picture: each has a size of its own."""
        if x.ndim != 4 or x.shape[0] != 1:
            raise ValueError(f"Mask R-CNN takes one picture (1, 3, H, W), got {tuple(x.shape)}")
        height, width = x.shape[2:]
        size = fitted(height, width, self.least, self.most)
        x = F.interpolate((x - self.mean) / self.deviation, size, mode="bilinear", align_corners=False)
        x = F.pad(x, (0, -size[1] % MULTIPLE, 0, -size[0] % MULTIPLE))
        levels = self.backbone(x)
        proposals = self.rpn(levels, (x.shape[2], x.shape[3]), size)
        boxes, scores, classes, masks = self.roi_heads(levels, proposals, size)
        across, down = width / size[1], height / size[0]
        return Instances(boxes * boxes.new_tensor([across, down, across, down]), scores, classes, masks)


def fitted(height: int, width: int, least: int, most: int) -> tuple[int, int]:
    """Height and width at which the network sees a picture: the shorter side `least`, the longer at most `most`."""
    factor = min(least / min(height, width), most / max(height, width))
    return max(1, int(height * factor)), max(1, int(width * factor))
