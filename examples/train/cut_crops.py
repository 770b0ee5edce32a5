"""Cut a folder of photos into the crops with the most detail, to carry the set to another machine in few megabytes.

    python examples/train/cut_crops.py photos/ crops/ --megabytes 44 --parts 2 --held-out 24

Writes crops/held-out/ (one crop each of photos that appear nowhere else) and crops/part-0/, part-1/ ... Every photo
gets a crop before any gets a second one, so that a few huge photos do not crowd out the rest. Crops are JPEG of high
quality with full chroma: its error lies 15 dB under what the networks can reach.
"""

from __future__ import annotations

import argparse
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--quality", type=int, default=94)
    parser.add_argument("--megabytes", type=float, default=44, help="limit of one part")
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--held-out", type=int, default=24)
    parser.add_argument("--most", type=int, default=40, help="crops of one photo at most")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    photos = sorted(options.photos.glob("*.png"), key=lambda path: hashlib.sha256(path.name.encode()).digest())
    with ThreadPoolExecutor(options.workers) as pool:
        crops = dict(zip(photos, pool.map(lambda path: cut(path, options), photos), strict=True))

    colourful = [path for path in photos if "humument" not in path.name and crops[path]]
    held_out = colourful[: options.held_out]
    write(options.output / "held-out", [(path, 0, crops[path][0]) for path in held_out])
    rounds = (
        (path, index, crops[path][index])
        for index in range(options.most)
        for path in photos
        if path not in held_out and index < len(crops[path]) and (index < 2 or "humument" not in path.name)
    )
    parts: list[list[tuple[Path, int, bytes]]] = [[] for _ in range(options.parts)]
    sizes = [0.0] * options.parts
    for crop in rounds:
        part = sizes.index(min(sizes))
        if sizes[part] + len(crop[2]) > options.megabytes * 2**20:
            break
        parts[part].append(crop)
        sizes[part] += len(crop[2])
    for number, part in enumerate(parts):
        write(options.output / f"part-{number}", part)
        print(f"part {number}: {len(part)} crops, {sizes[number] / 2**20:.1f} MiB")


def cut(path: Path, options: argparse.Namespace) -> list[bytes]:
    """Cut one photo on a grid of near-equal steps; returns encoded crops, the most detailed first."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    found = []
    for top in starts(picture.shape[0], options.size):
        for left in starts(picture.shape[1], options.size):
            crop = picture[top : top + options.size, left : left + options.size]
            found.append((detail(crop), crop))
    # What is nearly flat teaches little.
    found = sorted((pair for pair in found if pair[0] > 1.0), key=lambda pair: -pair[0])[: options.most]
    settings = [cv2.IMWRITE_JPEG_QUALITY, options.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return [cv2.imencode(".jpg", crop, settings)[1].tobytes() for _, crop in found]


def starts(length: int, size: int) -> list[int]:
    """Where crops begin along one side: as many as fit without overlap, spread over the whole side."""
    count = max(1, length // size)
    return [round(index * max(0, length - size) / max(1, count - 1)) for index in range(count)]


def detail(crop: np.ndarray) -> float:
    """Median over 32 x 32 blocks of the mean gradient: texture everywhere counts, one strong edge does not."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)
    gradient = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25)) + np.abs(
        cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    )
    blocks = cv2.resize(gradient, (crop.shape[1] // 32, crop.shape[0] // 32), interpolation=cv2.INTER_AREA)
    return float(np.median(blocks)) if blocks.size else 0.0


def write(folder: Path, crops: list[tuple[Path, int, bytes]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, index, data in crops:
        (folder / f"{path.stem}-{index}.jpg").write_bytes(data)


if __name__ == "__main__":
    main()
