"""Colour spaces that a file names without a profile: code points (CICP) and the camera's mark for Adobe RGB.

For those a profile is made, so that models get true colours and every output format says the same. So it is for the
gamma and the primaries of a PNG.
Sources: ITU-T H.273 (code points), DCF 2.0 (optional colour space, interoperability index R03), ICC.1:2022 (profiles).
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

from imgfix.media import exif as exif_block

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65 = (0.3127, 0.3290)
_PRIMARIES = {  # H.273 colour primaries -> name, xy of red, green and blue (white is D65)
    9: ("Rec. 2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
_ADOBE = ("Compatible with Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)))
# Video curves are shown on the same displays as sRGB, and colour management treats them alike.
_SRGB_CURVES = (1, 6, 13, 14, 15)
_HDR_CURVES = {16: "PQ", 18: "HLG"}
_USUAL_GAMMA = 45_455  # 1 / 2.2, what programs write for sRGB
_SRGB_CORNERS = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}


def by_code_points(primaries: int, transfer: int) -> tuple[bytes | None, str | None]:
    """Return (profile, note for the user) for H.273 code points; no profile where sRGB is meant or unknown."""
    if transfer in _HDR_CURVES:
        return None, f"high dynamic range ({_HDR_CURVES[transfer]}) is treated as ordinary sRGB; colours will look flat"
    if primaries not in _PRIMARIES or not (transfer in _SRGB_CURVES or transfer in _GAMMAS):
        return None, None
    name, corners = _PRIMARIES[primaries]
    return _profile(name, corners, _GAMMAS.get(transfer)), None


def by_exif(exif: bytes | None) -> bytes | None:
    """Return a profile when a camera marked its picture as Adobe RGB (uncalibrated, interoperability index R03)."""
    if not exif:
        return None
    try:
        found = exif_block.folders(exif)
    except (exif_block.BrokenExifError, struct.error):
        return None
    camera = {tag: value for tag, _, _, value in found.get("exif", [])}
    interop = {tag: value for tag, _, _, value in found.get("interop", [])}
    if camera.get(0xA001, b"")[:2] == b"\xff\xff" and interop.get(0x0001, b"")[:3] == b"R03":
        return _profile(*_ADOBE, 563 / 256)
    return None


def by_gamma(gamma: bytes, primaries: bytes | None, channels: int) -> bytes | None:
    """Return the profile for the gAMA and cHRM chunks of a PNG, or None where they say what sRGB is anyway.

    gamma, primaries: the bodies of the chunks (PNG, third edition, 11.3.2.1 and 11.3.2.2). channels: 1 or 3.
    """
    (scaled,) = struct.unpack(">I", gamma)
    if not 10_000 <= scaled <= 1_000_000:  # nothing that a display has
        return None
    usual = abs(scaled - _USUAL_GAMMA) <= 1000
    if channels == 1:
        return None if usual else _grey_profile(100_000 / scaled)
    corners, white = _SRGB_CORNERS, _D65
    if primaries is not None and len(primaries) == 32:
        values = [value / 100_000 for value in struct.unpack(">8I", primaries)]
        points = tuple((values[at], values[at + 1]) for at in range(0, 8, 2))
        if np.abs(np.array(points) - (_D65, *_SRGB_CORNERS)).max() > 0.005:
            if not _is_triangle(points[1:]) or points[0][1] < 0.01:
                return None
            white, corners = points[0], (points[1], points[2], points[3])
    if usual and corners is _SRGB_CORNERS:
        return None
    return _profile("PNG gamma and primaries", corners, 100_000 / scaled, white)


def _is_triangle(points: tuple[tuple[float, float], ...]) -> bool:
    (ax, ay), (bx, by), (cx, cy) = points
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) > 0.01 and min(ay, by, cy) > 0.0001


def code_points_of_boxes(data: bytes) -> tuple[int, int] | None:
    """Find primaries and transfer in the colour box of an AVIF or HEIC file (ISO/IEC 23008-12)."""
    at = data.find(b"colrnclx")
    return struct.unpack_from(">HH", data, at + 8) if 0 <= at <= len(data) - 12 else None


@lru_cache
def _grey_profile(gamma: float) -> bytes:
    """Build a profile of one curve."""
    return _packed(b"GRAY", {b"desc": _text("PNG gamma"), b"kTRC": _curve(gamma)})


@lru_cache
def _profile(
    name: str,
    corners: tuple[tuple[float, float], ...],
    gamma: float | None,
    white: tuple[float, float] = _D65,
) -> bytes:
    """Build a display profile of three primaries, a white point and one curve (gamma, or that of sRGB)."""
    matrix = _to_d50(corners, white)
    tags = {
        b"desc": _text(name),
        b"chad": _tag(b"sf32", _fixed(_adaptation(white))),
        **{kind: _xyz(matrix[:, at]) for at, kind in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)),
    }
    return _packed(b"RGB ", tags)


def _curve(gamma: float | None) -> bytes:
    if gamma is None:
        values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        return _tag(b"para", struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in values)))
    return _tag(b"para", struct.pack(">HHi", 0, 0, round(gamma * 65536)))


def _packed(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"cprt": _text("No copyright"), b"wtpt": _xyz(_D50), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for kind, data in tags.items():
        table += struct.pack(">4sII", kind, offset + len(body), len(data))
        body += data
    head = struct.pack(">I4xI4s4s4s12x4s", offset + len(body), 0x04400000, b"mntr", space, b"XYZ ", b"acsp")
    return (head + bytes(28) + _fixed(_D50)).ljust(128, b"\0") + table + body


def _to_d50(corners: tuple[tuple[float, float], ...], white: tuple[float, float]) -> np.ndarray:
    columns = np.stack([_from_xy(corner) for corner in corners], axis=1)
    columns = columns * np.linalg.solve(columns, _from_xy(white))
    return _adaptation(white) @ columns


def _adaptation(white: tuple[float, float]) -> np.ndarray:
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _from_xy(white)))
    return np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD


def _from_xy(point: tuple[float, float]) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _tag(kind: bytes, body: bytes) -> bytes:
    data = kind + bytes(4) + body
    return data + bytes(-len(data) % 4)


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    return _tag(b"mluc", struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded)


def _fixed(values: np.ndarray) -> bytes:
    numbers = [round(float(value) * 65536) for value in np.asarray(values).reshape(-1)]
    return struct.pack(f">{len(numbers)}i", *numbers)


def _xyz(values: np.ndarray) -> bytes:
    return _tag(b"XYZ ", _fixed(values))
