"""Make examples/choosing.jpg, by hand: five ways to choose, people removed by name, a date stamp removed from a clip.

    python examples/choosing.py FOLDER [choosing.jpg]

FOLDER: holds the files named below (city.mpg is cityCC0.mpg); photos/CREDITS.md says whose they are. The models that it
needs, mobile-sam, efficientdet-lite0 and u2net, are pulled first: imgfix weights pull.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sheet import row, sheet

import imgfix

WAYS = {
    "--point 55%,90%": {"point": "55%,90%"},
    "--box-object x,y,w,h": {"box_object": "53%,53%,16%,30%"},
    "--object cup": {"object": "cup"},
    "--subject": {"subject": True},
    "--overlay": {"overlay": True},
}
STREET = 600  # which frame of the clip is the photo of a street
FRAMES = 24  # of the clip with a stamp
STAMP = "98 12 31"
WIDE = 1080  # pixels of the sheet


def main(folder: str, target: str = str(Path(__file__).with_name("choosing.jpg"))) -> None:
    """Write the sheet."""
    place = Path(folder)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        rows = [ways(place / "coffee.png", room), street(place / "vtest.avi"), clip(place / "city.mpg", room)]
    made = [each.resize((WIDE, round(each.height * WIDE / each.width)), Image.Resampling.LANCZOS) for each in rows]
    sheet(made).save(target, quality=78)


def ways(path: Path, place: Path) -> Image.Image:
    """One photo, with a date stamp, and what five ways choose in it."""
    photo = stamped(Image.open(path).convert("RGB"))
    photo.save(place / "photo.png")
    panels = {}
    for words, asked in WAYS.items():
        preview = place / "preview.png"
        imgfix.select(place / "photo.png", **asked, preview=preview, overwrite=True)
        panels[words] = Image.open(preview).convert("RGB")
    return row(panels, 162)


def street(path: Path) -> Image.Image:
    """A street, and the same without the people."""
    photo = frame(path, STREET)
    gone = imgfix.inpaint(photo, object="person")
    shown = (140, 60, 768, 560)
    return row({"street.jpg": photo.crop(shown), "imgfix inpaint street.jpg --object person": gone.crop(shown)}, 500)


def clip(path: Path, place: Path) -> Image.Image:
    """A frame of a clip with a date stamp, and the same without it."""
    given, made = place / "clip.mkv", place / "clean.mkv"
    with av.open(str(given), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        for number, each in enumerate(frames(path)):
            if number == FRAMES:
                break
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = each.width, each.height, "bgr0"
            made_frame = av.VideoFrame.from_ndarray(np.asarray(stamped(each)), "rgb24")
            out.mux(stream.encode(made_frame.reformat(format="bgr0")))
        out.mux(stream.encode())
    imgfix.inpaint(given, overlay=True, output=made)
    names = ("clip.mp4", "imgfix inpaint clip.mp4 --overlay")
    return row({name: frame(file, FRAMES // 2) for name, file in zip(names, (given, made), strict=True)}, 330)


def stamped(photo: Image.Image) -> Image.Image:
    """The photo with the date that a camera of the nineties put on it."""
    made = photo.copy()
    font = ImageFont.load_default(round(photo.height / 13))
    draw = ImageDraw.Draw(made)
    draw.text((photo.width * 0.96, photo.height * 0.95), STAMP, (255, 150, 40), font, anchor="rs")
    return made


def frames(path: Path) -> Iterator[Image.Image]:
    """The frames of a clip."""
    with av.open(str(path)) as opened:
        for each in opened.decode(video=0):
            yield each.to_image()


def frame(path: Path, number: int) -> Image.Image:
    """One frame of a clip."""
    return next(each for place, each in enumerate(frames(path)) if place == number)


if __name__ == "__main__":
    main(*sys.argv[1:])
