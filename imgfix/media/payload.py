"""Everything in a file besides the pixels, packed for each format."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from imgfix.media import exif, jpeg, png, tiff, xmp
from imgfix.media.formats import Format
from imgfix.media.picture import Metadata

DEFAULT_QUALITY = {"JPEG": 95, "WEBP": 90, "AVIF": 85, "HEIF": 90, "JXL": 90}
_SEGMENT = 65533  # bytes that one JPEG segment holds


class Payload:
    """Everything besides the pixels, ready for each format."""

    def __init__(
        self,
        metadata: Metadata,
        width: int,
        height: int,
        form: Format,
        record: dict[str, object] | None,
        notes: list[str],
    ) -> None:
        self.metadata = metadata
        self.notes = notes
        self.record = record
        self.exif = exif.updated(metadata.exif, width, height) if metadata.exif else None
        packet = xmp.updated(metadata.xmp, width, height, turned=metadata.orientation != 1) if metadata.xmp else None
        if record is not None and form.name != "PNG" and form.tags:
            merged = xmp.with_record(packet, record)
            if merged is None:
                notes.append("the XMP packet cannot be extended, so the record of this run was not stored")
            else:
                packet = merged
        self.xmp = packet

    def png_chunks(self) -> tuple[bytes, ...]:
        """Pack the ancillary chunks in their prescribed order."""
        meta = self.metadata
        out = []
        for kind, body in meta.chunks:
            if not (kind == b"sRGB" and meta.icc):  # the two exclude each other
                out.append(png.chunk(kind, body))
        if meta.icc:
            out.append(png.chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(meta.icc, 9)))
        if meta.dpi:
            x, y = (min(2**31 - 1, round(value / 0.0254)) for value in meta.dpi)
            out.append(png.chunk(b"pHYs", struct.pack(">IIB", x, y, 1)))
        if self.exif:
            out.append(png.chunk(b"eXIf", self.exif))
        if self.xmp:
            out.append(png.text_chunk("XML:com.adobe.xmp", self.xmp.decode("utf-8", "replace")))
        out += [png.text_chunk(keyword, text) for keyword, text in meta.text.items()]
        if self.record is not None:
            out.append(png.text_chunk("imgfix", json.dumps(self.record, ensure_ascii=False, sort_keys=True)))
        return tuple(out)

    def tiff_tags(self) -> exif.Folders:
        """Make the directories of a TIFF, without those that describe the pixels."""
        meta = self.metadata
        folders = tiff.descriptive(self.exif)
        taken = {274, 282, 283, 296}
        main = [tag for tag in folders.get("main", []) if tag[0] not in taken]
        x, y = meta.dpi or (72.0, 72.0)
        main += [tiff.short_tag(274, 1), tiff.rational_tag(282, x), tiff.rational_tag(283, y)]
        main.append(tiff.short_tag(296, 2 if meta.dpi else 1))
        if self.xmp:
            main.append(tiff.bytes_tag(700, self.xmp, 1))
        if meta.iptc:
            main.append(tiff.bytes_tag(33723, meta.iptc))
        if meta.icc:
            main.append(tiff.bytes_tag(34675, meta.icc))
        return {**folders, "main": main}

    def options(self, form: Format, quality: int | None) -> dict[str, Any]:
        """Make the options of Pillow's encoders."""
        meta, options = self.metadata, dict[str, Any]()
        if form.tags:
            block = self.exif
            if block is None and meta.dpi and form.name != "JPEG":  # EXIF is the only place for it
                block = exif.of_resolution(meta.dpi)
            if block and form.name == "JPEG":
                block = exif.with_prefix(block)
            elif block and form.name == "AVIF":  # Pillow would take it out itself, and rewrite the block on the way
                block = exif.without_orientation(block)
            options = {"icc_profile": meta.icc, "exif": block, "xmp": self.xmp}
        if form.name == "JPEG":
            self._jpeg_options(options, quality)
        elif form.name == "WEBP":
            if quality is None and meta.format == "WEBP" and meta.lossless:
                # 'exact' keeps the colour under transparent pixels; for lossless files 'quality' is the effort.
                options |= {"lossless": True, "exact": True, "quality": 75}
            else:
                options |= {"quality": quality or DEFAULT_QUALITY["WEBP"], "method": 4, "exact": True}
        elif form.name == "AVIF":
            kept = meta.subsampling if meta.format == "AVIF" else None
            options |= {"quality": quality or DEFAULT_QUALITY["AVIF"], "subsampling": kept or "4:4:4"}
        elif form.name == "HEIF":
            options |= {"quality": quality or DEFAULT_QUALITY["HEIF"]}
        elif form.name == "JXL":
            # The box structure is what holds EXIF and XMP.
            options |= {"quality": quality or DEFAULT_QUALITY["JXL"], "use_container": True}
        elif form.name == "GIF":
            options["comment"] = meta.text.get("Comment")
        return {name: value for name, value in options.items() if value is not None}

    def _jpeg_options(self, options: dict[str, Any], quality: int | None) -> None:
        meta = self.metadata
        source = meta.jpeg if meta.format == "JPEG" else None
        if quality is None and source is not None and source.tables:
            options["qtables"] = [list(table) for table in source.tables]
            options["subsampling"] = source.subsampling
        else:
            chosen = quality or DEFAULT_QUALITY["JPEG"]
            options["quality"] = chosen
            options["subsampling"] = source.subsampling if source else ("4:4:4" if chosen >= 90 else "4:2:0")
        options["progressive"] = True if source is not None and source.progressive else None
        options["dpi"] = tuple(round(value) for value in meta.dpi) if meta.dpi else None
        comment = meta.text.get("Comment", "").encode("utf-8")
        options["comment"] = comment if 0 < len(comment) <= _SEGMENT else None
        extra = [jpeg.iptc_segment(meta.iptc)] if meta.iptc else []
        extra += [jpeg.segment(0xE1, body) for body in meta.xmp_extension]
        options["extra"] = b"".join(part for part in extra if part) or None
        for name, what, room in (("exif", "EXIF block", _SEGMENT), ("xmp", "XMP packet", _SEGMENT - 29)):
            if options[name] is not None and len(options[name]) > room:
                options[name] = None
                self.notes.append(f"the {what} is too long for a JPEG and was left out")
