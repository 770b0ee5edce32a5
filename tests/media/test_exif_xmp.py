"""EXIF and XMP are patched in place: what must change changes, everything else stays."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgfix.media import exif, xmp

from . import make


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_size_and_thumbnail_are_updated_in_place(order: str) -> None:
    thumbnail = make.encoded(make.scene(6, 8), "JPEG")
    block = make.exif_block(6, order=order, thumbnail=thumbnail)
    assert exif.orientation(block) == 6
    assert thumbnail in block

    after = exif.updated(block, 70000, 480)

    assert exif.orientation(after) == 1
    assert thumbnail not in after
    read = Image.Exif()
    read.load(after)
    assert read[0x010F] == "Testcam"
    camera = read.get_ifd(0x8769)
    assert (camera[0xA002], camera[0xA003]) == (70000, 480)
    assert camera[0x927C] == b"makernote-42"
    assert block.index(b"makernote-42") == after.index(b"makernote-42")  # its inner offsets stay true
    assert read.get_ifd(0x8825)[1] == "N"
    assert read.get_ifd(1) == {}


@pytest.mark.parametrize("order", ["<", ">"])
def test_resolution_is_read(order: str) -> None:
    assert exif.resolution(make.exif_block(order=order)) == (300, 300)
    assert exif.resolution(exif.of_resolution((72.5, 96))) == (72.5, 96)
    assert exif.resolution(b"junk") is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_rebuilt_block_says_the_same(order: str) -> None:
    block = make.exif_block(3, order=order)
    again = exif.build(exif.folders(block))
    assert exif.folders(again) == exif.folders(block)
    read = Image.Exif()
    read.load(again)
    assert read.get_ifd(0x8825)[2] == (51.0, 30.0, 0.0)


def test_the_orientation_entry_can_be_taken_out() -> None:
    block = make.exif_block(6)
    after = exif.without_orientation(block)
    assert exif.orientation(after) == 1
    before, now = exif.folders(block), exif.folders(after)
    assert [tag for tag in before["main"] if tag[0] != exif.ORIENTATION] == now["main"]
    assert before["exif"] == now["exif"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_blocks_never_raise_and_orientation_stays_in_range(data: st.DataObject) -> None:
    block = bytearray(make.exif_block(6, thumbnail=b"\xff\xd8thumb\xff\xd9"))
    for _ in range(data.draw(st.integers(0, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(block[: data.draw(st.integers(0, len(block)))])
    assert 1 <= exif.orientation(cut) <= 8
    exif.resolution(cut)
    exif.updated(cut, 10, 20)
    exif.without_orientation(cut)


RECORD = {"command": 'imgfix upscale "a & b <1>.jpg"', "seed": 7, "name": "größer"}


def test_a_record_joins_a_packet_that_stays_as_it_was() -> None:
    packet = make.xmp_packet(6)
    merged = xmp.with_record(packet, RECORD)
    assert merged is not None
    assert xmp.record(merged) == RECORD
    at = packet.index(b"</rdf:RDF>")
    assert merged.startswith(packet[:at])
    assert merged.endswith(packet[at:])
    ElementTree.fromstring(merged.decode())
    again = xmp.with_record(merged, {"seed": 8})
    assert again is not None
    assert xmp.record(again) == {"seed": 8}
    assert again.count(b"imgfix:record>") == 2


def test_a_record_makes_a_packet_where_there_is_none() -> None:
    merged = xmp.with_record(None, RECORD)
    assert merged is not None
    assert xmp.record(merged) == RECORD
    ElementTree.fromstring(merged.decode())


_OTHER = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"{}</x:xmpmeta>'
)


@pytest.mark.parametrize("packet", [_OTHER.format("/>"), _OTHER.format("></r:RDF>")])
def test_other_prefixes_and_empty_packets_take_a_record(packet: str) -> None:
    merged = xmp.with_record(packet.encode(), RECORD)
    assert merged is not None
    assert xmp.record(merged) == RECORD
    ElementTree.fromstring(merged.decode())


@pytest.mark.parametrize("packet", [b"\xff\xfe<\x00", b"no packet at all", b"<rdf:RDF>"])
def test_a_packet_that_cannot_be_extended_is_said(packet: bytes) -> None:
    assert xmp.with_record(packet, RECORD) is None
    assert xmp.record(packet) is None
    assert xmp.updated(packet, 1, 1, turned=True) in (packet, packet.rstrip(b"\0"))


def test_sizes_orientation_and_previews_are_updated() -> None:
    packet = make.xmp_packet(6).replace(
        b"<dc:title>", b"<tiff:ImageWidth>32</tiff:ImageWidth><xmp:Thumbnails><rdf:Alt/></xmp:Thumbnails><dc:title>"
    )
    after = xmp.updated(packet, 128, 96, turned=True).decode()
    assert 'tiff:Orientation="1"' in after
    assert 'exif:PixelXDimension="128"' in after
    assert "<tiff:ImageWidth>128</tiff:ImageWidth>" in after
    assert "Thumbnails" not in after
    assert 'xmp:Rating="4"' in after
    untouched = xmp.updated(make.xmp_packet(6), 128, 96, turned=False).decode()
    assert 'tiff:Orientation="6"' in untouched


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.integers(), st.booleans(), st.none()), max_size=4))
def test_any_record_comes_back(record: dict[str, object]) -> None:
    merged = xmp.with_record(make.xmp_packet(), record)
    assert merged is not None
    assert xmp.record(merged) == json.loads(json.dumps(record))


def test_a_thumbnail_that_is_not_last_is_blanked() -> None:
    thumbnail = b"\xff\xd8" + bytes(range(1, 60)) + b"\xff\xd9"
    block = make.exif_block(1, thumbnail=thumbnail) + b"trailing data"
    after = exif.updated(block, 1, 1)
    assert thumbnail not in after
    assert after.endswith(b"trailing data")
    assert len(after) == len(block)
    read = Image.Exif()
    read.load(after)
    assert read[0x010F] == "Testcam"
    assert io.BytesIO(after).read() == after
