"""The mask of what a point or a box means: a picture is looked at once, then every prompt is quick."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from imgfix.errors import UsageError
from imgfix.nets.mobilesam import CORNER, NOT, NOTHING, OPPOSITE, POINT, MobileSAM
from imgfix.tasks.select.detect import Box
from imgfix.tasks.select.pixels import as_bytes, as_tensor

CERTAIN = 8.0
"""Logits of a mask that is given to the network, as it gives them inside a thing."""
KEPT = 4
"""Pictures whose embedding is kept; one takes 4 MB."""

Point = tuple[float, float]
"""x and y in pixels."""


@dataclass(frozen=True)
class Embedded:
    """What the decoder has to know of a picture."""

    values: Tensor
    size: tuple[int, int]
    """Width and height of the picture."""
    fitted: tuple[int, int]
    """Width and height of the picture inside the network's square."""


@dataclass(frozen=True)
class Segment:
    """The mask of one thing."""

    logits: np.ndarray
    """(H, W) float32, above zero inside; one network pixel at the edge goes from about -5 to 5."""
    quality: float
    """The intersection over union with the true mask that the network expects."""

    @property
    def mask(self) -> np.ndarray:
        """(H, W) float32 in [0, 1], 1 inside; the edge is as soft as the network is unsure."""
        return 1 / (1 + np.exp(-np.clip(self.logits, -30, 30)))

    @property
    def inside(self) -> np.ndarray:
        """(H, W) bool."""
        return self.logits > 0


class Segmenter:
    """Masks from prompts, by a `MobileSAM`; remembers the last pictures it has seen."""

    def __init__(self, net: MobileSAM, device: torch.device | str = "cpu") -> None:
        self.net: MobileSAM = net.to(device)
        self.device = torch.device(device)
        self._seen: OrderedDict[str, Embedded] = OrderedDict()

    def embed(self, rgb: np.ndarray) -> Embedded:
        """Look at a picture (H, W, 3); at once when it is one of the last few again."""
        whole = hashlib.blake2b(np.ascontiguousarray(rgb).data, digest_size=16)
        whole.update(f"{rgb.shape} {rgb.dtype}".encode())
        key = whole.hexdigest()
        if key not in self._seen:
            self._seen[key] = self._embed(rgb)
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        return self._seen[key]

    @torch.inference_mode()
    def _embed(self, rgb: np.ndarray) -> Embedded:
        height, width = rgb.shape[:2]
        factor = self.net.side / max(height, width)
        fitted = max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))
        # Just as the network was trained: a mask at the border between two meanings may flip for less than a level.
        small = np.array(Image.fromarray(as_bytes(rgb)).resize(fitted, Image.Resampling.BILINEAR))
        return Embedded(self.net.embed(as_tensor(small).to(self.device)), (width, height), fitted)

    @torch.inference_mode()
    def segment(
        self,
        picture: Embedded,
        points: Sequence[Point] = (),
        not_points: Sequence[Point] = (),
        box: Box | None = None,
        rough: np.ndarray | None = None,
    ) -> Segment:
        """The one thing that points (on it), other points (not on it) and a box (around it) mean together.

        rough: (H, W) bool, about where it is.
        Raises UsageError: there is neither a point on it nor a box.
        """
        if not points and box is None:
            raise UsageError("only points that are not on it were given", hint="give a point on it, or a box around it")
        places = [*points, *not_points]
        meanings = [POINT] * len(points) + [NOT] * len(not_points)
        if box is not None:
            places += [(box[0], box[1]), (box[2], box[3])]
            meanings += [CORNER, OPPOSITE]
        else:
            places.append((0.0, 0.0))
            meanings.append(NOTHING)
        logits, quality = self._decode(picture, [places], [meanings], rough)
        # One point may mean a part, the thing or the whole group; more of a prompt leaves no doubt.
        single = len(points) == 1 and not not_points and box is None and rough is None
        index = 1 + int(quality[0, 1:].argmax()) if single else 0
        return Segment(self._enlarged(picture, logits[:, index])[0], float(quality[0, index]))

    @torch.inference_mode()
    def segment_boxes(self, picture: Embedded, boxes: Sequence[Box]) -> list[Segment]:
        """The thing in each of several boxes."""
        found = []
        for start in range(0, len(boxes), 16):
            some = boxes[start : start + 16]
            places = [[(box[0], box[1]), (box[2], box[3])] for box in some]
            logits, quality = self._decode(picture, places, [[CORNER, OPPOSITE]] * len(some))
            masks = self._enlarged(picture, logits[:, 0])
            found += [Segment(mask, float(sure)) for mask, sure in zip(masks, quality[:, 0], strict=True)]
        return found

    def _decode(
        self,
        picture: Embedded,
        places: Sequence[Sequence[Point]],
        meanings: Sequence[Sequence[int]],
        rough: np.ndarray | None = None,
    ) -> tuple[Tensor, Tensor]:
        factor = torch.tensor([picture.fitted[0] / picture.size[0], picture.fitted[1] / picture.size[1]])
        where = torch.tensor(places, dtype=torch.float32) * factor
        drawn = None if rough is None else self._as_logits(picture, rough)
        what = torch.tensor(meanings, device=self.device)
        return self.net.decode(picture.values, where.to(self.device), what, drawn)

    def _as_logits(self, picture: Embedded, rough: np.ndarray) -> Tensor:
        """A mask of the picture as the network gave it: (1, 1, s, s) of its square, a quarter of its side."""
        side = 4 * picture.values.shape[-1]
        size = [max(1, round(length * side / self.net.side)) for length in picture.fitted[::-1]]
        small = F.interpolate(torch.from_numpy(rough.astype(np.float32))[None, None], size, mode="area")
        whole = F.pad(small, (0, side - size[1], 0, side - size[0]))
        return ((2 * whole - 1) * CERTAIN).to(self.device)

    def _enlarged(self, picture: Embedded, logits: Tensor) -> np.ndarray:
        """(B, s, s) of the network's square to (B, H, W) of the picture."""
        side = self.net.side
        square = F.interpolate(logits[:, None], (side, side), mode="bilinear", align_corners=False)
        own = square[:, :, : picture.fitted[1], : picture.fitted[0]]
        whole = F.interpolate(own, picture.size[::-1], mode="bilinear", align_corners=False)
        return whole[:, 0].float().cpu().numpy()
