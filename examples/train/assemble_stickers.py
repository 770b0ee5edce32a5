"""Assemble the captioned pictures and sounds that `generate-stickers` is trained on, from packages anyone can download.

    python examples/train/assemble_stickers.py captioned/ [--packages downloads/] [--side 64]

Makes one folder in the form that `imgfix train generate` reads: square PNGs with transparency, sounds, and a
`metadata.jsonl` with one line a picture: file_name, text (several captions), class (the style it is drawn in), sound
(files that sound like it). `manifest.jsonl` says for each file which package it is from, its version, licence and
authors. Emoji of one code point in three styles share their captions; the stamps are photos and drawings with sounds.

Pictures of one dominant hue are also added in another colour, with that colour's name in the caption: from "red apple"
comes a "blue apple", so that a colour in a prompt means something.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from assemble_photos import Source, fetch
from PIL import Image

EMOJI_GOOGLE = Source(
    "npm", "emoji-datasource-google", "16.0.0", "Apache-2.0", "Noto Emoji, Google", ("package/img/google/64/*.png",)
)
EMOJI_TWITTER = Source(
    "npm",
    "emoji-datasource-twitter",
    "16.0.0",
    "CC-BY-4.0",
    "Twemoji, Twitter, Inc and other contributors",
    ("package/img/twitter/64/*.png",),
)
EMOJI_FLUENT = Source(
    "npm",
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    "MIT",
    "Fluent Emoji, Microsoft Corporation",
    ("package/assets/*.webp",),
)
STAMPS = Source(
    "deb",
    "tuxpaint-stamps-default",
    "2022.06.04-1",
    "GPL-2.0-or-later",
    "Tux Paint stamps, Bill Kendrick and others",
    (),
)
FARM = Source("deb", "gcompris-qt-data", "3.1-2", "GPL-3.0-or-later", "GCompris authors", ())

CATEGORIES = {
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
}
COLOURED = CATEGORIES - {"Smileys & Emotion", "People & Body"}
# Letters, digits, coins and road signs have no sound worth learning, and no picture worth asking for.
NO_STAMPS = ("symbols", "military")
SPOKEN = re.compile(r"^(\d|.*umlaut.*|.*eszett.*|dreydl.*|no_uturn|xing_.*|xanthia|final-roll-call)$")
COLOURS = {"red": 0, "orange": 28, "yellow": 54, "green": 120, "blue": 220, "purple": 280, "pink": 325}
COLOUR_WORDS = {*COLOURS, "white", "black", "brown", "grey", "golden"}


@dataclass
class Entry:
    """One picture of the set."""

    picture: Image.Image
    name: str
    texts: list[str]
    style: str
    source: Source
    original: str
    colourable: bool = False
    sounds: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--packages", type=Path, default=Path("packages"), help="downloads, kept for the next time")
    parser.add_argument("--side", type=int, default=64, help="pixels of a side")
    options = parser.parse_args()

    entries = [*emoji(options.packages), *stamps(options.packages)]
    sounds = collect_sounds(options.packages, options.output)
    link_sounds(entries, {Path(record["file"]).stem: record["file"] for record in sounds})
    entries += [copy for entry in entries if entry.colourable and (copy := recoloured(entry)) is not None]
    lines, manifest = [], list(sounds)
    for entry in entries:
        file = f"{entry.style}/{entry.name}.png"
        target = options.output / file
        target.parent.mkdir(parents=True, exist_ok=True)
        squared(entry.picture, options.side).save(target, optimize=True)
        lines.append({"file_name": file, "text": entry.texts, "class": entry.style, "sound": entry.sounds})
        manifest.append(record_of(file, entry.source, entry.original))
    write_lines(options.output / "metadata.jsonl", lines)
    write_lines(options.output / "manifest.jsonl", manifest)
    heard = sum(bool(entry.sounds) for entry in entries)
    print(f"{len(entries)} pictures, {heard} of them with a sound; {len(sounds)} sounds")
    for style in sorted({entry.style for entry in entries}):
        print(f"  {style}: {sum(entry.style == style for entry in entries)}")


def emoji(packages: Path) -> Iterator[Entry]:
    """The emoji of three sets, joined by code point; skin tones and most man/woman doubles are left out."""
    folders = {
        "noto": (EMOJI_GOOGLE, fetch(EMOJI_GOOGLE, packages) / "package/img/google/64"),
        "twemoji": (EMOJI_TWITTER, fetch(EMOJI_TWITTER, packages) / "package/img/twitter/64"),
        "fluent": (EMOJI_FLUENT, fetch(EMOJI_FLUENT, packages) / "package/assets"),
    }
    listed = json.loads((folders["noto"][1].parents[2] / "emoji.json").read_text("utf-8"))
    for row in sorted(listed, key=lambda row: row["sort_order"]):
        name = row["name"].lower()
        doubled = (
            re.match(r"(man|woman|men|women|family|couple|two people|kiss)\b.*\W", name) and "200D" in row["unified"]
        )
        if row["category"] not in CATEGORIES or doubled:
            continue
        texts = captions_of(name, row["short_names"])
        codes = row["unified"].lower()
        for style, (source, folder) in folders.items():
            files = (f"{codes}.png", f"{codes}.webp", f"{codes.replace('-fe0f', '')}.webp")
            file = next((folder / f for f in files if (folder / f).exists()), None)
            if file is not None:
                picture = Image.open(file).convert("RGBA")
                yield Entry(
                    picture, f"{codes}-{style}", list(texts), style, source, file.name, row["category"] in COLOURED
                )


def captions_of(name: str, short_names: list[str]) -> list[str]:
    """An emoji's captions: its name and its nicknames, without digits and repetitions."""
    found = [name, *short_names]
    words = [" ".join(re.findall(r"[a-z]+", text.lower())) for text in found]
    return list(dict.fromkeys(text for text in words if text))


def stamps(packages: Path) -> Iterator[Entry]:
    """The stamps that are stored as pixels, with their English captions."""
    root = fetch(STAMPS, packages) / "usr/share/tuxpaint/stamps"
    for file in sorted(root.rglob("*.png")):
        place = file.relative_to(root)
        text = file.with_suffix(".txt")
        if place.parts[0] in NO_STAMPS or file.stem.endswith("_mirror") or not text.exists():
            continue
        caption = " ".join(re.findall(r"[a-z]+", text.read_text("utf-8").splitlines()[0].lower()))
        picture = Image.open(file).convert("RGBA")
        if not caption or min(picture.size) < 24:
            continue
        name = "-".join(place.with_suffix("").parts).replace(" ", "-")
        short = re.sub(r"^(a|an|the|some) ", "", caption)
        yield Entry(picture, name, list(dict.fromkeys([short, caption])), "stamp", STAMPS, str(place))


def collect_sounds(packages: Path, output: Path) -> list[dict]:
    """Copy the sounds: what the stamps sound like, and the animals of a farm."""
    folder = output / "sounds"
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    root = fetch(STAMPS, packages) / "usr/share/tuxpaint/stamps"
    for file in sorted((*root.rglob("*.ogg"), *root.rglob("*.wav"))):
        drawn = any(file.with_suffix(suffix).exists() for suffix in (".png", ".svg"))
        if drawn and not SPOKEN.match(file.stem) and file.relative_to(root).parts[0] not in NO_STAMPS:
            shutil.copy(file, folder / file.name)
            records.append(record_of(f"sounds/{file.name}", STAMPS, str(file.relative_to(root))))
    resource = fetch(FARM, packages) / "usr/share/gcompris-qt/rcc/explore_farm_animals.rcc"
    for path, content in qt_resources(resource.read_bytes()):
        if content[:4] in (b"OggS", b"RIFF") and "WEBP" not in str(content[8:12]):
            name = f"farm-{Path(path).stem}{'.wav' if content[:4] == b'RIFF' else '.ogg'}"
            (folder / name).write_bytes(content)
            records.append(record_of(f"sounds/{name}", FARM, f"explore_farm_animals.rcc:{path}"))
    return records


def qt_resources(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a Qt resource archive, stored or deflated.

    https://doc.qt.io/qt-6/resources.html; header and tree as Qt 5.9 and later write them (version 2 and 3).
    """
    magic, version, tree, contents, names = struct.unpack(">4sIIII", data[:20])
    if magic != b"qres" or version < 2:
        raise ValueError("not a Qt resource archive of version 2 or later")
    row = 22

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", data, names + offset)
        return data[names + offset + 6 : names + offset + 6 + 2 * length].decode("utf-16-be")

    def walk(node: int, prefix: str) -> Iterator[tuple[str, bytes]]:
        place = tree + node * row
        name, flags = struct.unpack_from(">IH", data, place)
        path = f"{prefix}/{name_at(name)}" if node else ""
        if flags & 2:
            count, first = struct.unpack_from(">II", data, place + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (offset,) = struct.unpack_from(">I", data, place + 10)
        (length,) = struct.unpack_from(">I", data, contents + offset)
        content = data[contents + offset + 4 : contents + offset + 4 + length]
        if flags & 1:
            content = zlib.decompress(content[4:])
        if not flags & 4:
            yield path, content

    yield from walk(0, "")


def link_sounds(entries: list[Entry], sounds: dict[str, str]) -> None:
    """Give each picture the sounds of what it shows: its own, and those whose one name stands in a short caption."""
    for stem, file in sorted(sounds.items()):
        noun = re.sub(r"^farm-|\d+$", "", stem).split("_")[0].lower()
        noun = {"apple": "", "chimp": "monkey", "blackcat": "cat", "sheep": "sheep", "hen": "chicken"}.get(noun, noun)
        for entry in entries:
            own = entry.style == "stamp" and Path(entry.original).stem == stem
            named = noun and any(noun in text.split() and len(text.split()) <= 2 for text in entry.texts)
            named = named and "hot dog" not in entry.texts
            if own or named:
                entry.sounds.append(file)


def recoloured(entry: Entry) -> Entry | None:
    """The same picture in another colour, chosen by its name; `None` where no hue dominates."""
    rgba = np.asarray(squared(entry.picture, 64))
    hsv = np.asarray(Image.fromarray(rgba[..., :3]).convert("HSV")).astype(np.int32)
    seen = rgba[..., 3] > 128
    vivid = seen & (hsv[..., 1] > 90) & (hsv[..., 2] > 70)
    if vivid.sum() < 0.45 * max(1, seen.sum()):
        return None
    counts = np.bincount(hsv[..., 0][vivid] * 24 // 256, minlength=24)
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    peak = int(smooth.argmax())
    if smooth[peak] < 0.7 * vivid.sum():
        return None
    own = (peak + 0.5) * 15
    own_name = min(COLOURS, key=lambda name: abs((COLOURS[name] - own + 180) % 360 - 180))
    others = sorted(name for name in COLOURS if abs((COLOURS[name] - own + 180) % 360 - 180) > 25)
    place = int.from_bytes(hashlib.sha256(f"{entry.style}{entry.name}".encode()).digest()[:4], "little")
    colour = others[place % len(others)]
    turned = np.asarray(Image.fromarray(rgba[..., :3]).convert("HSV")).copy()
    turned[..., 0] = (turned[..., 0].astype(np.int32) + round((COLOURS[colour] - own) / 360 * 256)) % 256
    picture = np.dstack([np.asarray(Image.fromarray(turned, "HSV").convert("RGB")), rgba[..., 3]])
    plain = [" ".join(w for w in text.split() if w not in COLOUR_WORDS) for text in entry.texts]
    plain = list(dict.fromkeys(text for text in plain if text))
    if not plain:
        return None
    bright = hsv[..., 2][vivid].mean() > 160  # a dark orange is brown, which these names do not know
    if bright and f"{own_name} {plain[0]}" not in entry.texts:
        entry.texts.append(f"{own_name} {plain[0]}")
    texts = [f"{colour} {text}" for text in plain]
    return Entry(Image.fromarray(picture), f"{entry.name}-{colour}", texts, entry.style, entry.source, entry.original)


def squared(picture: Image.Image, side: int) -> Image.Image:
    """Shrink to fit, centred on a transparent square; colours under full transparency are black."""
    rgba = np.asarray(picture.convert("RGBA"))
    shown = np.argwhere(rgba[..., 3] > 8)
    if len(shown) and max(picture.size) > side:
        (top, left), (bottom, right) = shown.min(0), shown.max(0) + 1
        picture = picture.crop((left, top, right, bottom))
    if max(picture.size) != side:
        factor = side / max(picture.size)
        size = tuple(max(1, round(length * factor)) for length in picture.size)
        picture = picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    pixels = np.array(canvas)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels)


def record_of(file: str, source: Source, original: str) -> dict:
    return {
        "file": file,
        "package": f"{source.registry}:{source.package}",
        "version": source.version,
        "licence": source.licence,
        "author": source.author,
        "original": original,
    }


def write_lines(path: Path, records: list[dict]) -> None:
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


if __name__ == "__main__":
    main()
