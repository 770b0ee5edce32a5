"""What a file is, by its first bytes; never by its name."""

from __future__ import annotations

from imgfix.media.formats import by_content

_OTHER = (
    (b"%PDF", "it looks like a PDF"),
    (b"<!DOCTYPE", "it looks like a web page; perhaps a download went wrong"),
    (b"<!doctype", "it looks like a web page; perhaps a download went wrong"),
    (b"<html", "it looks like a web page; perhaps a download went wrong"),
    (b"<svg", "it looks like an SVG drawing, which has no pixels"),
    (b"<?xml", "it looks like XML"),
    (b"version https://git-lfs", "it is a Git LFS pointer; run `git lfs pull`"),
    (b"PK\x03\x04", "it looks like a ZIP archive"),
    (b"\x1f\x8b", "it looks like a gzip archive"),
    (b"8BPS", "it looks like a Photoshop document; save it as TIFF or PNG"),
    (b"\x1aE\xdf\xa3", "it looks like a video"),
    (b"\x00\x00\x00\x0cjP  ", "it looks like JPEG 2000; convert it to PNG or TIFF"),
    (b"\xff\x4f\xff\x51", "it looks like JPEG 2000; convert it to PNG or TIFF"),
    (b"v/1\x01", "it looks like OpenEXR; convert it to 16-bit TIFF or PNG"),
    (b"\x89PNG", "its PNG signature is damaged, as by a transfer in text mode"),
)


def sniff(start: bytes) -> str | None:
    """Return the name of the picture format ('PNG', 'JPEG' ...) that the first 64 bytes show, or None."""
    form = by_content(start)
    return form.name if form is not None else None


def what_else(start: bytes) -> str:
    """Say what a file that is no picture looks like."""
    head = start[:64].lstrip()
    for magic, words in _OTHER:
        if head.startswith(magic) or start.startswith(magic):
            return words
    if start[4:8] == b"ftyp" or start[:4] == b"RIFF":
        return "it looks like a video or sound file"
    if start and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start[:512]):
        return "it looks like text"
    return "its first bytes belong to no format that imgfix knows"


def is_video(start: bytes) -> bool:
    """Whether the first bytes (at least 400, where there are as many) are those of a video container."""
    if sniff(start) is not None:
        return False
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or start.startswith(b"\x1aE\xdf\xa3"):
        return True
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return True
    if start.startswith(
        (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV\x01", b"OggS", b"YUV4MPEG2", b"\x06\x0e\x2b\x34")
    ):
        return True
    if start.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):  # ASF
        return True
    # Transport streams have a mark every 188 bytes (192 with time stamps before each).
    return any(len(start) > first + 2 * step and all(start[first + i * step] == 0x47 for i in range(3))
               for first, step in ((0, 188), (4, 192)))  # fmt: skip
