"""Things in a picture by a network that gives their masks too, so that no second one has to draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from imgfix.errors import ModelError
from imgfix.nets.boxes import suppressed
from imgfix.nets.maskrcnn import MaskRCNN
from imgfix.nets.roiheads import OVERLAP, pasted
from imgfix.tasks.select.detect import DEFAULT_SCORE, Detection
from imgfix.tasks.select.names import COCO
from imgfix.tasks.select.pixels import as_tensor


class InstanceDetector:
    """Finds things with their masks, by a `MaskRCNN`: of the network's own names, else of COCO's 80.

    Raises ModelError when it has no names and not COCO's 90 numbers and the background: its names would be wrong.
    """

    def __init__(self, net: MaskRCNN, device: torch.device | str = "cpu") -> None:
        self.names: Sequence[str | None] = net.names or COCO
        if net.classes != len(self.names) + 1:
            raise ModelError(
                f"this Mask R-CNN has {net.classes} classes, but COCO's names take {len(COCO) + 1}",
                hint="`efficientdet-lite0` and `maskrcnn-resnet50-coco` know them",
            )
        self.net: MaskRCNN = net.to(device)
        self.device = torch.device(device)

    @torch.inference_mode()
    def find(self, rgb: np.ndarray, least: float = DEFAULT_SCORE) -> list[Detection]:
        """Things in a picture (H, W, 3) that the network is at least so sure of, from the surest down."""
        seen = self.net(as_tensor(rgb).to(self.device))
        found = []
        for box, score, number, mask in zip(
            seen.boxes.tolist(), seen.scores.tolist(), seen.classes.tolist(), seen.masks.cpu(), strict=True
        ):
            name = self.names[number - 1]
            left, top, right, bottom = box
            if name is not None and score >= least and right - left >= 1 and bottom - top >= 1:
                found.append(Detection(name, score, (left, top, right, bottom), mask.numpy()))
        return found


def one_of_each(found: Sequence[Detection]) -> list[Detection]:
    """Of finds that are one thing under several names the surest: their boxes overlap by more than half."""
    if not found:
        return []
    boxes, scores = torch.tensor([one.box for one in found]), torch.tensor([one.score for one in found])
    return [found[index] for index in suppressed(boxes, scores, OVERLAP).tolist()]


def inside(thing: Detection, height: int, width: int) -> np.ndarray:
    """Which pixels (height, width) bool of a picture are the thing's. Raises ValueError when it has no mask."""
    if thing.mask is None:
        raise ValueError(f"{thing.name} has no mask")
    return (pasted(torch.from_numpy(thing.mask), torch.tensor(thing.box), height, width) >= 0.5).numpy()
