"""Spoil a photo with noise, to have something to restore: python examples/damage.py photo.jpg noisy.png"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image


def main(source: str, target: str) -> None:
    """Add normal noise of 20 (of 255), the same every time."""
    picture = np.asarray(Image.open(source).convert("RGB"), np.float32)
    noise = np.random.default_rng(0).normal(0, 20, picture.shape)
    Image.fromarray((picture + noise).round().clip(0, 255).astype(np.uint8)).save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
