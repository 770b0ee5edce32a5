"""Word vectors, for captions."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"out_channels": config.get("size", 96), "tiling": False, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """A table of vectors for words, another for pieces of words, and the list of the words."""
    letters, vectors, pieces = shape(state, "letters", 1), shape(state, "vectors", 2), shape(state, "pieces", 2)
    if letters is None or vectors is None or pieces is None or vectors[1] != pieces[1]:
        return None
    return {"words": vectors[0], "letters": letters[0], "size": vectors[1], "buckets": pieces[0]}


ARCHITECTURE = Architecture(
    key="words", net="imgfix.nets.words:WordTable", describe=describe, detect=detect, task="generate"
)
