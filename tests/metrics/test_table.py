"""What holds for every row of the table of metrics, so that a new one is tested by being there."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from imgfix.metrics import protocol
from imgfix.metrics.table import METRICS, Metric, imported

NEEDS_WEIGHTS = {"lpips", "lpips-vgg", "niqe"}
"""Measured in test_published_weights.py."""


def picture(noise: float) -> np.ndarray:
    """A smooth colour pattern with seeded noise, (48, 64, 3) in [0, 1]."""
    rows, columns = np.mgrid[0:48, 0:64]
    clean = np.stack([np.sin(rows / 5), np.cos(columns / 7), np.sin((rows + columns) / 9)], axis=2) / 3 + 0.5
    return np.clip(clean + np.random.default_rng(0).normal(0, noise, clean.shape), 0, 1)


def measured(metric: Metric, noise: float, y: bool = False, border: int = 0) -> float:
    how = protocol.Protocol("test", (metric.name,), y=y, border=border)
    return protocol.measure(how, picture(noise), picture(0))[metric.name]


def pairs(setting: str = "") -> list[Metric]:
    rows = [row for row in METRICS.values() if row.kind == "pair" and row.name not in NEEDS_WEIGHTS]
    return [row for row in rows if not setting or setting in row.settings]


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda row: row.name)
def test_every_row_names_functions_that_are_there(metric: Metric) -> None:
    assert callable(metric.function)
    assert (metric.kind == "set") == bool(metric.features)
    if metric.features:
        assert callable(imported(metric.features))


@pytest.mark.parametrize("metric", pairs(), ids=lambda row: row.name)
def test_a_worse_picture_gets_a_worse_number_in_the_direction_of_the_table(metric: Metric) -> None:
    same, little, much = (measured(metric, noise) for noise in (0, 0.05, 0.2))
    assert (same > little > much) if metric.higher_is_better else (same < little < much)


@pytest.mark.parametrize("metric", pairs("border"), ids=lambda row: row.name)
def test_a_border_is_cut_off_before_a_metric_that_follows_it(metric: Metric) -> None:
    first, second = picture(0.1), picture(0)
    first[:4], first[-4:], first[:, :4], first[:, -4:] = 0, 1, 0, 1
    values = [
        protocol.measure(protocol.Protocol("test", (metric.name,), border=4), bad, second)[metric.name]
        for bad in (first, picture(0.1))
    ]
    assert values[0] == values[1]


@pytest.mark.parametrize("metric", pairs("y"), ids=lambda row: row.name)
def test_a_metric_that_follows_the_luma_gives_another_number_there(metric: Metric) -> None:
    assert measured(metric, 0.1, y=True) != measured(metric, 0.1)


def test_reading_the_table_imports_no_torch() -> None:
    code = "import sys, imgfix.metrics.protocol; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
