"""The statistics of undamaged photographs that NIQE compares with."""

from __future__ import annotations

from typing import Any

from imgfix.zoo.architecture import Architecture, Config, State, shape


def describe(config: Config) -> dict[str, Any]:
    """Facts that follow from the hyper-parameters."""
    return {"tiling": False, "precisions": ("fp32",)}


def detect(state: State) -> Config | None:
    """A mean and a covariance of 36 features; it has no hyper-parameters."""
    return {} if shape(state, "covariance", 2) == (36, 36) and set(state) == {"mean", "covariance"} else None


ARCHITECTURE = Architecture(
    key="niqe", net="imgfix.nets.niqe:PristineModel", describe=describe, detect=detect, task="metric"
)
