"""Training a detector with masks: Mask R-CNN that finds what was laid over pictures, or things of a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from imgfix.errors import ModelError, UsageError
from imgfix.nets.maskrcnn import MULTIPLE, Instances, MaskRCNN
from imgfix.nets.roiheads import pasted
from imgfix.train.annotated import AnnotatedDataset
from imgfix.train.detection import Sampling, Truth, detection_losses
from imgfix.train.detection_start import initialised
from imgfix.train.job import Batch, Draw, NetIdentity, Validation
from imgfix.train.jobs.base import NetJob
from imgfix.train.labelled import Labelled, LabelledDataset
from imgfix.train.overlays.source import OverlayDataset
from imgfix.train.recipe import Recipe
from imgfix.train.start import starting_net

SURE = 0.5
"""Score from which a find counts in validation."""
RIGHT = 0.5
"""Intersection over union of the masks from which a find is right."""
LIGHT = {
    "backbone": "mobilenetv2", "pyramid": 96, "hidden": 384, "mask": 96, "layers": 3, "least": 384, "most": 640,
    "sizes": [24, 48, 96, 192, 384], "ratios": [0.08, 0.3, 1.0, 3.0, 12.0],
}  # fmt: skip
"""Hyper-parameters of a fresh network: about 4.5 M parameters, which long lines of writing suit."""


@dataclass(frozen=True)
class Options:
    """Settings of `imgfix train select`."""

    annotations: str | None = None
    """COCO file of what is in the photos; without it masks lie beside them: x_mask.png or x_mask_NAME.png of x.jpg."""
    overlays: bool = False
    """Lay stickers, dates, captions, logos and frames over the photos, and learn to find them."""
    fonts: tuple[str, ...] = ()
    """Folders of fonts (.ttf, .otf) that overlays are written with; without any, one font."""
    stickers: tuple[str, ...] = ()
    """Folders of pictures with alpha (.png) that are laid over photos; without any, no stickers."""
    val_fonts: tuple[str, ...] = ()
    """Fonts of the composites that are measured; else the same as for training."""
    val_stickers: tuple[str, ...] = ()
    """Stickers of the composites that are measured; else the same as for training."""
    none: float = 0.1
    """Share of the composites with nothing over them."""
    scene: float = 0.4
    """Share of the composites with writing or drawings in the scene, which are not to be found."""
    backbone: str | None = None
    """File with the weights of MobileNetV2 for ImageNet (torchvision's names) that a fresh network starts from."""
    regions: int = 64
    """Proposals of a picture that the heads learn from."""


DEFAULTS = {"crop": 384, "batch": 4, "lr": 5e-4, "net": "maskrcnn", "ema": 0.998, "weight_decay": 1e-4, "clip": 5.0}


def build(recipe: Recipe, device: torch.device) -> SelectJob:
    """Make the job; raises ImgfixError for unusable pictures, labels, models or sizes."""
    return SelectJob(recipe, device)


class SelectJob(NetJob):
    """See `imgfix.train.job.TrainJob`; a batch has the things of all its pictures one after the other."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self.options: Options = recipe.options or Options()
        if recipe.crop % MULTIPLE:
            raise UsageError(f"crop = {recipe.crop}: Mask R-CNN needs a multiple of {MULTIPLE}")
        self.source = self._source()
        names = self.source.names
        config = {**LIGHT, "classes": len(names) + 1, "names": list(names), "least": recipe.crop}
        self.task = "overlay" if self.options.overlays else "detect"
        start = starting_net(recipe, task=self.task, key="maskrcnn", config=config)
        if not isinstance(start.net, MaskRCNN):
            raise ModelError(f"{recipe.model or recipe.net}: imgfix train select needs a Mask R-CNN")
        if start.net.classes != len(names) + 1:
            raise ModelError(
                f"{recipe.model}: it knows {start.net.classes - 1} kinds of things, the pictures show {len(names)}",
                hint="start a fresh network: leave out `model`",
            )
        self._facts = list(self.source.facts)
        if not recipe.model:
            self._facts += initialised(start.net, self.options.backbone, recipe.seed)
        self.net, self.key, self.config = start.net.to(device), start.key, {**start.config, "names": list(names)}
        self.sampling = Sampling(regions=self.options.regions)
        self.held_out = self.source.held_out(recipe.val_limit)

    def _source(self) -> LabelledDataset:
        if self.options.overlays:
            if self.options.annotations is not None:
                raise UsageError("overlays and annotations are given together", hint="a detector learns one of them")
            return OverlayDataset(self.recipe, self.options)
        return AnnotatedDataset(self.recipe, self.options.annotations)

    def sample(self, draw: Draw) -> Batch:
        return batched([self.source.draw(draw.seed, row) for row in draw.rows], self.device)

    def losses(self, player: str, networks: Mapping[str, nn.Module], batch: Batch, step: int) -> dict[str, Tensor]:
        net = networks["net"]
        generator = torch.Generator().manual_seed(step * 7919 + int(batch["row"]))
        return detection_losses(net, batch["input"], truths(batch), self.sampling, generator)  # type: ignore[arg-type]

    def validate(self, net: nn.Module) -> Validation | None:
        if not self.held_out:
            return None
        found = [finds(net, labelled.picture, self.device) for labelled in self.held_out]
        metrics = scores(self.held_out, found, self.source.names)
        shown = range(min(self.recipe.sheet_rows, len(found)))
        samples = {
            "input": torch.stack([_tensor(self.held_out[index].picture) for index in shown]),
            "found": torch.stack([_marked(self.held_out[index].picture, found[index].masks) for index in shown]),
            "target": torch.stack([_marked(self.held_out[i].picture, list(self.held_out[i].masks)) for i in shown]),
        }
        return Validation(metrics, metrics["f1"] * metrics["iou"], samples)

    def preview(self, batch: Batch) -> dict[str, Tensor]:
        shown = batch["input"] * 0.6
        for index, mask in zip(batch["picture"].tolist(), batch["masks"], strict=True):
            shown[index, 0] = torch.maximum(shown[index, 0], mask.float())
        return {"input": batch["input"], "target": shown}

    def identity(self) -> NetIdentity:
        return NetIdentity("maskrcnn", dict(self.config), {"task": self.task})


def batched(samples: list[Labelled], device: torch.device) -> Batch:
    """One batch: pictures (N, 3, S, S), and of all things boxes, classes, masks and which picture they are in."""
    pictures = torch.stack([_tensor(one.picture) for one in samples])
    masks = [mask for one in samples for mask in one.masks]
    size = samples[0].picture.shape[:2]
    boxes = torch.tensor([box_of(mask) for mask in masks], dtype=torch.float32).reshape(-1, 4)
    found = {
        "input": pictures,
        "boxes": boxes,
        "classes": torch.tensor([number for one in samples for number in one.classes], dtype=torch.long),
        "masks": torch.from_numpy(np.stack(masks) if masks else np.zeros((0, *size), bool)).to(torch.uint8),
        "picture": torch.tensor([index for index, one in enumerate(samples) for _ in one.masks], dtype=torch.long),
        "row": torch.tensor(samples[0].row),
    }
    return {name: tensor.to(device) for name, tensor in found.items()}


def truths(batch: Batch) -> list[Truth]:
    """What is in each picture of a batch."""
    own = [batch["picture"] == index for index in range(len(batch["input"]))]
    return [Truth(batch["boxes"][mine], batch["classes"][mine], batch["masks"][mine]) for mine in own]


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom around a mask (H, W) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@dataclass(frozen=True)
class Finds:
    """What a network found in a picture and is sure enough of."""

    classes: list[int]
    masks: list[np.ndarray]
    """Each (H, W) bool."""


def finds(net: nn.Module, picture: np.ndarray, device: torch.device) -> Finds:
    """Look at a picture (H, W, 3) uint8."""
    seen: Instances = net(_tensor(picture)[None].to(device))
    sure = (seen.scores >= SURE).nonzero()[:, 0].tolist()
    height, width = picture.shape[:2]
    masks = [(pasted(seen.masks[i], seen.boxes[i], height, width) >= 0.5).cpu().numpy() for i in sure]
    return Finds([int(seen.classes[i]) for i in sure], masks)


def scores(pictures: list[Labelled], found: list[Finds], names: tuple[str, ...]) -> dict[str, float]:
    """Precision, recall, their harmonic mean and the masks' mean intersection over union; recall of each name.

    A find is right when its mask meets one of a thing, whatever its name, and no surer find has met it.
    """
    right, wrong, missed, overlaps = 0, 0, 0, []
    hits = {name: [0, 0] for name in names}
    for one, own in zip(pictures, found, strict=True):
        left = list(range(len(one.masks)))
        for mask in own.masks:
            rated = [(overlap(mask, one.masks[index]), index) for index in left]
            best, index = max(rated, default=(0.0, -1))
            if best >= RIGHT:
                left.remove(index)
                overlaps.append(best)
                right += 1
                hits[names[one.classes[index] - 1]][0] += 1
            else:
                wrong += 1
        missed += len(left)
        for number in one.classes:
            hits[names[number - 1]][1] += 1
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    by_name = {f"recall_{name}": hit / count for name, (hit, count) in hits.items() if count}
    mean = float(np.mean(overlaps)) if overlaps else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "iou": mean, **by_name}


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks (H, W) bool."""
    return float((one & other).sum() / max((one | other).sum(), 1))


def _tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float() / 255


def _marked(picture: np.ndarray, masks: list[np.ndarray]) -> Tensor:
    shown = _tensor(picture) * 0.6
    for mask in masks:
        shown[0] = torch.maximum(shown[0], torch.from_numpy(mask).float())
    return shown
