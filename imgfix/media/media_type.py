"""What a file is to be worked on as, by its content and not by its name."""

from __future__ import annotations

from pathlib import Path

from imgfix.media.sniff import is_video, sniff
from imgfix.media.sources import IMAGE, VIDEO, is_pipe, kind_of
from imgfix.media.video.containers import CONTAINERS

ANIMATION = "animation"


def media_type(source: Path, target: Path | None, wanted: str | None = None) -> str:
    """`video`, `animation` or `image`; an unreadable file is what its name says.

    An animated picture that is to become a video file is a `video`; one that is to become a JPEG is an `image`.
    wanted: a picture format that overrides the target's extension. Raises UsageError: the target is neither.
    """
    named = VIDEO if kind_of(source) == VIDEO else IMAGE
    if is_pipe(source):  # a look would take away what is read later
        return named
    try:
        with source.open("rb") as stream:
            start = stream.read(1024)
    except OSError:
        return named
    if is_video(start):
        return VIDEO
    found = sniff(start)
    if found is None:
        return named
    from imgfix.media import animation

    if not animation.is_animated(source):
        return IMAGE
    if target is not None and target.suffix.lower() in CONTAINERS:
        return VIDEO
    return ANIMATION if animation.form_for(target, found, wanted) is not None else IMAGE
