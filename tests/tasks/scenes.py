"""Pictures made by code that look enough like photographs to be judged: soft shapes, edges, some texture."""

from __future__ import annotations

import cv2
import numpy as np


def scene(height: int = 256, width: int = 320, seed: int = 0) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1]: a sky, a ground with texture, a few things with edges; free of noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    picture = np.stack([0.35 + 0.3 * y / height, 0.45 + 0.2 * y / height, 0.7 - 0.2 * y / height], axis=2)
    for _ in range(7):
        centre, size = rng.uniform((0, 0), (height, width)), rng.uniform(0.08, 0.2) * height
        colour = rng.uniform(0.15, 0.8, 3)
        inside = 1 / (1 + np.exp(np.minimum((np.hypot(y - centre[0], x - centre[1]) - size) / 1.5, 50)))[..., None]
        picture = picture * (1 - inside) + inside * colour
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.5)
    ground = (y > 0.7 * height).astype(np.float32)
    return np.clip(picture + (0.12 * grain * ground)[..., None], 0.02, 0.98).astype(np.float32)


def with_noise(picture: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """Gaussian noise of so many 255ths, rounded to 8 bits and clipped."""
    noise = np.random.default_rng(seed).normal(0, sigma / 255, picture.shape)
    return (np.round(np.clip(picture + noise, 0, 1) * 255) / 255).astype(np.float32)


def as_jpeg(picture: np.ndarray, quality: int) -> bytes:
    """The picture as a JPEG file."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def decoded(data: bytes) -> np.ndarray:
    """(H, W, 3) float32 in [0, 1]."""
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.float32) / 255


def scratched(picture: np.ndarray, seed: int = 0, lines: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """White and black scratches of 1 to 3 pixels; the picture, and where they are (H, W) bool."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    out, mask = picture.copy(), np.zeros((height, width), bool)
    for number in range(lines):
        layer = np.zeros((height, width), np.uint8)
        at, angle = rng.uniform((0.2, 0.2), (0.8, 0.8)) * (width, height), rng.uniform(0, 2 * np.pi)
        points = [at]
        for _ in range(12):
            angle += rng.normal(0, 0.02)
            points.append(points[-1] + 10 * np.array([np.cos(angle), np.sin(angle)]))
        cv2.polylines(
            layer, [np.round(np.array(points) * 8).astype(np.int32)], False, 255, 1 + number % 3, cv2.LINE_AA, 3
        )
        weight = layer[..., None] / np.float32(255)
        out = out * (1 - weight) + weight * (0.97 if number % 3 else 0.03)
        mask |= layer > 64
    return out.astype(np.float32), mask
