"""Tiny generators, word tables and sounds for tests."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imgfix import zoo
from imgfix.nets.dcgan import DCGANGenerator
from imgfix.nets.r3gan import R3Generator
from imgfix.nets.words import WordTable

WORDS = ("apple", "blue", "cat", "dog", "green", "red")
NETS: dict[str, Any] = {"r3gan": R3Generator, "dcgan": DCGANGenerator}
SMALL: dict[str, dict[str, Any]] = {
    "r3gan": {"side": 32, "widths": [16, 8], "codes": 12, "hidden": 32, "condition": 16},
    "dcgan": {"side": 32, "width": 4, "noise": 16, "condition": 16},
}


def word_table(size: int = 8) -> WordTable:
    """A table of six words with random vectors."""
    letters = "\n".join(WORDS).encode()
    table = WordTable(len(WORDS), len(letters), size, 32)
    generator = torch.Generator().manual_seed(0)
    table.letters.copy_(torch.tensor(list(letters), dtype=torch.uint8))
    table.vectors.copy_(torch.randint(-100, 100, table.vectors.shape, generator=generator))
    table.pieces.copy_(torch.randint(-100, 100, table.pieces.shape, generator=generator))
    table.scales.copy_(torch.tensor([0.02, 0.02]))
    return table


def generator_file(
    path: Path, key: str = "r3gan", *, text: bool = True, classes: tuple[str, ...] = (), **more: Any
) -> Path:
    """A random generator as a weights file."""
    table = word_table()
    config = {
        **SMALL[key],
        **{"channels": 4, "words": table.config() if text else None, "classes": list(classes)},
        **{"sound": True, "image": False},
        **more,
    }
    torch.manual_seed(0)
    net = NETS[key](**config)
    if text:
        net.conditions.words.copy_from(table)
    if key == "r3gan":
        net.settle(torch.rand(32, config["channels"], config["side"], config["side"]))
        net.steps.fill_(2.0)
    return zoo.save(path, key, config, net.state_dict(), task="generate", name=path.stem)


def words_file(path: Path) -> Path:
    """The table of words as a weights file."""
    table = word_table()
    return zoo.save(path, "words", table.config(), table.state_dict(), task="generate")


def tone(path: Path, pitch: float = 440.0, seconds: float = 0.5, rate: int = 22050) -> Path:
    """A wav file with one tone."""
    samples = np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 20000).astype(np.int16).tobytes())
    return path
