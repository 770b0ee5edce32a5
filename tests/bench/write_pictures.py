"""Time and memory of writing one very large picture: our bands against one whole array given to Pillow.

    python tests/bench/write_pictures.py [--width 16384 --height 12288] [--formats png tiff jpeg]

Each line is measured in a process of its own; memory is the peak of the whole process above that of one which only
imports and makes the bands. The picture is a photo enlarged, with a little noise, as a model would give it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROWS = 64


def bands(width: int, height: int):  # type: ignore[no-untyped-def]
    """Give the picture in bands of rows."""
    import cv2
    from skimage.data import astronaut

    photo = astronaut()
    wide = cv2.resize(photo, (width, photo.shape[0]), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(0, 3, (ROWS, width, 3)).astype(np.uint8)
    for top in range(0, height, ROWS):
        rows = min(ROWS, height - top)
        at = (np.arange(top, top + rows, dtype=np.float32) * (photo.shape[0] - 1) / height)[:, None]
        place = np.arange(width, dtype=np.float32)[None].repeat(rows, 0)
        band = cv2.remap(wide, place, at.repeat(width, 1), cv2.INTER_LINEAR)
        yield cv2.add(band, noise[:rows])


def measured(way: str, form: str, width: int, height: int, folder: str) -> dict[str, float]:
    """Write once; seconds are wall and processor time without the making of the bands."""
    from imgfix.media.image import open_writer

    path = Path(folder) / f"{way}.{form}"
    idle = sum(1 for _ in bands(width, 4 * ROWS))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall = processor = 0.0

    def timed(step, *args):  # type: ignore[no-untyped-def]
        nonlocal wall, processor
        start, used = time.perf_counter(), time.process_time()
        step(*args)
        wall += time.perf_counter() - start
        processor += time.process_time() - used

    if way == "bands":
        writer = open_writer(path, width=width, height=height, channels=3, dtype=np.uint8)
        with writer:
            for band in bands(width, height):
                timed(writer.write, band)
            start, used = time.perf_counter(), time.process_time()
        wall, processor = wall + time.perf_counter() - start, processor + time.process_time() - used
    else:
        from PIL import Image

        whole = np.empty((height, width, 3), np.uint8)
        for at, band in enumerate(bands(width, height)):
            whole[at * ROWS : at * ROWS + len(band)] = band
        options = {"tiff": {"compression": "tiff_adobe_deflate"}, "jpeg": {"quality": 95, "subsampling": 0}}.get(
            form, {}
        )
        timed(lambda: Image.fromarray(whole).save(path, form, **options))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall_s": wall,
        "cpu_s": processor,
        "peak_mb": (peak - before) / 1024,
        "file_mb": path.stat().st_size / 1e6,
        "idle": idle,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=16384)
    parser.add_argument("--height", type=int, default=12288)
    parser.add_argument("--formats", nargs="+", default=["png", "tiff", "jpeg"])
    parser.add_argument("--one", nargs=3, metavar=("WAY", "FORMAT", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        way, form, folder = args.one
        print(json.dumps(measured(way, form, args.width, args.height, folder)))
        return
    print(f"{args.width} x {args.height} RGB, 8 bits: {args.width * args.height * 3 / 1e6:.0f} MB of pixels")
    print(f"{'format':8}{'way':8}{'wall s':>8}{'cpu s':>8}{'peak MB':>9}{'file MB':>9}")
    for form in args.formats:
        for way in ("bands", "pillow"):
            with tempfile.TemporaryDirectory() as folder:
                size = ["--width", str(args.width), "--height", str(args.height)]
                command = [sys.executable, __file__, *size, "--one", way, form, folder]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            one = json.loads(done.stdout)
            print(
                f"{form:8}{way:8}{one['wall_s']:8.1f}{one['cpu_s']:8.1f}{one['peak_mb']:9.0f}{one['file_mb']:9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
