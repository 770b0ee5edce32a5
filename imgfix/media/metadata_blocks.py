"""What a file holds besides the pixels, brought up to date for the new picture; each format packs it its own way."""

from __future__ import annotations

from dataclasses import dataclass

from imgfix.media import exif, xmp
from imgfix.media.picture import Metadata


@dataclass(frozen=True)
class MetadataBlocks:
    """The blocks of one file."""

    metadata: Metadata
    exif: bytes | None  # size and orientation are those of the new picture
    xmp: bytes | None  # likewise; holds the record in formats that have no better place
    record: dict[str, object] | None  # how the file was made
    notes: list[str]  # what could not be kept, one sentence each; formats add to it


def blocks_for(
    metadata: Metadata,
    width: int,
    height: int,
    record: dict[str, object] | None,
    notes: list[str],
    *,
    record_in_xmp: bool,
) -> MetadataBlocks:
    """Bring EXIF and XMP up to date for a picture of this size (pixels).

    record_in_xmp: the format has no place of its own for the record.
    """
    block = exif.updated(metadata.exif, width, height) if metadata.exif else None
    packet = xmp.updated(metadata.xmp, width, height, turned=metadata.orientation != 1) if metadata.xmp else None
    if record is not None and record_in_xmp:
        merged = xmp.with_record(packet, record)
        if merged is None:
            notes.append("the XMP packet cannot be extended, so the record of this run was not stored")
        else:
            packet = merged
    return MetadataBlocks(metadata, block, packet, record, notes)
