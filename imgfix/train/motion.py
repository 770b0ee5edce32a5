"""Made-up motion: a photo seen by a camera that pans, turns and zooms, perhaps with something moving in front.

Where clips are few, soft or compressed, this gives sharp frames whose motion goes down to small parts of a pixel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from imgfix.runtime.resize import round_to_bytes

SPEED = 8.0
"""Fastest pan in pixels a frame."""
LAYER = 0.4
"""Chance of something in front that moves on its own."""


def render(photos: Tensor, frames: int, crop: int, cpu: torch.Generator) -> Tensor:
    """Film photos with a moving camera.

    Every output pixel is the mean of four samples taken from about two by two pixels of the photo, so frames are sharp
    and equally sharp at every phase of the motion.

    Args:
        photos: (B, 3, P, P) in [0, 1], P at least `crop`; better twice as large.
        frames: to make.
        crop: side of a frame.
        cpu: draws the motion.

    Returns:
        (B, frames, 3, crop, crop) on the 8-bit grid.
    """
    count, side = photos.shape[0], photos.shape[-1]
    offset = (torch.arange(2 * crop, dtype=torch.float32) + 0.5) / 2 - crop / 2
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    positions = torch.stack((x, y), dim=-1)  # (2 crop, 2 crop, 2) pixels from the middle
    zoom = 1 + (min(2.0, side / crop) - 1) * (0.5 + 0.5 * _uniform(cpu, count))  # photo pixels per output pixel
    front = photos.roll(1, 0)
    has_layer = torch.rand(count, generator=cpu) < LAYER if count > 1 else torch.zeros(count, dtype=torch.bool)
    drift = torch.where(torch.rand(count, generator=cpu) < 0.3, 0.02 * (2 * _uniform(cpu, count) - 1), torch.zeros(()))
    behind, before = Camera(count, crop, cpu), Camera(count, crop, cpu)
    shape = F.interpolate(torch.randn(count, 1, 7, 7, generator=cpu), 2 * side // 4, mode="bicubic")
    made = []
    for frame in range(frames):
        time = frame - (frames - 1) / 2
        picture = _look(photos, behind.at(positions, time), zoom)
        if bool(has_layer.any()):
            where = before.at(positions, time)
            mask = torch.sigmoid(6 * (_look(shape.to(photos.device), where, zoom * shape.shape[-1] / side) - 0.4))
            mask = mask * has_layer.float()[:, None, None, None].to(mask.device)
            picture = picture + mask * (_look(front, where, zoom) - picture)
        picture = F.avg_pool2d(picture, 2) * (1 + drift * time)[:, None, None, None].to(picture.device)
        made.append(round_to_bytes(picture))
    return torch.stack(made, dim=1)


class Camera:
    """Smooth motion of a plane: pan with a little acceleration, turn, zoom, and a swaying of its parts."""

    def __init__(self, count: int, crop: int, cpu: torch.Generator) -> None:
        speed = SPEED * _uniform(cpu, count) ** 2.0  # slow ones are the more common and the more useful
        direction = 2 * math.pi * _uniform(cpu, count)
        self.velocity = speed[:, None] * torch.stack((direction.cos(), direction.sin()), dim=1)
        self.acceleration = 0.05 * self.velocity * torch.randn(count, 2, generator=cpu)
        self.turn = math.radians(0.6) * torch.randn(count, generator=cpu) * (torch.rand(count, generator=cpu) < 0.5)
        self.zoom = 0.006 * torch.randn(count, generator=cpu) * (torch.rand(count, generator=cpu) < 0.5)
        sway = 2.5 * _uniform(cpu, count) ** 2.0
        field = torch.randn(count, 2, 4, 4, generator=cpu) * sway[:, None, None, None]
        self.field = F.interpolate(field, (2 * crop, 2 * crop), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
        self.phase = 2 * math.pi * _uniform(cpu, count)
        self.pace = 0.2 + 0.8 * _uniform(cpu, count)

    def at(self, positions: Tensor, time: float) -> Tensor:
        """Where on the plane each output sample lies: (H, W, 2) to (B, H, W, 2), output pixels from the middle."""
        cos, sin = (self.turn * time).cos(), (self.turn * time).sin()
        turned = (
            torch.stack((torch.stack((cos, -sin), 1), torch.stack((sin, cos), 1)), 1)
            * (1 + self.zoom * time)[:, None, None]
        )
        placed = torch.einsum("bij,hwj->bhwi", turned, positions)
        shift = self.velocity * time + self.acceleration * time**2
        swaying = torch.sin(self.phase + self.pace * time)[:, None, None, None]
        return placed + shift[:, None, None] + self.field * swaying


def _look(plane: Tensor, where: Tensor, zoom: Tensor) -> Tensor:
    """Sample a plane (B, C, P, P) at output positions; beyond its border it is mirrored."""
    side = plane.shape[-1]
    grid = where * (zoom * 2 / side)[:, None, None, None]
    return F.grid_sample(plane, grid.to(plane.device), mode="bilinear", padding_mode="reflection", align_corners=False)


def _uniform(cpu: torch.Generator, count: int) -> Tensor:
    return torch.rand(count, generator=cpu)
