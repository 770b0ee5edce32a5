"""Filling without a network: the two classical methods of OpenCV, on the file's own values in 8 or 16 bits."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

Method = Literal["telea", "ns"]

METHODS: dict[str, int] = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}
RADIUS = 5  # pixels around a hole that a filled pixel is drawn from
MARGIN = 16  # pixels of picture around a hole that are worth looking at


def fill(pixels: np.ndarray, hole: np.ndarray, method: str) -> np.ndarray:
    """Fill a hole from its rim inwards.

    `telea`: Telea, "An Image Inpainting Technique Based on the Fast Marching Method", 2004. `ns`: Bertalmio et al.,
    "Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting", 2001.

    pixels: (h, w, C) uint8 or uint16, any number of channels. hole: (h, w) bool. Returns an array like `pixels`.
    """
    holes = hole.astype(np.uint8)
    channels = pixels.shape[2]
    if pixels.dtype == np.uint8 and channels == 3:
        return cv2.inpaint(np.ascontiguousarray(pixels), holes, RADIUS, METHODS[method])
    # OpenCV takes three channels only in 8 bits.
    planes = [np.ascontiguousarray(pixels[..., channel]) for channel in range(channels)]
    return np.stack([cv2.inpaint(plane, holes, RADIUS, METHODS[method]) for plane in planes], axis=-1)
