"""Picture to picture with a pix2pix network: edges to pictures, colours for grey ones, or whatever its pairs were."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from imgfix.errors import ModelError
from imgfix.media.picture import Picture
from imgfix.nets.pix2pix import Pix2Pix
from imgfix.runtime import device as devices
from imgfix.tasks.generate import finished
from imgfix.tasks.squares import on_white, premultiplied, squared
from imgfix.zoo.descriptor import Model

SOURCES = ("edges", "grey")


class Translator:
    """A pix2pix network, ready to draw.

    Raises:
        ModelError: the model is another.
        UsageError: the device is not there.
    """

    def __init__(self, model: Model, device: str = "auto") -> None:
        if not isinstance(model.net, Pix2Pix):
            raise ModelError(f"{model.descriptor.name} does not turn pictures into pictures")
        self.placement = devices.select(device, "fp32", model.descriptor)
        self.descriptor = model.descriptor
        self.net = model.net.to(self.placement.device)
        self.side = self.net.side
        self.colours = self.net.source == "grey" and self.net.channels == 3

    @torch.inference_mode()
    def draw(self, picture: Picture, *, sketch: bool | None = None) -> np.ndarray:
        """Draw what a picture becomes.

        A model that learned to colour grey pictures keeps the picture's size, shape and lightness, and adds colours.

        Args:
            picture: for other models a square is cut or padded out of it.
            sketch: whether it is line art already, where the model was trained on edges; `None` looks.

        Returns:
            (side, side, C) uint8, of a coloured picture (H, W, 3).
        """
        if self.colours:
            return self._coloured(picture)
        pixels = squared(picture, self.side, 3 if self.net.source in SOURCES else self.net.inputs)
        if self.net.source in SOURCES:
            drawn = looks_drawn(pixels) if sketch is None else sketch
            if self.net.source == "edges" and drawn:
                pixels = np.where(pixels.min(2, keepdims=True) < 160, 0, 255).astype(np.uint8)
            else:
                pixels = prepared(pixels[None], self.net.source)[0]
        given = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        return finished(self.net(given.to(self.placement.device))[0])

    def _coloured(self, picture: Picture) -> np.ndarray:
        """The picture's lightness with the network's colours, which it finds with the shorter side at its own size."""
        whole = premultiplied(picture)
        given = whole[..., :3] + 255 - whole[..., 3:]
        height, width = given.shape[:2]
        step, factor = 2 ** len(self.net.down), self.side / min(height, width)
        size = [max(step, round(length * factor / step) * step) for length in (width, height)]
        light = cv2.cvtColor(given / 255, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(light, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        made = self.net(torch.from_numpy(small)[None, None].to(self.placement.device))
        colours = cv2.cvtColor(made[0].float().permute(1, 2, 0).cpu().numpy(), cv2.COLOR_RGB2YCrCb)[..., 1:]
        colours = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
        found = cv2.cvtColor(np.dstack([light, colours]), cv2.COLOR_YCrCb2RGB)
        return (found * 255).round().clip(0, 255).astype(np.uint8)


def prepared(pictures: np.ndarray, source: str) -> np.ndarray:
    """What a network is given instead of pictures: black edges on white (Canny 1986), or their grey tones.

    Args:
        pictures: (N, H, W, 1, 3 or 4) uint8; of four channels premultiplied.
        source: `edges` or `grey`.

    Returns:
        (N, H, W, 1) uint8.
    """
    found = []
    for picture in pictures:
        rgb = picture
        if picture.shape[2] == 4:
            rgb = np.clip(picture[..., :3].astype(np.int32) + 255 - picture[..., 3:], 0, 255).astype(np.uint8)
        grey = cv2.cvtColor(on_white(rgb), cv2.COLOR_RGB2GRAY)
        if source == "edges":
            grey = 255 - cv2.Canny(cv2.GaussianBlur(grey, (3, 3), 0), 60, 140)
        found.append(grey[..., None])
    return np.stack(found)


def looks_drawn(pixels: np.ndarray) -> bool:
    """Whether a picture is thin dark lines on white."""
    grey = pixels.min(2)
    return bool((grey > 200).mean() > 0.6 and (grey < 160).mean() < 0.35 and ((grey > 80) & (grey < 200)).mean() < 0.15)
