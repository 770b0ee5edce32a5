"""The statistics of undamaged photographs that NIQE measures a picture against: no layers, only two buffers."""

from __future__ import annotations

import torch
from torch import nn


class PristineModel(nn.Module):
    """A 36-dimensional Gaussian of natural-scene features: `mean` (36,) and `covariance` (36, 36), float64.

    Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal Processing Letters
    20 (2013); fitted by its authors to 125 photographs.
    """

    mean: torch.Tensor
    covariance: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(36, dtype=torch.float64))
        self.register_buffer("covariance", torch.eye(36, dtype=torch.float64))
