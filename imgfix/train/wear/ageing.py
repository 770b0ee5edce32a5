"""How a photo becomes a print, and a print a scan: what changes the whole picture and is no damage to be found."""

from __future__ import annotations

import cv2
import numpy as np

from imgfix.train.wear.brush import clouds

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def printed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A photo (H, W, 3) float32 in [0, 1] as a print: soft, grained, grey or toned, faded, with a white border."""
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.4))
    tone = rng.random()
    if tone < 0.5:
        grey = (picture @ _LUMA)[..., None]
        tint = (
            np.array([1.0, 1.0, 1.0])
            if tone < 0.3
            else np.array([1.0, rng.uniform(0.85, 0.96), rng.uniform(0.65, 0.9)])
        )
        picture = np.repeat(grey, 3, axis=2) * tint.astype(np.float32)
    if rng.random() < 0.45:
        picture = faded(picture, rng)
    if rng.random() < 0.5:
        strength = rng.uniform(1, 14) / 255
        noise = clouds(picture.shape[:2], rng.uniform(1, 2.2), rng, octaves=1)[..., None]
        if tone >= 0.5 and rng.random() < 0.5:
            noise = noise + 0.7 * rng.standard_normal(picture.shape, dtype=np.float32)
        picture = picture + np.float32(strength) * noise
    if rng.random() < 0.1:
        picture = _bordered(picture, rng)
    found: np.ndarray = np.clip(picture, 0, 1).astype(np.float32)
    return found


def faded(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blacks that are grey, whites that are not white, and a cast: yellow, red or green."""
    black = rng.uniform(0, 0.28) + rng.normal(0, 0.04, 3)
    white = rng.uniform(0.7, 1.0) + rng.normal(0, 0.05, 3)
    low, high = (np.clip(level, 0, 1).astype(np.float32) for level in (black, np.maximum(white, black + 0.25)))
    return np.asarray(low + picture * (high - low), np.float32)


def scanned(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A print (H, W, 3) float32 as a file: a little soft, noisy, perhaps a JPEG; (H, W, 3) uint8."""
    if rng.random() < 0.45:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.25, 0.8))
    if rng.random() < 0.5:
        picture = picture + np.float32(rng.uniform(0.3, 5) / 255) * rng.standard_normal(picture.shape, dtype=np.float32)
    pixels = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.55:
        quality = int(rng.integers(45, 99))
        done, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None
        pixels = decoded[..., ::-1]
    return np.ascontiguousarray(pixels)


def _bordered(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paper along one or two sides of the picture."""
    out, paper = picture.copy(), np.float32(rng.uniform(0.75, 1.0))
    for _ in range(int(rng.integers(1, 3))):
        out = np.rot90(out, int(rng.integers(4))).copy()
        out[: max(2, round(len(out) * rng.uniform(0.01, 0.15)))] = paper
    return out if out.shape == picture.shape else np.rot90(out).copy()
