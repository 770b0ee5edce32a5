"""Small films of drawn frames: mp4 (and what else FFmpeg names by its ending), gif, webp and apng."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imgfix.errors import OutputError, UsageError
from imgfix.media.files import atomic_path
from imgfix.media.video.opening import address
from imgfix.media.video.repeatable import x264_params
from imgfix.tasks.squares import on_white

FILM_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
LOOP_SUFFIXES = (".gif", ".webp", ".png", ".apng")
_SMALLEST = 256


def check_target(path: Path) -> None:
    """Raise UsageError for a name that is no film's."""
    if path.suffix.lower() not in (*FILM_SUFFIXES, *LOOP_SUFFIXES):
        names = ", ".join((*FILM_SUFFIXES, *LOOP_SUFFIXES))
        raise UsageError(f"`output` {path}: not a film's name", hint=f"choose one of {names}")


def write_frames(path: Path, frames: Iterable[np.ndarray], rate: int = 30) -> None:
    """Write frames (H, W, C) uint8 of one size; a film's are enlarged in whole steps and lie on white.

    Raises:
        OutputError: the file cannot be written, or this FFmpeg has no encoder for it.
    """
    with atomic_path(path) as temporary:
        if path.suffix.lower() in FILM_SUFFIXES:
            _film(temporary, path, frames, rate)
        else:
            _loop(temporary, path.suffix.lower(), list(frames), rate)


def _film(temporary: Path, path: Path, frames: Iterable[np.ndarray], rate: int) -> None:
    import av

    kind = {".mkv": "matroska"}.get(path.suffix.lower(), path.suffix.lower()[1:])
    try:
        with av.open(address(temporary), "w", format=kind) as container:
            codec = "libvpx-vp9" if kind == "webm" else "libx264"
            stream: Any = container.add_stream(codec, rate=Fraction(rate))
            stream.pix_fmt = "yuv420p"
            params = x264_params(bits=8)
            for number, frame in enumerate(frames):
                picture = on_white(frame)
                times = -(-_SMALLEST // max(picture.shape[:2]))
                picture = np.ascontiguousarray(picture.repeat(times, 0).repeat(times, 1))
                picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
                if not number:
                    stream.height, stream.width = picture.shape[:2]
                    stream.options = {"crf": "18", **({"x264-params": params} if params and codec == "libx264" else {})}
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
            container.mux(stream.encode())
    except (av.FFmpegError, ValueError) as error:
        raise OutputError(f"{path}: cannot be encoded ({error})", hint="a .gif needs no video encoder") from error


def _loop(temporary: Path, suffix: str, frames: list[np.ndarray], rate: int) -> None:
    kind = {".gif": "GIF", ".webp": "WEBP"}.get(suffix, "PNG")
    pictures = [Image.fromarray(on_white(frame) if kind == "GIF" else _plain(frame)) for frame in frames]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(
        temporary, kind, save_all=True, append_images=pictures[1:], duration=round(1000 / rate), loop=0, **options
    )


def _plain(frame: np.ndarray) -> np.ndarray:
    return frame[..., 0] if frame.shape[2] == 1 else frame
