"""Pictures as they are measured: equal numbers are equal, whatever range a file has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from imgfix.tasks.measurement import read, read_pair

VALUES = np.linspace(0, 1, 24 * 20).reshape(20, 24)


def stored(path: Path, values: np.ndarray) -> Path:
    tifffile.imwrite(path, values, metadata=None)
    return path


def test_floats_of_different_ranges_are_compared_as_numbers(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.tif", VALUES.astype(np.float32))
    beyond = VALUES.copy()
    beyond[0, 0], beyond[-1, -1] = -0.5, 1.5  # its own range is twice as large
    first, second, notes = read_pair(stored(tmp_path / "result.tif", beyond.astype(np.float32)), reference)
    assert notes == []
    assert np.abs(first[..., 0] - beyond).max() < 1e-4 and np.abs(second[..., 0] - VALUES).max() < 1e-4
    assert np.array_equal(second, read(reference)[0])


def test_whole_numbers_are_brought_to_the_range_of_the_reference(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.tif", np.rint(VALUES * 1000).astype(np.int32))
    first, second, _ = read_pair(stored(tmp_path / "half.tif", np.rint(VALUES * 500).astype(np.int32)), reference)
    assert np.abs(first * 2 - second).max() < 0.002


def test_floats_are_compared_with_bytes_from_0_to_1(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.tif", np.rint(VALUES * 255).astype(np.uint8))
    first, second, _ = read_pair(stored(tmp_path / "result.tif", (VALUES * 1.25).astype(np.float32)), reference)
    assert np.abs(first - second * 1.25).max() < 0.005
