"""Spoil a photo with noise and compression: python examples/damage.py photo.jpg spoilt.jpg"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image


def main(source: str, target: str) -> None:
    """Add normal noise of 12 (of 255), the same every time, and save as JPEG of quality 40."""
    picture = np.asarray(Image.open(source).convert("RGB"), np.float32)
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    Image.fromarray((picture + noise).round().clip(0, 255).astype(np.uint8)).save(target, quality=40)


if __name__ == "__main__":
    main(*sys.argv[1:])
