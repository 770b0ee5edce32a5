"""The main subject of a picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from imgfix.tasks.select.pixels import as_tensor, resized

SIDE = 320
"""Side of the square at which U2-Net was trained."""
FAINTEST = 0.1
"""A map whose brightest value is below this shows no subject."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SubjectFinder:
    """Tells for every pixel how much of the main subject is in it, by a `U2Net`."""

    def __init__(self, net: nn.Module, device: torch.device | str = "cpu", side: int = SIDE) -> None:
        self.net, self.device, self.side = net.to(device), torch.device(device), side
        self._mean = torch.tensor(_MEAN, device=device).reshape(1, 3, 1, 1)
        self._deviation = torch.tensor(_DEVIATION, device=device).reshape(1, 3, 1, 1)

    @torch.inference_mode()
    def find(self, rgb: np.ndarray) -> np.ndarray | None:
        """(H, W, 3) to (H, W) float32 in [0, 1], soft over a few pixels of the network; None: there is no subject."""
        # Brought into the square without keeping its shape, and to its full range, as the network was trained.
        small = resized(as_tensor(rgb).to(self.device), self.side, self.side).clamp(0, 1)
        small = small / small.amax().clamp(min=1e-6)
        found = self.net((small - self._mean) / self._deviation)
        low, high = found.amin(), found.amax()
        if float(high) < FAINTEST:
            return None
        found = (found - low) / (high - low).clamp(min=1e-6)
        return resized(found, *rgb.shape[:2])[0, 0].clamp(0, 1).float().cpu().numpy()
