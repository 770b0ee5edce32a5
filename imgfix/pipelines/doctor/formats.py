"""Formats of pictures and clips."""

from __future__ import annotations

import importlib.util
from typing import Any

from imgfix.pipelines.doctor.check import Check
from imgfix.pipelines.doctor.program import EXTRAS


def formats(checks: list[Check]) -> dict[str, dict[str, bool]]:
    """Which picture formats can be read and written."""
    try:
        from PIL import features

        from imgfix.media.formats import FORMATS
    except Exception:
        return {}
    plugged = {"WEBP": "webp", "AVIF": "avif", "JPEG": "jpg", "JPEG2000": "jpg_2000"}
    found: dict[str, dict[str, bool]] = {}
    for form in FORMATS:
        works = True
        if form.extra is not None:
            works = importlib.util.find_spec(EXTRAS[form.extra][0]) is not None
        elif form.name in plugged:
            works = bool(features.check(plugged[form.name]))
        found[form.name] = {"read": works, "write": works and form.sink is not None}
        if not works and form.extra is None:
            remedy = "pip install --upgrade --force-reinstall pillow"
            checks.append(Check("formats", form.name, "missing", "this Pillow was built without it", remedy))
    working = [name for name, can in found.items() if can["write"]]
    checks.append(Check("formats", "pictures", "ok", " ".join(working)))
    return found


def video(checks: list[Check]) -> dict[str, list[str]]:
    """Encoders, decoders and containers of clips; nothing where PyAV cannot be imported."""
    try:
        import av

        from imgfix.media.video import containers, encoding
    except Exception:  # said above: av cannot be imported
        return {}
    encoders = encoding.available()
    families = list(dict.fromkeys(encoder.family for encoder in encoders))
    names = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mjpeg", "prores", "ffv1", "theora", "vvc")
    decoders = [name for name in names if _decodes(av, name)]
    found = list(dict.fromkeys(containers.CONTAINERS.values()))
    words = ", ".join(f"{encoder.family} ({encoder.name})" for encoder in encoders)
    if "h264" in families:
        checks.append(Check("formats", "clips, written", "ok", f"{words}; in {' '.join(found)}"))
    else:
        remedy = "pip install --upgrade --force-reinstall av"
        checks.append(Check("formats", "clips, written", "missing", f"no h264; only {words or 'nothing'}", remedy))
    checks.append(Check("formats", "clips, read", "ok", " ".join(decoders)))
    return {"encoders": [encoder.name for encoder in encoders], "decoders": decoders, "containers": found}


def _decodes(av: Any, name: str) -> bool:
    try:
        av.Codec(name, "r")
    except (ValueError, av.FFmpegError):
        return False
    return True
