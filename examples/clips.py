"""Make examples/clips.jpg, by hand: parts of real clips, enlarged four times; photos/CREDITS.md says whose they are.

    python examples/clips.py FOLDER [clips.jpg]

FOLDER: holds the clips named below.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from sheet import row, sheet

from imgfix.media.video.reader import Reader, TimeRange

COUNT = 9  # frames, of which the middle one is shown
SIZE = (132, 88)  # of the part
MARGIN = 8  # pixels around it that the networks see too


@dataclass(frozen=True)
class Part:
    """What is shown of a clip."""

    name: str
    file: str
    start: float
    """Seconds."""
    width: int
    """To which the clip is reduced first; its own where it stays as it is."""
    left: int
    top: int
    models: tuple[str, ...] = ("photo-x4", "video-x4.light", "basicvsr-reds4")


PARTS = (
    Part("phone", "photokit-IMG_5474.mov", 0.3, 720, 430, 700),
    # Its compression is too coarse for networks of clean footage, which take the traces of it for detail.
    Part("pedestrians", "opencv-doc-vtest.avi", 5, 768, 362, 160, ("photo-x4",)),
    Part("animation", "moviepy-big-buck-bunny.mp4", 30, 640, 190, 50),
    Part("sea", "xarray-video-sea.mp4", 5, 640, 280, 180),
)


def main(folder: str, target: str = str(Path(__file__).with_name("clips.jpg"))) -> None:
    """Enlarge the parts and write the sheet."""
    rows = []
    for part in PARTS:
        with tempfile.TemporaryDirectory() as name:
            given = Path(name) / "given"
            given.mkdir()
            cut_out(Path(folder) / part.file, part, given)
            shown = {f"{part.name}, bicubic": inner(given, 1)}
            for model in part.models:
                made = Path(name) / model
                words = ["upscale", given, "--frames", "--model", model, "-o", made, "-q"]
                subprocess.run([sys.executable, "-m", "imgfix", *map(str, words)], check=True)
                shown[model] = inner(made, 4)
            rows.append(row(shown, 4 * SIZE[1] * 3 // 4))
    sheet(rows).save(target, quality=82)


def cut_out(clip: Path, part: Part, folder: Path) -> None:
    """Write the frames of a part as numbered pictures."""
    for number, frame in enumerate(Reader(clip, TimeRange(start=part.start), upright=True).frames()):
        if number == COUNT:
            break
        picture = Image.fromarray(frame.pixels)
        if picture.width != part.width:
            height = round(picture.height * part.width / picture.width)
            picture = picture.resize((part.width, height), Image.Resampling.BICUBIC)
        right, below = part.left + SIZE[0] + MARGIN, part.top + SIZE[1] + MARGIN
        picture.crop((part.left - MARGIN, part.top - MARGIN, right, below)).save(folder / f"{number}.png")


def inner(folder: Path, scale: int) -> Image.Image:
    """The middle frame without its margin."""
    picture = Image.open(folder / f"{COUNT // 2}.png").convert("RGB")
    edge = MARGIN * scale
    return picture.crop((edge, edge, picture.width - edge, picture.height - edge))


if __name__ == "__main__":
    main(*sys.argv[1:])
