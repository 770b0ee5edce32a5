"""XMP packets: the record of what was done is merged in, the rest of the packet stays byte for byte.

A packet is RDF in XML (Adobe XMP specification, ISO 16684-1). It is patched as text and not parsed and written anew,
because a rewrite renames prefixes and loses comments and padding that other programs rely on.
"""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape, unescape

from imgfix.media.names import json_text

NAMESPACE = "urn:imgfix:record:1#"
_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_EMPTY = (
    _BEGIN + '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
_OURS = re.compile(
    r'<rdf:Description rdf:about="[^"]*" xmlns:imgfix="' + re.escape(NAMESPACE) + r'">'
    r"<imgfix:record>(.*?)</imgfix:record></rdf:Description>",
    re.DOTALL,
)
_END = re.compile(r"</([A-Za-z_][\w.-]*:)?RDF\s*>")
_EMPTY_RDF = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?RDF)((?:\s[^<>]*)?)/>")
_ABOUT = re.compile(r"""rdf:about\s*=\s*["']([^"']*)["']""")


def with_record(xmp: bytes | None, record: dict[str, object]) -> bytes | None:
    """Put a record (JSON) into a packet, or make a packet for it; None when the packet cannot be extended."""
    text = _decoded(xmp) if xmp else _EMPTY
    if text is None:
        return None
    text = _EMPTY_RDF.sub(r"<\1\2></\1>", _OURS.sub("", text), count=1)
    ends = list(_END.finditer(text))
    if not ends:
        return None
    about = _ABOUT.search(text)
    value = escape(json_text(record, sort_keys=True))
    # The rdf prefix is declared here again so that the entry stands on its own under any prefix of the packet.
    entry = (
        f'<rdf:Description rdf:about="{about.group(1) if about else ""}" xmlns:imgfix="{NAMESPACE}">'
        f"<imgfix:record>{value}</imgfix:record></rdf:Description>"
    )
    if ends[-1].group(1) != "rdf:":
        entry = entry.replace(
            "<rdf:Description ",
            '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" ',
        )
    at = ends[-1].start()
    return (text[:at] + entry + text[at:]).encode("utf-8")


def record(xmp: bytes | None) -> dict[str, object] | None:
    """Read the record back, or None."""
    text = _decoded(xmp) if xmp else None
    match = _OURS.search(text.replace(' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"', "")) if text else None
    if match is None:
        return None
    try:
        value = json.loads(unescape(match.group(1)))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def updated(xmp: bytes, width: int, height: int, *, turned: bool) -> bytes:
    """Set the size properties, where they exist, and (if the picture was turned upright) the orientation to 1."""
    text = _decoded(xmp)
    if text is None:
        return xmp
    for name, value in (
        ("tiff:ImageWidth", width),
        ("tiff:ImageLength", height),
        ("exif:PixelXDimension", width),
        ("exif:PixelYDimension", height),
        *((("tiff:Orientation", 1),) if turned else ()),
    ):
        text = re.sub(rf"""({name}\s*=\s*["'])\d+(["'])""", rf"\g<1>{value}\2", text)
        text = re.sub(rf"(<{name}>\s*)\d+(\s*</{name}>)", rf"\g<1>{value}\2", text)
    # A preview inside the packet shows the picture as it was.
    text = re.sub(r"<(xmp|xap):Thumbnails>.*?</\1:Thumbnails>", "", text, flags=re.DOTALL)
    # The gain map of an HDR photo is a second picture behind the first and is not carried along.
    text = re.sub(r"""\shdrgm:Version\s*=\s*["'][^"']*["']""", "", text)
    return text.encode("utf-8")


def _decoded(xmp: bytes) -> str | None:
    try:
        return xmp.rstrip(b"\x00").decode("utf-8")
    except UnicodeDecodeError:
        return None
