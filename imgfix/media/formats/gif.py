"""GIF (GIF89a, CompuServe 1990), as a still picture; frames are in `imgfix.media.animation`."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from imgfix.media.formats import by_pillow
from imgfix.media.formats.base import Decoded, Format, Sink, WriteRequest, starts_with
from imgfix.media.picture import Header


def header(stream: Any, data: Any) -> Header:
    """Pillow's."""
    return by_pillow.header(stream, "GIF")


def read(data: bytes) -> Decoded:
    """Decode the first frame."""
    with Image.open(io.BytesIO(data), formats=["GIF"]) as image:
        found = by_pillow.decoded(image, "GIF")
        comment = image.info.get("comment")
        if isinstance(comment, bytes) and comment:
            found.text["Comment"] = comment.decode("utf-8", "replace")
    found.notes.extend(by_pillow.frames_note("GIF", found.frames))
    return found


def sink(request: WriteRequest) -> Sink:
    """Collected and reduced to a palette."""
    return by_pillow.PillowSink(request, "GIF", {"comment": request.blocks.metadata.text.get("Comment")}, _with_palette)


def _with_palette(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    """Reduce to 256 colours, one of them transparent if the picture has transparency (GIF knows no half of it)."""
    if image.mode == "L":
        return image, {}
    if image.mode == "LA":
        image = image.convert("RGBA")
    if image.mode == "RGB":
        return image.quantize(256, Image.Quantize.MEDIANCUT), {}
    clear = image.getchannel("A").point(lambda value: 255 if value < 128 else 0)
    reduced = image.convert("RGB").quantize(255, Image.Quantize.MEDIANCUT)
    reduced.paste(255, mask=clear)
    return reduced, {"transparency": 255, "optimize": False}


FORMAT = Format(
    "GIF",
    (".gif",),
    starts_with(b"GIF87a", b"GIF89a"),
    header,
    read,
    sink,
    bits=8,
    max_side=65535,
    icc=False,
    tags=False,
    animated=True,
)
