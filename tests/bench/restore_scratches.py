"""Precision and recall of the scratch detector on photos with painted scratches, and its false alarms on clean ones.

    python tests/bench/restore_scratches.py --photos FOLDER [--count 24] [--seed 0]

Each photo, brought to 700 pixels, gets 8 scratches (1 to 3 pixels wide, straight or bent, white or dark, of 60 to 100
per cent opacity) and 12 specks. Precision counts pixels up to 3 away from a scratch as right. The detector's weights
were fitted on other photos than the Kodak set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from imgfix.tasks import scratches


def painted(picture: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) float -> the damaged picture in bytes' steps, and where (H, W) bool."""
    height, width = picture.shape[:2]
    out, mask = picture.copy(), np.zeros((height, width), bool)

    def blend(layer: np.ndarray, opacity: float, value: float) -> None:
        weight = layer[..., None] / np.float32(255) * np.float32(opacity)
        out[:] = out * (1 - weight) + weight * np.float32(value)
        mask[layer > 64] = True

    for _ in range(8):
        layer = np.zeros((height, width), np.uint8)
        upright = generator.random() < 0.4
        angle = np.pi / 2 + generator.normal(0, 0.05) if upright else generator.uniform(0, 2 * np.pi)
        points, bend = [generator.uniform((0, 0), (width, height))], generator.normal(0, 0.02)
        for _ in range(int(generator.uniform(0.15, 0.9) * min(height, width) / 12)):
            angle += bend + generator.normal(0, 0.02)
            points.append(points[-1] + 12 * np.array([np.cos(angle), np.sin(angle)]))
        line = np.round(np.array(points) * 8).astype(np.int32)
        cv2.polylines(layer, [line], False, 255, int(generator.integers(1, 4)), cv2.LINE_AA, 3)
        bright = generator.random() < 0.7
        blend(layer, generator.uniform(0.6, 1), generator.uniform(0.85, 1) if bright else generator.uniform(0, 0.1))
    for _ in range(12):
        layer = np.zeros((height, width), np.uint8)
        centre = tuple(int(value) for value in generator.uniform((0, 0), (width, height)))
        axes = int(generator.integers(1, 5)), int(generator.integers(1, 4))
        cv2.ellipse(layer, centre, axes, generator.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        blend(layer, 1, 0.95 if generator.random() < 0.7 else 0.05)
    return (np.round(out * 255) / 255).astype(np.float32), mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    rows = []
    paths = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".png", ".jpg", ".bmp"))
    for path in paths[: options.count]:
        photo = Image.open(path).convert("RGB")
        photo.thumbnail((700, 700), Image.Resampling.LANCZOS)
        clean = np.asarray(photo).astype(np.float32) / 255
        damaged, true = painted(clean, generator)
        found, false = scratches.find(damaged), scratches.find(clean)
        near = cv2.dilate(true.astype(np.uint8), np.ones((7, 7), np.uint8))
        precision = float((found * near).sum() / found.sum()) if found.any() else np.nan
        rows.append((precision, float(found[true].mean()), float(false.mean())))
        print(f"{path.name:28} precision {precision:.2f}  recall {rows[-1][1]:.2f}  clean: {100 * rows[-1][2]:.2f} %")
    precision, recall, false_share = np.nanmean(rows, axis=0)
    untouched = np.mean([row[2] == 0 for row in rows])
    print(
        f"mean precision {precision:.3f}, recall {recall:.3f}; clean pictures: {100 * false_share:.3f} % marked, ",
        end="",
    )
    print(f"{100 * untouched:.0f} % of them untouched")


if __name__ == "__main__":
    main()
